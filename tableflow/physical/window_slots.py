"""Windows of a stream under small numbers (slots), by start and end."""

from __future__ import annotations

import numpy as np

from tableflow.physical.timed_slots import NO_TIMES, TimedSlots
from tableflow.physical.window_state import Mask, Slots
from tableflow.physical.window_times import Times, WindowTimes


class WindowSlots(TimedSlots):
    """Slots by (start, end) on the wall, with the watermark that closes each; see :class:`WindowTimes`."""

    def __init__(self, windows: WindowTimes) -> None:
        super().__init__(windows, 2)

    def _forget(self) -> None:
        self.starts: Times = NO_TIMES
        self.ends: Times = NO_TIMES
        self.closed_at: Times = NO_TIMES

    def __len__(self) -> int:
        return len(self.starts)

    def of(self, starts: Times, ends: Times) -> Slots:
        """The slot of each window; new ones are made."""
        return self._of(starts, ends)

    def _learn(self) -> None:
        known, count = len(self.starts), self._table.groups
        if count == known:
            return
        starts, ends = (self._table.key(i, known, count - known).array.to_numpy() for i in (0, 1))
        self.starts, self.ends = np.append(self.starts, starts), np.append(self.ends, ends)
        self.closed_at = np.append(self.closed_at, self._windows.closed_at(ends))

    def closed_by(self, watermark: int, grace: int = 0) -> Mask:
        """Which windows had ended at least ``grace`` microseconds before this watermark."""
        closed: Mask = self.closed_at <= watermark - grace
        return closed
