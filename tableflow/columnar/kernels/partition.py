"""Dealing rows out to parts by their hash, for exchanges and radix partitions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection


def partition(hashes: npt.NDArray[np.uint64], parts: int, selection: Selection | None = None) -> list[Selection]:
    """Row numbers per part, ascending when the selection is; the part is ``((hash >> 32) * parts) >> 32``.

    ``hashes[i]`` belongs to row ``selection[i]`` (row ``i`` without a selection).
    """
    rows, starts = _native.partition(hashes, parts, selection)
    bounds = starts.tolist()
    return [rows[bounds[p] : bounds[p + 1]] for p in range(parts)]
