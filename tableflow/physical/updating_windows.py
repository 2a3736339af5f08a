"""TUMBLE, HOP and CUMULATE that say something before they close, or after; and GLOBAL, which never closes.

Two states by (window, key): what has been *shown*, and what is *pending* since.  Firing a group takes its shown result
back, adds what is pending, and gives the result anew; a result that stays as it was is not given.  Triggers decide when
which pending groups fire: all of them fire when their window closes, and at once in a window that has closed already.

Windows are dropped when time has passed their end by the lateness.  A GLOBAL window's results are not replaced: each firing of
a key is a row of its own, with its number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns, take_rows
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.representation import canonical
from tableflow.expressions.emit import EveryInterval, EveryRows, OnUpdate
from tableflow.physical.assign_windows import rows_in_panes, window_columns
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.late_rows import LateRows
from tableflow.physical.node import positions
from tableflow.physical.row_changes import replaced, same_values
from tableflow.physical.state_parts import join_parts, split_parts
from tableflow.physical.window_numbers import running
from tableflow.physical.window_slots import WindowSlots
from tableflow.physical.window_state import MOVED_AT_ONCE, Mask, Slots
from tableflow.physical.window_times import WindowTimes
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT


class FiringOperator(Operator):
    """Groups by (slot, key) that fire when triggers say so; where slots come from is for others to say."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._node = node
        self._shown = window_state(node)
        self._pending = window_state(node)
        self._arrived = np.empty(0, np.int64)  # rows of each pending group
        triggers = node.emit.triggers or ((OnUpdate(),) if node.changing else ())
        self._on_update = any(isinstance(trigger, OnUpdate) for trigger in triggers)
        self._rows = min((t.rows for t in triggers if isinstance(t, EveryRows)), default=0)
        intervals = [t for t in triggers if isinstance(t, EveryInterval)]
        self._clock = min((t.micros for t in intervals if not t.event_time), default=0)
        self._event_clock = min((t.micros for t in intervals if t.event_time), default=0)
        self._watermark = START_OF_TIME

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty states."""
        self._context = context
        self._reservation = context.reserve("windows", self._shown.bytes + self._pending.bytes)

    def _add(self, batch: Batch, slots: Slots) -> None:
        """Rows become pending in their slots."""
        if not self._pending.groups:
            self._ask_for_timer()
        self._reservation.resize(self._held() + self._pending.bytes_with(batch) - self._pending.bytes)
        groups = self._pending.update(batch, slots)
        self._arrived = np.append(self._arrived, np.zeros(self._pending.groups - len(self._arrived), np.int64))
        if self._rows:
            self._arrived += np.bincount(groups, minlength=len(self._arrived))
        self._reservation.resize(self._held())

    def _held(self) -> int:
        return self._shown.bytes + self._pending.bytes + self._arrived.nbytes

    def _ask_for_timer(self) -> None:
        if self._clock:
            self._context.set_timer((self._context.now() // self._clock + 1) * self._clock)

    def on_timer(self, time: int) -> Emission | None:
        """Processing time has come to a firing."""
        return self._fire(np.ones(self._pending.groups, np.bool_)) if self._pending.groups else None

    def _due(self) -> Mask:
        """Pending groups that fire because of the rows that came."""
        due = np.full(self._pending.groups, self._on_update)
        if self._rows:
            due |= self._arrived >= self._rows
        return due

    def _fire(self, due: Mask) -> Emission:
        groups = np.flatnonzero(due).astype(np.uint32)
        if not len(groups):
            return
        step = max(1, min(self._context.batch_rows // 2, MOVED_AT_ONCE))
        for at in range(0, len(groups), step):
            changes = self._replace(groups[at : at + step])
            if changes is not None:
                yield from changes.pieces(self._context.batch_rows)
        rest = np.flatnonzero(~due).astype(np.uint32)
        if len(rest):
            self._pending.retain(rest)
        else:
            self._pending.clear()
        self._arrived = self._arrived[rest]
        self._reservation.resize(self._held())
        if len(rest):
            self._ask_for_timer()

    def _replace(self, groups: GroupNumbers) -> Batch | None:
        known = self._shown.groups
        numbers = self._shown.locate(self._pending, groups)
        old = self._shown.visible(numbers[numbers < known])
        before = self._shown.results_of(old)
        self._shown.absorb(self._pending, groups)
        new = self._shown.visible(numbers)
        after = self._shown.results_of(new)
        # Those that are in both and show the same stay silent.
        _, in_old, in_new = np.intersect1d(old, new, assume_unique=True, return_indices=True)
        same = same_values(take_columns(before, in_old), take_columns(after, in_new), len(in_old))
        gone, come = np.ones(len(old), np.bool_), np.ones(len(new), np.bool_)
        gone[in_old[same]], come[in_new[same]] = False, False
        if not gone.any() and not come.any():
            return None
        lost = self._output(old[gone], take_columns(before, np.flatnonzero(gone)))
        made = self._output(new[come], take_columns(after, np.flatnonzero(come)))
        return replaced(lost, int(gone.sum()), made, int(come.sum()))

    def _output(self, groups: GroupNumbers, results: list[Column]) -> list[Column]:
        slots, keys = self._shown.named(groups)
        return [*keys, *self._window(slots), *results]

    def _window(self, slots: Slots) -> list[Column]:
        """The columns of the windows in these slots."""
        raise NotImplementedError

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._shown.clear()
            self._pending.clear()
            self._reservation.release()

    def snapshot(self) -> bytes:
        """Both states, the rows that wait, and how far time has come."""
        time = struct.pack("<q", self._watermark)
        return join_parts([time, self._arrived.tobytes(), *self._shown.snapshot(), *self._pending.snapshot()])

    def restore(self, state: bytes) -> None:
        """Takes what :meth:`snapshot` gave."""
        parts = split_parts(state)
        (self._watermark,) = struct.unpack("<q", next(parts))
        self._arrived = np.frombuffer(next(parts), np.int64).copy()
        self._shown.restore(parts)
        self._pending.restore(parts)
        self._reservation.resize(self._held())
        if self._pending.groups:
            self._ask_for_timer()


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
        self._late = LateRows(self._node, self._of, context)

    def process(self, batch: Batch, port: int) -> Emission:
        """Adds rows to the windows they are in; fires what is due."""
        rows, numbers = rows_in_panes(batch, self._time, self._windows)
        panes = self._windows.pane_starts(numbers)
        self._late.judge(batch, rows, panes, self._windows, self._watermark)
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
        if self._event_clock and watermark.time // self._event_clock > before // self._event_clock:
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
        # Pending groups of such windows have just fired.
        shown = self._shown.slots()
        living = np.flatnonzero(~gone[shown]).astype(np.uint32)
        new = self._slots.renumber(np.flatnonzero(~gone).astype(np.uint32))
        kept = self._shown.fresh()
        for at in range(0, len(living), MOVED_AT_ONCE):
            some = living[at : at + MOVED_AT_ONCE]
            self._reservation.resize(self._held() + kept.bytes + kept.bytes_with_groups(len(some)))
            kept.absorb(self._shown, some, new[shown[some]])
            yield Suspend(READY)
        everything = np.arange(self._pending.groups, dtype=np.uint32)
        pending = self._pending.fresh()
        pending.absorb(self._pending, everything, new[self._pending.slots()])
        self._shown, self._pending = kept, pending
        self._reservation.resize(self._held())

    def _window(self, slots: Slots) -> list[Column]:
        return window_columns(self._windows, self._of, self._slots.starts[slots], self._slots.ends[slots], self._node)

    def on_end(self, port: int) -> Emission | None:
        """Late rows that were written are there to be committed."""
        self._late.finish()
        return None

    def snapshot(self) -> bytes:
        """The windows and their groups."""
        return join_parts([self._slots.snapshot(), super().snapshot()])

    def restore(self, state: bytes) -> None:
        """Takes what :meth:`snapshot` gave."""
        slots, rest = split_parts(state)
        self._slots.restore(slots)
        super().restore(rest)


class GlobalWindowOperator(FiringOperator):
    """One window for ever, in which each firing of a key is a row; what is pending at the end fires as well."""

    def __init__(self, node: WindowedAggregate) -> None:
        super().__init__(node)
        self._fired = np.empty(0, np.int64)

    def process(self, batch: Batch, port: int) -> Emission:
        """Adds rows; fires what is due: a key with rows for several firings fires several times."""
        for some in self._rounds(batch) if self._rows and batch.rows else (batch,):
            if some.rows:
                self._add(some, np.zeros(some.rows, np.int32))
                yield from self._fire(self._due())

    def _rounds(self, batch: Batch) -> Iterator[Batch]:
        """The rows of each key up to its next firing, then those up to the one after, and so on."""
        groups = self._pending.place(batch, np.zeros(batch.rows, np.int32))
        arrived = np.append(self._arrived, np.zeros(self._pending.groups - len(self._arrived), np.int64))
        order = np.argsort(groups, kind="stable")
        ranks = np.empty(len(groups), np.int64)
        ranks[order] = running(groups[order].astype(np.int64), np.ones(len(order), np.int64))
        rounds = (arrived[groups] + ranks - 1) // self._rows
        own = np.arange(batch.length, dtype=np.uint32) if batch.selection is None else batch.selection
        for number in range(int(rounds.max()) + 1):
            yield batch.with_selection(own[rounds == number])

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """An interval of event time may be over; at the end everything fires."""
        before, self._watermark = self._watermark, watermark.time
        over = self._event_clock and watermark.time // self._event_clock > before // self._event_clock
        if over or watermark.time == END_OF_TIME:
            return self._fire(np.ones(self._pending.groups, np.bool_))
        return None

    def _replace(self, groups: GroupNumbers) -> Batch | None:
        numbers = self._shown.absorb(self._pending, groups)
        self._fired = np.append(self._fired, np.zeros(self._shown.groups - len(self._fired), np.int64))
        self._fired[numbers] += 1
        visible = self._shown.visible(numbers)
        if not len(visible):
            return None
        return Batch(self._output(visible, self._shown.results_of(visible)), len(visible))

    def _output(self, groups: GroupNumbers, results: list[Column]) -> list[Column]:
        made = super()._output(groups, results)
        if self._node.fire is not None:
            at = len(made) - len(results)
            made.insert(at, Column(BIGINT, pa.array(self._fired[groups])))
        return made

    def _window(self, slots: Slots) -> list[Column]:
        asked = (self._node.start, self._node.end, self._node.window_time)
        return [Column(f.type, pa.nulls(len(slots), canonical(f.type))) for f in asked if f is not None]

    def snapshot(self) -> bytes:
        """The groups, and how often each has fired."""
        return join_parts([self._fired.tobytes(), super().snapshot()])

    def restore(self, state: bytes) -> None:
        """Takes what :meth:`snapshot` gave."""
        fired, rest = split_parts(state)
        self._fired = np.frombuffer(fired, np.int64).copy()
        super().restore(rest)
