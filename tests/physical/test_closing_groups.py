"""Groups by a key that tells when no more rows come: they are final then, or forgotten."""

from __future__ import annotations

from collections import Counter, defaultdict
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.node import Input
from tableflow.physical.retention import Retention
from tableflow.runtime.events import END_OF_TIME
from tableflow.serialization import dumps, loads
from tableflow.types import BIGINT, DOUBLE, INT, TIMESTAMP, Field
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness, summed
from tests.physical.test_changelog_aggregate import ref
from tests.physical.windowed import plain_times

END, KEY, VALUE = Field(1, "window_end", TIMESTAMP), Field(2, "k", INT), Field(3, "v", INT)
FIELDS = (END, KEY, VALUE)
CALLS = {
    "count": AggregateCall(BIGINT, "count"),
    "sum": AggregateCall(BIGINT, "sum", (ref(VALUE),)),
    "median": AggregateCall(DOUBLE, "median", (ref(VALUE),)),
}


def _harness(*names: str, final: bool, keys: tuple[Field, ...] = (KEY, END), rebuild: bool = False) -> EventHarness:
    calls = tuple(CALLS[name] for name in names)
    results = tuple(Field(20 + i, name, call.type) for i, (name, call) in enumerate(zip(names, calls, strict=True)))
    node = ChangelogAggregate(
        fields=(*keys, *results),
        input=Input(fields=FIELDS),
        keys=keys,
        calls=calls,
        retracting=False,
        closes=Retention(END.id, -1),
        final=final,
    )
    read = loads(dumps(node))
    assert read == node
    return EventHarness(operator_of(read), FIELDS, rebuild=rebuild)


@pytest.mark.parametrize("rebuild", [False, True])
def test_final_groups_come_once_when_time_has_passed_them(rebuild: bool) -> None:
    harness = _harness("count", "sum", final=True, rebuild=rebuild)
    harness.rows([(10, 1, 5), (20, 1, 7), (10, 1, 6), (10, 2, 1)])
    harness.watermark(9)
    harness.epoch()
    assert harness.take() == []
    harness.rows([(10, 2, 2), (30, 1, 9)])
    harness.watermark(10)
    assert sorted(plain_times(harness.take())) == [(1, 10, 2, 11, 1), (2, 10, 2, 3, 1)]
    harness.rows([(10, 1, 100), (20, 3, 1), (None, 4, 4)])
    assert harness.context.counted["late_rows"] == 1
    harness.watermark(25)
    assert sorted(plain_times(harness.take())) == [(1, 20, 1, 7, 1), (3, 20, 1, 1, 1)]
    harness.end()
    rest = {row[:1] + row[2:]: row[1] is None for row in harness.take()}
    assert rest == {(1, 1, 9, 1): False, (4, 1, 4, 1): True}


@pytest.mark.parametrize("rebuild", [False, True])
@pytest.mark.parametrize("names", [("count",), ("count", "median")])
def test_changing_groups_say_all_they_have_to_say_before_they_are_forgotten(
    names: tuple[str, ...], rebuild: bool
) -> None:
    harness = _harness(*names, final=False, keys=(END,), rebuild=rebuild)
    harness.rows([(10, 1, 5), (20, 1, 7)])
    assert len(harness.take()) == 2
    harness.rows([(10, 2, 9)])
    assert len(harness.take()) == 2  # the old row is taken back
    harness.watermark(10)
    assert harness.take() == []
    harness.rows([(10, 2, 9), (20, 1, 8)])
    assert harness.context.counted["late_rows"] == 1
    assert [row[1] for row in harness.take() if row[-1] > 0] == [2]
    harness.end()


@pytest.mark.parametrize(("names", "final"), [(("sum",), True), (("sum",), False), ((), False), (("median",), False)])
def test_what_is_kept_does_not_grow_with_the_windows_that_have_closed(names: tuple[str, ...], final: bool) -> None:
    harness = _harness(*names, final=final)
    held = []
    for step in range(1, 301):
        harness.rows([(10 * step, i, i) for i in range(200)])
        harness.watermark(10 * step - 5)
        harness.take()
        held.append(sum(each.bytes for each in harness.context.reservations.values()))
    assert max(held[150:]) <= max(held[:30])
    harness.end()


ROW = st.tuples(st.none() | st.integers(1, 30), st.integers(1, 2), st.none() | st.integers(-3, 3))


@pytest.mark.slow
@given(
    st.lists(st.lists(ROW, max_size=8) | st.integers(0, 35), max_size=10),
    st.sampled_from([("count", "sum"), ("count", "median"), ("median",)]), st.booleans(), st.booleans(),
)  # fmt: skip
def test_sum_of_changes_is_the_grouping_of_rows_on_time(
    events: list[Any], names: tuple[str, ...], final: bool, rebuild: bool
) -> None:
    """Final groups are only added, each with the first watermark that has reached its end; a row behind that is late."""
    final = final and "median" not in names
    harness = _harness(*names, final=final, rebuild=rebuild)
    rows: list[tuple[Any, ...]] = []
    mark, late = 0, 0
    for event in [*events, END_OF_TIME]:
        if isinstance(event, list):
            harness.rows(event)
            on_time = [row for row in event if row[0] is None or row[0] > mark]
            late += len(event) - len(on_time)
            rows += on_time
        elif event == END_OF_TIME:
            harness.end()
            mark = event
        else:
            harness.watermark(event)
            mark = max(mark, event)
        seen = [row for row in rows if not final or mark == END_OF_TIME or (row[0] is not None and row[0] <= mark)]
        assert summed(plain_times(harness.emitted)) == grouping(seen, names)
        assert not final or all(row[-1] > 0 for row in harness.emitted)
    assert harness.context.counted["late_rows"] == late


def grouping(rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> Counter[Any]:
    groups: defaultdict[Any, list[int | None]] = defaultdict(list)
    for end, key, value in rows:
        groups[key, end].append(value)
    wanted: Counter[Any] = Counter()
    for group, values in groups.items():
        there = [value for value in values if value is not None]
        known = {"count": len(values), "sum": sum(there) if there else None, "median": median(there) if there else None}
        wanted[(*group, *[known[name] for name in names])] = 1
    return wanted
