"""Grouping in one phase and in two, over the real runtime, equals grouping in Python."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import DataError, MemoryLimitError, Span
from tableflow.expressions.nodes import AggregateCall, Call, ColumnRef
from tableflow.physical import hash_aggregate
from tableflow.physical.aggregate_states import splittable, state_fields
from tableflow.physical.hash_aggregate import AggregatePhase, HashAggregate, HashAggregateOperator
from tableflow.physical.node import Input
from tableflow.runtime.graph import ExchangeKind
from tableflow.types import BIGINT, BOOLEAN, DOUBLE, INT, STRING, ArrayType, DecimalType, Field
from tests.kernels.columns import rows_of
from tests.physical.jobs import collect
from tests.runtime.simple import Batches, Plan, Through

KEY, TEXT, VALUE, TESTED = Field(10, "k", INT), Field(11, "s", STRING), Field(12, "v", INT), Field(13, "b", BOOLEAN)
FIELDS = (KEY, TEXT, VALUE, TESTED)


def ref(field: Field) -> ColumnRef:
    return ColumnRef(field.type, field.id, field.name)


DOUBLED = Call(BIGINT, "add", (ref(VALUE), ref(VALUE)))
CALLS = {
    "count": AggregateCall(BIGINT, "count"),
    "count(v)": AggregateCall(BIGINT, "count", (ref(VALUE),)),
    "sum(v)": AggregateCall(BIGINT, "sum", (ref(VALUE),)),
    "sum(v+v)": AggregateCall(DecimalType(38, 0), "sum", (DOUBLED,)),
    "avg(v)": AggregateCall(DOUBLE, "avg", (ref(VALUE),)),
    "max(s)": AggregateCall(STRING, "max", (ref(TEXT),)),
    "min(v) filter": AggregateCall(INT, "min", (ref(VALUE),), filter=ref(TESTED)),
    "sum(v) filter": AggregateCall(BIGINT, "sum", (ref(VALUE),), filter=ref(TESTED)),
    "count(distinct s)": AggregateCall(BIGINT, "count", (ref(TEXT),), distinct=True),
    "sum(distinct v+v)": AggregateCall(DecimalType(38, 0), "sum", (DOUBLED,), distinct=True),
}


def expected_value(name, rows):
    values = [v for _, _, v, _ in rows if v is not None]
    tested = [v for _, _, v, b in rows if v is not None and b]
    texts = [s for _, s, _, _ in rows if s is not None]
    match name:
        case "count":
            return len(rows)
        case "count(v)":
            return len(values)
        case "sum(v)":
            return sum(values) if values else None
        case "sum(v+v)":
            return sum(v + v for v in values) if values else None
        case "avg(v)":
            return sum(values) / len(values) if values else None
        case "max(s)":
            return max(texts) if texts else None
        case "min(v) filter":
            return min(tested) if tested else None
        case "sum(v) filter":
            return sum(tested) if tested else None
        case "count(distinct s)":
            return len(set(texts))
        case "sum(distinct v+v)":
            return sum({v + v for v in values}) if values else None
    raise AssertionError(name)


def reference(keys, names, rows):
    groups = defaultdict(list)
    if not keys:
        groups[()] = []
    for row in rows:
        groups[tuple(row[field.id - 10] for field in keys)].append(row)
    return Counter((*key, *(expected_value(name, group) for name in names)) for key, group in groups.items())


def batch_of(rows, selection=None):
    k, s, v, b = zip(*rows, strict=True) if rows else ((), (), (), ())
    columns = [pa.array(k, pa.int32()), pa.array(s, pa.string()), pa.array(v, pa.int32()), pa.array(b, pa.bool_())]
    made = [Column(field.type, array) for field, array in zip(FIELDS, columns, strict=True)]
    return Batch(made, len(rows), selection)


@st.composite
def batches_of(draw, rows):
    made, start = [], 0
    while start < len(rows) or not made:
        part = rows[start : start + draw(st.integers(1, 6))]
        start += max(1, len(part))
        spare = draw(st.integers(0, 2))
        if spare:
            stored = [row for each in part for row in [(-1, "spare", -1, True), each]]
            made.append(batch_of(stored, np.arange(1, len(stored), 2, dtype=np.uint32)))
        else:
            made.append(batch_of(part))
    return made


def aggregate(keys, calls, phase, *, partial=None):
    if phase is AggregatePhase.PARTIAL:
        results = tuple(f for i, call in enumerate(calls) for f in state_fields(call, 100 + 10 * i))
    else:
        results = tuple(Field(200 + i, "r", call.type) for i, call in enumerate(calls))
    arriving = FIELDS if partial is None else partial.fields
    return HashAggregate(
        input=Input(fields=arriving), fields=(*keys, *results), phase=phase, keys=keys, calls=tuple(calls)
    )


def run(plan, stage, **texts):
    result = plan.stage(Through)
    plan.edge(stage, result, ExchangeKind.GATHER)
    return Counter(
        tuple(int(v) if not isinstance(v, str | float | None) else v for v in row[:-1])
        for batch in collect(plan, result, **texts)
        for row in rows_of(batch)
    )


def run_single(keys, calls, batches, **texts):
    node = aggregate(keys, calls, AggregatePhase.SINGLE)
    plan = Plan()
    return run(plan, plan.stage(lambda: HashAggregateOperator(node), source=Batches(batches)), **texts)


def run_two_phases(keys, calls, batches, parallelism=2, **texts):
    partial = aggregate(keys, calls, AggregatePhase.PARTIAL)
    final = aggregate(keys, calls, AggregatePhase.FINAL, partial=partial)
    plan = Plan()
    first = plan.stage(
        lambda: HashAggregateOperator(partial),
        source=Batches(*[batches[i::parallelism] for i in range(parallelism)]), parallelism=parallelism,
    )  # fmt: skip
    second = plan.stage(lambda: HashAggregateOperator(final), parallelism=parallelism if keys else 1)
    if keys:
        plan.edge(first, second, ExchangeKind.HASH, keys=tuple(range(len(keys))))
    else:
        plan.edge(first, second, ExchangeKind.GATHER)
    return run(plan, second, **texts)


ROWS = st.lists(
    st.tuples(
        st.sampled_from([None, 1, 2, 2**31 - 1]), st.sampled_from([None, "", "a", "b"]),
        st.sampled_from([None, -5, 3, 2**31 - 1, -(2**31)]), st.sampled_from([None, True, False]),
    ),
    max_size=30,
)  # fmt: skip
KEYS = [(), (KEY,), (TEXT,), (KEY, TEXT)]


@pytest.mark.parametrize("keys", KEYS, ids=["none", "int", "text", "both"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_one_phase(keys, data):
    names = data.draw(st.lists(st.sampled_from(list(CALLS)), max_size=4, unique=True))
    rows = data.draw(ROWS)
    made = run_single(keys, [CALLS[name] for name in names], data.draw(batches_of(rows)), batch_rows=3)
    assert made == reference(keys, names, rows)


@pytest.mark.slow
@pytest.mark.parametrize("keys", KEYS, ids=["none", "int", "text", "both"])
@pytest.mark.parametrize("relief", ["none", "flushes", "passes"])
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_two_phases(keys, relief, data):
    names = data.draw(st.lists(st.sampled_from([n for n in CALLS if splittable(CALLS[n])]), max_size=4, unique=True))
    rows = data.draw(ROWS)
    batches = data.draw(batches_of(rows))
    with pytest.MonkeyPatch.context() as patch:
        if relief == "flushes":
            patch.setattr(hash_aggregate, "_PARTIAL_BYTES", 1)
        if relief == "passes":
            patch.setattr(hash_aggregate, "_TRIAL_ROWS", 1)
            patch.setattr(hash_aggregate, "_LEAST_REDUCTION", 0.0)
        made = run_two_phases(keys, [CALLS[name] for name in names], batches, seed=data.draw(st.integers(0, 50)))
    assert made == reference(keys, names, rows)


def test_a_partial_phase_that_does_not_reduce_stops_grouping():
    rows = 10_000
    numbers = [np.arange(start, start + rows, dtype=np.int32) for start in range(0, 100_000, rows)]
    batches = [Batch([Column(INT, pa.array(part))], rows) for part in numbers]
    node = HashAggregate(
        input=Input(fields=(KEY,)), fields=(KEY, *state_fields(CALLS["count"], 50)), phase=AggregatePhase.PARTIAL,
        keys=(KEY,), calls=(CALLS["count"],),
    )  # fmt: skip
    plan = Plan()
    stage = plan.stage(lambda: HashAggregateOperator(node), source=Batches(batches))
    made = collect(plan, stage)
    operator = plan.made[0]
    assert operator._passing
    assert sum(batch.rows for batch in made) == 100_000
    assert {row[1] for batch in made for row in rows_of(batch)} == {1}


def test_overflow_names_the_call():
    call = AggregateCall(BIGINT, "sum", (ref(Field(10, "v", BIGINT)),), span=Span(7, 13))
    node = HashAggregate(
        input=Input(fields=(Field(10, "v", BIGINT),)), fields=(Field(20, "r", BIGINT),), phase=AggregatePhase.SINGLE, keys=(), calls=(call,)
    )  # fmt: skip
    batch = Batch([Column(BIGINT, pa.array([2**62, 2**62]))], 2)
    plan = Plan()
    with pytest.raises(DataError, match="integer overflow") as caught:
        collect(plan, plan.stage(lambda: HashAggregateOperator(node), source=Batches([batch])))
    assert caught.value.span == Span(7, 13)


def test_memory_is_asked_for_before_it_is_taken():
    node = HashAggregate(
        input=Input(fields=(Field(10, "v", BIGINT),)), fields=(Field(10, "v", BIGINT),), phase=AggregatePhase.SINGLE,
        keys=(Field(10, "v", BIGINT),), calls=(),
    )  # fmt: skip
    batches = [
        Batch([Column(BIGINT, pa.array(np.arange(i, i + 10_000) * 7919))], 10_000) for i in range(0, 400_000, 10_000)
    ]
    plan = Plan()
    with pytest.raises(MemoryLimitError, match="groups"):
        collect(plan, plan.stage(lambda: HashAggregateOperator(node), source=Batches(batches)), memory="8mb")


def test_nested_values_can_be_counted():
    nested = Field(10, "a", ArrayType(INT))
    node = HashAggregate(
        input=Input(fields=(nested,)), fields=(Field(20, "r", BIGINT),), phase=AggregatePhase.SINGLE, keys=(),
        calls=(AggregateCall(BIGINT, "count", (ref(nested),)),),
    )  # fmt: skip
    batch = Batch([Column(nested.type, pa.array([[1], None, []], pa.list_(pa.int32())))], 3)
    plan = Plan()
    stage = plan.stage(lambda: HashAggregateOperator(node), source=Batches([batch]))
    assert [rows_of(b)[0][0] for b in collect(plan, stage)] == [2]
