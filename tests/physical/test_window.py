"""The window operator: partitions that come in pieces, slices, bounds on row numbers, memory, its JSON."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import MemoryLimitError
from tableflow.expressions.nodes import (
    RUNNING,
    ColumnRef,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    WindowCall,
)
from tableflow.expressions.registry import AGGREGATES
from tableflow.physical import window
from tableflow.physical.properties import OrderingKey
from tableflow.physical.window import WindowAggregate, WindowAggregateOperator
from tableflow.serialization import dumps, loads
from tableflow.session import Session
from tableflow.types import Field
from tests.physical.jobs import collect, fields, leaf, through
from tests.runtime.simple import Batches, Plan

TYPES = (t.INT, t.INT, t.BIGINT)
G, X, V = (ColumnRef(f.type, f.id, f.name) for f in fields(*TYPES))
MOVING = Frame(FrameUnit.ROWS, FrameBound(FrameSide.PRECEDING, 1), FrameBound(FrameSide.FOLLOWING, 1))
CALLS = (
    WindowCall(t.BIGINT, "row_number"),
    WindowCall(t.BIGINT, "rank", frame=RUNNING),
    WindowCall(t.DecimalType(38, 0), "sum", (V,), RUNNING),
    WindowCall(t.BIGINT, "count", (), MOVING),
    WindowCall(t.BIGINT, "max", (V,), MOVING),
    WindowCall(t.BIGINT, "lag", (V, Literal(t.BIGINT, 1), Literal(t.BIGINT, -1))),
)


def node(calls: Sequence[WindowCall] = CALLS, limit: int | None = None, ordered: bool = True) -> WindowAggregate:
    results = tuple(Field(50 + i, call.function, call.type) for i, call in enumerate(calls))
    return WindowAggregate(
        fields=(*fields(*TYPES), *results),
        input=leaf(*TYPES),
        partition=(G.id,),
        order=(OrderingKey(X.id),) if ordered else (),
        results=results,
        calls=tuple(calls),
        limit=limit,
    )


def batch(rows: list[tuple[int | None, ...]]) -> Batch:
    kinds = (pa.int32(), pa.int32(), pa.int64())
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    arrays = [pa.array(list(values), kind) for values, kind in zip(columns, kinds, strict=True)]
    return Batch([Column(of, array) for of, array in zip(TYPES, arrays, strict=True)], len(rows))


def by_definition(rows: list[tuple[int | None, ...]]) -> list[tuple[object, ...]]:
    """Each row with the values of CALLS, from the whole partition."""
    found = []
    for at, (group, key, value) in enumerate(rows):
        partition = [i for i, row in enumerate(rows) if row[0] == group]
        peers = [i for i in partition if rows[i][1] == key]
        seen = [rows[i][2] for i in partition if i <= peers[-1] and rows[i][2] is not None]
        near = [i for i in partition if abs(i - at) <= 1]
        values = [rows[i][2] for i in near if rows[i][2] is not None]
        before = rows[at - 1][2] if at - 1 in partition else -1
        found.append(
            (group, key, value, at - partition[0] + 1, peers[0] - partition[0] + 1, sum(seen) if seen else None,
             len(near), max(values, default=None), before)
        )  # fmt: skip
    return found


small = st.none() | st.integers(0, 3)
sorted_rows = st.lists(st.tuples(small, small, st.none() | st.integers(-5, 5)), max_size=25).map(
    lambda rows: sorted(rows, key=lambda row: tuple((value is None, value or 0) for value in row[:2]))
)


@st.composite
def pieces(draw, rows):
    """The rows in batches of any size, empty ones and selections included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    made = []
    for first, last in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        part = rows[first:last]
        if draw(st.booleans()):
            padded = [row for each in part for row in (each, (9, 9, 9))]
            made.append(batch(padded).with_selection(np.arange(0, len(padded), 2, dtype=np.uint32)))
        else:
            made.append(batch(part))
    return made


def plain(rows):
    """The rows without their weights."""
    return [tuple(None if value is None else int(value) for value in row[:-1]) for row in rows]


@pytest.mark.slow
@given(
    sorted_rows.flatmap(lambda rows: st.tuples(st.just(rows), pieces(rows))),
    st.integers(1, 9),
    st.sampled_from([1, 4, 99]),
)
def test_partitions_in_pieces(case, batch_rows, least):
    rows, batches = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "_LEAST_ROWS", least)
        found = through(WindowAggregateOperator(node()), batches, batch_rows=batch_rows)
    assert plain(found) == by_definition(rows)


BACKWARDS = (CALLS[0], WindowCall(t.BIGINT, "lag", (V, Literal(t.BIGINT, 2))))


@pytest.mark.slow
@given(
    sorted_rows.flatmap(lambda rows: st.tuples(st.just(rows), pieces(rows))),
    st.integers(0, 4),
    st.integers(1, 9),
    st.sampled_from([1, 99]),
)
def test_a_bound_on_row_numbers(case, limit, batch_rows, least):
    rows, batches = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window, "_LEAST_ROWS", least)
        found = through(WindowAggregateOperator(node(BACKWARDS, limit)), batches, batch_rows=batch_rows)
    numbered = [(row[:3], row[3]) for row in by_definition(rows)]
    expected = [
        (*row, number, rows[i - 2][2] if number > 2 else None)
        for i, (row, number) in enumerate(numbered)
        if number <= limit
    ]
    assert plain(found) == expected


@pytest.mark.slow
def test_a_bound_needs_no_more_memory_than_its_rows():
    batches = [batch([(1, i, i) for i in range(first, first + 10_000)]) for first in range(0, 300_000, 10_000)]
    found = through(WindowAggregateOperator(node(BACKWARDS, 3)), batches, memory="1 mb")
    assert [row[3] for row in found] == [1, 2, 3]


@pytest.mark.slow
def test_a_partition_too_large_for_memory_is_refused_by_name():
    batches = [batch([(1, i, i) for i in range(first, first + 10_000)]) for first in range(0, 300_000, 10_000)]
    plan = Plan()
    result = plan.stage(lambda: WindowAggregateOperator(node(ordered=False)), source=Batches(batches))
    with pytest.raises(MemoryLimitError, match="partitions"):
        collect(plan, result, 0, memory="1 mb")


@pytest.mark.slow
def test_many_small_partitions_pass_in_little_memory():
    batches = [batch([(i // 4, i, i) for i in range(first, first + 10_000)]) for first in range(0, 600_000, 10_000)]
    plan = Plan()
    result = plan.stage(lambda: WindowAggregateOperator(node()), source=Batches(batches))
    rows = sum(each.rows for each in collect(plan, result, 0, memory="16 mb"))
    assert rows == 600_000


ARGUMENTS = {
    "bool_and": "n > 1", "bool_or": "n > 3", "count_if": "n > 1", "quantile_cont": "n, 0.3", "quantile_disc": "n, 0.3",
    "string_agg": "DISTINCT CAST(1 AS VARCHAR)", "first": "g", "last": "g",
    **dict.fromkeys(
        ("arg_min", "arg_max", "covar_pop", "covar_samp", "corr", "regr_count", "regr_avgx", "regr_avgy", "regr_sxx",
         "regr_syy", "regr_sxy", "regr_slope", "regr_intercept", "regr_r2"), "n, n % 3"
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "function", [entry.name for entry in AGGREGATES if entry.name not in {"grouping", "array_agg"}]
)
def test_every_aggregate_over_a_partition_is_that_of_its_group(function):
    session = Session({"parallelism.default": "2"})
    rows = ", ".join(f"({i % 3}, {'NULL' if i % 5 == 0 else i % 4})" for i in range(40))
    session.execute(f"CREATE VIEW t AS SELECT * FROM (VALUES {rows}) v(g, n)")
    value = f"{function}({ARGUMENTS.get(function, 'n')})"
    over = f"SELECT DISTINCT g, {value} OVER (PARTITION BY g) AS v FROM t"
    grouped = f"SELECT g, {value} AS v FROM t GROUP BY g"
    if function == "any_value":  # any value will do
        over, grouped = (f"SELECT g, v IS NOT NULL FROM ({query}) q" for query in (over, grouped))
    for first, second in ((over, grouped), (grouped, over)):
        result = session.execute(f"{first} EXCEPT {second}").result
        assert result is not None
        left = list(iter(result.next_batch, None))
        assert sum(each.num_rows for each in left) == 0


@settings(max_examples=5)
@given(st.sampled_from([0, 1, None]))
def test_through_json(seed):
    again = loads(dumps(node()))
    assert again == node()
    rows = [(1, 1, 5), (1, 1, 6), (1, 2, None), (2, 1, 7)]
    assert plain(through(WindowAggregateOperator(again), [batch(rows)], seed)) == by_definition(rows)
