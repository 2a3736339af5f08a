"""KEEP LAST: firings that see only the last rows of their key and window, each a row of its own with its number.

Rows are taken in the order of time (or of the ORDER BY of a GLOBAL window), for which they wait until time has passed them; of each
group the last rows are kept, how many rows it has had and how often it has fired.  All firings of a batch are computed
together: every firing is a group of the rows that it sees.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, take_rows
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.representation import canonical
from tableflow.expressions.emit import EveryInterval, EveryRows, OnUpdate
from tableflow.expressions.window_assigner import Global
from tableflow.physical.assign_windows import rows_in_panes, window_columns
from tableflow.physical.last_rows import Firings, LastRows
from tableflow.physical.late_rows import LateRows
from tableflow.physical.node import positions
from tableflow.physical.properties import OrderingKey
from tableflow.physical.rows_in_order import RowsInOrder
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.physical.window_slots import WindowSlots
from tableflow.physical.window_state import Mask, Part, Slots
from tableflow.physical.window_times import WindowTimes
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT


class LastRowsOperator(Operator):
    """Over GLOBAL windows or those of time; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._node = node
        timed = None if isinstance(node.assigner, Global) else node.time
        self._time = None if timed is None else positions(node.input.fields)[timed]
        ordered = node.order if self._time is None else ()
        self._order = None
        if not node.processing_time and (ordered or self._time is not None):
            order = node.order if timed is None else (OrderingKey(timed),)
            in_time, refuses = timed is not None or node.in_time, timed is None
            self._order = RowsInOrder(node.input, order, in_time=in_time, refuses=refuses)
        if self._time is not None:
            self._of = node.input.fields[self._time].type
            self._windows = WindowTimes(node.assigner, self._of)  # type: ignore[arg-type]
            self._slots = WindowSlots(self._windows)
        triggers = node.emit.triggers
        every = [t.rows for t in triggers if isinstance(t, EveryRows)] + [
            1 for t in triggers if isinstance(t, OnUpdate)
        ]
        intervals = [t for t in triggers if isinstance(t, EveryInterval)]
        self._clock = min((t.micros for t in intervals if not t.event_time), default=0)
        self._event_clock = min((t.micros for t in intervals if t.event_time), default=0)
        self._every = min(every, default=0)
        self._last = LastRows(node, self._every)
        self._grace = 0
        """How long windows stay that have closed."""
        self._watermark = START_OF_TIME

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty state; opens the sink of late rows."""
        self._context = context
        self._reservation = context.reserve("windows", self._held())
        self._reservation.rows = self._held_rows
        self.late = None if self._time is None else LateRows(self._node, self._of, context)

    def _held_rows(self) -> int:
        return self._last.rows + (0 if self._order is None else self._order.count)

    def _held(self) -> int:
        slots = 0 if self._time is None else self._slots.bytes
        return self._last.nbytes + slots + (0 if self._order is None else self._order.bytes)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Takes rows, at once or to wait for their turn."""
        if not batch.rows:
            return None
        self._judge(batch)
        if self._order is None:
            return self._take(compact(batch), self._watermark)
        late = self._order.add(batch)
        if late:
            self._context.count("late_rows", late)
        self._reservation.resize(self._held())
        return None

    def _judge(self, batch: Batch) -> None:
        """Tells of late rows."""
        if self.late is not None and self._time is not None:
            rows, numbers = rows_in_panes(batch, self._time, self._windows)
            self.late.judge(batch, rows, self._windows.pane_starts(numbers), self._windows, self._watermark)

    def _take(self, batch: Batch, before: int) -> Emission:
        """Rows in order, none of which is too late for windows that were open at this watermark."""
        if self._time is None:
            yield from self._add(batch, np.zeros(batch.length, np.int32))
        else:
            rows, numbers = rows_in_panes(batch, self._time, self._windows)
            which, starts, ends = self._windows.windows(self._windows.pane_starts(numbers))
            timely = self._windows.closed_at(ends) > before
            slots = self._slots.of(starts[timely], ends[timely])
            yield from self._add(take_rows(batch, rows[which[timely]]), slots)
        if self._clock and self._last.pending().any():
            self._context.set_timer((self._context.now() // self._clock + 1) * self._clock)

    def _add(self, batch: Batch, slots: Slots) -> Emission:
        self._reservation.resize(self._held() + self._last.bytes_with(batch))
        firings = self._last.take(batch, slots)
        self._reservation.resize(self._held())
        yield from self._say(firings)

    def _say(self, firings: Firings) -> Emission:
        for batch in self._told(self._last, firings):
            yield batch
            yield Suspend(READY)

    def _told(self, of: LastRows, firings: Firings) -> Iterator[Batch]:
        """The firings of these groups as rows."""
        for results, groups, numbers in of.results(firings, self._context.batch_rows):
            slots, keys = of.named(groups)
            made = [*keys, *self._window(slots)]
            if self._node.fire is not None:
                made.append(Column(BIGINT, pa.array(numbers)))
            yield Batch([*made, *results], len(groups))

    def _window(self, slots: Slots) -> list[Column]:
        if self._time is not None:
            return window_columns(
                self._windows, self._of, self._slots.starts[slots], self._slots.ends[slots], self._node
            )
        asked = (self._node.start, self._node.end, self._node.window_time)
        return [Column(f.type, pa.nulls(len(slots), canonical(f.type))) for f in asked if f is not None]

    def on_timer(self, time: int) -> Emission:
        """Processing time has come to a firing, or only to the end of a window, which is no firing of the others."""
        if self._clock and time % self._clock == 0:
            yield from self._say(self._last.fire(self._last.pending()))

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Rows whose turn has come, interval by interval of event time; then windows that close fire a last time."""
        before, self._watermark = self._watermark, watermark.time
        rows = None if self._order is None else self._order.release(watermark.time)
        if self._event_clock:
            step = self._event_clock
            # What is pending is of the interval in which the last watermark was.
            for some, over in (
                ((None, watermark.time // step > before // step),)
                if self._order is None
                else self._order.by_interval(rows, step, before, watermark.time)
            ):
                if over:
                    yield from self._say(self._last.fire(self._last.pending()))
                if some is not None:
                    yield from self._take(some, before)
        elif rows is not None:
            yield from self._take(rows, before)
        yield from self._say(self._last.fire(self._last.pending() & self._closing()[self._last.slots()]))
        if self._time is not None:
            self._forget()

    def _closing(self) -> Mask:
        if self._time is not None:
            return self._slots.closed_by(self._watermark)
        return np.full(1, self._watermark == END_OF_TIME)

    def _forget(self) -> None:
        """Drops windows that have closed, if they are most of all."""
        gone = self._slots.closed_by(self._watermark, self._grace)
        if len(gone) and 2 * gone.sum() >= len(gone):
            living = np.flatnonzero(~gone[self._last.slots()]).astype(np.uint32)
            self._retain(living, self._slots.renumber(np.flatnonzero(~gone).astype(np.uint32)))
            self._reservation.resize(self._held())

    def _retain(self, groups: GroupNumbers, slots: Slots) -> None:
        """Keeps these groups only, their slots renumbered."""
        self._last.retain(groups, slots)

    @property
    def next_close(self) -> int:
        """The earliest watermark that closes a window."""
        if self._time is None:
            return END_OF_TIME
        closes = self._slots.closed_at
        return int(closes[closes > self._watermark].min(initial=END_OF_TIME))

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """Groups of windows that are open with their last rows, rows that wait, and how far time has come."""
        waiting = b"" if self._order is None else self._order.snapshot(keys)
        groups, slots = self._last.groups_in(keys), b""
        if self._time is not None:
            of = self._last.slots()[groups]
            stays = ~self._slots.closed_by(self._watermark, self._grace)[of]
            groups, slots = groups[stays], self._slots.snapshot(np.unique(of[stays]))
        return join_parts([struct.pack("<q", self._watermark), waiting, slots, *self._saved(groups)])

    def _saved(self, groups: GroupNumbers) -> list[Part]:
        return self._last.snapshot(groups)

    def _restored(self, parts: Iterator[Sequence[Part]], slots: Sequence[Slots]) -> list[GroupNumbers]:
        return self._last.restore(parts, slots)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave; time has come as far as for the least of all."""
        each = across(parts)
        self._watermark, waiting, slots = least(next(each)), next(each), next(each)
        if self._order is not None:
            self._order.restore(waiting)
        global_ones = [np.zeros(1, np.int32)] * len(slots)
        self._restored(each, global_ones if self._time is None else self._slots.restore(slots))
        self._reservation.resize(self._held())
        if self._clock and self._last.pending().any():
            self._context.set_timer((self._context.now() // self._clock + 1) * self._clock)

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._last.clear()
            self._reservation.release()
