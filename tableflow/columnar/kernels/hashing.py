"""The hash of a value, version 1, for whole rows: defined on SQL values, never on how a batch stores them.

``native/hash.h`` is the definition.  Key columns of the two sides of a comparison have been cast to one type before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested
from tableflow.errors import UnsupportedError

HASH_VERSION = _native.HASH_VERSION


def equal_ranges(
    hashes: npt.NDArray[np.uint64], probes: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each probe how many of the hashes are below it and how many are equal; both ascend."""
    return _native.equal_ranges(hashes, probes)


def hash_rows(columns: Sequence[Column], selection: Selection | None = None) -> npt.NDArray[np.uint64]:
    """Hashes of the selected rows (all without a selection), aligned with them; one column at least.

    Raises :class:`~tableflow.errors.UnsupportedError` for a nested type.
    """
    if not columns:
        raise ValueError("rows are hashed over at least one column")
    for column in columns:
        if is_nested(column):
            raise UnsupportedError(f"values of type {column.type} cannot be a key", hint="use parts of them as keys")
    return _native.hash_columns([column.vector for column in columns], selection, len(columns[0]))
