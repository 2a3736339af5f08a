"""The first rows of each partition come out in order, whatever else does; memory holds not much more than they."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.physical import partition_top_n, sorted_runs
from tableflow.physical.partition_top_n import PartitionTopN, PartitionTopNOperator
from tableflow.physical.properties import OrderingKey
from tests.kernels.columns import ORDERED, batches, rows_of
from tests.kernels.test_sorting import sort_key
from tests.physical.jobs import collect, fields, leaf, through
from tests.runtime.simple import Batches, Plan

pytestmark = pytest.mark.slow


@st.composite
def inputs(draw):
    types = draw(st.lists(st.sampled_from(ORDERED), min_size=2, max_size=3))
    keys = [(position, draw(st.booleans()), draw(st.booleans())) for position in range(len(types))]
    parts = [
        Batch(each.columns, each.length, each.selection) for each in draw(st.lists(batches(types, 12), max_size=5))
    ]
    return types, keys, parts, draw(st.integers(0, len(types)))


def operator(types, keys, partition, limit):
    ordering = tuple(OrderingKey(10 + position, descending, first) for position, descending, first in keys)
    node = PartitionTopN(fields=fields(*types), input=leaf(*types), keys=ordering, partition=partition, limit=limit)
    return PartitionTopNOperator(node)


@given(inputs(), st.integers(0, 3), st.integers(1, 9), st.integers(1, 7))
def test_the_first_rows_are_there_in_order(case, limit, batch_rows, run_rows):
    types, keys, parts, partition = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_runs, "RUN_ROWS", run_rows)
        patch.setattr(partition_top_n, "_MOST_RUNS", 2)
        found = through(operator(types, keys, partition, limit), parts, batch_rows=batch_rows)
    order, group = sort_key(keys), sort_key(keys[:partition])
    rows = sorted([row for part in parts for row in rows_of(part)], key=order)
    assert [order(row) for row in found] == sorted(order(row) for row in found)
    wanted = []
    for row in rows:
        if sum(group(row) == group(other) for other in wanted) < limit:
            wanted.append(row)
    remaining = list(found)
    for row in wanted:
        remaining.remove(next(other for other in remaining if order(other) == order(row)))


def test_memory_holds_what_is_kept():
    random = np.random.default_rng(0)
    parts = []
    for _ in range(100):
        values = random.integers(0, 10, 20_000), random.integers(0, 1 << 60, 20_000)
        parts.append(Batch([Column(t.BIGINT, pa.array(column)) for column in values], 20_000))
    plan = Plan()
    made = operator([t.BIGINT, t.BIGINT], [(0, False, False), (1, True, False)], 1, 3)
    result = plan.stage(lambda: made, source=Batches(parts))
    found = [row for batch in collect(plan, result, 0, memory="24 mb") for row in rows_of(batch)]
    everything = np.concatenate([np.asarray(part.columns[1].array) for part in parts])
    groups = np.concatenate([np.asarray(part.columns[0].array) for part in parts])
    for group in range(10):
        best = sorted(everything[groups == group].tolist(), reverse=True)[:3]
        assert [row[1] for row in found if row[0] == group][:3] == best
    assert len(found) < 1000
