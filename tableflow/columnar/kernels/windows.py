"""Windows over sorted rows: boundaries of partitions and peers, and aggregates over frames that move forward.

Frames of a slice of rows are two arrays, first row and row behind the last; ends seldom move back from row to row
or from slice to slice, since every time an aggregate begins anew.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar import _native
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import storage_format
from tableflow.columnar.kernels.steps import finish
from tableflow.types import SqlType

Rows = npt.NDArray[np.int64]

_PIECE_ROWS = 131_072


def key_changes(batch: Batch, positions: Sequence[int]) -> Rows:
    """Stored rows from the second on whose values at these positions differ from the row before (NULLs are equal)."""
    return _native.key_changes([batch.columns[i].vector for i in positions], batch.length)


def first_rows(batch: Batch, positions: Sequence[int]) -> Generator[None, None, Rows]:
    """The first row, the :func:`key_changes`, and the number of rows, found in pieces with a pause behind each."""
    found, count = np.empty(batch.length + 2, np.int64), 1
    found[0] = 0
    for start in range(0, batch.length, _PIECE_ROWS):
        before = max(start - 1, 0)
        piece = batch.slice(before, min(start + _PIECE_ROWS, batch.length) - before)
        changes = key_changes(piece, positions)
        np.add(changes, before, out=found[count : count + len(changes)])
        count += len(changes)
        yield
    found[count] = batch.length
    return found[: count + 1]


def same_keys(batch: Batch, row: int, other: Batch, other_row: int, positions: Sequence[int]) -> bool:
    """Whether two stored rows have equal values at these positions."""
    vectors, others = ([of.columns[i].vector for i in positions] for of in (batch, other))
    return _native.same_keys(vectors, row, others, other_row)


def range_ends(
    keys: Column,
    bounds: Column,
    first: int,
    start: Rows,
    end: Rows,
    *,
    descending: bool,
    nulls_first: bool,
    beyond: bool,
) -> Rows:
    """For rows from ``first`` on, in partitions ``[start, end)``: the first row whose key does not come before the bound.

    With ``beyond`` the first one whose key comes after it.
    """
    return _native.range_ends(keys.vector, bounds.vector, first, start, end, descending, nulls_first, beyond)


class FrameSum:
    """SUM, AVG, variances and COUNT over frames; raises :class:`OverflowError` for a sum beyond its type."""

    def __init__(self, function: str, values: Column, result: SqlType, *, distinct: bool = False) -> None:
        self._result = result
        self._native = _native.FrameSum(
            function, storage_format(values.type), storage_format(result), values.vector, distinct
        )

    def next(self, low: Rows, high: Rows) -> Column:
        """The values for the next frames."""
        return finish(self.steps(low, high))

    def steps(self, low: Rows, high: Rows) -> Generator[None, None, Column]:
        """:meth:`next` with a pause whenever some milliseconds have passed."""
        self._native.begin(low, high)
        while not self._native.step():
            yield
        return Column(self._result, vector=self._native.take())

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._native.bytes


class FrameExtreme:
    """The row of each frame's least or greatest value, -1 for none."""

    def __init__(self, values: Column, *, greatest: bool) -> None:
        self._native = _native.FrameExtreme(values.vector, greatest)

    def next(self, low: Rows, high: Rows) -> Rows:
        """The rows for the next frames."""
        return finish(self.steps(low, high))

    def steps(self, low: Rows, high: Rows) -> Generator[None, None, Rows]:
        """:meth:`next` with a pause whenever some milliseconds have passed."""
        self._native.begin(low, high)
        while not self._native.step():
            yield
        return self._native.take()

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._native.bytes
