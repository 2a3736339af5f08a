"""Partitioning equals its definition in numpy and keeps the order of rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange, partition, partition_ranges
from tableflow.types import BIGINT, DOUBLE, INT

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


@given(HASHES, st.integers(1, 70))
def test_a_part_is_a_range_of_keys(hashes, parts):
    ranges = [KeyRange.part(part, parts) for part in range(parts)]
    dealt = partition(hashes, parts)
    assert [np.flatnonzero(keys.holds(hashes)).tolist() for keys in ranges] == [rows.tolist() for rows in dealt]
    assert [keys.end for keys in ranges] == [*(keys.start for keys in ranges[1:]), EVERY_KEY.end]
    assert [keys.first for keys in ranges] == [True] + [False] * (parts - 1)
    assert ranges[0].whole == (parts == 1) == (ranges[0] == EVERY_KEY)


def test_refuses_no_parts_and_unequal_lengths():
    hashes = np.zeros(3, np.uint64)
    with pytest.raises(ValueError, match="at least one part"):
        partition(hashes, 0)
    with pytest.raises(ValueError, match="as many hashes"):
        partition(hashes, 2, np.zeros(2, np.uint32))


VALUES = st.lists(st.none() | st.integers(-40, 40) | st.sampled_from([-(2**31), 2**31 - 1]), max_size=60)
BOUNDARIES = st.lists(st.integers(-45, 45), max_size=9).map(sorted)


@given(VALUES, BOUNDARIES, st.integers(1, 4), st.booleans(), st.sampled_from([pa.int32(), pa.int64(), pa.int8()]))
def test_ranges_equal_the_definition(values, boundaries, parts, selected, storage):
    if storage == pa.int8():
        values = [v if v is None or -128 <= v < 128 else 7 for v in values]
    numbers = list(range(0, len(values), 2 if selected else 1))
    expected = [[] for _ in range(parts)]
    for row in numbers:
        reached = 0 if values[row] is None else sum(boundary <= values[row] for boundary in boundaries)
        expected[reached % parts].append(row)
    key = Column(BIGINT if storage == pa.int64() else INT, pa.array(values, storage))
    rows = np.array(numbers, np.uint32) if selected else None
    made = partition_ranges(key, np.array(boundaries, np.int64), parts, len(values), rows)
    if isinstance(made, int):
        assert expected[made] == numbers
    else:
        assert [selection.tolist() for selection in made] == expected


def test_a_batch_within_a_range_is_not_dealt_out():
    key = Column(BIGINT, pa.array(range(10, 20)))
    assert partition_ranges(key, np.array([0, 10, 20]), 3, 10) == 2
    assert partition_ranges(key, np.array([0, 11, 20]), 2, 10)[1].tolist() == [0]


def test_ranges_refuse_what_is_in_no_order():
    with pytest.raises(ValueError, match="boundaries ascend"):
        partition_ranges(Column(BIGINT, pa.array([1])), np.array([2, 1]), 2, 1)
    with pytest.raises(ValueError, match="only integers"):
        partition_ranges(Column(DOUBLE, pa.array([1.0])), np.array([1, 2]), 2, 1)
