"""Rows whose integer lies in a range, or among listed numbers in it, in one pass over the column.

A list is kept as a bit map over its span while that is affordable: one bit is looked up for each row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column

MOST_SPAN = 1 << 26
"""Bits of the largest map: eight megabytes."""
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


class NumberSet:
    """Distinct 64-bit integers, ascending and at least one; immutable."""

    def __init__(self, values: npt.NDArray[np.int64]) -> None:
        self.values = values
        self.first, self.last = int(values[0]), int(values[-1])
        span = self.last - self.first + 1
        self.bits = _native.number_bits(values, self.first, span) if span <= MOST_SPAN else None

    @property
    def mapped(self) -> bool:
        """Whether a number is found by its bit."""
        return self.bits is not None

    def rows(self, column: Column, low: int, high: int) -> Selection:
        """Rows of a column stored as integers of at most 64 bits whose value is in the set and within the bounds."""
        low, high = max(low, self.first), min(high, self.last)
        if self.bits is not None:
            return _native.rows_among(column.vector, low, high, self.bits, self.first)
        rows = rows_between(column, low, high)
        values = _stored(column)[rows]
        places = np.searchsorted(self.values, values)  # none is above the last
        found: Selection = rows[self.values[places] == values]
        return found


def rows_between(column: Column, low: int | None, high: int | None) -> Selection:
    """Rows of a column stored as integers of at most 64 bits that are not NULL and within the bounds, which are in."""
    low, high = _LOWEST if low is None else max(low, _LOWEST), _HIGHEST if high is None else min(high, _HIGHEST)
    if low > high:
        return np.empty(0, np.uint32)
    return _native.rows_among(column.vector, low, high, None, 0)


def _stored(column: Column) -> npt.NDArray[np.signedinteger]:
    array = column.array
    values = np.frombuffer(array.buffers()[1], np.dtype(f"i{array.type.bit_width // 8}"))
    return values[array.offset : array.offset + len(array)]
