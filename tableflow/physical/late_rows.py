"""Rows that come too late for a window: counted, and written where LATE INTO says."""

from __future__ import annotations

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import take_rows
from tableflow.physical.assign_windows import time_column
from tableflow.physical.window_times import Rows, Times, WindowTimes
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import OperatorContext
from tableflow.types import SqlType

_LATEST = 2**63 - 1


class LateRows:
    """Each row once for each window it is too late for: the input's columns, window start, window end, watermark."""

    def __init__(self, node: WindowedAggregate, windows: WindowTimes, of: SqlType, context: OperatorContext) -> None:
        self._windows = windows
        self._of = of
        self._context = context
        self._grace = node.emit.lateness or 0
        self._sink = None if node.late is None else context.sink(node.late)

    def judge(self, batch: Batch, rows: Rows, panes: Times, watermark: int) -> None:
        """Looks at rows (stored row numbers, starts of their panes) under a watermark."""
        limit = watermark - self._grace
        which, starts, ends = self._windows.windows(panes)
        late = self._windows.closed_at(ends) <= limit
        count = int(late.sum())
        if not count:
            return
        self._context.count("late_rows", count)
        if self._sink is not None:
            self._write(batch, rows[which[late]], starts[late], ends[late], watermark)

    def _write(self, batch: Batch, rows: Rows, starts: Times, ends: Times, watermark: int) -> None:
        unit = 1000 if self._windows.nanoseconds else 1
        for at in range(0, len(rows), self._context.batch_rows):
            some = slice(at, at + self._context.batch_rows)
            taken = take_rows(batch, rows[some])
            bounds = [self._windows.instants(starts[some]), self._windows.instants(ends[some])]
            marks = np.full(taken.length, min(watermark, _LATEST // unit) * unit, np.int64)
            made = [time_column(self._of, values) for values in (*bounds, marks)]
            assert self._sink is not None
            self._sink.write(Batch([*taken.columns, *made], taken.length, None, taken.weights))

    def finish(self) -> None:
        """The input has ended: what was written can be committed."""
        if self._sink is not None:
            self._sink.prepare()
