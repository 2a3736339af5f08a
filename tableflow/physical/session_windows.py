"""SESSION: windows that grow with their rows and join, one final row for each key when time has passed the gap behind the last row.

Groups are kept by (session, key).  When a row joins several sessions their groups move into one of them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.late_rows import LateRows
from tableflow.physical.session_rows import SessionRows
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.physical.window_state import Slots
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext


class SessionWindowsOperator(Operator):
    """One task's sessions; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._node = node
        self._rows = SessionRows(node)
        self._sessions = self._rows.sessions
        self._state = window_state(node)
        self._watermark = START_OF_TIME
        self.next_close = END_OF_TIME
        """The earliest watermark that closes a window."""

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty table; opens the sink of late rows."""
        self._context = context
        self._reservation = context.reserve("sessions", self._state.bytes)
        self._reservation.rows = lambda: self._state.groups
        self.late = LateRows(self._node, self._rows.of, context)

    def _held(self) -> int:
        return self._state.bytes + self._rows.bytes

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Adds rows to sessions, making and joining them."""
        rows, joined = self._rows.chains(batch, self.late, self._watermark)
        if joined is not None:
            self._reservation.resize(self._held() + self._state.bytes_with(batch) - self._state.bytes)
            slots, away, to = self._rows.settle(joined)
            if len(away):
                self._move(away, to)
            self.next_close = min(self.next_close, int(self._rows.closed_at(joined.lasts).min()))
            batch = batch if len(rows) == batch.length else batch.with_selection(rows.astype(np.uint32))
            self._state.take(batch, slots[joined.chain_of_row])
        self._reservation.resize(self._held())
        return None

    def _move(self, away: Slots, to: Slots) -> None:
        target = np.full(len(self._sessions), -1, np.int32)
        target[away] = to
        moved = target[self._state.slots()]
        groups = np.flatnonzero(moved >= 0).astype(np.uint32)
        between = self._state.fresh()
        between.absorb(self._state, groups, moved[groups])
        self._state.absorb(between, np.arange(between.groups, dtype=np.uint32))

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Gives the sessions that are complete now."""
        self._watermark = watermark.time
        return None if watermark.time < self.next_close else self._close()

    def _close(self) -> Emission:
        sessions = self._sessions
        closes = self._rows.closed_at(sessions.lasts)
        closing = sessions.open & (closes <= self._watermark)
        slots = self._state.slots()
        due = np.flatnonzero(closing[slots])
        groups = due[np.argsort(closes[slots[due]], kind="stable")].astype(np.uint32)
        yield from self._state.told(
            groups, lambda of: self._rows.columns(sessions.starts[of], sessions.lasts[of]), self._context.batch_rows
        )
        sessions.open &= ~closing
        yield from self._forget()
        self.next_close = self._rows.next_close(self._watermark)

    def _forget(self) -> Emission:
        """Drops sessions that have closed or moved, if they are most of all."""
        still = self._sessions.open
        if 2 * int(still.sum()) > len(still):
            return
        living = np.flatnonzero(still[self._state.slots()]).astype(np.uint32)
        new = self._rows.renumber()
        self._state = yield from self._state.moved(
            living, new, lambda more: self._reservation.resize(self._held() + more)
        )
        self._reservation.resize(self._held())

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The open sessions, their groups, and how far time has come."""
        sessions, slots = self._rows.snapshot(keys)
        stays = np.zeros(len(self._sessions), np.bool_)
        stays[slots] = True
        groups = np.flatnonzero(stays[self._state.slots()]).astype(np.uint32)
        return join_parts([struct.pack("<q", self._watermark), sessions, *self._state.snapshot(groups)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave; time has come as far as for the least of all."""
        each = across(parts)
        self._watermark = least(next(each))
        slots = self._rows.restore(next(each))
        self._state.restore(each, slots)
        self._reservation.resize(self._held())
        self.next_close = self._rows.next_close(self._watermark)

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._state.clear()
            self._reservation.release()
