"""Rows taken away leave a group as if they had never come; groups move, go, and survive being saved."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import Aggregate, GroupTable, equal_rows
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.kernels.partition import KeyRange, partition
from tableflow.columnar.representation import canonical
from tableflow.types import BIGINT, BOOLEAN, DOUBLE, INT, INTERVAL, STRING, DecimalType, SqlType
from tests.kernels.columns import DECIMAL, VALUES, plain

FLOATS = st.sampled_from(
    [0.1, 0.2, 1e300, -1e300, 1e-300, 1.7e308, -1.7e308, 3.0, math.inf, -math.inf, math.nan, 1e16, 1.0]
)
TEXTS = st.sampled_from(["", "a", "b", "ab", "longer than sixteen bytes"])
SUM = DecimalType(38, 2)
ARGUMENTS: list[SqlType] = [BIGINT, DOUBLE, STRING, DECIMAL, INTERVAL, BOOLEAN, INT]
DRAWN = {
    **VALUES,
    DOUBLE: FLOATS,
    STRING: TEXTS,
    BIGINT: st.integers(-5, 5),
    INT: st.integers(-3, 3),
    DECIMAL: VALUES[DECIMAL],
}
CALLS = [
    Aggregate("count", (), (), BIGINT),
    Aggregate("count", (0,), (BIGINT,), BIGINT),
    Aggregate("sum", (0,), (BIGINT,), DecimalType(38, 0)),
    Aggregate("sum", (6,), (INT,), BIGINT),
    Aggregate("sum", (1,), (DOUBLE,), DOUBLE),
    Aggregate("avg", (1,), (DOUBLE,), DOUBLE, filter=5),
    Aggregate("sum", (3,), (DECIMAL,), SUM),
    Aggregate("avg", (0,), (BIGINT,), DOUBLE),
    Aggregate("count_if", (5,), (BOOLEAN,), BIGINT),
    Aggregate("bool_and", (5,), (BOOLEAN,), BOOLEAN),
    *(Aggregate(name, (i,), (of,), of) for name in ("min", "max") for i, of in enumerate(ARGUMENTS)),
    Aggregate("var_pop", (0,), (BIGINT,), DOUBLE),
    Aggregate("stddev_samp", (6,), (INT,), DOUBLE),
    Aggregate("count", (2,), (STRING,), BIGINT, distinct=True),
    Aggregate("sum", (0,), (BIGINT,), DecimalType(38, 0), distinct=True, filter=5),
    Aggregate("count", (2, 0), (STRING, BIGINT), BIGINT, distinct=True),
]
ROW = st.tuples(
    st.none() | st.integers(0, 2), st.sampled_from(["x", "y"]), *(st.none() | DRAWN[of] for of in ARGUMENTS)
)
KEYS = [INT, STRING]


def table(changing: bool) -> GroupTable:
    return GroupTable(KEYS, CALLS, changing=changing)


def feed(into: GroupTable, rows, weights=None) -> None:
    columns = [
        Column(of, pa.array([row[i] for row in rows], canonical(of))) for i, of in enumerate([*KEYS, *ARGUMENTS])
    ]
    counted = None if weights is None else np.array(weights, np.int64)
    into.update(columns[:2], columns[2:], len(rows), weights=counted)


def held(of: GroupTable, numbers=None):
    """Results by key, floats rounded as tests compare them."""
    numbers = np.arange(of.groups, dtype=np.uint32) if numbers is None else numbers
    keys = zip(*map(plain, of.keys_of(numbers)), strict=True)
    results = zip(*map(plain, of.results_of(numbers)), strict=True)
    return {key: tuple(map(rough, row)) for key, row in zip(keys, results, strict=True)}


def rough(value):
    return float(f"{value:.9e}") if isinstance(value, float) else value


def plainly(rows):
    """What a table that only ever sees these rows says; sums of floats by Python, which rounds once."""
    plain_table = table(False)
    if rows:
        feed(plain_table, rows)
    expected = {key: list(row) for key, row in held(plain_table).items()}
    groups = defaultdict(list)
    for row in rows:
        groups[row[:2]].append(row)
    for key, members in groups.items():
        expected[key][4] = exact_sum([row[3] for row in members if row[3] is not None])
        tested = [row[3] for row in members if row[7] and row[3] is not None]
        total = exact_sum(tested)
        expected[key][5] = None if total is None else "NaN" if total == "NaN" else rough(total / len(tested))
    return {key: tuple(row) for key, row in expected.items()}


def exact_sum(values):
    if not values:
        return None
    special = sum(v for v in values if not math.isfinite(v)) if not all(map(math.isfinite, values)) else 0.0
    if special:
        return "NaN" if math.isnan(special) else special
    scaled = math.fsum(v / 2**100 for v in values)
    whole = math.fsum(values) if all(abs(v) < 1e200 for v in values) else scaled * 2.0**100
    return rough(whole)


def moved(of: GroupTable, way: str, rng) -> GroupTable:
    """The same groups after a detour; as new groups go."""
    numbers = np.arange(of.groups, dtype=np.uint32)
    match way:
        case "retain":
            kept = numbers[~of.vacant(numbers)]
            rng.shuffle(kept)
            of.retain(kept)
            assert of.groups == len(kept)
            return of
        case "absorb":
            cut = len(numbers) // 2
            fresh = table(True)
            parts = [fresh.absorb(of, numbers[cut:]), fresh.absorb(of, numbers[:cut])]
            assert sorted(np.concatenate(parts).tolist()) == numbers.tolist()
            return fresh
        case "snapshot":
            fresh = table(True)
            fresh.restore(of.snapshot())
            assert fresh.groups == of.groups
            assert fresh.snapshot() == of.snapshot()
            return fresh
        case "parts":
            fresh = table(True)
            in_parts(of, fresh, [int(rng.integers(2))])
            return fresh
    return of


def in_parts(of: GroupTable, fresh: GroupTable, dealt: list[int]) -> None:
    """Moves all groups by ranges of keys, whatever happens to the table that had them."""
    groups = [of.groups_in(KeyRange.part(i, 3), dealt) for i in range(3)]
    columns = [of.key(at, 0, of.groups) for at in dealt]
    assert [some.tolist() for some in groups] == [rows.tolist() for rows in partition(hash_rows(columns), 3)]
    parts, keys = [of.snapshot(some) for some in groups], [of.keys_of(some) for some in groups]
    of.clear()
    for numbers, saved in zip(fresh.unite(parts), keys, strict=True):
        assert list(map(plain, fresh.keys_of(numbers))) == list(map(plain, saved))
    assert fresh.groups == sum(map(len, groups))


WAYS = st.sampled_from(["stay", "retain", "absorb", "snapshot", "parts"])


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.lists(st.tuples(ROW, st.integers(-2, 3)), max_size=8), WAYS), max_size=4),
    st.lists(ROW, max_size=8),
)
def test_what_is_left_counts(steps, rest):
    changing, rng = table(True), np.random.default_rng(0)
    history = []
    for rows, way in steps:
        if rows:
            feed(changing, [row for row, _ in rows], [weight for _, weight in rows])
        history += rows
        changing = moved(changing, way, rng)
    # All of it goes again, but for some rows.
    gone = [(row, -weight) for row, weight in history]
    for at in range(0, len(gone), 3):
        feed(changing, [row for row, _ in gone[at : at + 3]], [weight for _, weight in gone[at : at + 3]])
    numbers = np.arange(changing.groups, dtype=np.uint32)
    assert changing.vacant(numbers).all()
    if rest:
        feed(changing, rest)
    numbers = np.arange(changing.groups, dtype=np.uint32)
    assert held(changing, numbers[~changing.vacant(numbers)]) == plainly(rest)


@pytest.mark.slow
@given(st.lists(ROW, max_size=12), st.integers(0, 12))
def test_plain_tables_move_as_well(rows, cut):
    """Groups of tables that never take rows away: merged, forgotten, saved."""
    calls = [call for call in CALLS if call.arguments != (1,)]
    parts = [GroupTable(KEYS, calls) for _ in range(3)]
    for part, some in zip(parts, (rows[:cut], rows[cut:], rows), strict=True):
        if some:
            feed(part, some)
    left, right, whole = parts
    left.absorb(right, np.arange(right.groups, dtype=np.uint32))
    assert held(left) == held(whole)
    fresh = GroupTable(KEYS, calls)
    fresh.restore(left.snapshot())
    assert held(fresh) == held(whole)
    again = GroupTable(KEYS, calls)
    in_parts(fresh, again, [1, 0])
    fresh.unite([again.snapshot()])
    assert held(again) == held(fresh) == held(whole)
    numbers = np.arange(0, fresh.groups, 2, dtype=np.uint32)
    expected = held(fresh, numbers)
    fresh.retain(numbers)
    assert held(fresh) == expected


def test_groups_can_be_given_other_keys():
    """Panes of a window become one group: (pane, key) is moved to (window, key), several times if need be."""
    panes = GroupTable([INT, STRING], [Aggregate("count", (), (), BIGINT)])
    keys = [Column(INT, pa.array([1, 1, 2, 2], pa.int32())), Column(STRING, pa.array(["a", "b", "a", "a"]))]
    panes.update(keys, [], 4)
    windows = GroupTable([INT, STRING], [Aggregate("count", (), (), BIGINT)])
    groups = np.array([0, 1, 2, 0, 2], np.uint32)
    numbers = Column(INT, pa.array([7, 7, 7, 8, 8], pa.int32()))
    windows.absorb(panes, groups, [numbers, panes.keys_of(groups)[1]])
    assert {(*k, *r) for k, r in zip(zip(*map(plain, windows.keys(0, 3))), zip(*map(plain, windows.results(0, 3))))} == {
        (7, "a", 3), (7, "b", 1), (8, "a", 3),
    }  # fmt: skip


def test_groups_that_are_united_can_be_given_other_keys():
    """Windows are numbered by each task for itself; what was saved of two of them has common numbers then."""
    counts = [GroupTable([INT, STRING], [Aggregate("count", (), (), BIGINT)]) for _ in range(3)]
    for of, names in zip(counts, (["a", "b"], ["a", "c"]), strict=False):
        of.update([Column(INT, pa.array([0, 1], pa.int32())), Column(STRING, pa.array(names))], [], 2)

    def renamed(part: int, keys: list[Column]) -> list[Column]:
        return [Column(INT, pa.array([7, 8 + part], pa.int32())), keys[1]]

    numbers = counts[2].unite([of.snapshot() for of in counts[:2]], renamed)
    assert [some.tolist() for some in numbers] == [[0, 1], [0, 2]]
    assert held(counts[2]) == {(7, "a"): (2,), (8, "b"): (1,), (9, "c"): (1,)}


@pytest.mark.parametrize("keys", [KeyRange.part(i, 2) for i in range(2)])
def test_the_group_without_a_key_is_with_hash_0(keys):
    one, other = (GroupTable([], [Aggregate("count", (), (), BIGINT)]) for _ in range(2))
    one.update([], [], 5)
    other.unite([one.snapshot(one.groups_in(keys, []))])
    assert plain(other.results(0, 1)[0]) == [5 if keys.first else 0]


def test_memory_comes_back():
    of = GroupTable(
        [BIGINT], [Aggregate("count", (), (), BIGINT), Aggregate("max", (0,), (BIGINT,), BIGINT)], changing=True
    )
    values = Column(BIGINT, pa.array(np.arange(200_000) * 7919))
    of.update([values], [values], 200_000)
    full = of.bytes
    of.retain(np.arange(100, dtype=np.uint32))
    assert of.groups == 100
    assert of.bytes < full / 20


def test_a_sum_of_floats_leaves_nothing():
    of = GroupTable([], [Aggregate("sum", (0,), (DOUBLE,), DOUBLE), Aggregate("count", (), (), BIGINT)], changing=True)
    values = Column(DOUBLE, pa.array([1e300, 0.1, -1e300, 1e-300, 0.3]))
    of.update([], [values], 5)
    assert plain(of.results(0, 1)[0]) == [math.fsum([1e300, 0.1, -1e300, 1e-300, 0.3])]
    of.update([], [values], 5, weights=np.array([-1, 0, -1, -1, -1], np.int64))
    assert plain(of.results(0, 1)[0]) == [0.1]
    of.update([], [values], 5, weights=np.array([0, -1, 0, 0, 0], np.int64))
    assert plain(of.results(0, 1)[0]) == [None]
    assert of.vacant(np.zeros(1, np.uint32)).all()


def test_what_is_foreign_is_refused():
    of = GroupTable([INT], [Aggregate("count", (), (), BIGINT)])
    with pytest.raises(ValueError, match="take them away"):
        of.update([Column(INT, pa.array([1], pa.int32()))], [], 1, weights=np.array([-1], np.int64))
    with pytest.raises(IndexError):
        of.keys_of(np.array([0], np.uint32))
    with pytest.raises(IndexError):
        of.retain(np.array([3], np.uint32))
    numbers = Column(INT, pa.array([1, 2, 1], pa.int32()).dictionary_encode())
    with pytest.raises(ValueError, match="only strings have dictionaries"):
        of.update([numbers], [], 3)
    with pytest.raises(ValueError, match="only strings have dictionaries"):
        of.place([numbers], 3)
    with pytest.raises(ValueError, match="only strings have dictionaries"):
        equal_rows([numbers], [numbers], 3)
    with pytest.raises(ValueError, match="itself"):
        of.absorb(of, np.array([], np.uint32))
    with pytest.raises(ValueError, match="made alike"):
        of.absorb(GroupTable([INT, INT], []), np.array([], np.uint32))
    other = GroupTable([INT], [Aggregate("count", (), (), BIGINT)])
    other.update([Column(INT, pa.array([1], pa.int32()))], [], 1)
    with pytest.raises(ValueError, match="damaged"):
        of.restore(other.snapshot()[:-1])
