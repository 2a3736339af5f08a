"""Rows that come too late for a window: counted, and written where LATE INTO says."""

from __future__ import annotations

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import take_rows
from tableflow.physical.assign_watermarks import units_per_microsecond
from tableflow.physical.assign_windows import time_column
from tableflow.physical.window_times import Rows, Times, WindowTimes
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import OperatorContext
from tableflow.types import SqlType

_LATEST = 2**63 - 1


class LateRows:
    """Each row once for each window it is too late for: the input's columns, window start, window end, watermark."""

    def __init__(self, node: WindowedAggregate, of: SqlType, context: OperatorContext) -> None:
        self._of = of
        self._context = context
        self._grace = node.emit.lateness or 0
        self._sink = None if node.late is None else context.sink(node.late)

    def judge(self, batch: Batch, rows: Rows, panes: Times, windows: WindowTimes, watermark: int) -> None:
        """Looks at rows (stored row numbers, starts of their panes) under a watermark."""
        which, starts, ends = windows.windows(panes)
        late = windows.closed_at(ends) <= watermark - self._grace
        if late.any():
            self.tell(batch, rows[which[late]], windows.instants(starts[late]), windows.instants(ends[late]), watermark)

    def tell(self, batch: Batch, rows: Rows, starts: Times, ends: Times, watermark: int) -> None:
        """These rows missed these windows."""
        self._context.count("late_rows", len(rows))
        if self._sink is None:
            return
        unit = units_per_microsecond(self._of)
        for at in range(0, len(rows), self._context.batch_rows):
            some = slice(at, at + self._context.batch_rows)
            taken = take_rows(batch, rows[some])
            marks = np.full(taken.length, min(watermark, _LATEST // unit) * unit, np.int64)
            made = [time_column(self._of, values) for values in (starts[some], ends[some], marks)]
            self._sink.write(Batch([*taken.columns, *made], taken.length, None, taken.weights))

    def finish(self) -> None:
        """The input has ended: what was written can be committed."""
        if self._sink is not None:
            self._sink.prepare()
