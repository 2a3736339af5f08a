"""UNION ALL and replication."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.physical.set_operation import Replicate, ReplicateOperator, UnionAll, UnionAllOperator
from tests.kernels.columns import batches, rows_of
from tests.physical.jobs import collect, fields, leaf, through
from tests.runtime.simple import Batches, Plan, Through


@pytest.mark.slow
@given(batches([t.STRING, t.BIGINT], 12), st.integers(1, 5))
def test_replicate(batch, batch_rows):
    counts = Column(t.BIGINT, pa.array([None if i % 5 == 4 else i % 4 - 1 for i in range(batch.length)], pa.int8()))
    given_fields = fields(t.STRING, t.BIGINT, t.BIGINT)
    node = Replicate(fields=given_fields[:2][::-1], input=leaf(t.STRING, t.BIGINT, t.BIGINT), count=given_fields[2].id)
    with_count = batch.with_columns([*batch.columns, counts])
    made = through(ReplicateOperator(node), [with_count], batch_rows=batch_rows)
    assert made == [
        (number, text, weight) for text, number, count, weight in rows_of(with_count) for _ in range(max(count or 0, 0))
    ]


def test_replicating_a_row_very_often_gives_batch_after_batch():
    row = Batch([Column(t.BIGINT, pa.array([7])), Column(t.BIGINT, pa.array([1 << 40]))], 1)
    node = Replicate(fields=fields(t.BIGINT), input=leaf(t.BIGINT, t.BIGINT), count=11)
    operator = ReplicateOperator(node)

    class Context:
        batch_rows = 1000

    operator.open(Context())
    emission = operator.process(row, 0)
    assert [next(emission).rows for _ in range(3)] == [1000, 1000, 1000]


def test_union_passes_all_ports_under_its_own_types():
    declared = t.StringType(3)
    plan = Plan()
    left = plan.stage(Through, source=Batches([Batch([Column(t.STRING, pa.array(["a", "b"]))], 2)]))
    right = plan.stage(Through, source=Batches([Batch([Column(declared, pa.array(["c"]))], 1)]))
    node = UnionAll(fields=fields(t.STRING), branches=(leaf(t.STRING), leaf(declared)))
    union = plan.stage(lambda: UnionAllOperator(node))
    plan.edge(left, union, port=0)
    plan.edge(right, union, port=1)
    made = collect(plan, union)
    assert sorted(row for batch in made for row in rows_of(batch)) == [("a", 1), ("b", 1), ("c", 1)]
    assert {column.type for batch in made for column in batch.columns} == {t.STRING}
