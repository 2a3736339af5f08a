"""Windows on processing time: the clock of the task says when a row came and when a window is over.

The clock stands in for event time: rows get the time at which they arrive, so none is late, and a timer at the end of the next
window is the watermark.  A clock that is put back stands still until it is where it was.  The event time of the input counts only
when it ends.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.assign_watermarks import units_per_microsecond
from tableflow.physical.assign_windows import time_column
from tableflow.physical.node import positions
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.types import tick_of


class ClosingOperator(Protocol):
    """An operator that knows when it wants to see a watermark again."""

    @property
    def next_close(self) -> int:
        """The earliest watermark that closes a window; the end of time without one."""
        ...


class ProcessingTimeOperator(Operator):
    """Another operator of windows under the clock; see the module."""

    def __init__(self, node: WindowedAggregate, windows: Operator, closing: ClosingOperator) -> None:
        assert node.time is not None
        self._windows = windows
        self._closing = closing
        self._time = positions(node.input.fields)[node.time]
        self._of = node.input.fields[self._time].type
        self._latest = 0

    def open(self, context: OperatorContext) -> None:
        """Opens the other operator."""
        self._context = context
        self._windows.open(context)

    def _now(self) -> int:
        self._latest = max(self._latest, self._context.now())
        return self._latest

    def process(self, batch: Batch, port: int) -> Emission:
        """The batch's rows, as of now."""
        tick = tick_of(self._of)
        now = np.full(batch.length, self._now() // tick * tick * units_per_microsecond(self._of), np.int64)
        columns = list(batch.columns)
        columns[self._time] = time_column(self._of, now)
        yield from self._windows.process(batch.with_columns(columns), port) or ()
        self._ask_for_timer()

    def _ask_for_timer(self) -> None:
        if self._closing.next_close < END_OF_TIME:
            self._context.set_timer(self._closing.next_close)

    def on_timer(self, time: int) -> Emission:
        """Windows may be over, or early results due."""
        yield from self._windows.on_timer(time) or ()
        if self._closing.next_close <= self._now():
            yield from self._windows.on_watermark(Watermark(self._latest)) or ()
        self._ask_for_timer()

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Only the end of the input counts."""
        return self._windows.on_watermark(watermark) if watermark.time == END_OF_TIME else None

    def on_end(self, port: int) -> Emission | None:
        """The other operator's end."""
        return self._windows.on_end(port)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The time, and the other operator's state."""
        return join_parts([struct.pack("<q", self._latest), self._windows.snapshot(keys)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave; the clock stands still until it is where the one was that was furthest."""
        times, windows = across(parts)
        self._latest = max([struct.unpack("<q", time)[0] for time in times])
        self._windows.restore(windows)
        self._ask_for_timer()

    def close(self) -> None:
        """Closes the other operator."""
        self._windows.close()
