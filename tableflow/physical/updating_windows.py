"""Windows in time with early results, or late ones.

Windows are dropped when time has passed their end by the lateness.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_rows
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.assign_windows import rows_in_panes, window_columns
from tableflow.physical.firing_windows import FiringOperator
from tableflow.physical.late_rows import LateRows
from tableflow.physical.node import positions
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.window_slots import WindowSlots
from tableflow.physical.window_state import Slots
from tableflow.physical.window_times import WindowTimes
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, OperatorContext, Suspend
from tableflow.runtime.wake import READY


class UpdatingWindowsOperator(FiringOperator):
    """Windows in time with early results, or late ones; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        super().__init__(node)
        assert node.time is not None
        self._time = positions(node.input.fields)[node.time]
        self._of = node.input.fields[self._time].type
        self._windows = WindowTimes(node.assigner, self._of)  # type: ignore[arg-type]
        self._slots = WindowSlots(self._windows)
        self._grace = node.emit.lateness or 0

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty states; opens the sink of late rows."""
        super().open(context)
        self.late = LateRows(self._node, self._of, context)

    def process(self, batch: Batch, port: int) -> Emission:
        """Adds rows to the windows they are in; fires what is due."""
        rows, numbers = rows_in_panes(batch, self._time, self._windows)
        panes = self._windows.pane_starts(numbers)
        self.late.judge(batch, rows, panes, self._windows, self._watermark)
        step = max(1, self._context.batch_rows // self._windows.most_per_row)
        for at in range(0, len(rows), step):
            which, starts, ends = self._windows.windows(panes[at : at + step])
            open_still = self._windows.closed_at(ends) > self._watermark - self._grace
            chosen = rows[at : at + step][which[open_still]]
            if len(chosen):
                slots = self._slots.of(starts[open_still], ends[open_still])
                self._add(take_rows(batch, chosen), slots)
                yield Suspend(READY)
        closed = self._slots.closed_by(self._watermark)[self._pending.slots()]
        yield from self._fire(self._due() | closed)

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Fires windows that close, and all if an interval of event time is over; then drops what is too old."""
        before, self._watermark = self._watermark, watermark.time
        due = self._slots.closed_by(watermark.time)[self._pending.slots()]
        if self._event_clock and len(due):
            if before == START_OF_TIME:  # time begins with the rows
                before = int(self._windows.closed_at(self._slots.starts[self._pending.slots()]).min())
            if watermark.time // self._event_clock > before // self._event_clock:
                due = np.ones(self._pending.groups, np.bool_)
        yield from self._fire(due)
        yield from self._forget()

    @property
    def next_close(self) -> int:
        """The earliest watermark that closes a window."""
        closes = self._slots.closed_at
        return int(closes[closes > self._watermark].min(initial=END_OF_TIME))

    def _forget(self) -> Emission:
        """Drops windows that no row can change any more, if they are most of all."""
        gone = self._slots.closed_by(self._watermark, self._grace)
        if 2 * gone.sum() < len(gone) or not len(gone):
            return
        yield from self._move(~gone, self._slots.renumber(np.flatnonzero(~gone).astype(np.uint32)))

    def _window(self, slots: Slots) -> list[Column]:
        return window_columns(self._windows, self._of, self._slots.starts[slots], self._slots.ends[slots], self._node)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The windows that rows may still change, and their groups."""
        stays = ~self._slots.closed_by(self._watermark, self._grace)
        shown, pending = (of.groups_in(keys) for of in (self._shown, self._pending))
        shown, pending = shown[stays[self._shown.slots()[shown]]], pending[stays[self._pending.slots()[pending]]]
        slots = np.union1d(self._shown.slots()[shown], self._pending.slots()[pending])
        return join_parts([self._slots.snapshot(slots), *self._saved(shown, pending)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave."""
        each = across(parts)
        self._restored(each, self._slots.restore(next(each)))
