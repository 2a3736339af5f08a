"""Groups that fire after every so many rows: how many each has had since it fired last."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.retention import timestamps
from tableflow.physical.state_parts import across, join_parts
from tableflow.types import SqlType


class RowFirings:
    """Counts rows by the columns at ``positions``, of these types; groups that have fired are forgotten."""

    def __init__(
        self, types: Sequence[SqlType], positions: Sequence[int], every: int, dealt: Sequence[int] = ()
    ) -> None:
        """``dealt``: which of the columns rows are dealt to tasks by."""
        self._positions, self._every, self._dealt = positions, every, dealt
        self._groups = GroupTable(types, [])
        self._arrived = np.zeros(0, np.int64)

    @property
    def held(self) -> int:
        """Bytes held."""
        return self._groups.bytes + self._arrived.nbytes

    def take(self, batch: Batch) -> list[Column] | None:
        """Counts the rows of a batch; the keys of groups that fire, None if there are none."""
        keys = [batch.columns[i] for i in self._positions]
        groups = self._groups.number(keys, [], batch.length, batch.selection)
        self._arrived = np.append(self._arrived, np.zeros(self._groups.groups - len(self._arrived), np.int64))
        self._arrived += np.bincount(groups, minlength=len(self._arrived))
        due = self._arrived >= self._every
        if not due.any():
            return None
        fired, rest = (np.flatnonzero(which).astype(np.uint32) for which in (due, ~due))
        columns = self._groups.keys_of(fired)
        self._groups.retain(rest)
        self._arrived = self._arrived[rest]
        return columns

    def forget_below(self, place: int, bound: int) -> None:
        """Forgets groups whose key at ``place``, a timestamp, is below the bound: nothing fires for them any more."""
        if not self._groups.groups:
            return
        keys = self._groups.keys_of(np.arange(self._groups.groups, dtype=np.uint32))
        rest = np.flatnonzero(timestamps(keys[place], None) >= bound).astype(np.uint32)
        if len(rest) < len(self._arrived):
            self._groups.retain(rest)
            self._arrived = self._arrived[rest]

    def clear(self) -> None:
        """Everything has fired."""
        self._groups.clear()
        self._arrived = np.zeros(0, np.int64)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The groups of a range of keys and their counts."""
        groups = self._groups.groups_in(keys, self._dealt)
        counts = np.append(self._arrived, np.zeros(self._groups.groups - len(self._arrived), np.int64))
        return join_parts([self._groups.snapshot(groups), counts[groups].tobytes()])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back; a group is in one of the parts, but for the only one without keys, which says 0 in others."""
        groups, arrived = across(parts)
        placed = self._groups.unite(groups)
        self._arrived = np.zeros(self._groups.groups, np.int64)
        for numbers, counts in zip(placed, arrived, strict=True):
            saved = np.frombuffer(counts, np.int64)
            self._arrived[numbers[: len(saved)]] += saved
