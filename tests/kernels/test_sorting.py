"""Sorting equals Python's stable sort by SQL's order, in every representation; merging and cutting equal sorting."""

from __future__ import annotations

import functools
import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels import gather, sorting
from tableflow.errors import UnsupportedError
from tests.kernels.columns import ORDERED, batches, rows_of

pytestmark = pytest.mark.slow

DIRECTIONS = st.tuples(st.booleans(), st.booleans())


def sort_key(keys):
    """A key function for rows as ``rows_of`` gives them."""

    def value_of(value):
        if value == "NaN":
            return (1, 0)
        if isinstance(value, str):
            return (0, value.encode())
        return (0, value)

    def compare(one, other):
        for position, descending, nulls_first in keys:
            a, b = one[position], other[position]
            if a is None or b is None:
                if (a is None) != (b is None):
                    return -1 if (a is None) == nulls_first else 1
                continue
            a, b = value_of(a), value_of(b)
            if a != b:
                return (1 if a > b else -1) * (-1 if descending else 1)
        return 0

    return functools.cmp_to_key(compare)


@st.composite
def sortable(draw, max_rows=40):
    types = draw(st.lists(st.sampled_from(ORDERED), min_size=1, max_size=3))
    positions = draw(st.lists(st.integers(0, len(types) - 1), min_size=1, max_size=3))
    keys = [(position, *draw(DIRECTIONS)) for position in positions]
    return types, keys, draw(batches(types, max_rows))


@given(sortable())
def test_sorts_stably(case):
    _, keys, batch = case
    rows = [(*row, number) for number, row in enumerate(rows_of(batch))]
    order = sorting.sort_indices(batch, keys)
    assert order.dtype == np.int64
    made = gather.take_rows(batch, order)
    assert rows_of(made) == [row[:-1] for row in sorted(rows, key=sort_key(keys))]
    numbers = list(range(batch.length)) if batch.selection is None else batch.selection.tolist()
    assert [numbers.index(i) for i in order.tolist()] == [row[-1] for row in sorted(rows, key=sort_key(keys))]


@pytest.mark.parametrize("rows", [1000, 5000])
@pytest.mark.parametrize("seed", range(4))
def test_many_rows_of_several_words(rows, seed):
    rng = np.random.default_rng(seed)
    floats = rng.choice([0.0, -0.0, math.nan, 1.5, -math.inf, *rng.normal(size=5)], rows)
    texts = [
        None if i == 0 else f"a common beginning that is long {'x' * (i % 7)}{i % 50}"
        for i in rng.integers(0, 300, rows)
    ]
    batch = Batch(
        [
            Column(t.BIGINT, pa.array(rng.integers(-3, 3, rows))),
            Column(t.DOUBLE, pa.array(floats)),
            Column(t.STRING, pa.array(texts)),
            Column(t.BIGINT, pa.array(rng.integers(-(2**63), 2**63 - 1, rows))),
            Column(t.STRING, pa.array(texts).dictionary_encode()),
        ],
        rows,
    )
    for positions in ([0], [1], [2], [3], [4], [0, 2, 3], [2, 1], [4, 1, 3], [1, 3]):
        keys = [(p, bool(rng.integers(2)), bool(rng.integers(2))) for p in positions]
        made = rows_of(sorting.sort_batch(batch, keys))
        assert made == sorted(rows_of(batch), key=sort_key(keys))


@given(st.data())
def test_merging_sorted_blocks_equals_sorting(data):
    types, keys, first = data.draw(sortable(15))
    inputs = [[first]]
    for _ in range(data.draw(st.integers(0, 3))):
        inputs.append([data.draw(batches(types, 15)) for _ in range(data.draw(st.integers(0, 2)))])
    wholes = [sorting.sort_batch(gather.concat(parts), keys) if parts else None for parts in inputs]
    expected = sorted([row for whole in wholes if whole for row in rows_of(whole)], key=sort_key(keys))
    waiting = [[] if whole is None else _cut(data.draw, whole) for whole in wholes]
    merge = sorting.SortedMerge(len(inputs), keys)
    made: list[tuple] = []
    most = data.draw(st.integers(1, 20))
    while not merge.exhausted:
        for i in merge.wanting():
            merge.push(i, waiting[i].pop(0)) if waiting[i] else merge.finish(i)
        while (batch := merge.next(most)) is not None:
            assert 0 < batch.rows <= most
            made += rows_of(batch)
    assert made == expected


def _cut(draw, batch):
    cuts = sorted(draw(st.lists(st.integers(0, batch.rows), max_size=3)))
    return [batch.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, batch.rows], strict=True)]


def test_merging_long_runs():
    rng = np.random.default_rng(5)
    runs = []
    for run in range(5):
        n = 20_000 + run
        values = Column(t.BIGINT, pa.array(rng.integers(0, 50_000 * (run + 1), n)))
        texts = Column(t.STRING, pa.array([f"customer {i}" for i in rng.integers(0, 90, n)]).dictionary_encode())
        runs.append(sorting.sort_batch(Batch([values, texts], n), [(1, True, False), (0, False, False)]))
    keys = [(1, True, False), (0, False, False)]
    merge = sorting.SortedMerge(5, keys)
    for i, run in enumerate(runs):
        merge.push(i, run)
        merge.finish(i)
    made = []
    while (batch := merge.next(7000)) is not None:
        made += rows_of(batch)
    assert made == sorted([row for run in runs for row in rows_of(run)], key=sort_key(keys))


@given(sortable(), st.data())
def test_lower_bound_and_threshold(case, data):
    types, keys, batch = case
    other = gather.compact(data.draw(batches(types, 3)))
    if other.length == 0:
        return
    row = data.draw(st.integers(0, other.length - 1))
    key = sort_key(keys)
    bound = key(rows_of(other)[row])
    run = sorting.sort_batch(batch, keys)
    assert sorting.lower_bound(run, keys, other, row) == sum(key(r) < bound for r in rows_of(run))
    numbers = range(batch.length) if batch.selection is None else batch.selection.tolist()
    kept = sorting.select_before(batch, keys, other, row)
    assert kept.tolist() == [i for i, r in zip(numbers, rows_of(batch), strict=True) if key(r) < bound]


def test_what_comes_from_outside_is_checked():
    batch = Batch([Column(t.BIGINT, pa.array([1, 2]))], 2)
    with pytest.raises(IndexError):
        sorting.lower_bound(batch, [(0, False, False)], batch, 2)
    with pytest.raises(ValueError, match="as many key columns"):
        sorting.sort_indices(batch, [])
    with pytest.raises(UnsupportedError, match="no order"):
        sorting.sort_indices(Batch([Column(t.ArrayType(t.BIGINT), pa.array([[1]]))], 1), [(0, False, False)])
    merge = sorting.SortedMerge(1, [(0, False, False)])
    merge.push(0, batch)
    with pytest.raises(ValueError, match="wants none"):
        merge.push(0, batch)


def test_intervals_order_by_length():
    def interval(months, days, nanoseconds):
        return pa.MonthDayNano([months, days, nanoseconds])

    values = [interval(1, 0, 0), None, interval(0, 29, 0), interval(0, 0, 5), interval(0, 30, 1), interval(0, -1, 0)]
    batch = Batch([Column(t.INTERVAL, pa.array(values, pa.month_day_nano_interval()))], len(values))
    assert sorting.sort_indices(batch, [(0, False, False)]).tolist() == [5, 3, 2, 0, 4, 1]
    assert sorting.sort_indices(batch, [(0, True, False)]).tolist() == [4, 0, 2, 3, 5, 1]
