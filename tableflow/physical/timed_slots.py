"""What stands under small numbers (slots) in a stream's windows of time: windows, or the panes that they share.

A slot stays as long as there is state in it; ``renumber`` gives those that are left new numbers, from 0.  All that is known of a slot follows from
its key.  States of several tasks are united by key: a window, or pane, that several of them know has one slot.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupNumbers, GroupTable
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.window_state import Part, Slots, renumbered
from tableflow.physical.window_times import Times, WindowTimes
from tableflow.types import BIGINT

NO_TIMES = np.empty(0, np.int64)


class TimedSlots(ABC):
    """Slots by so many numbers."""

    def __init__(self, windows: WindowTimes, numbers: int) -> None:
        self._windows = windows
        self._table = GroupTable([BIGINT] * numbers, [])
        self._forget()

    @abstractmethod
    def _learn(self) -> None:
        """What follows from the keys of slots from ``len(self)`` on."""

    @abstractmethod
    def _forget(self) -> None:
        """As if no slot were known."""

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._table.bytes + 3 * 8 * len(self)

    def _of(self, *numbers: Times) -> Slots:
        """The slot of each row of numbers; new ones are made."""
        slots = self._table.number([Column(BIGINT, pa.array(each)) for each in numbers], [], len(numbers[0]))
        if self._table.groups > len(self):
            self._learn()
        return slots.view(np.int32)

    def renumber(self, kept: GroupNumbers) -> Slots:
        """Keeps these slots only; the new number of each old one (-1: gone)."""
        new = renumbered(len(self), kept)
        self._table.retain(kept)
        self._forget()
        self._learn()
        return new

    def snapshot(self, kept: Slots) -> Part:
        """These slots, under the numbers that they have."""
        return join_parts([kept.tobytes(), self._table.snapshot(kept.astype(np.uint32))])

    def restore(self, states: Sequence[Part]) -> list[Slots]:
        """Takes what :meth:`snapshot` of several gave; for each, the new numbers of its slots by the old ones."""
        slots, tables = across(states)
        placed = self._table.unite(tables)
        self._forget()
        self._learn()
        return [moved(np.frombuffer(old, np.int32), new) for old, new in zip(slots, placed, strict=True)]


def moved(old: Slots, new: GroupNumbers | Slots) -> Slots:
    """By the old number of a slot its new one, -1 for others."""
    by_old = np.full(int(old.max(initial=-1)) + 1, -1, np.int32)
    by_old[old] = new
    return by_old
