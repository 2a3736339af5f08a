"""Partitioning equals its definition in numpy and keeps the order of rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.columnar.kernels.partition import partition

HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=50).map(lambda values: np.array(values, np.uint64))


@given(HASHES, st.integers(1, 70), st.booleans())
def test_equals_the_definition(hashes, parts, selected):
    rows = np.arange(len(hashes), dtype=np.uint32) * 3 + 1 if selected else None
    expected = (((hashes >> np.uint64(32)) * np.uint64(parts)) >> np.uint64(32)).astype(np.int64)
    numbers = np.arange(len(hashes), dtype=np.uint32) if rows is None else rows
    made = partition(hashes, parts, rows)
    assert len(made) == parts
    for part, selection in enumerate(made):
        assert selection.dtype == np.uint32
        assert selection.tolist() == numbers[expected == part].tolist()


def test_refuses_no_parts_and_unequal_lengths():
    hashes = np.zeros(3, np.uint64)
    with pytest.raises(ValueError, match="at least one part"):
        partition(hashes, 0)
    with pytest.raises(ValueError, match="as many hashes"):
        partition(hashes, 2, np.zeros(2, np.uint32))
