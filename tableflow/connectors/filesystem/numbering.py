"""Where a row of several files stands, as one number: the file's, and behind it the row's in the file."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.types import BIGINT

_ROW_BITS = 40
MOST_FILES = 1 << 22


def position_column(number: int, places: npt.NDArray[np.int64]) -> Column:
    """The positions of rows of a file, from their places in it."""
    return Column(BIGINT, pa.array(places + (number << _ROW_BITS)))


def by_file(positions: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """The number of each file, and places in it; positions ascend."""
    numbers = positions >> _ROW_BITS
    bounds = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(positions)]
    for first, end in pairwise(bounds):
        yield int(numbers[first]), positions[first:end] & ((1 << _ROW_BITS) - 1)
