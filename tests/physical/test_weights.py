"""Weights travel with their rows through everything that only drops, computes, moves or repeats rows."""

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
from tableflow.columnar.kernels.gather import compact, concat
from tableflow.config import Settings
from tableflow.expressions.nodes import Call, ColumnRef, Literal
from tableflow.physical.filter import FilterRows
from tableflow.physical.fusion import fuse
from tableflow.physical.node import Input, PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.set_operation import Replicate, UnionAll
from tableflow.runtime.graph import ExchangeKind
from tableflow.types import BIGINT, BOOLEAN, STRING, Field
from tests.kernels.columns import rows_of
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness, summed
from tests.physical.jobs import collect
from tests.runtime.simple import Batches, Plan, Through

A, S, N, SUM = Field(1, "a", BIGINT), Field(2, "s", STRING), Field(3, "n", BIGINT), Field(4, "sum", BIGINT)
FIELDS = (A, S, N)
LEAF = Input(fields=FIELDS)


def ref(f: Field) -> ColumnRef:
    return ColumnRef(f.type, f.id, f.name)


POSITIVE = Call(BOOLEAN, "gt", (ref(A), Literal(BIGINT, 0)))
ADDED = Call(BIGINT, "add", (ref(A), Literal(BIGINT, 10)))


@st.composite
def batches(draw: Any) -> Batch:
    rows = draw(st.lists(st.tuples(st.integers(-2, 3), st.sampled_from("xy"), st.integers(-1, 3)), max_size=8))
    weights = draw(st.none() | st.lists(st.integers(-2, 2), min_size=len(rows), max_size=len(rows)))
    chosen = draw(st.none() | st.sets(st.integers(0, max(0, len(rows) - 1)), max_size=len(rows))) if rows else None
    columns = [
        Column(f.type, pa.array([row[i] for row in rows], pa.string() if i == 1 else pa.int64()))
        for i, f in enumerate(FIELDS)
    ]
    return Batch(
        columns,
        len(rows),
        None if chosen is None else np.array(sorted(chosen), np.uint32),
        None if weights is None else np.array(weights, np.int64),
    )


def expected(batch: Batch) -> list[tuple[int, str, int, int]]:
    return [tuple(row) for row in rows_of(batch)]


def run(node: PhysicalNode, *arriving: Batch) -> Counter[Any]:
    harness = EventHarness(operator_of(node), *(child.fields for child in node.inputs))
    for port, batch in enumerate(arriving):
        harness.batch(batch, port)
    return harness.changes()


FILTERED = FilterRows(fields=FIELDS, input=LEAF, conjuncts=(POSITIVE,))
COMPUTED = ProjectColumns(fields=(SUM, S), input=FILTERED, expressions=(ADDED, ref(S)))


@pytest.mark.slow
@settings(max_examples=60)
@given(batches(), batches())
def test_operators(batch: Batch, other: Batch) -> None:
    rows = expected(batch)
    assert run(FILTERED, batch) == summed([row for row in rows if row[0] > 0])
    assert run(COMPUTED.with_inputs((LEAF,)), batch) == summed([(a + 10, s, w) for a, s, _, w in rows])
    fused = fuse(COMPUTED, Settings())
    assert type(fused).__name__ == "Pipeline"
    assert run(fused, batch) == summed([(a + 10, s, w) for a, s, _, w in rows if a > 0])
    united = UnionAll(fields=FIELDS, branches=(LEAF, LEAF))
    assert run(united, batch, other) == summed([*rows, *expected(other)])
    repeated = Replicate(fields=(A, S), input=LEAF, count=N.id)
    assert run(repeated, batch) == summed([(a, s, max(n, 0) * w) for a, s, n, w in rows])


@pytest.mark.slow
@given(st.lists(batches(), min_size=1, max_size=4))
def test_rows_that_are_copied(given: list[Batch]) -> None:
    rows = [row for batch in given for row in expected(batch)]
    assert expected(concat(given)) == rows
    assert [row for batch in given for row in expected(compact(batch))] == rows
    assert [row for batch in given for piece in batch.pieces(3) for row in expected(piece)] == rows
    sliced = [compact(batch) for batch in given]
    assert [row for batch in sliced for row in expected(batch.slice(0, 2))] == [
        row for batch in sliced for row in expected(batch)[:2]
    ]


@pytest.mark.parametrize("kind", [ExchangeKind.HASH, ExchangeKind.REBALANCE, ExchangeKind.GATHER])
def test_exchanges(kind: ExchangeKind) -> None:
    rng = np.random.default_rng(5)
    made = []
    for size in (1, 10, 3000, 40_000):
        columns = [
            Column(BIGINT, pa.array(rng.integers(0, 50, size))),
            Column(STRING, pa.array([f"text {i % 7}" for i in range(size)])),
            Column(BIGINT, pa.array(np.arange(size))),
        ]
        chosen = None if size == 10 else np.flatnonzero(rng.random(size) < 0.7).astype(np.uint32)
        made.append(Batch(columns, size, chosen, rng.integers(-2, 3, size)))
    plan = Plan()
    source = plan.stage(source=Batches(made))
    tasks = 1 if kind is ExchangeKind.GATHER else 3
    through = plan.stage(operator_of(FILTERED), parallelism=tasks)
    plan.edge(source, through, kind, keys=(0, 1) if kind is ExchangeKind.HASH else ())
    result = plan.stage(Through)
    plan.edge(through, result, ExchangeKind.GATHER)
    got = collect(plan, result)
    assert summed([row for batch in got for row in rows_of(batch)]) == summed(
        [row for batch in made for row in expected(batch) if row[0] > 0]
    )
