"""The rows of sessions: which partition, which session; sessions by slot, their ends, and the columns that tell of them.

A row is late when the session that it would make, with what is still open, has ended already.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.expressions.window_assigner import Session
from tableflow.physical.assign_watermarks import storage_times, units_per_microsecond
from tableflow.physical.assign_windows import time_column
from tableflow.physical.late_rows import LateRows
from tableflow.physical.node import dealt_by, positions
from tableflow.physical.open_sessions import Joined, OpenSessions
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.timed_slots import moved
from tableflow.physical.window_state import Mask, Part, Slots
from tableflow.physical.window_times import Rows, Times
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME
from tableflow.types import TimestampType


class SessionRows:
    """The partitions and sessions of one task."""

    def __init__(self, node: WindowedAggregate) -> None:
        assert isinstance(node.assigner, Session)
        assert node.time is not None
        self._node = node
        where = positions(node.input.fields)
        self._time = where[node.time]
        self.of = node.input.fields[self._time].type
        """The type of the time column."""
        self._unit = units_per_microsecond(self.of)
        self._gap = node.assigner.gap * self._unit
        precision = self.of.precision if isinstance(self.of, TimestampType) else 6
        self._tick = 10 ** ((9 if self._unit > 1 else 6) - precision)
        self._by = [where[column] for column in node.partition]
        self._partitions = GroupTable([node.input.fields[i].type for i in self._by], [])
        self.sessions = OpenSessions(self._gap)
        """By slot."""

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._partitions.bytes + self.sessions.nbytes

    def chains(self, batch: Batch, late: LateRows, watermark: int, grace: int = 0) -> tuple[Rows, Joined | None]:
        """Stored row numbers of rows that count, and the chains that they make with what is open; those that are late are told of."""
        times, rows = self._rows_in_time(batch)
        if not len(rows):
            return rows, None
        by = [batch.columns[i] for i in self._by]
        numbers = self._partitions.number(by, [], batch.length, rows.astype(np.uint32)).astype(np.int64)
        joined = self.sessions.join(numbers, times[rows])
        ended = self.closed_at(joined.lasts) <= watermark - grace
        if ended.any():
            rows, joined = self._without_late(batch, rows, joined, ended, late, watermark)
        return rows, joined if len(rows) else None

    def _rows_in_time(self, batch: Batch) -> tuple[Times, Rows]:
        column = batch.columns[self._time]
        rows = np.arange(batch.length) if batch.selection is None else batch.selection.astype(np.int64)
        if column.array.null_count:
            rows = rows[column.array.is_valid().to_numpy(zero_copy_only=False)[rows]]
        return storage_times(column), rows

    def _without_late(
        self, batch: Batch, rows: Rows, joined: Joined, ended: Mask, late: LateRows, watermark: int
    ) -> tuple[Rows, Joined]:
        gone = ended[joined.chain_of_row]
        chains = joined.chain_of_row[gone]
        late.tell(batch, rows[gone], joined.starts[chains], joined.lasts[chains] + self._gap, watermark)
        # No open session can be part of a chain that has ended.
        new = np.cumsum(~ended) - 1
        kept = Joined(
            new[joined.chain_of_row[~gone]],
            joined.partitions[~ended],
            joined.starts[~ended],
            joined.lasts[~ended],
            new[joined.chain_of_open],
            joined.open_slots,
        )
        return rows[~gone], kept

    def settle(self, joined: Joined) -> tuple[Slots, Slots, Slots]:
        """The slot of each chain: that of an open session in it, or a new one; and open ones that have moved, and where to."""
        sessions = self.sessions
        slots = np.full(len(joined.starts), -1, np.int32)
        slots[joined.chain_of_open[::-1]] = joined.open_slots[::-1]
        moving = slots[joined.chain_of_open] != joined.open_slots
        fresh = slots < 0
        slots[fresh] = sessions.add(joined.partitions[fresh], joined.starts[fresh], joined.lasts[fresh])
        sessions.starts[slots], sessions.lasts[slots] = joined.starts, joined.lasts
        away = joined.open_slots[moving]
        sessions.open[away] = False
        return slots, away, slots[joined.chain_of_open[moving]]

    def closed_at(self, lasts: Times) -> Times:
        """The watermark that closes sessions whose last rows are of these times."""
        return -(-(lasts + self._gap) // self._unit)

    def began(self, slots: Slots) -> int:
        """The time of the first row of these sessions, in microseconds."""
        return int(self.sessions.starts[slots].min()) // self._unit

    def next_close(self, watermark: int) -> int:
        """The earliest watermark beyond this one that closes a session."""
        closes = self.closed_at(self.sessions.lasts[self.sessions.open])
        return int(closes[closes > watermark].min(initial=END_OF_TIME))

    def columns(self, starts: Times, lasts: Times) -> list[Column]:
        """The window columns of sessions with these bounds."""
        ends = lasts + self._gap
        asked = ((self._node.start, starts), (self._node.end, ends), (self._node.window_time, ends - self._tick))
        return [time_column(self.of, values) for field, values in asked if field is not None]

    def renumber(self) -> Slots:
        """Forgets sessions that are not open, and partitions without one; the new number of each old slot."""
        kept = np.flatnonzero(self.sessions.open)
        partitions = np.unique(self.sessions.partitions[kept])
        renumbered = np.full(self._partitions.groups, -1, np.int64)
        renumbered[partitions] = np.arange(len(partitions))
        self._partitions.retain(partitions.astype(np.uint32))
        return self.sessions.renumber(kept, renumbered)

    @property
    def open(self) -> Mask:
        """Which sessions are open, by slot."""
        return self.sessions.open

    def snapshot(self, keys: KeyRange) -> tuple[Part, Slots]:
        """The open sessions of a range of partitions, and these; their slots."""
        here = np.zeros(self._partitions.groups, np.bool_)
        here[self._partitions.groups_in(keys, dealt_by(self._node.input, self._node.partition))] = True
        slots = np.flatnonzero(self.open & here[self.sessions.partitions]).astype(np.int32)
        partitions, of = np.unique(self.sessions.partitions[slots], return_inverse=True)
        arrays = (slots, of.astype(np.int64), self.sessions.starts[slots], self.sessions.lasts[slots])
        saved = self._partitions.snapshot(partitions.astype(np.uint32))
        return join_parts([saved, *[a.tobytes() for a in arrays]]), slots

    def restore(self, states: Sequence[Part]) -> list[Slots]:
        """Takes what :meth:`snapshot` of several gave, one behind the other; for each, the new numbers of its slots by the old ones."""
        partitions, *arrays = across(states)
        placed = self._partitions.unite(partitions)
        found: list[Slots] = []
        for groups, old, *saved in zip(placed, *arrays, strict=True):
            of, starts, lasts = (np.frombuffer(each, np.int64) for each in saved)
            slots = self.sessions.add(groups.astype(np.int64)[of], starts, lasts)
            found.append(moved(np.frombuffer(old, np.int32), slots))
        return found
