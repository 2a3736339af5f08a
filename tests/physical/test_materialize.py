"""Published rows are read whole by every stage that scans them, each row by one task."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import MemoryLimitError
from tableflow.physical.materialize import PublishedScan, PublishedScanOperator, PublishRows, PublishRowsOperator
from tableflow.runtime.graph import ExchangeKind
from tests.kernels.columns import rows_of
from tests.physical.jobs import collect, fields, leaf
from tests.runtime.simple import Batches, Plan, Through

PUBLISH = PublishRows(fields=fields(t.BIGINT), input=leaf(t.BIGINT), publication="rows")
SCAN = PublishedScan(fields=fields(t.BIGINT), publication="rows")


def numbers(*values: int) -> Batch:
    return Batch([Column(t.BIGINT, pa.array(values, pa.int64()))], len(values))


def job(parts, readers: int, parallelism: int) -> tuple[Plan, int]:
    plan = Plan()
    plan.stage(lambda: PublishRowsOperator(PUBLISH), source=Batches(*parts), parallelism=2, publishes=["rows"])
    result = plan.stage(Through)
    for port in range(readers):
        scan = plan.stage(lambda: PublishedScanOperator(SCAN), parallelism=parallelism, reads=["rows"])
        plan.edge(scan, result, ExchangeKind.GATHER, port=port)
    return plan, result


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize(("readers", "parallelism"), [(1, 1), (1, 3), (2, 2)])
def test_every_reader_gets_every_row_once(seed, readers, parallelism):
    parts = [[numbers(*range(start, start + 10)) for start in range(first, first + 300, 10)] for first in (0, 300)]
    plan, result = job(parts, readers, parallelism)
    made = collect(plan, result, seed, batch_rows=64)
    assert sorted(value for batch in made for value, _ in rows_of(batch)) == sorted(list(range(600)) * readers)


def test_no_rows():
    plan, result = job([[], []], 1, 2)
    assert collect(plan, result) == []


def test_rows_beyond_the_memory_limit_are_refused():
    plan, result = job([[numbers(*range(1000))] * 40, []], 1, 1)
    with pytest.raises(MemoryLimitError, match="rows"):
        collect(plan, result, memory="100kb")
