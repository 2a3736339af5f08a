"""The unit of exchange: columns, a length, and what travels beside them.

A batch is immutable.  ``selection`` (ascending row numbers, uint32) says which rows count; operators that only
drop rows set it instead of copying.  ``weights`` (int64, one per stored row) make it a changelog; None means +1
each.  ``event_time`` is the position of the column that watermarks speak of.  ``dealt_to`` is among how many tasks nearly all of the
stored rows were dealt out, each of which has the batch with a selection of its own; 1 if others have no part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tableflow.columnar.column import Column

Selection: TypeAlias = npt.NDArray[np.uint32]
Weights: TypeAlias = npt.NDArray[np.int64]


class Batch:
    """Columns of equal length; see the module for the rest."""

    __slots__ = ("columns", "dealt_to", "event_time", "length", "selection", "weights")

    def __init__(
        self,
        columns: Sequence[Column],
        length: int,
        selection: Selection | None = None,
        weights: Weights | None = None,
        event_time: int | None = None,
        dealt_to: int = 1,
    ) -> None:
        self.columns = tuple(columns)
        self.length = length
        self.selection = selection
        self.weights = weights
        self.event_time = event_time
        self.dealt_to = dealt_to

    @property
    def rows(self) -> int:
        """Rows that count: the selected ones, or all."""
        return self.length if self.selection is None else len(self.selection)

    @property
    def nbytes(self) -> int:
        """Bytes of the column buffers, the selection and the weights."""
        total = sum(column.nbytes for column in self.columns)
        if self.selection is not None:
            total += self.selection.nbytes
        if self.weights is not None:
            total += self.weights.nbytes
        return total

    def with_columns(self, columns: Sequence[Column]) -> Batch:
        """Other columns of the same length under the same selection and weights; they are this task's own."""
        return Batch(columns, self.length, self.selection, self.weights, self.event_time)

    def with_selection(self, selection: Selection | None) -> Batch:
        """The same rows under another selection (row numbers of the stored rows)."""
        return Batch(self.columns, self.length, selection, self.weights, self.event_time, self.dealt_to)

    def dealt_among(self, tasks: int) -> Batch:
        """The same rows, before each of so many tasks gets its part of them."""
        return Batch(self.columns, self.length, self.selection, self.weights, self.event_time, tasks)

    def project(self, positions: Sequence[int]) -> Batch:
        """The columns at these positions, in this order."""
        columns = [self.columns[i] for i in positions]
        return Batch(columns, self.length, self.selection, self.weights, self.event_time, self.dealt_to)

    def slice(self, offset: int, length: int) -> Batch:
        """Rows ``[offset, offset + length)`` of those that count, without copying columns."""
        if self.selection is not None:
            return self.with_selection(self.selection[offset : offset + length])
        weights = None if self.weights is None else self.weights[offset : offset + length]
        columns = [column.slice(offset, length) for column in self.columns]
        return Batch(columns, min(length, self.length - offset), None, weights, self.event_time)

    def pieces(self, rows: int) -> Iterator[Batch]:
        """The batch in order as batches of at most ``rows`` that count, over the same columns; itself when it is small."""
        if self.rows <= rows:
            yield self
            return
        for start in range(0, self.rows, rows):
            yield self.rows_between(start, min(start + rows, self.rows))

    def rows_between(self, start: int, end: int) -> Batch:
        """The rows ``[start, end)`` of those that count, over the same columns."""
        if self.selection is None:
            return self.with_selection(np.arange(start, end, dtype=np.uint32))
        return self.with_selection(self.selection[start:end])

    def __repr__(self) -> str:
        return f"Batch({self.rows} of {self.length} rows, {len(self.columns)} columns)"
