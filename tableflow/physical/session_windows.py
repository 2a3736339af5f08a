"""SESSION: windows that grow with their rows and join, one final row for each key when time has passed the gap behind the last row.

Groups are kept by (session, key).  When a row joins several sessions their groups move into one of them.  A row is late when
the session that it would make, with what is still open, has ended already.
"""

from __future__ import annotations

import struct

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.expressions.window_assigner import Session
from tableflow.physical.assign_watermarks import storage_times, units_per_microsecond
from tableflow.physical.assign_windows import time_column
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.late_rows import LateRows
from tableflow.physical.node import positions
from tableflow.physical.open_sessions import Joined, OpenSessions
from tableflow.physical.state_parts import join_parts, split_parts
from tableflow.physical.window_state import MOVED_AT_ONCE, Slots
from tableflow.physical.window_times import Rows, Times
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import TimestampType


class SessionWindowsOperator(Operator):
    """One task's sessions; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        assert isinstance(node.assigner, Session)
        assert node.time is not None
        self._node = node
        where = positions(node.input.fields)
        self._time = where[node.time]
        self._of = node.input.fields[self._time].type
        self._unit = units_per_microsecond(self._of)
        self._gap = node.assigner.gap * self._unit
        precision = self._of.precision if isinstance(self._of, TimestampType) else 6
        self._tick = 10 ** ((9 if self._unit > 1 else 6) - precision)
        self._by = [where[column] for column in node.partition]
        self._partitions = GroupTable([node.input.fields[i].type for i in self._by], [])
        self._sessions = OpenSessions(self._gap)
        self._state = window_state(node)
        self._watermark = START_OF_TIME
        self.next_close = END_OF_TIME
        """The earliest watermark that closes a window."""

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty table; opens the sink of late rows."""
        self._context = context
        self._reservation = context.reserve("sessions", self._state.bytes)
        self._reservation.rows = lambda: self._state.groups
        self.late = LateRows(self._node, self._of, context)

    def _held(self) -> int:
        return self._state.bytes + self._partitions.bytes + self._sessions.nbytes

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Adds rows to sessions, making and joining them."""
        times, rows = self._rows_in_time(batch)
        if not len(rows):
            return None
        self._reservation.resize(self._held() + self._state.bytes_with(batch) - self._state.bytes)
        by = [batch.columns[i] for i in self._by]
        numbers = self._partitions.number(by, [], batch.length, rows.astype(np.uint32)).astype(np.int64)
        joined = self._sessions.join(numbers, times[rows])
        late = self._closed_at(joined.lasts) <= self._watermark
        if late.any():
            rows, joined = self._without_late(batch, rows, joined, late)
        if len(rows):
            slots = self._settle(joined)
            batch = batch if len(rows) == batch.length else batch.with_selection(rows.astype(np.uint32))
            self._state.take(batch, slots[joined.chain_of_row])
        self._reservation.resize(self._held())
        return None

    def _rows_in_time(self, batch: Batch) -> tuple[Times, Rows]:
        column = batch.columns[self._time]
        rows = np.arange(batch.length) if batch.selection is None else batch.selection.astype(np.int64)
        if column.array.null_count:
            rows = rows[column.array.is_valid().to_numpy(zero_copy_only=False)[rows]]
        return storage_times(column), rows

    def _without_late(self, batch: Batch, rows: Rows, joined: Joined, late: np.ndarray) -> tuple[Rows, Joined]:
        gone = late[joined.chain_of_row]
        chains = joined.chain_of_row[gone]
        self.late.tell(batch, rows[gone], joined.starts[chains], joined.lasts[chains] + self._gap, self._watermark)
        # No open session can be part of a chain that has ended.
        new = np.cumsum(~late) - 1
        kept = Joined(
            new[joined.chain_of_row[~gone]],
            joined.partitions[~late],
            joined.starts[~late],
            joined.lasts[~late],
            new[joined.chain_of_open],
            joined.open_slots,
        )
        return rows[~gone], kept

    def _settle(self, joined: Joined) -> Slots:
        """The slot of each chain: that of an open session in it, or a new one; other open ones move there."""
        sessions = self._sessions
        slots = np.full(len(joined.starts), -1, np.int32)
        slots[joined.chain_of_open[::-1]] = joined.open_slots[::-1]
        moving = slots[joined.chain_of_open] != joined.open_slots
        fresh = slots < 0
        slots[fresh] = sessions.add(joined.partitions[fresh], joined.starts[fresh], joined.lasts[fresh])
        sessions.starts[slots], sessions.lasts[slots] = joined.starts, joined.lasts
        if moving.any():
            self._move(joined.open_slots[moving], slots[joined.chain_of_open[moving]])
        self.next_close = min(self.next_close, int(self._closed_at(joined.lasts).min()))
        return slots

    def _move(self, away: Slots, to: Slots) -> None:
        target = np.full(len(self._sessions), -1, np.int32)
        target[away] = to
        self._sessions.open[away] = False
        moved = target[self._state.slots()]
        groups = np.flatnonzero(moved >= 0).astype(np.uint32)
        between = self._state.fresh()
        between.absorb(self._state, groups, moved[groups])
        self._state.absorb(between, np.arange(between.groups, dtype=np.uint32))

    def _closed_at(self, lasts: Times) -> Times:
        return -(-(lasts + self._gap) // self._unit)

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Gives the sessions that are complete now."""
        self._watermark = watermark.time
        return None if watermark.time < self.next_close else self._close()

    def _close(self) -> Emission:
        sessions = self._sessions
        closes = self._closed_at(sessions.lasts)
        closing = sessions.open & (closes <= self._watermark)
        slots = self._state.slots()
        due = np.flatnonzero(closing[slots])
        groups = due[np.argsort(closes[slots[due]], kind="stable")].astype(np.uint32)
        for at in range(0, len(groups), self._context.batch_rows):
            some = groups[at : at + self._context.batch_rows]
            places, results = self._state.said(some)
            of = slots[some] if places is None else slots[some][places]
            ends = sessions.lasts[of] + self._gap
            asked = (
                (self._node.start, sessions.starts[of]),
                (self._node.end, ends),
                (self._node.window_time, ends - self._tick),
            )
            made = [time_column(self._of, values) for field, values in asked if field is not None]
            said = Batch([*self._state.keys_of(some), *made, *results], len(of))
            yield from said.pieces(self._context.batch_rows)
        sessions.open &= ~closing
        yield from self._forget()
        self.next_close = int(self._closed_at(sessions.lasts[sessions.open]).min(initial=END_OF_TIME))

    def _forget(self) -> Emission:
        """Drops sessions that have closed or moved, if they are most of all."""
        kept = np.flatnonzero(self._sessions.open)
        if 2 * len(kept) > len(self._sessions):
            return
        slots = self._state.slots()
        living = np.flatnonzero(self._sessions.open[slots]).astype(np.uint32)
        partitions = np.unique(self._sessions.partitions[kept])
        renumbered = np.full(self._partitions.groups, -1, np.int64)
        renumbered[partitions] = np.arange(len(partitions))
        self._partitions.retain(partitions.astype(np.uint32))
        new = self._sessions.renumber(kept, renumbered)
        state = self._state.fresh()
        for at in range(0, len(living), MOVED_AT_ONCE):
            some = living[at : at + MOVED_AT_ONCE]
            self._reservation.resize(self._held() + state.bytes + state.bytes_with_groups(len(some)))
            state.absorb(self._state, some, new[slots[some]])
            yield Suspend(READY)
        self._state = state
        self._reservation.resize(self._held())

    def snapshot(self) -> bytes:
        """The groups, their sessions, and how far time has come."""
        time = struct.pack("<q", self._watermark)
        return join_parts([time, self._partitions.snapshot(), *self._sessions.snapshot(), *self._state.snapshot()])

    def restore(self, state: bytes) -> None:
        """Takes what :meth:`snapshot` gave."""
        parts = split_parts(state)
        (self._watermark,) = struct.unpack("<q", next(parts))
        self._partitions.restore(next(parts))
        self._sessions.restore([next(parts) for _ in range(4)])
        self._state.restore(parts)
        self._reservation.resize(self._held())
        sessions = self._sessions
        self.next_close = int(self._closed_at(sessions.lasts[sessions.open]).min(initial=END_OF_TIME))

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._state.clear()
            self._reservation.release()
