"""Dealing rows out to parts by their hash, for exchanges and radix partitions, or by ranges of a key."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import storage_format


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
