"""Dealing rows out to parts by their hash, for exchanges and radix partitions, or by ranges of a key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import storage_format
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.records import dataclass

_HIGH = 1 << 32


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Keys of which the high half of the hash is in ``[start, end)``: what operators' state is cut by.

    >>> [KeyRange.part(i, 3).start for i in range(3)]
    [0, 1431655766, 2863311531]
    """

    start: int
    end: int

    @classmethod
    def part(cls, part: int, parts: int) -> KeyRange:
        """The keys of the rows that :func:`partition` deals to this part."""
        return cls(-(-part * _HIGH // parts), -(-(part + 1) * _HIGH // parts))

    @property
    def whole(self) -> bool:
        """Whether there is no other key."""
        return self.start == 0 and self.end == _HIGH

    @property
    def first(self) -> bool:
        """Whether hash 0 is in it: what no key tells goes with it, and so with one of disjoint ranges."""
        return self.start == 0 < self.end

    def holds(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Whether each of these hashes is in it."""
        high = hashes >> np.uint64(32)
        return (high >= np.uint64(self.start)) & (high < np.uint64(self.end))

    def rows(self, columns: Sequence[Column], length: int) -> Selection:
        """Which of ``length`` rows that were dealt by these columns are in it; rows that were not dealt are all with hash 0."""
        if self.whole or not columns:
            return np.arange(length if self.first else 0, dtype=np.uint32)
        return np.flatnonzero(self.holds(hash_rows(columns))).astype(np.uint32)


EVERY_KEY = KeyRange(0, _HIGH)


def partition(hashes: npt.NDArray[np.uint64], parts: int, selection: Selection | None = None) -> list[Selection]:
    """Row numbers per part, ascending when the selection is; the part is ``((hash >> 32) * parts) >> 32``.

    ``hashes[i]`` belongs to row ``selection[i]`` (row ``i`` without a selection).
    """
    rows, starts = _native.partition(hashes, parts, selection)
    bounds = starts.tolist()
    return [rows[bounds[p] : bounds[p + 1]] for p in range(parts)]


def partition_ranges(
    key: Column, boundaries: npt.NDArray[np.int64], parts: int, length: int, selection: Selection | None = None
) -> int | list[Selection]:
    """The only part that any row belongs to, or the row numbers per part.

    A value's range is the number of ``boundaries`` (ascending storage values) that are not above it, NULL's is 0; its part is the
    range modulo ``parts``.  The type must be stored as integers.
    """
    found = _native.partition_ranges(key.vector, storage_format(key.type), boundaries, parts, length, selection)
    if isinstance(found, int):
        return found
    rows, starts = found
    bounds = starts.tolist()
    return [rows[bounds[p] : bounds[p + 1]] for p in range(parts)]
