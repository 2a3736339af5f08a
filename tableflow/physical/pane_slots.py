"""The panes of a stream's windows under small numbers (slots), and what is known of each.

A slot stays as long as its pane has state; ``renumber`` gives the slots of panes that are left new numbers, from 0.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupNumbers, GroupTable
from tableflow.physical.window_state import Part, Slots, renumbered
from tableflow.physical.window_times import Times, WindowTimes
from tableflow.runtime.events import END_OF_TIME
from tableflow.types import BIGINT

_NONE = np.empty(0, np.int64)


class PaneSlots:
    """Slots by pane number; each with its pane's start and the watermarks that close its first and its last window."""

    def __init__(self, windows: WindowTimes) -> None:
        self._windows = windows
        self._table = GroupTable([BIGINT], [])
        self.starts: Times = _NONE
        self.first_closed_at: Times = _NONE
        self.closed_at: Times = _NONE

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._table.bytes + 3 * self.starts.nbytes

    def of(self, numbers: Times) -> Slots:
        """The slot of each pane number; new ones are made."""
        column = Column(BIGINT, pa.array(numbers))
        slots = self._table.number([column], [], len(numbers))
        if self._table.groups > len(self.starts):
            self._learn()
        return slots.view(np.int32)

    def _learn(self) -> None:
        known, panes = len(self.starts), self._table.groups
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

    def renumber(self, kept: GroupNumbers) -> Slots:
        """Keeps these slots only; the new number of each old one (-1: gone)."""
        new = renumbered(len(self.starts), kept)
        self._table.retain(kept)
        self.starts, self.closed_at = self.starts[kept], self.closed_at[kept]
        self.first_closed_at = self.first_closed_at[kept]
        return new

    def snapshot(self) -> Part:
        """The panes in the order of their slots."""
        return self._table.snapshot()

    def restore(self, state: Part) -> None:
        """Takes what :meth:`snapshot` gave."""
        self._table.restore(state)
        self.starts = self.first_closed_at = self.closed_at = _NONE
        if self._table.groups:
            self._learn()
