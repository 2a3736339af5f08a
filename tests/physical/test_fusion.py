"""The fusion pass: what becomes a pipeline, what splits one, and that results do not change."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat
from tableflow.config import Settings
from tableflow.errors import DataError, Span
from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression, Literal
from tableflow.expressions.registry import resolve_aggregate, resolve_call
from tableflow.physical.aggregate_states import state_fields
from tableflow.physical.filter import FilterRows, FilterRowsOperator
from tableflow.physical.fusion import fuse, known_domains
from tableflow.physical.hash_aggregate import AggregatePhase, HashAggregate, HashAggregateOperator
from tableflow.physical.hash_join import HashJoin, HashJoinKind, JoinDistribution
from tableflow.physical.node import Input, PhysicalNode
from tableflow.physical.pipeline import Pipeline, PipelineOperator
from tableflow.physical.project import ProjectColumns, ProjectColumnsOperator
from tableflow.physical.set_operation import UnionAll
from tableflow.runtime.operator import Operator
from tableflow.serialization import dumps, loads
from tests.kernels.columns import rows_of
from tests.physical.contexts import RecordingContext

A, B, S = t.Field(1, "a", t.INT), t.Field(2, "b", t.INT), t.Field(3, "s", t.STRING)
INPUT = Input(fields=(A, B, S), domains=((1, Domain(0, 9)),))
BATCH = Batch(
    [
        Column(t.INT, pa.array([1, 2, 3, None], pa.int32())),
        Column(t.INT, pa.array([4, 0, 6, 7], pa.int8())),
        Column(t.STRING, pa.array(["x", "y", "z", "x"]).dictionary_encode()),
    ],
    4,
    None,
    np.array([1, -1, 2, 1]),
    event_time=0,
)


def column(field: t.Field) -> ColumnRef:
    return ColumnRef(field.type, field.id, field.name)


def call(name: str, *args: Expression) -> Expression:
    return resolve_call(name, args, Span(3, 7))


def number(value: int) -> Literal:
    return Literal(t.INT, value)


def keep(below: PhysicalNode, *conjuncts: Expression) -> FilterRows:
    return FilterRows(fields=below.fields, input=below, conjuncts=conjuncts)


def compute(below: PhysicalNode, **expressions: Expression) -> ProjectColumns:
    known = {f.name: f for f in below.fields}
    fields = tuple(
        known[name] if isinstance(e, ColumnRef) else t.Field(100 + len(name) + i, name, e.type)
        for i, (name, e) in enumerate(expressions.items())
    )
    return ProjectColumns(fields=fields, input=below, expressions=tuple(expressions.values()))


def operators(node: PhysicalNode) -> list[Operator]:
    made = [operators(child) for child in node.inputs]
    below = [operator for part in made for operator in part]
    match node:
        case Pipeline():
            return [*below, PipelineOperator(node)]
        case FilterRows():
            return [*below, FilterRowsOperator(node)]
        case ProjectColumns():
            return [*below, ProjectColumnsOperator(node)]
        case HashAggregate():
            return [*below, HashAggregateOperator(node)]
        case _:
            return below


def run(node: PhysicalNode, batch: Batch = BATCH) -> tuple[list[tuple[object, ...]], RecordingContext]:
    context = RecordingContext()
    current = [batch]
    for operator in operators(node):
        operator.open(context)
        emissions = [*(operator.process(one, 0) for one in current), operator.on_end(0)]
        current = [out for emission in emissions for out in emission or () if isinstance(out, Batch)]
    return [row for one in current for row in rows_of(one)], context


def shape(node: PhysicalNode) -> list[str]:
    return [type(node).__name__, *(name for child in node.inputs for name in shape(child))]


def check(plan: PhysicalNode, expected: list[str]) -> PhysicalNode:
    fused = loads(dumps(fuse(plan, Settings())))
    assert shape(fused) == expected
    plain_rows, plain_context = run(plan)
    fused_rows, fused_context = run(fused)
    assert fused_rows == plain_rows
    assert plain_context.counted["fused_batches"] == 0
    assert fused_context.counted["fused_batches"] == expected.count("Pipeline")
    return fused


def test_filters_and_projections_become_one_pipeline() -> None:
    plan = compute(
        keep(compute(keep(INPUT, call("gt", column(A), number(0))), a=column(A), s=column(S)), call("ne", column(S), Literal(t.STRING, "y"))),
        s=column(S), twice=call("multiply", column(A), number(2)),
    )  # fmt: skip
    fused = check(plan, ["Pipeline", "Input"])
    assert isinstance(fused, Pipeline)
    assert [type(step).__name__ for step in fused.steps] == [
        "FilterRows",
        "ProjectColumns",
        "FilterRows",
        "ProjectColumns",
    ]


def test_fusion_can_be_switched_off() -> None:
    plan = keep(INPUT, call("gt", column(A), number(0)))
    assert fuse(plan, Settings().with_value("execution.fusion", "off")) is plan


def test_what_has_no_instructions_splits_a_run() -> None:
    plan = compute(keep(INPUT, call("gt", column(A), number(1))), up=call("reverse", column(S)))
    check(plan, ["ProjectColumns", "Pipeline", "Input"])


def test_a_projection_is_split_in_the_part_that_can_be_fused_and_the_rest() -> None:
    plan = compute(INPUT, s=column(S), up=call("reverse", column(S)), more=call("add", column(A), column(B)))
    check(plan, ["ProjectColumns", "Pipeline", "Input"])


def test_a_filter_is_split_if_the_fused_part_cannot_fail() -> None:
    plain = call("gt", column(A), number(1))
    other = call("eq", call("reverse", column(S)), Literal(t.STRING, "z"))
    check(keep(INPUT, other, plain), ["FilterRows", "Pipeline", "Input"])
    failing = call("gt", call("divide", column(A), column(B)), number(0))
    rejecting = call("ne", call("reverse", column(S)), Literal(t.STRING, "y"))
    check(keep(INPUT, failing, rejecting), ["FilterRows", "Input"])


def test_conjuncts_commute() -> None:
    failing = call("ge", call("divide", column(A), column(B)), number(0))
    check(keep(INPUT, failing, call("ne", column(B), number(0))), ["Pipeline", "Input"])


def test_an_error_is_that_of_the_step_itself() -> None:
    plan = compute(keep(INPUT, call("gt", column(A), number(1))), q=call("divide", column(A), column(B)))
    errors = []
    for node in (plan, fuse(plan, Settings())):
        with pytest.raises(DataError) as raised:
            run(node)
        errors.append((raised.value.message, raised.value.detail, raised.value.span))
    assert errors[0] == errors[1]
    assert errors[0][2] == Span(3, 7)


def test_an_error_of_a_projection_counts_although_a_filter_above_drops_the_row() -> None:
    below = compute(INPUT, q=call("divide", column(A), column(B)))
    plan = keep(below, call("lt", column(below.fields[0]), number(0)))
    for node in (plan, fuse(plan, Settings())):
        with pytest.raises(DataError):
            run(node)


def test_bounds_of_a_union_are_those_of_all_branches() -> None:
    other = Input(
        fields=(t.Field(4, "a", t.INT), t.Field(5, "b", t.INT)), domains=((4, Domain(-5, 3)), (5, Domain(1, 1)))
    )
    union = UnionAll(fields=(A, B), branches=(INPUT, other))
    assert known_domains(union)[1] == Domain(-5, 9)
    assert known_domains(union)[2] == Domain(None, None)


def test_a_rows_weight_follows_it() -> None:
    plan = compute(keep(INPUT, call("is_not_null", column(A))), s=column(S), more=call("add", column(A), column(B)))
    rows, _ = run(fuse(plan, Settings()))
    assert rows == [("x", 5, 1), ("y", 2, -1), ("z", 9, 2)]


def test_results_do_not_depend_on_how_many_rows_were_kept_before() -> None:
    plan = compute(keep(INPUT, call("gt", column(B), number(0))), s=column(S), more=call("add", column(A), column(B)))
    fused = fuse(plan, Settings())
    operator = PipelineOperator(fused) if isinstance(fused, Pipeline) else pytest.fail("not fused")
    operator.open(RecordingContext())
    outputs = [out for _ in range(3) for out in operator.process(BATCH, 0) or () if isinstance(out, Batch)]
    assert {out.selection is None for out in outputs} == {True, False}
    assert rows_of(concat(outputs)) == run(plan)[0] * 3


def total(of: Expression, condition: Expression | None = None) -> AggregateCall:
    return resolve_aggregate("sum", [of], filter=condition)


def grouped(below: PhysicalNode, *calls: AggregateCall) -> HashAggregate:
    fields = (S, *(t.Field(50 + i, f"r{i}", c.type) for i, c in enumerate(calls)))
    return HashAggregate(fields=fields, input=below, phase=AggregatePhase.SINGLE, keys=(S,), calls=calls)


def test_arguments_of_aggregates_are_computed_in_the_pipeline_below() -> None:
    product = call("multiply", column(A), number(2))
    plan = grouped(
        keep(INPUT, call("gt", column(B), number(0))), total(product), total(product, call("lt", column(A), number(2)))
    )
    fused = fuse(plan, Settings())
    assert shape(fused) == ["Pipeline", "Input"]
    assert isinstance(fused, Pipeline)
    terminal = fused.steps[-1]
    assert isinstance(terminal, HashAggregate)
    assert [f.name for f in terminal.input.fields] == ["s", "a * 2", "a < 2"]
    assert all(isinstance(arg, ColumnRef) for c in terminal.calls for arg in c.args)
    assert fused.fields == plan.fields


@pytest.mark.parametrize("phase", [AggregatePhase.SINGLE, AggregatePhase.PARTIAL])
@pytest.mark.parametrize("least", [-1, 0, 40])
def test_a_fused_aggregation_gives_the_same_groups(phase: AggregatePhase, least: int) -> None:
    product = call("multiply", column(A), column(B))
    short = call("substring", column(S), number(1), number(1))
    calls = [
        total(product), total(product, call("lt", column(A), number(2))), resolve_aggregate("count", []),
        resolve_aggregate("max", [short]), resolve_aggregate("min", [call("is_null", column(A))]),
        resolve_aggregate("avg", [column(B)]),
    ]  # fmt: skip
    plan = grouped(keep(INPUT, call("gt", column(B), number(least))), *calls)
    if phase is AggregatePhase.PARTIAL:
        states = [f for i, c in enumerate(calls) for f in state_fields(c, 200 + 10 * i)]
        plan = replace(plan, phase=phase, fields=(S, *states))
    unweighted = Batch(BATCH.columns, BATCH.length)
    many = concat([unweighted] * 1200)
    fused = loads(dumps(fuse(plan, Settings())))
    assert shape(fused) == ["Pipeline", "Input"]
    for batch in (unweighted, many, many.with_selection(np.arange(5, 4000, 3, dtype=np.uint32))):
        assert run(fused, batch)[0] == run(plan, batch)[0]


def test_an_argument_that_may_fail_stays_behind_its_filter() -> None:
    quotient = call("divide", column(A), column(B))
    plan = grouped(INPUT, total(quotient, call("ne", column(B), number(0))))
    fused = fuse(plan, Settings())
    assert isinstance(fused, HashAggregate)
    assert fused.calls[0].args == (quotient,)
    assert isinstance(fused.calls[0].filter, ColumnRef)


def test_join_keys_are_computed_in_the_pipelines_below() -> None:
    other = Input(fields=(t.Field(8, "k", t.INT),))
    plan = HashJoin(
        fields=(A, other.fields[0]), left=INPUT, right=other, kind=HashJoinKind.INNER,
        distribution=JoinDistribution.PUBLISHED, publication="p", null_safe=(False, False),
        left_keys=(call("add", column(A), number(1)), column(B)), right_keys=(column(other.fields[0]), column(other.fields[0])),
    )  # fmt: skip
    fused = fuse(plan, Settings())
    assert shape(fused) == ["HashJoin", "Pipeline", "Input", "Input"]
    assert isinstance(fused, HashJoin)
    assert all(isinstance(key, ColumnRef) for key in (*fused.left_keys, *fused.right_keys))
    assert fused.fields == plan.fields
