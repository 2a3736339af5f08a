"""Groups that are not among the first of an order are left out, and nothing else changes."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import DataError
from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.hash_aggregate import AggregatePhase, FirstGroups, HashAggregate, HashAggregateOperator
from tableflow.physical.node import Input
from tableflow.physical.properties import OrderingKey
from tableflow.records import replace
from tableflow.types import BIGINT, Field
from tests.kernels.test_sorting import sort_key
from tests.physical.jobs import through
from tests.physical.test_hash_aggregate import CALLS, KEY, ROWS, TEXT, aggregate, batches_of, ref

NAMES = ["count", "sum(v)", "avg(v)", "max(s)", "min(v) filter", "count(distinct s)"]


def run(node, batches, **texts):
    return [row[:-1] for row in through(HashAggregateOperator(node), batches, **texts)]


@pytest.mark.parametrize("keys", [(KEY,), (TEXT,), (KEY, TEXT)], ids=["int", "text", "both"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_first_groups_are_those_of_all_groups(keys, data):
    names = data.draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    node = aggregate(keys, [CALLS[name] for name in names], AggregatePhase.SINGLE)
    columns = data.draw(st.lists(st.integers(0, len(node.fields) - 1), min_size=1, max_size=2, unique=True))
    order = [(column, data.draw(st.booleans()), data.draw(st.booleans())) for column in columns]
    limit = data.draw(st.integers(1, 8))
    first = FirstGroups(tuple(OrderingKey(node.fields[c].id, down, nulls) for c, down, nulls in order), limit)
    batches = data.draw(batches_of(data.draw(ROWS)))
    whole = run(node, batches)
    found = run(replace(node, first=first), batches, batch_rows=data.draw(st.sampled_from([1, 3, 100])))
    ordered = sort_key(order)
    assert sorted(map(ordered, found)) == sorted(map(ordered, whole))[:limit]
    assert set(found) <= set(whole)
    assert len(set(found)) == len(found)


def test_a_sum_that_is_out_of_range_fails_although_its_group_is_left_out():
    key, value = Field(10, "k", BIGINT), Field(11, "v", BIGINT)
    calls = (AggregateCall(BIGINT, "count"), AggregateCall(BIGINT, "sum", (ref(value),)))
    counted, summed = Field(20, "n", BIGINT), Field(21, "s", BIGINT)
    node = HashAggregate(
        input=Input(fields=(key, value)), fields=(key, counted, summed), phase=AggregatePhase.SINGLE, keys=(key,), calls=calls,
        first=FirstGroups((OrderingKey(counted.id, descending=True),), 1),
    )  # fmt: skip
    columns = [Column(BIGINT, pa.array(v)) for v in ([1, 2, 1, 2, 1], [5, 2**63 - 1, 5, 1, 5])]
    with pytest.raises(DataError, match="integer overflow"):
        run(node, [Batch(columns, 5)])
    assert run(node, [Batch(columns, 3)]) == [(1, 2, 10)]
