"""Groups of a changelog: the sum of changes is the grouping of the sum of what came in."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.config import MINI_BATCH_SIZE, Settings
from tableflow.errors import InternalError
from tableflow.expressions.nodes import AggregateCall, Call, ColumnRef
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.node import Input
from tableflow.types import BIGINT, BOOLEAN, DOUBLE, INT, STRING, ArrayType, DecimalType, Field
from tests.physical.changelogs import changes, check_changes, cuts, operator_of
from tests.physical.event_harness import EventHarness

K, S, V, B, D = (
    Field(1, "k", INT),
    Field(2, "s", STRING),
    Field(3, "v", INT),
    Field(4, "b", BOOLEAN),
    Field(5, "d", DOUBLE),
)
FIELDS = (K, S, V, B, D)
ROW = st.tuples(
    st.none() | st.integers(0, 1),
    st.none() | st.sampled_from(["a", "b", "a text that is longer than twelve bytes"]),
    st.none() | st.integers(-2, 2),
    st.none() | st.booleans(),
    st.none() | st.sampled_from([0.1, 1e300, -1e300, 3.0]),
)


def ref(f: Field) -> ColumnRef:
    return ColumnRef(f.type, f.id, f.name)


DOUBLED = Call(INT, "add", (ref(V), ref(V)))
CALLS = {
    "count": AggregateCall(BIGINT, "count"),
    "count(v)": AggregateCall(BIGINT, "count", (ref(V),)),
    "sum(v)": AggregateCall(BIGINT, "sum", (ref(V),)),
    "sum(v+v)": AggregateCall(BIGINT, "sum", (DOUBLED,)),
    "avg(v)": AggregateCall(DOUBLE, "avg", (ref(V),)),
    "sum(d)": AggregateCall(DOUBLE, "sum", (ref(D),)),
    "max(s)": AggregateCall(STRING, "max", (ref(S),)),
    "min(v) filter": AggregateCall(INT, "min", (ref(V),), filter=ref(B)),
    "count filter": AggregateCall(BIGINT, "count", filter=ref(B)),
    "bool_or": AggregateCall(BOOLEAN, "bool_or", (ref(B),)),
    "count(distinct s)": AggregateCall(BIGINT, "count", (ref(S),), distinct=True),
    "sum(distinct v) filter": AggregateCall(BIGINT, "sum", (ref(V),), distinct=True, filter=ref(B)),
}
COLLECTED = {
    "array_agg(v)": AggregateCall(
        ArrayType(INT), "array_agg", (ref(V),), order=(ref(V),), directions=((False, False),)
    ),
    "median(v)": AggregateCall(DOUBLE, "median", (ref(V),)),
    "last(s)": AggregateCall(
        STRING, "last", (ref(S),), order=(ref(V), ref(S)), directions=((False, False), (False, False))
    ),
}


def value_of(name: str, rows: list[Any]) -> Any:
    tested = [row for row in rows if row[3]]
    texts = [row[1] for row in rows if row[1] is not None]
    values = [row[2] for row in rows if row[2] is not None]
    match name:
        case "count":
            return len(rows)
        case "count(v)":
            return len(values)
        case "sum(v)":
            return sum(values) if values else None
        case "sum(v+v)":
            return 2 * sum(values) if values else None
        case "avg(v)":
            return sum(values) / len(values) if values else None
        case "sum(d)":
            parts = [row[4] for row in rows if row[4] is not None]
            huge = sum(1 if part > 0 else -1 for part in parts if abs(part) == 1e300)
            small = [part for part in parts if abs(part) < 1e300]
            return exactly(huge, small) if parts else None
        case "max(s)":
            return max(texts, default=None)
        case "min(v) filter":
            return min((row[2] for row in tested if row[2] is not None), default=None)
        case "count filter":
            return len(tested)
        case "bool_or":
            known = [row[3] for row in rows if row[3] is not None]
            return any(known) if known else None
        case "count(distinct s)":
            return len(set(texts))
        case "sum(distinct v) filter":
            chosen = {row[2] for row in tested if row[2] is not None}
            return sum(chosen) if chosen else None
        case "array_agg(v)":
            return sorted((row[2] for row in rows), key=lambda v: (v is None, v or 0)) if rows else None
        case "median(v)":
            return float(np.median(values)) if values else None
        case "last(s)":
            by = sorted(rows, key=lambda r: (r[2] is None, r[2] or 0, r[1] is None, r[1] or ""))
            return by[-1][1] if by else None
    raise AssertionError(name)


def exactly(huge: int, small: list[float]) -> float:
    import math

    return math.fsum([*([1e300 if huge > 0 else -1e300] * abs(huge)), *small])


def node_of(keys: tuple[Field, ...], names: list[str], **how: Any) -> ChangelogAggregate:
    calls = tuple((CALLS | COLLECTED)[name] for name in names)
    results = tuple(Field(20 + i, name, call.type) for i, (name, call) in enumerate(zip(names, calls, strict=True)))
    return ChangelogAggregate(fields=(*keys, *results), input=Input(fields=FIELDS), keys=keys, calls=calls, **how)


def shown(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def grouped(node: ChangelogAggregate, names: list[str], total: Counter[Any], *, empty: bool) -> Counter[Any]:
    where = [FIELDS.index(key) for key in node.keys]
    groups: dict[Any, list[Any]] = {}
    for row in total.elements():
        groups.setdefault(tuple(row[i] for i in where), []).append(row)
    if not node.keys and empty:
        groups.setdefault((), [])
    return Counter((*key, *(shown(value_of(name, rows)) for name in names)) for key, rows in groups.items())


@pytest.mark.slow
@settings(max_examples=150)
@given(st.data())
def test_sum_of_changes_is_the_grouping_of_sums(data: Any) -> None:
    keys = data.draw(st.sampled_from([(), (K,), (S,), (K, S)]))
    names = data.draw(st.lists(st.sampled_from(sorted(CALLS)), max_size=4, unique=True))
    appends = data.draw(st.booleans())
    if not keys and not names:
        names = ["count"]
    if appends:
        names = [name for name in names if name != "sum(d)"]  # sums of additions alone may be rounded as they go
    node = node_of(keys, names, retracting=not appends)
    batches = data.draw(cuts(data.draw(changes(ROW, appends=appends))))
    check_changes(
        node,
        batches,
        lambda total: grouped(node, names, total, empty=True),
        rebuild=data.draw(st.booleans()),
        batch_rows=data.draw(st.sampled_from([1, 65_536])),
        weighted=not appends,
    ).close()


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_aggregates_of_whole_groups(data: Any) -> None:
    keys = data.draw(st.sampled_from([(), (K,)]))
    names = [*data.draw(st.lists(st.sampled_from(sorted(COLLECTED)), min_size=1, max_size=2, unique=True)), "count"]
    node = node_of(keys, names)
    batches = data.draw(cuts(data.draw(changes(ROW))))
    harness = EventHarness(operator_of(node), FIELDS, rebuild=data.draw(st.booleans()))
    total: Counter[Any] = Counter()
    for batch in batches:
        harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
        for row, weight in batch:
            total[row] += weight
        if all(count >= 0 for count in total.values()):
            got: Counter[Any] = Counter()
            for *row, weight in harness.emitted:
                got[tuple(map(shown, row))] += weight
            present = Counter({row: count for row, count in total.items() if count})
            assert Counter({row: n for row, n in got.items() if n}) == grouped(node, names, present, empty=True)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_changes_of_an_epoch_together(data: Any) -> None:
    keys = data.draw(st.sampled_from([(), (K,)]))
    names = ["count", "max(s)"]
    node = node_of(keys, names, per_epoch=True)
    harness = EventHarness(operator_of(node), FIELDS, rebuild=data.draw(st.booleans()))
    total: Counter[Any] = Counter()
    for batch in data.draw(cuts(data.draw(changes(ROW)))):
        before = len(harness.batches)
        harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
        assert len(harness.batches) == before
        for row, weight in batch:
            total[row] += weight
        if data.draw(st.booleans()) and all(count >= 0 for count in total.values()):
            harness.epoch()
            present = Counter({row: count for row, count in total.items() if count})
            assert harness.changes() == grouped(node, names, present, empty=True)
    harness.end()
    assert harness.changes() == grouped(node, names, total, empty=True)


@pytest.mark.parametrize("name", ["count", "median(v)"])
def test_one_row_without_keys_from_the_first_epoch_on(name: str) -> None:
    nothing = (0,) if name == "count" else (None,)
    harness = EventHarness(operator_of(node_of((), [name])), FIELDS, rebuild=True)
    harness.epoch()
    assert harness.take() == [(*nothing, 1)]
    harness.epoch()
    assert harness.take() == []
    harness.rows([(1, "a", 2, True, 1.0)])
    assert set(harness.take()) == {(*nothing, -1), (1 if name == "count" else 2.0, 1)}
    harness.rows([(1, "a", 2, True, 1.0)], 0, [-1])
    harness.end()
    assert Counter(harness.emitted)[(*nothing, 1)] == 1


def test_what_changes_nothing_is_not_emitted() -> None:
    harness = EventHarness(operator_of(node_of((K,), ["max(s)"])), FIELDS)
    harness.rows([(1, "b", 0, None, None)])
    harness.take()
    harness.rows([(1, "a", 0, None, None), (2, "c", 1, None, None), (2, "c", 1, None, None)], 0, [1, 1, -1])
    assert harness.take() == []


def test_groups_without_rows_are_forgotten() -> None:
    node = node_of((K,), ["count", "sum(v)", "max(s)"])
    harness = EventHarness(operator_of(node), FIELDS)
    rows = 5000

    def batch(first: int, weight: int) -> Batch:
        keys = np.arange(first, first + rows, dtype=np.int32)
        columns = [Column(INT, pa.array(keys)), Column(STRING, pa.array([f"text {k} of some length" for k in keys]))]
        columns += [Column(INT, pa.array(keys)), Column(BOOLEAN, pa.array([True] * rows))]
        return Batch([*columns, Column(DOUBLE, pa.array(keys.astype(float)))], rows, None, np.full(rows, weight))

    sizes = []
    for first in range(0, 20 * rows, rows):
        harness.batch(batch(first, 1))
        harness.batch(batch(first, -1))
        harness.said.clear()
        sizes.append(harness.context.state_bytes)
    assert max(sizes[5:]) <= 1.2 * max(sizes[:5])
    assert harness.operator._groups._table.groups < 3 * rows
    harness.close()


def test_weights_where_only_additions_were_promised() -> None:
    harness = EventHarness(operator_of(node_of((K,), ["count"], retracting=False)), FIELDS)
    with pytest.raises(InternalError, match="only added"):
        harness.rows([(1, "a", 0, None, None)], 0, [1])


def test_a_decimal_sum_changes_its_rows() -> None:
    price = Field(7, "price", DecimalType(12, 2))
    total = Field(8, "total", DecimalType(38, 2))
    node = ChangelogAggregate(
        fields=(K, total),
        input=Input(fields=(K, price)),
        keys=(K,),
        calls=(AggregateCall(total.type, "sum", (ref(price),)),),
    )
    harness = EventHarness(operator_of(node), (K, price))
    harness.rows([(1, 10), (1, 5)])
    harness.rows([(1, 5)], 0, [-1])
    assert [(row[0], int(row[1]), row[2]) for row in harness.emitted] == [(1, 15, 1), (1, 15, -1), (1, 10, 1)]


@pytest.mark.parametrize("per_epoch", [False, True])
def test_distinct_rows_of_what_is_only_added_are_only_added(per_epoch: bool) -> None:
    node = ChangelogAggregate(
        fields=(K,), input=Input(fields=FIELDS), keys=(K,), calls=(), retracting=False, per_epoch=per_epoch
    )
    harness = EventHarness(operator_of(node), FIELDS, rebuild=True)
    harness.rows([(1, "a", 0, None, None), (1, "b", 0, None, None)])
    harness.rows([(2, "a", 0, None, None), (1, "b", 0, None, None)])
    harness.epoch()
    assert harness.changes() == Counter({(1,): 1, (2,): 1})
    assert all(batch.weights is None for batch in harness.batches)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_changes_of_an_interval_together(data: Any) -> None:
    keys = data.draw(st.sampled_from([(), (K,)]))
    names = ["count", "max(s)"]
    node = node_of(keys, names, every=data.draw(st.sampled_from([0, 10])), every_of_time=10)
    harness = EventHarness(operator_of(node), FIELDS, rebuild=data.draw(st.booleans()))
    total: Counter[Any] = Counter()
    harness.watermark(time := 100)
    for batch in data.draw(cuts(data.draw(changes(ROW)))):
        before = len(harness.batches)
        harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
        harness.epoch()
        harness.watermark(time := time // 10 * 10 + data.draw(st.integers(time % 10, 9)))
        assert len(harness.batches) == before
        for row, weight in batch:
            total[row] += weight
        if all(count >= 0 for count in total.values()):
            if node.every and data.draw(st.booleans()):
                harness.clock(harness.context.time + 10)
            else:
                harness.watermark(time := time // 10 * 10 + 10)
            present = Counter({row: count for row, count in total.items() if count})
            assert harness.changes() == grouped(node, names, present, empty=True)
    harness.end()
    assert harness.changes() == grouped(node, names, total, empty=True)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.data())
def test_groups_fire_after_so_many_rows(data: Any) -> None:
    keys = data.draw(st.sampled_from([(), (K,), (S,)]))
    names, every = ["count", "max(s)"], data.draw(st.integers(1, 4))
    node = node_of(keys, names, every_rows=every)
    size = data.draw(st.sampled_from([1, 65_536]))
    harness = EventHarness(operator_of(node), FIELDS, rebuild=data.draw(st.booleans()), batch_rows=size)
    place = {K: 0, S: 1}
    total: Counter[Any] = Counter()
    shown: dict[Any, Counter[Any]] = {}
    arrived: Counter[Any] = Counter()
    for batch in data.draw(cuts(data.draw(changes(ROW, appends=True)))):
        harness.rows([row for row, _ in batch], 0, [weight for _, weight in batch])
        harness.epoch()
        for row, weight in batch:
            total[row] += weight
            arrived[tuple(row[place[key]] for key in keys)] += 1
        now = grouped(node, names, total, empty=True)
        for group in [group for group, rows in arrived.items() if rows >= every]:
            del arrived[group]
            shown[group] = Counter({row: n for row, n in now.items() if row[: len(keys)] == group})
        assert harness.changes() == sum(shown.values(), Counter())
    harness.end()
    assert harness.changes() == grouped(node, names, total, empty=True)
    harness.close()


def test_many_changes_do_not_wait_for_the_epoch() -> None:
    few = Settings(((MINI_BATCH_SIZE.name, "3"),))
    harness = EventHarness(operator_of(node_of((K,), ["count"], per_epoch=True)), FIELDS, rebuild=True, settings=few)
    harness.rows([(1, "a", 2, True, 1.0), (2, "a", 2, True, 1.0)])
    assert harness.take() == []
    harness.rows([(2, "a", 2, True, 1.0), (3, "a", 2, True, 1.0)])
    assert sorted(harness.take()) == [(1, 1, 1), (2, 2, 1), (3, 1, 1)]
    assert harness.context.counted["held_changes"] == 5
    harness.rows([(3, "a", 2, True, 1.0)])
    harness.epoch()
    assert sorted(harness.take()) == [(3, 1, -1), (3, 2, 1)]
