"""Rows among numbers: the kernel against plain Python, over every width, with NULLs, slices and extremes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow import types as t
from tableflow.columnar import _native
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.number_set import MOST_SPAN, NumberSet, rows_between

WIDTHS = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}


@st.composite
def questions(draw: st.DrawFn) -> tuple[int, list[int | None], list[int], int, int, int]:
    bits = draw(st.sampled_from(sorted(WIDTHS)))
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    near = draw(st.sampled_from([low, -1, high - 50 if bits > 8 else high - 5, 0]))
    numbers = st.integers(max(low, near), min(high, near + 50)) | st.integers(low, high)
    values = draw(st.lists(st.none() | numbers, max_size=30))
    listed = draw(st.lists(numbers | st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=20))
    bound = numbers | st.integers(-(1 << 64), 1 << 64)
    return bits, values, sorted(set(listed)), draw(bound), draw(bound), draw(st.integers(0, len(values)))


@pytest.mark.slow
@given(questions())
def test_rows_are_those_of_plain_python(question: tuple[int, list[int | None], list[int], int, int, int]) -> None:
    bits, values, listed, low, high, start = question
    column = Column(t.BIGINT, pa.array(values, WIDTHS[bits]).slice(start))
    values = values[start:]
    between = [i for i, v in enumerate(values) if v is not None and low <= v <= high]
    assert rows_between(column, low, high).tolist() == between
    numbers = NumberSet(np.array(listed, np.int64))
    assert numbers.mapped == (listed[-1] - listed[0] < MOST_SPAN)
    assert numbers.rows(column, low, high).tolist() == [i for i in between if values[i] in set(listed)]
    if low <= high:
        no_bound = [i for i, v in enumerate(values) if v is not None and v <= high]
        assert rows_between(column, None, high).tolist() == no_bound


def test_what_has_no_bit_is_refused() -> None:
    with pytest.raises(IndexError):
        _native.number_bits(np.array([5], np.int64), 0, 5)
    bits = _native.number_bits(np.array([0, 4], np.int64), 0, 5)
    column = Column(t.BIGINT, pa.array([0, 1, 4, 70]))
    assert _native.rows_among(column.vector, 0, 4, bits, 0).tolist() == [0, 2]
    for low, high in [(0, 64), (-1, 4)]:
        with pytest.raises(IndexError):
            _native.rows_among(column.vector, low, high, bits, 0)
    with pytest.raises(ValueError, match="64 bits"):
        _native.rows_among(Column(t.DOUBLE, pa.array([1.0])).vector, 0, 4, bits, 0)
