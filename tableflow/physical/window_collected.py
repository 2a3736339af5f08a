"""Aggregates that need all rows of a group together, over frames: the rows of each frame are put together for their kernel.

Rows that follow each other with the same frame share its value.  Otherwise every frame is computed anew, so a slice has as
many rows as have a bounded number of rows in their frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take, take_columns
from tableflow.columnar.kernels.windows import Rows
from tableflow.expressions.nodes import AggregateCall, Expression, WindowCall
from tableflow.physical.collect_aggregate import CollectedCall
from tableflow.physical.collected import KERNELS
from tableflow.physical.window_calls import Evaluator
from tableflow.physical.window_frames import Chunk, Slice

_PIECE_ROWS = 131_072
"""Rows of frames that are put together at once, unless one frame has more."""


def is_collected(call: WindowCall) -> bool:
    """Whether the call needs all rows of a frame together."""
    return call.function in KERNELS


def collected_call(call: WindowCall, expressions: list[Expression]) -> CollectedCall:
    """What computes the call over groups; adds what it reads to ``expressions``."""
    of = AggregateCall(call.type, call.function, call.args, call.distinct, call.filter, call.span)
    return CollectedCall(of, expressions)


class FrameCollected(Evaluator):
    """One collected call over one chunk; ``args`` are the positions of all columns that it reads."""

    def __init__(
        self, call: WindowCall, chunk: Chunk, args: Sequence[int], keys: Sequence[int], computes: CollectedCall
    ) -> None:
        super().__init__(call, chunk, args, keys)
        self._computes = computes
        self._last: tuple[int, int] | None = None
        self._value: Column | None = None

    def affordable(self, rows: Slice) -> int:
        """How many of the rows have few enough rows in their frames, at least one."""
        low, high = self.frame(rows)
        new = _changes(low, high)
        if self._last == (int(low[0]), int(high[0])):
            new[0] = False
        work = np.cumsum(np.where(new, high - low, 0))
        return max(1, int(np.searchsorted(work, 8 * _PIECE_ROWS, side="right")))

    def next(self, rows: Slice) -> Column:
        """Values of the frames."""
        low, high = self.frame(rows)
        new = _changes(low, high)
        number = np.cumsum(new) - 1
        starts, ends = low[new], high[new]
        values: list[Column] = []
        if self._value is not None and self._last == (int(starts[0]), int(ends[0])):
            values.append(self._value)
            starts, ends = starts[1:], ends[1:]
        values += self._pieces(starts, ends)
        parts = [Batch([each], len(each)) for each in values]
        column = (parts[0] if len(parts) == 1 else concat(parts)).columns[0]
        self._last, self._value = (int(low[-1]), int(high[-1])), take(column, np.array([len(column) - 1]))
        return take(column, number)

    def _pieces(self, low: Rows, high: Rows) -> list[Column]:
        values = []
        ends = np.cumsum(high - low)
        first = 0
        while first < len(low):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + _PIECE_ROWS, side="right")))
            values.append(self._piece(low[first:last], high[first:last]))
            first = last
        return values

    def _piece(self, low: Rows, high: Rows) -> Column:
        counts = high - low
        total = int(counts.sum())
        frames = np.repeat(np.arange(len(low), dtype=np.int32), counts)
        inside = np.arange(total, dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
        columns = take_columns(self.args, np.repeat(low, counts) + inside) if total else []
        return self._computes.result(columns, frames, len(low))


def _changes(low: Rows, high: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Where a row's frame is not that of the row before."""
    new = np.ones(len(low), np.bool_)
    new[1:] = (low[1:] != low[:-1]) | (high[1:] != high[:-1])
    return new
