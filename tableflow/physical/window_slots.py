"""Windows of a stream under small numbers (slots), by start and end."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupNumbers, GroupTable
from tableflow.physical.window_state import Mask, Part, Slots, renumbered
from tableflow.physical.window_times import Times, WindowTimes
from tableflow.types import BIGINT

_NONE = np.empty(0, np.int64)


class WindowSlots:
    """Slots by (start, end) on the wall, with the watermark that closes each; see :class:`WindowTimes`."""

    def __init__(self, windows: WindowTimes) -> None:
        self._windows = windows
        self._table = GroupTable([BIGINT, BIGINT], [])
        self.starts: Times = _NONE
        self.ends: Times = _NONE
        self.closed_at: Times = _NONE

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._table.bytes + 3 * self.starts.nbytes

    def of(self, starts: Times, ends: Times) -> Slots:
        """The slot of each window; new ones are made."""
        columns = [Column(BIGINT, pa.array(starts)), Column(BIGINT, pa.array(ends))]
        slots = self._table.number(columns, [], len(starts))
        if self._table.groups > len(self.starts):
            self._learn()
        return slots.view(np.int32)

    def _learn(self) -> None:
        known = len(self.starts)
        starts, ends = (self._table.key(i, known, self._table.groups - known).array.to_numpy() for i in (0, 1))
        self.starts, self.ends = np.append(self.starts, starts), np.append(self.ends, ends)
        self.closed_at = np.append(self.closed_at, self._windows.closed_at(ends))

    def closed_by(self, watermark: int, grace: int = 0) -> Mask:
        """Which windows had ended at least ``grace`` microseconds before this watermark."""
        closed: Mask = self.closed_at <= watermark - grace
        return closed

    def renumber(self, kept: GroupNumbers) -> Slots:
        """Keeps these slots only; the new number of each old one (-1: gone)."""
        new = renumbered(len(self.starts), kept)
        self._table.retain(kept)
        self.starts, self.ends, self.closed_at = self.starts[kept], self.ends[kept], self.closed_at[kept]
        return new

    def snapshot(self) -> Part:
        """The windows in the order of their slots."""
        return self._table.snapshot()

    def restore(self, state: Part) -> None:
        """Takes what :meth:`snapshot` gave."""
        self._table.restore(state)
        self.starts = self.ends = self.closed_at = _NONE
        if self._table.groups:
            self._learn()
