"""Sorts, top-N and limits give what Python's stable sort gives, also in parallel and under memory limits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.errors import MemoryLimitError
from tableflow.physical import sorted_runs
from tableflow.physical.properties import OrderingKey
from tableflow.physical.sort import (
    LimitRows,
    LimitRowsOperator,
    SortRows,
    SortRowsOperator,
    TopN,
    TopNOperator,
)
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.operator import Operator
from tests.kernels.columns import ORDERED, batches, rows_of
from tests.kernels.test_sorting import sort_key
from tests.physical.jobs import collect, fields, leaf, through
from tests.runtime.simple import Batches, Plan

SEEDS = [None, 0, 1, 2]


@st.composite
def inputs(draw):
    types = draw(st.lists(st.sampled_from(ORDERED), min_size=1, max_size=3))
    keys = draw(
        st.lists(st.tuples(st.integers(0, len(types) - 1), st.booleans(), st.booleans()), min_size=1, max_size=2)
    )
    return types, keys, draw(st.lists(batches(types, 12), max_size=4))


def ordering(keys):
    return tuple(OrderingKey(10 + position, descending, first) for position, descending, first in keys)


def sort_of(types, keys, publication=""):
    node = SortRows(fields=fields(*types), input=leaf(*types), keys=ordering(keys), publication=publication)
    return SortRowsOperator(node)


def expected(keys, parts):
    return sorted([row for part in parts for row in rows_of(part)], key=sort_key(keys))


@pytest.mark.slow
@given(inputs(), st.integers(1, 9))
def test_sort_of_one_task(case, batch_rows):
    types, keys, parts = case
    assert through(sort_of(types, keys), parts, batch_rows=batch_rows) == expected(keys, parts)


@pytest.mark.slow
@given(inputs(), st.integers(1, 9), st.integers(1, 7))
def test_sort_in_many_runs(case, batch_rows, run_rows):
    types, keys, parts = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_runs, "RUN_ROWS", run_rows)
        patch.setattr(sorted_runs, "_TAIL_BATCHES", 2)
        patch.setattr(sorted_runs, "_PUSHES", 2)
        assert through(sort_of(types, keys), parts, batch_rows=batch_rows) == expected(keys, parts)


@pytest.mark.slow
@given(inputs(), st.integers(0, 30), st.integers(0, 5), st.booleans())
def test_top_n(case, limit, offset, by_runs):
    types, keys, parts = case
    node = TopN(fields=fields(*types), input=leaf(*types), keys=ordering(keys), limit=limit, offset=offset)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TopNOperator, "_SLACK", 2)
        if by_runs:
            patch.setattr(TopNOperator, "_MOST_KEPT", 0)
            patch.setattr(sorted_runs, "RUN_ROWS", 5)
        made = through(TopNOperator(node), parts, batch_rows=4)
    assert made == expected(keys, parts)[offset : offset + limit]


def test_top_n_of_many_rows_has_a_threshold():
    rng = np.random.default_rng(3)
    values = rng.permutation(100_000)
    parts = [Batch([Column(t.BIGINT, pa.array(chunk))], len(chunk)) for chunk in np.split(values, 20)]
    node = TopN(fields=fields(t.BIGINT), input=leaf(t.BIGINT), keys=ordering([(0, True, False)]), limit=7, offset=2)
    made = through(TopNOperator(node), parts)
    assert [value for value, _ in made] == list(range(99_997, 99_990, -1))


@pytest.mark.slow
@given(st.lists(batches([t.BIGINT], 9), max_size=4), st.none() | st.integers(0, 20), st.integers(0, 9))
def test_limit(parts, limit, offset):
    node = LimitRows(fields=fields(t.BIGINT), input=leaf(t.BIGINT), limit=limit, offset=offset)
    rows = [row for part in parts for row in rows_of(part)]
    made = through(LimitRowsOperator(node), parts)
    assert made == rows[offset : None if limit is None else offset + limit]


def test_limit_ends_an_endless_input():
    def endless():
        while True:
            yield Batch([Column(t.BIGINT, pa.array([1, 2, 3]))], 3)

    plan = Plan()
    node = LimitRows(fields=fields(t.BIGINT), input=leaf(t.BIGINT), limit=7)
    result = plan.stage(lambda: LimitRowsOperator(node), source=Batches(endless, bounded=False))
    made = [value for batch in collect(plan, result) for value, _ in rows_of(batch)]
    assert made == [1, 2, 3, 1, 2, 3, 1]


class Numbered(Operator):
    """Adds the number of its task as a column."""

    def open(self, context):
        self.context = context

    def process(self, batch, port):
        number = Column(t.BIGINT, pa.array([self.context.task_index] * batch.length, pa.int64()))
        return iter((batch.with_columns([*batch.columns, number]),))


def parallel_sort(types, keys, parts, parallelism, seed):
    """Rows by the task that emitted them."""
    plan = Plan()
    sort = plan.stage(
        lambda: sort_of(types, keys, "sorted"),
        Numbered,
        source=Batches(*[[part] for part in parts]),
        parallelism=parallelism,
        publishes=["sorted"],
    )
    gathered = plan.stage(lambda: LimitRowsOperator(LimitRows(fields=(), input=leaf(), limit=None)))
    plan.edge(sort, gathered, ExchangeKind.GATHER)
    by_task = [[] for _ in range(parallelism)]
    for batch in collect(plan, gathered, seed, batch_rows=5):
        for *row, task, weight in rows_of(batch):
            by_task[task].append((*row, weight))
    return by_task


@settings(max_examples=30)
@given(inputs(), st.integers(1, 4), st.sampled_from(SEEDS))
def test_parallel_sort_is_sorted_by_task(case, parallelism, seed):
    types, keys, parts = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorted_runs, "RUN_ROWS", 4)
        by_task = parallel_sort(types, keys, parts, parallelism, seed)
    key = sort_key(keys)
    made = [row for rows in by_task for row in rows]
    assert [key(row) for row in made] == [key(row) for row in expected(keys, parts)]
    assert sorted(map(repr, made)) == sorted(map(repr, expected(keys, parts)))
    filled = [rows for rows in by_task if rows]
    for one, next_one in pairwise(filled):
        assert key(one[-1]) < key(next_one[0])


def test_parallel_sort_deals_out_evenly():
    rng = np.random.default_rng(1)
    parts = [Batch([Column(t.BIGINT, pa.array(rng.integers(0, 1 << 40, 5000)))], 5000) for _ in range(4)]
    sizes = [len(rows) for rows in parallel_sort([t.BIGINT], [(0, False, False)], parts, 4, 0)]
    assert sum(sizes) == 20_000
    assert min(sizes) > 4000


def test_sort_without_memory_fails_with_its_name():
    parts = [Batch([Column(t.BIGINT, pa.array(range(1000)))], 1000)] * 20
    with pytest.raises(MemoryLimitError, match="runs"):
        through(sort_of([t.BIGINT], [(0, False, False)]), parts, memory="100kb")


def test_nested_columns_travel_along():
    of = t.ArrayType(t.BIGINT)
    parts = [
        Batch([Column(t.BIGINT, pa.array([3, 1])), Column(of, pa.array([[3], [1, None]]))], 2),
        Batch([Column(t.BIGINT, pa.array([2])), Column(of, pa.array([None], pa.list_(pa.int64())))], 1),
    ]
    made = through(sort_of([t.BIGINT, of], [(0, False, False)]), parts)
    assert made == [(1, [1, None], 1), (2, None, 1), (3, [3], 1)]
