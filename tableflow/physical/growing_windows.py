"""Windows that grow with their rows and say something before they close, or after: two states, as in :mod:`~tableflow.physical.firing_windows`.

What was said of a window names its bounds.  Invariant: all that is shown of a window has the bounds that it had when one of its groups last
fired, so where these have grown since, all of its groups are shown anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.firing_windows import FiringOperator
from tableflow.physical.row_changes import differing, replaced
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.window_state import Mask, Part, Slots
from tableflow.physical.window_times import Times
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import Emission

_NONE = np.empty(0, np.int64)


class SlottedRows(Protocol):
    """The rows of partitions in windows, which are open until they are over; slots of several states follow each other."""

    @property
    def open(self) -> Mask:
        """By slot."""

    @property
    def bytes(self) -> int:
        """Bytes held now."""

    def columns(self, starts: Times, ends: Times, /) -> list[Column]:
        """The window columns of windows with these bounds."""

    def snapshot(self, keys: KeyRange) -> tuple[Part, Slots]:
        """The open windows of a range of partitions, and their slots."""

    def restore(self, states: Sequence[Part]) -> list[Slots]:
        """Takes several such parts; for each, the new numbers of its slots by the old ones."""


class GrowingWindowsOperator(FiringOperator):
    """Groups by (slot, key) whose windows have the bounds of their slots; who has the slots says what these are."""

    def __init__(self, node: WindowedAggregate, rows: SlottedRows) -> None:
        super().__init__(node)
        self._rows_of = rows
        self._shown_starts = self._shown_ends = _NONE
        # Where a window has one group, no other one shows its bounds.
        self._one_group = {key.id for key in node.keys} <= set(node.partition)

    def _bounds(self) -> tuple[Times, Times]:
        """First and last of each slot as they are now."""
        raise NotImplementedError

    def _know(self, slots: int) -> None:
        """There are so many slots; of new ones nothing is shown."""
        none = np.zeros(slots - len(self._shown_starts), np.int64)
        self._shown_starts, self._shown_ends = np.append(self._shown_starts, none), np.append(self._shown_ends, none)

    def _held(self) -> int:
        return super()._held() + self._shown_starts.nbytes + self._shown_ends.nbytes + self._rows_of.bytes

    def _window(self, slots: Slots) -> list[Column]:
        return self._rows_of.columns(self._shown_starts[slots], self._shown_ends[slots])

    def _replace(self, groups: GroupNumbers) -> Batch | None:
        starts, ends = self._bounds()
        self._know(len(starts))
        firing = np.zeros(len(starts), np.bool_)
        firing[self._pending.named(groups)[0]] = True
        grown = firing & ((starts != self._shown_starts) | (ends != self._shown_ends))
        known = self._shown.groups
        numbers = self._shown.locate(self._pending, groups)
        beside = (
            numbers[:0] if self._one_group else np.flatnonzero(grown[self._shown.slots()[:known]]).astype(np.uint32)
        )
        old = np.union1d(numbers[numbers < known], beside)
        before = self._output(old, self._shown.results_of(old))
        self._shown.absorb(self._pending, groups)
        self._shown_starts[grown], self._shown_ends[grown] = starts[grown], ends[grown]
        new = np.union1d(numbers, beside)
        after = self._output(new, self._shown.results_of(new))
        gone, come = differing(old, before, new, after)
        if not come.any():
            return None
        lost, made = (
            take_columns(columns, np.flatnonzero(which)) for columns, which in ((before, gone), (after, come))
        )
        return replaced(lost, int(gone.sum()), made, int(come.sum()))

    def _taken_back(self, groups: GroupNumbers) -> Batch:
        """What is shown of these groups, as an end of it."""
        columns = self._output(groups, self._shown.results_of(groups))
        return Batch(columns, len(groups), None, np.full(len(groups), -1, np.int64))

    def _renumber(self, kept: Mask, new: Slots) -> Emission:
        """Forgets all but the slots that are kept, which get new numbers."""
        yield from self._move(kept, new)
        known = kept[: len(self._shown_starts)]
        self._shown_starts, self._shown_ends = self._shown_starts[known], self._shown_ends[known]
        self._reservation.resize(self._held())

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The open windows of these partitions, the bounds that are shown, and the groups."""
        windows, slots = self._rows_of.snapshot(keys)
        stays = np.zeros(len(self._rows_of.open), np.bool_)
        stays[slots] = True
        shown, pending = (np.flatnonzero(stays[of.slots()]).astype(np.uint32) for of in (self._shown, self._pending))
        self._know(len(stays))
        bounds = [self._shown_starts[slots].tobytes(), self._shown_ends[slots].tobytes()]
        return join_parts([windows, *bounds, *self._saved(shown, pending)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave; windows of another state come behind those of the one before it."""
        each = across(parts)
        slots = self._rows_of.restore(next(each))
        self._shown_starts, self._shown_ends = (np.frombuffer(b"".join(next(each)), np.int64).copy() for _ in range(2))
        self._restored(each, slots)
