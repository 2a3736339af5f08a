"""DISTINCT calls over the same arguments that differ by their filters: they share the values and must not see each other's rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import Aggregate, GroupTable
from tableflow.columnar.representation import canonical
from tableflow.types import BIGINT, BOOLEAN, INT, INTERVAL, STRING
from tests.kernels.columns import plain

pytestmark = pytest.mark.slow

FILTERS = 10  # more than one set marks
VALUES, NAMES = [BIGINT, STRING], ["value", "text"]
BITS = st.lists(st.none() | st.booleans(), min_size=FILTERS, max_size=FILTERS)
ROW = st.tuples(st.integers(0, 2), st.none() | st.integers(-3, 3), st.none() | st.sampled_from(["", "a", "b"]), BITS)


def calls(filters: list[int | None]) -> list[Aggregate]:
    """Each over the first value alone, and over both together."""
    where = [None if f is None else len(VALUES) + f for f in filters]
    one = [Aggregate("count", (0,), (BIGINT,), BIGINT, at, distinct=True) for at in where]
    both = [Aggregate("count", (0, 1), (BIGINT, STRING), BIGINT, at, distinct=True) for at in where]
    return [*one, *both]


def feed(into: GroupTable, rows, weights=None) -> None:
    types = [INT, *VALUES, *[BOOLEAN] * FILTERS]
    values = [(row[0], row[1], row[2], *row[3]) for row in rows]
    columns = [Column(of, pa.array([row[i] for row in values], canonical(of))) for i, of in enumerate(types)]
    into.update(columns[:1], columns[1:], len(rows), weights=None if weights is None else np.array(weights, np.int64))


def held(of: GroupTable) -> dict[int, list[int]]:
    numbers = np.arange(of.groups, dtype=np.uint32)
    rows = zip(*map(plain, of.results_of(numbers)), strict=True)
    return dict(zip(plain(of.keys_of(numbers)[0]), map(list, rows), strict=True))


def expected(counted: Counter, filters: list[int | None]) -> dict[int, list[int]]:
    """By group: how many values have come more often than they went, under each filter."""
    found = {}
    for group in {row[0] for row in counted}:
        sums: list[Counter] = [Counter() for _ in range(2 * len(filters))]
        for (of, value, text, bits), count in counted.items():
            for i, f in enumerate(filters):
                if of != group or value is None or (f is not None and not bits[f]):
                    continue
                sums[i][value] += count
                if text is not None:
                    sums[len(filters) + i][value, text] += count
        found[group] = [sum(count > 0 for count in one.values()) for one in sums]
    return found


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(ROW, min_size=1, max_size=30),
    filters=st.lists(st.none() | st.integers(0, FILTERS - 1), min_size=1, max_size=12),
    way=st.sampled_from(["fed", "absorbed", "saved", "retained"]),
    cut=st.integers(0, 30),
)
@pytest.mark.parametrize("changing", [False, True])
def test_each_filter_counts_its_own_values(changing, rows, filters, way, cut):
    rows = [(group, value, text, tuple(bits)) for group, value, text, bits in rows]
    first, second = rows[:cut], rows[cut:]
    table = GroupTable([INT], calls(filters), changing=changing)
    counted: Counter = Counter()
    for part in (first, second):
        if not part:
            continue
        # In a changing table every other row of the first part goes again.
        gone = [part[i] for i in range(0, len(part), 2)] if changing and part is first else []
        feed(table, [*part, *gone], [1] * len(part) + [-1] * len(gone) if changing else None)
        counted.update(part)
        counted.subtract(gone)
        table = moved(table, way, filters, changing)
    assert held(table) == expected(counted, filters)


def moved(table: GroupTable, way: str, filters: list[int | None], changing: bool) -> GroupTable:
    everything = np.arange(table.groups, dtype=np.uint32)
    if way == "retained":
        table.retain(everything)
    if way not in {"absorbed", "saved"}:
        return table
    other = GroupTable([INT], calls(filters), changing=changing)
    other.absorb(table, everything) if way == "absorbed" else other.restore(table.snapshot())
    return other


@pytest.mark.parametrize("way", ["absorbed", "saved", "retained"])
@pytest.mark.parametrize("changing", [False, True])
def test_equal_intervals_stay_one_value_wherever_groups_go(way: str, changing: bool) -> None:
    """The longest and the shortest ones, too; they are kept by length, and written anew when they move."""
    most, day = 2**31 - 1, 86_400_000_000_000
    spellings = [
        [(1, 0, 0), (0, 30, 0), (0, 0, 30 * day)], [(0, 1, 0), (0, 0, day), (1, -29, 0)], [(-1, 0, 0), (0, -30, 0)], [(0, 0, -1)],
        [(most, most, 2**63 - 1)], [(-most - 1, -most - 1, -(2**63))], [(0, 0, 0)],
    ]  # fmt: skip
    values = [spelling for same in spellings for spelling in same]
    made = [Aggregate("count", (0,), (INTERVAL,), BIGINT, None, distinct=True)]
    column = Column(INTERVAL, pa.array([pa.MonthDayNano(value) for value in values], pa.month_day_nano_interval()))
    keys = [Column(INT, pa.array([1] * len(values), pa.int32()))]
    table = GroupTable([INT], made, changing=changing)
    table.update(keys, [column], len(values))
    first = np.zeros(1, np.uint32)
    if way == "retained":
        table.retain(first)
    else:
        moved = GroupTable([INT], made, changing=changing)
        moved.restore(table.snapshot()) if way == "saved" else moved.absorb(table, first)
        table = moved
    table.update(keys, [column], len(values))
    assert table.results_of(first)[0].array.to_pylist() == [len(spellings)]
