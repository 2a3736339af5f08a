"""Windows that say something before they close, or after: two states by (window, key), *shown* and *pending*.

Firing a group takes its shown result back, adds what is pending, and gives the result anew; a result that stays as it was
is not given.  Triggers decide when which pending groups fire: all of them fire when their window closes, and at once in a
window that has closed already.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.expressions.emit import EveryInterval, EveryRows, OnUpdate
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.row_changes import differing, replaced
from tableflow.physical.state_parts import least
from tableflow.physical.window_state import MOVED_AT_ONCE, Mask, Part, Slots
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import START_OF_TIME
from tableflow.runtime.operator import Emission, Operator, OperatorContext


class FiringOperator(Operator):
    """Groups by (slot, key) that fire when triggers say so; where slots come from is for others to say."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._node = node
        self._shown = window_state(node)
        self._pending = window_state(node)
        self._arrived = np.empty(0, np.int64)  # rows of each pending group
        triggers = node.emit.triggers or ((OnUpdate(),) if node.changing else ())
        self._on_update = any(isinstance(trigger, OnUpdate) for trigger in triggers)
        self._rows = min((t.rows for t in triggers if isinstance(t, EveryRows)), default=0)
        intervals = [t for t in triggers if isinstance(t, EveryInterval)]
        self._clock = min((t.micros for t in intervals if not t.event_time), default=0)
        self._event_clock = min((t.micros for t in intervals if t.event_time), default=0)
        self._watermark = START_OF_TIME

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty states."""
        self._context = context
        self._reservation = context.reserve("windows", self._shown.bytes + self._pending.bytes)
        self._reservation.rows = self._held_rows

    def _add(self, batch: Batch, slots: Slots) -> None:
        """Rows become pending in their slots."""
        if not self._pending.groups:
            self._ask_for_timer()
        self._reservation.resize(self._held() + self._pending.bytes_with(batch) - self._pending.bytes)
        groups = self._pending.update(batch, slots)
        self._begin_counting()
        if self._rows:
            self._arrived += np.bincount(groups, minlength=len(self._arrived))
        self._reservation.resize(self._held())

    def _begin_counting(self) -> None:
        """Pending groups that are new have had no rows."""
        self._arrived = np.append(self._arrived, np.zeros(self._pending.groups - len(self._arrived), np.int64))

    def _held_rows(self) -> int:
        """Groups that have fired, and groups of what has come since."""
        return self._shown.groups + self._pending.groups

    def _held(self) -> int:
        return self._shown.bytes + self._pending.bytes + self._arrived.nbytes

    def _ask_for_timer(self) -> None:
        if self._clock:
            self._context.set_timer((self._context.now() // self._clock + 1) * self._clock)

    def on_timer(self, time: int) -> Emission | None:
        """Processing time has come to a firing, or only to the end of a window, which is no firing of the others."""
        due = bool(self._clock) and time % self._clock == 0
        return self._fire(np.ones(self._pending.groups, np.bool_)) if due and self._pending.groups else None

    def _due(self) -> Mask:
        """Pending groups that fire because of the rows that came."""
        due = np.full(self._pending.groups, self._on_update)
        if self._rows:
            due |= self._arrived >= self._rows
        return due

    def _fire(self, due: Mask) -> Emission:
        groups = np.flatnonzero(due).astype(np.uint32)
        if not len(groups):
            return
        step = max(1, min(self._context.batch_rows // 2, MOVED_AT_ONCE))
        for at in range(0, len(groups), step):
            changes = self._replace(groups[at : at + step])
            if changes is not None:
                yield from changes.pieces(self._context.batch_rows)
        rest = np.flatnonzero(~due).astype(np.uint32)
        if len(rest):
            self._pending.retain(rest)
        else:
            self._pending.clear()
        self._arrived = self._arrived[rest]
        self._reservation.resize(self._held())
        if len(rest):
            self._ask_for_timer()

    def _replace(self, groups: GroupNumbers) -> Batch | None:
        known = self._shown.groups
        numbers = self._shown.locate(self._pending, groups)
        old = self._shown.visible(numbers[numbers < known])
        before = self._shown.results_of(old)
        self._shown.absorb(self._pending, groups)
        new = self._shown.visible(numbers)
        after = self._shown.results_of(new)
        gone, come = differing(old, before, new, after)
        if not gone.any() and not come.any():
            return None
        lost = self._output(old[gone], take_columns(before, np.flatnonzero(gone)))
        made = self._output(new[come], take_columns(after, np.flatnonzero(come)))
        return replaced(lost, int(gone.sum()), made, int(come.sum()))

    def _output(self, groups: GroupNumbers, results: list[Column]) -> list[Column]:
        slots, keys = self._shown.named(groups)
        return [*keys, *self._window(slots), *results]

    def _window(self, slots: Slots) -> list[Column]:
        """The columns of the windows in these slots."""
        raise NotImplementedError

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._shown.clear()
            self._pending.clear()
            self._reservation.release()

    def _move(self, kept: Mask, new: Slots) -> Emission:
        """Forgets all but the slots that are kept, which get new numbers."""

        def reserve(more: int) -> None:
            self._reservation.resize(self._held() + more)

        shown, pending = (np.flatnonzero(kept[of.slots()]).astype(np.uint32) for of in (self._shown, self._pending))
        self._shown = yield from self._shown.moved(shown, new, reserve)
        # All that is pending stays: what has closed has fired.
        self._pending = yield from self._pending.moved(pending, new, reserve)
        self._arrived = self._arrived[pending]
        reserve(0)

    def _saved(self, shown: GroupNumbers, pending: GroupNumbers) -> list[Part]:
        """How far time has come, and these groups of both states."""
        time, arrived = struct.pack("<q", self._watermark), self._arrived[pending].tobytes()
        return [time, arrived, *self._shown.snapshot(shown), *self._pending.snapshot(pending)]

    def _restored(self, parts: Iterator[Sequence[Part]], slots: Sequence[Slots]) -> list[GroupNumbers]:
        """Takes what :meth:`_saved` of several gave, whose slots have new numbers; for each, those of the groups that are shown.

        Time has come as far as for the least of them.
        """
        self._watermark = least(next(parts))
        arrived = next(parts)
        shown = self._shown.restore(parts, slots)
        placed = self._pending.restore(parts, slots)
        self._arrived = np.zeros(self._pending.groups, np.int64)
        for saved, groups in zip(arrived, placed, strict=True):
            self._arrived[groups] = np.frombuffer(saved, np.int64)
        self._reservation.resize(self._held())
        if self._pending.groups:
            self._ask_for_timer()
        return shown
