"""Whether all values of a column are different: found out by reading it, once for each version of the files.

Dependencies between columns that nobody has declared are so found when a query can use them (Kossmann, Lindner, Naumann and Papenbrock,
"Workload-driven, Lazy Discovery of Data Dependencies for Query Optimization", CIDR 2022).
"""

from __future__ import annotations

import functools
from collections import Counter

import numpy as np
import numpy.typing as npt

from tableflow.columnar.representation import widen
from tableflow.connectors.filesystem.format import FileScan, Reading
from tableflow.connectors.filesystem.formats import load_format
from tableflow.connectors.storage import NATURAL

_ROWS = 1 << 17
_SPARSE = 16
"""Where so many times as many values lie between the least and the greatest, they are sorted."""


@functools.lru_cache(maxsize=256)
def are_all_different(scan: FileScan) -> bool:
    """Of the only column of a scan, which is stored as integers; NULL is no value."""
    reader, counts = load_format(scan.format), Counter[str]()
    reading = Reading(counts, {})
    parts: list[npt.NDArray[np.int64]] = []
    for split in reader.splits(scan, counts, 1):
        for chunk in reader.read(scan, split, None, _ROWS, NATURAL, reading):
            values = widen(chunk.columns[0]).array
            if values.null_count:
                return False
            found = values.to_numpy(zero_copy_only=False)
            if found.dtype.kind != "i":
                return False
            parts.append((found if chunk.selection is None else found[chunk.selection]).astype(np.int64))
    values = np.concatenate(parts) if parts else np.zeros(0, np.int64)
    if len(values) == 0:
        return True
    low, high = int(values.min()), int(values.max())
    if high - low < _SPARSE * len(values):
        seen = np.zeros(high - low + 1, np.bool_)
        seen[values - low] = True
        return int(np.count_nonzero(seen)) == len(values)
    return len(np.unique(values)) == len(values)
