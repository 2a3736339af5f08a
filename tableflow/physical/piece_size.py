"""How many rows are evaluated without a look at cancellation.

A slow function takes microseconds for each row, a fast one nanoseconds, and only running them tells.  So the first pieces are small, a piece
that took little processor time doubles the next ones, one that took long halves them.  Where rows are cut changes no result.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import thread_time_ns

from tableflow.columnar.batch import Batch

PIECE_ROWS = 4096
"""Rows of the first pieces, and the fewest of any."""
_MOST_ROWS = 65_536
_SHORT, _LONG = 1_000_000, 4_000_000
"""Nanoseconds of the thread's processor time."""


class PieceSize:
    """How large the pieces of one operator's batches are."""

    __slots__ = ("_began", "rows")

    def __init__(self) -> None:
        self.rows = PIECE_ROWS
        self._began = 0

    def pieces(self, batch: Batch) -> Iterator[Batch]:
        """The batch in order as batches of parts of its columns; itself when it is small."""
        done = 0
        while done < batch.rows:
            rows = min(self.rows, batch.rows - done)
            yield batch if rows == batch.rows else batch.slice(done, rows)
            done += rows

    def begin(self) -> None:
        """A piece begins to be evaluated."""
        self._began = thread_time_ns()

    def end(self, rows: int) -> None:
        """So many rows have been evaluated, on the same thread."""
        taken = thread_time_ns() - self._began
        if taken > _LONG:
            self.rows = max(self.rows // 2, PIECE_ROWS)
        elif taken < _SHORT and rows == self.rows:
            self.rows = min(self.rows * 2, _MOST_ROWS)
