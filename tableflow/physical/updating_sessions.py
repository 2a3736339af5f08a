"""SESSION with early results, or late ones.

A session that becomes part of another is taken back, as far as it was shown, and the whole is shown at once.  A session is
dropped when time has passed its end by the lateness; until then a late row corrects it, and may open it again.
"""

from __future__ import annotations

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.physical.growing_windows import GrowingWindowsOperator
from tableflow.physical.late_rows import LateRows
from tableflow.physical.session_rows import SessionRows
from tableflow.physical.window_state import MOVED_AT_ONCE, Mask, Slots
from tableflow.physical.window_times import Times
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, OperatorContext


class UpdatingSessionsOperator(GrowingWindowsOperator):
    """One task's sessions; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._sessions_of = SessionRows(node)
        super().__init__(node, self._sessions_of)
        self._sessions = self._sessions_of.sessions
        self._grace = node.emit.lateness or 0

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty states; opens the sink of late rows."""
        super().open(context)
        self.late = LateRows(self._node, self._sessions_of.of, context)

    def process(self, batch: Batch, port: int) -> Emission:
        """Adds rows to sessions, making and joining them; fires what is due."""
        rows, joined = self._sessions_of.chains(batch, self.late, self._watermark, self._grace)
        if joined is None:
            return
        slots, away, to = self._sessions_of.settle(joined)
        torn = np.zeros(len(self._sessions), np.bool_)
        if len(away):
            target = np.full(len(self._sessions), -1, np.int32)
            target[away] = to
            yield from self._join(target, torn)
        some = batch if len(rows) == batch.length else batch.with_selection(rows.astype(np.uint32))
        self._add(some, slots[joined.chain_of_row])
        pending = self._pending.slots()
        yield from self._fire(self._due() | (torn | self._closed())[pending])

    def _closed(self) -> Mask:
        """Which sessions time has passed."""
        return self._sessions_of.closed_at(self._sessions.lasts) <= self._watermark

    def _join(self, target: Slots, torn: Mask) -> Emission:
        """Moves groups into the sessions that theirs are part of now; what was shown of them is pending there, and marked as ``torn``."""
        to = target[self._shown.slots()]
        gone = np.flatnonzero(to >= 0).astype(np.uint32)
        for at in range(0, len(gone), MOVED_AT_ONCE):
            yield from self._taken_back(gone[at : at + MOVED_AT_ONCE]).pieces(self._context.batch_rows)
        torn[to[gone]] = True
        self._pending.absorb(self._shown, gone, to[gone])
        self._shown.retain(np.flatnonzero(to < 0).astype(np.uint32))
        self._arrived = self._padded()
        to = target[self._pending.slots()]
        away = np.flatnonzero(to >= 0).astype(np.uint32)
        if len(away):
            between = self._pending.fresh()
            within = between.absorb(self._pending, away, to[away])
            arrived = np.bincount(within, self._arrived[away], between.groups).astype(np.int64)
            rest = np.flatnonzero(to < 0).astype(np.uint32)
            self._pending.retain(rest)
            self._arrived = self._arrived[rest]
            numbers = self._pending.absorb(between, np.arange(between.groups, dtype=np.uint32))
            self._arrived = self._padded()
            self._arrived[numbers] += arrived

    def _padded(self) -> Times:
        return np.append(self._arrived, np.zeros(self._pending.groups - len(self._arrived), np.int64))

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Fires sessions that close, and all if an interval of event time is over; then drops what is too old."""
        before, self._watermark = self._watermark, watermark.time
        pending = self._pending.slots()
        due = self._closed()[pending]
        if self._event_clock and len(due):
            if before == START_OF_TIME:  # time begins with the rows
                before = self._sessions_of.began(pending)
            if watermark.time // self._event_clock > before // self._event_clock:
                due = np.ones(len(due), np.bool_)
        yield from self._fire(due)
        sessions = self._sessions
        sessions.open &= self._sessions_of.closed_at(sessions.lasts) > watermark.time - self._grace
        if 2 * int(sessions.open.sum()) < len(sessions):
            kept = sessions.open.copy()
            yield from self._renumber(kept, self._sessions_of.renumber())

    @property
    def next_close(self) -> int:
        """The earliest watermark that closes a session."""
        return self._sessions_of.next_close(self._watermark)

    def _bounds(self) -> tuple[Times, Times]:
        return self._sessions.starts, self._sessions.lasts
