"""Kernels of windows equal what their words say, row by row, in every representation."""

from __future__ import annotations

import math
import statistics
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels import sorting, windows
from tests.kernels.columns import ORDERED, batches, columns, rows_of, values_of
from tests.kernels.test_sorting import DIRECTIONS, sort_key


@st.composite
def sorted_batches(draw, types=ORDERED):
    kinds = draw(st.lists(st.sampled_from(types), min_size=1, max_size=2))
    keys = [(position, *draw(DIRECTIONS)) for position in range(len(kinds))]
    batch = draw(batches(kinds, 30).filter(lambda b: b.rows > 0))
    return keys, sorting.sort_batch(batch, keys)


@pytest.mark.slow
@given(sorted_batches())
def test_keys_change_where_rows_differ(case):
    keys, batch = case
    order = sort_key(keys)
    rows = [order(row) for row in rows_of(batch)]
    expected = [i for i in range(1, len(rows)) if rows[i] != rows[i - 1]]
    positions = [position for position, _, _ in keys]
    assert windows.key_changes(batch, positions).tolist() == expected
    for i in range(1, len(rows)):
        assert windows.same_keys(batch, i, batch, i - 1, positions) is (i not in expected)


@st.composite
def frames(draw, rows):
    """Frames that move forward, or back at one row."""
    low = sorted(draw(st.lists(st.integers(0, rows), min_size=rows, max_size=rows)))
    high = sorted(draw(st.lists(st.integers(0, rows), min_size=rows, max_size=rows)))
    cut, also = draw(st.integers(0, rows)), draw(st.booleans())
    low, high = low[cut:] + low[:cut], high[cut:] + high[:cut] if also else high
    return [(a, max(a, b)) for a, b in zip(low, high, strict=True)]


@st.composite
def framed(draw, of):
    values = draw(st.integers(1, 25).flatmap(lambda size: values_of(of, size)))
    return values, draw(columns(of, values)), draw(frames(len(values))), draw(st.integers(1, 7))


def sliced(next_frames, spans, size):
    """What an evaluator gives when the frames come in slices."""
    found = []
    for first in range(0, len(spans), size):
        low, high = (np.array(ends, np.int64) for ends in zip(*spans[first : first + size], strict=True))
        part = next_frames(low, high)
        found += part.tolist() if isinstance(part, np.ndarray) else part.array.to_pylist()
    return found


EXACT = [t.TINYINT, t.INT, t.BIGINT, t.DecimalType(15, 2), t.DecimalType(30, 2)]


@pytest.mark.slow
@given(st.sampled_from(EXACT).flatmap(lambda of: st.tuples(st.just(of), framed(of))), st.booleans())
def test_exact_sums(case, distinct):
    of, (values, column, spans, size) = case
    scale = of.scale if isinstance(of, t.DecimalType) else 0
    result = t.DecimalType(38, scale)
    expected = []
    for low, high in spans:
        inside = [value for value in values[low:high] if value is not None]
        inside = list(set(inside)) if distinct else inside
        expected.append(sum(inside) if inside else None)
    total = windows.FrameSum("sum", column, result, distinct=distinct)
    found = sliced(total.next, spans, size)
    assert found == [None if value is None else Decimal(value) for value in expected]
    mean = windows.FrameSum("avg", column, t.DOUBLE, distinct=distinct)
    for got, (low, high) in zip(sliced(mean.next, spans, size), spans, strict=True):
        inside = [value for value in values[low:high] if value is not None]
        inside = list(set(inside)) if distinct else inside
        exact = float(sum(map(Decimal, inside)) / len(inside)) if inside else None
        assert (got is None) if exact is None else math.isclose(got, exact, rel_tol=1e-12)


@pytest.mark.slow
@given(st.sampled_from([*EXACT, t.STRING, t.DATE, t.DOUBLE]).flatmap(framed))
def test_distinct_counts(case):
    values, column, spans, size = case
    count = windows.FrameSum("count", column, t.BIGINT, distinct=True)
    keys = ["NaN" if value != value else value for value in values]
    expected = [len({value for value in keys[low:high] if value is not None}) for low, high in spans]
    assert sliced(count.next, spans, size) == expected


numbers = st.one_of(st.none(), st.integers(-50, 50).map(float))


@given(
    st.lists(numbers, min_size=1, max_size=25).flatmap(lambda v: st.tuples(st.just(v), frames(len(v)))),
    st.integers(1, 7),
)
def test_float_sums_and_variances(case, size):
    values, spans = case
    column = Column(t.DOUBLE, pa.array(values, pa.float64()))
    inside = [[value for value in values[low:high] if value is not None] for low, high in spans]
    expected = {
        "sum": [math.fsum(each) if each else None for each in inside],
        "avg": [statistics.fmean(each) if each else None for each in inside],
        "var_pop": [statistics.pvariance(each) if each else None for each in inside],
        "stddev_samp": [statistics.stdev(each) if len(each) > 1 else None for each in inside],
    }
    for function, wanted in expected.items():
        found = sliced(windows.FrameSum(function, column, t.DOUBLE).next, spans, size)
        for got, value in zip(found, wanted, strict=True):
            assert (got is None) is (value is None)
            assert got is None or math.isclose(got, value, rel_tol=1e-9, abs_tol=1e-9)


def test_an_infinity_leaves_the_frame_again():
    column = Column(t.DOUBLE, pa.array([1.0, math.inf, 2.0, 3.0]))
    total = windows.FrameSum("sum", column, t.DOUBLE)
    assert sliced(total.next, [(0, 1), (0, 2), (1, 3), (2, 4)], 2) == [1.0, math.inf, math.inf, 5.0]


def test_sums_beyond_their_type():
    column = Column(t.BIGINT, pa.array([2**62, 2**62, -5]))
    total = windows.FrameSum("sum", column, t.BIGINT)
    assert sliced(total.next, [(0, 1)], 1) == [2**62]
    with pytest.raises(OverflowError, match="integer overflow"):
        total.next(np.array([0]), np.array([2]))


def test_sums_may_leave_128_bits_and_come_back():
    large = Decimal(10**37 * 9)
    column = Column(t.DecimalType(38, 0), pa.array([large, large, -large, -large], pa.decimal128(38, 0)))
    total = windows.FrameSum("sum", column, t.DecimalType(38, 0))
    assert sliced(total.next, [(0, 1), (0, 3), (0, 4), (1, 4), (3, 4)], 2) == [large, large, 0, -large, -large]


@pytest.mark.slow
@given(
    sorted_batches().flatmap(lambda case: st.tuples(st.just(case), frames(case[1].length))),
    st.booleans(),
    st.integers(1, 7),
)
def test_extremes(case, greatest, size):
    (_, batch), spans = case
    column = batch.columns[0]
    order = sort_key([(0, False, False)])
    rows = [order((row[0],)) for row in rows_of(batch)]
    missing = column.array.is_null().to_pylist()
    expected = []
    for low, high in spans:
        inside = [i for i in range(low, high) if not missing[i]]
        best = (max if greatest else min)((rows[i] for i in inside), default=None)
        expected.append(next((i for i in inside if rows[i] == best), -1))
    extreme = windows.FrameExtreme(column, greatest=greatest)
    assert sliced(extreme.next, spans, size) == expected


@given(
    st.lists(st.none() | st.integers(-9, 9), min_size=1, max_size=25),
    st.integers(0, 4),
    DIRECTIONS,
    st.booleans(),
    st.data(),
)
def test_range_ends(values, distance, direction, beyond, data):
    descending, nulls_first = direction
    batch = Batch([Column(t.INT, pa.array(values, pa.int32()))], len(values))
    batch = sorting.sort_batch(batch, [(0, descending, nulls_first)])
    keys = batch.columns[0].array.to_pylist()
    bounds = [None if key is None else key + (-distance if beyond is descending else distance) for key in keys]
    cut = data.draw(st.integers(0, len(values)))
    bounds = bounds[cut:] + bounds[:cut]
    cut = data.draw(st.integers(0, len(values)))
    first = data.draw(st.integers(0, len(values) - 1))
    start = np.array([0 if i < cut else cut for i in range(first, len(values))], np.int64)
    end = np.array([cut if i < cut else len(values) for i in range(first, len(values))], np.int64)
    found = windows.range_ends(
        batch.columns[0],
        Column(t.BIGINT, pa.array(bounds, pa.int64())),
        first,
        start,
        end,
        descending=descending,
        nulls_first=nulls_first,
        beyond=beyond,
    )
    order = sort_key([(0, descending, nulls_first)])
    for i, got in enumerate(found.tolist()):
        bound = order((bounds[first + i],))
        inside = range(int(start[i]), int(end[i]))
        before = [row for row in inside if order((keys[row],)) < bound or (beyond and order((keys[row],)) == bound)]
        assert got == int(start[i]) + len(before)


@pytest.mark.parametrize(("low", "high"), [([0, -1], [2, 2]), ([2], [1]), ([0], [4])])
def test_frames_stay_inside(low, high):
    column = Column(t.INT, pa.array([1, 2, 3], pa.int32()))
    ends = np.array(low, np.int64), np.array(high, np.int64)
    with pytest.raises(ValueError, match="frame"):
        windows.FrameSum("sum", column, t.BIGINT).next(*ends)
    with pytest.raises(ValueError, match="frame"):
        windows.FrameExtreme(column, greatest=True).next(*ends)


def test_foreign_rows_are_refused():
    batch = Batch([Column(t.INT, pa.array([1, 2], pa.int32()))], 2)
    with pytest.raises(IndexError):
        windows.same_keys(batch, 2, batch, 0, [0])
    with pytest.raises(ValueError, match="numbers are summed"):
        windows.FrameSum("sum", Column(t.STRING, pa.array(["a"])), t.BIGINT)
    with pytest.raises(ValueError, match="no sum"):
        windows.FrameSum("median", batch.columns[0], t.BIGINT)
