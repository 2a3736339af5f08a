"""The panes of a stream's windows under small numbers (slots), and what is known of each."""

from __future__ import annotations

import numpy as np

from tableflow.physical.timed_slots import NO_TIMES, TimedSlots
from tableflow.physical.window_state import Slots
from tableflow.physical.window_times import Times, WindowTimes
from tableflow.runtime.events import END_OF_TIME


class PaneSlots(TimedSlots):
    """Slots by pane number; each with its pane's start and the watermarks that close its first and its last window."""

    def __init__(self, windows: WindowTimes) -> None:
        super().__init__(windows, 1)

    def _forget(self) -> None:
        self.starts: Times = NO_TIMES
        self.first_closed_at: Times = NO_TIMES
        self.closed_at: Times = NO_TIMES

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def numbers(self) -> Times:
        """The pane number of each slot."""
        numbers: Times = self._table.key(0, 0, len(self)).array.to_numpy()
        return numbers

    def of(self, numbers: Times) -> Slots:
        """The slot of each pane number; new ones are made."""
        return self._of(numbers)

    def _learn(self) -> None:
        known, panes = len(self.starts), self._table.groups
        if panes == known:
            return
        starts = self._windows.pane_starts(self._table.key(0, known, panes - known).array.to_numpy())
        self.starts = np.append(self.starts, starts)
        which, _, ends = self._windows.windows(starts)
        firsts = np.full(len(starts), END_OF_TIME)
        np.minimum.at(firsts, which, self._windows.closed_at(ends))
        self.first_closed_at = np.append(self.first_closed_at, firsts)
        self.closed_at = np.append(self.closed_at, self._windows.closed_at(self._windows.last_ends(starts)))

    def next_close(self, watermark: int, known: int = 0) -> int:
        """The earliest watermark beyond this one that closes a window of the slots from ``known`` on."""
        starts = self.starts[known:][self.closed_at[known:] > watermark]
        if not len(starts):
            return END_OF_TIME
        closes = self._windows.closed_at(self._windows.windows(starts)[2])
        return int(closes[closes > watermark].min())
