r"""TUMBLE, HOP and CUMULATE that say one final row for each key and window, when time has passed the window's end.

State is one table of groups by (pane, keys): a row is added once, however many windows it is in.  A window that closes merges
its panes; windows are taken in the order of their ends, as many at once as give about a batch.  Groups whose last
window has closed are dead; they go when they are more than half of all, so that dropping costs a constant for each.

Invariants: a window has been given iff the watermark has reached its end; a row is late for exactly those windows.  Where states of
several tasks are put together, of which time had not come equally far, those that are ahead wait beside (:class:`_Ahead`).
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.assign_windows import rows_in_panes, window_columns
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.late_rows import LateRows
from tableflow.physical.node import positions
from tableflow.physical.pane_slots import PaneSlots
from tableflow.physical.state_parts import across, join_parts, least, split_parts
from tableflow.physical.window_state import MOVED_AT_ONCE, Mask, Slots, WindowState
from tableflow.physical.window_times import Rows, Times, WindowTimes
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.records import dataclass
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Groups of which all windows that end by this time have been given."""

    time: int
    slots: PaneSlots
    state: WindowState


class PaneWindowsOperator(Operator):
    """One task's windows; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        assert node.time is not None
        self._node = node
        self._time = positions(node.input.fields)[node.time]
        self._of = node.input.fields[self._time].type
        self._windows = WindowTimes(node.assigner, self._of)  # type: ignore[arg-type]
        self._slots = PaneSlots(self._windows)
        self._state = window_state(node)
        self._ahead: list[_Ahead] = []
        self._watermark = START_OF_TIME
        self.next_close = END_OF_TIME
        """The earliest watermark that closes a window."""

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty table."""
        self._context = context
        self._reservation = context.reserve("windows", self._state.bytes)
        self._reservation.rows = lambda: self._state.groups + sum([each.state.groups for each in self._ahead])
        self._merging = context.reserve("windows that close")
        self._merging.rows = lambda: 0  # while windows are put together from panes, which are counted
        self.late = LateRows(self._node, self._of, context)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Adds the rows that are not late for all their windows."""
        rows, panes = rows_in_panes(batch, self._time, self._windows)
        known = len(self._slots)
        slots = self._slots.of(panes)
        if self._watermark > START_OF_TIME:
            rows, slots = self._on_time(batch, rows, slots)
        if not len(rows):
            return None
        if len(rows) < batch.length:
            batch = batch.with_selection(rows.astype(np.uint32))
        if len(self._slots) > known:
            self.next_close = min(self.next_close, self._slots.next_close(self._watermark, known))
        self._account(self._state.bytes_with(batch))
        if self._state.prepare(len(rows)):
            self._take(batch, slots)
            return None
        return self._taking(batch, slots)

    def _on_time(self, batch: Batch, rows: Rows, slots: Slots) -> tuple[Rows, Slots]:
        """The rows that some window still waits for; windows that do not are told of theirs."""
        some_closed = self._slots.first_closed_at <= self._watermark
        if not some_closed.any():
            return rows, slots
        suspects = some_closed[slots]
        if not suspects.any():
            return rows, slots
        self.late.judge(batch, rows[suspects], self._slots.starts[slots[suspects]], self._windows, self._watermark)
        on_time = (self._slots.closed_at > self._watermark)[slots]
        return rows[on_time], slots[on_time]

    def _taking(self, batch: Batch, slots: Slots) -> Emission:
        while not self._state.prepare(len(slots)):
            yield Suspend(READY)
        self._take(batch, slots)

    def _take(self, batch: Batch, slots: Slots) -> None:
        self._state.take(batch, slots)
        self._account()

    def _account(self, groups: int | None = None) -> None:
        ahead = sum([each.state.bytes + each.slots.bytes for each in self._ahead])
        self._reservation.resize((self._state.bytes if groups is None else groups) + self._slots.bytes + ahead)

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Gives the windows that are complete now."""
        if self._ahead:
            return self._catch_up(watermark.time)
        before, self._watermark = self._watermark, watermark.time
        if watermark.time < self.next_close:
            return None
        return self._close(before)

    def _catch_up(self, time: int) -> Emission:
        """Groups that were ahead are as all others when time has come to where they were."""
        while self._ahead and self._ahead[0].time <= time:
            before, self._watermark = self._watermark, max(self._watermark, self._ahead[0].time)
            yield from self._close(before)
            there = self._ahead.pop(0)
            slots = self._slots.of(there.slots.numbers)
            groups = np.arange(there.state.groups, dtype=np.uint32)
            self._state.absorb(there.state, groups, slots[there.state.slots()])
            self._account()
        before, self._watermark = self._watermark, time
        yield from self._close(before)

    def _next(self) -> int:
        nexts = [each.slots.next_close(each.time) for each in self._ahead]
        return min([self._slots.next_close(self._watermark), *nexts])

    def _close(self, before: int) -> Emission:
        if self._windows.single:
            yield from self._close_panes(before)
        else:
            yield from self._close_windows(before)
        yield from self._forget()
        self.next_close = self._next()

    def _close_panes(self, before: int) -> Emission:
        """Windows that are panes need no merging."""
        closes = self._slots.closed_at
        closing = (closes > before) & (closes <= self._watermark)
        slots = self._state.slots()
        groups = np.flatnonzero(closing[slots])
        if closing.sum() > 1:
            groups = groups[np.argsort(closes[slots[groups]], kind="stable")]
        starts = self._slots.starts
        yield from self._give(self._state, groups.astype(np.uint32), slots, starts, self._windows.last_ends(starts))

    def _close_windows(self, before: int) -> Emission:
        slots = self._state.slots()
        counts = np.bincount(slots, minlength=len(self._slots))
        panes, starts, ends = self._windows.windows(self._slots.starts)
        closes = self._windows.closed_at(ends)
        due = np.flatnonzero((closes > before) & (closes <= self._watermark) & (counts[panes] > 0))
        due = due[np.lexsort((starts[due], ends[due]))]
        panes, starts, ends = panes[due], starts[due], ends[due]
        # Groups of the panes of these windows, by pane.
        wanted = np.zeros(len(counts), np.bool_)
        wanted[panes] = True
        counts = np.where(wanted, counts, 0)
        by_slot = np.flatnonzero(wanted[slots])
        by_slot = by_slot[np.argsort(slots[by_slot], kind="stable")].astype(np.uint32)
        firsts = np.cumsum(counts) - counts
        # Pairs of one window lie together; a chunk takes whole windows.
        fresh = np.ones(len(due), np.bool_)
        fresh[1:] = (starts[1:] != starts[:-1]) | (ends[1:] != ends[:-1])
        window = np.cumsum(fresh) - 1
        for first, last in _chunks(fresh, counts[panes], self._context.batch_rows):
            chosen = slice(first, last)
            sizes = counts[panes[chosen]]
            places = np.repeat(firsts[panes[chosen]] - (np.cumsum(sizes) - sizes), sizes) + np.arange(sizes.sum())
            numbers = np.repeat(window[chosen] - window[first], sizes).astype(np.int32)
            begun = fresh[chosen]
            yield from self._merge(by_slot[places], numbers, starts[chosen][begun], ends[chosen][begun])

    def _merge(self, groups: GroupNumbers, numbers: Slots, starts: Times, ends: Times) -> Emission:
        merged = self._state.fresh()
        for at in range(0, len(groups), MOVED_AT_ONCE):
            some = slice(at, at + MOVED_AT_ONCE)
            self._merging.resize(merged.bytes + merged.bytes_with_groups(len(groups[some])))
            merged.absorb(self._state, groups[some], numbers[some])
            yield Suspend(READY)
        self._merging.resize(merged.bytes)
        whole = np.arange(merged.groups, dtype=np.uint32)
        yield from self._give(merged, whole, merged.slots(), starts, ends)
        self._merging.resize(0)

    def _give(self, state: WindowState, groups: GroupNumbers, slots: Slots, starts: Times, ends: Times) -> Emission:
        for at in range(0, len(groups), self._context.batch_rows):
            some = state.visible(groups[at : at + self._context.batch_rows])
            if len(some):
                of = slots[some]
                yield self._rows(state, some, starts[of], ends[of])

    def _rows(self, state: WindowState, groups: GroupNumbers, starts: Times, ends: Times) -> Batch:
        made: list[Column] = window_columns(self._windows, self._of, starts, ends, self._node)
        return Batch([*state.keys_of(groups), *made, *state.results_of(groups)], len(groups))

    def _forget(self) -> Emission:
        """Drops dead groups if they are most of all."""
        alive = self._slots.closed_at > self._watermark
        slots = self._state.slots()
        living = np.flatnonzero(alive[slots]).astype(np.uint32)
        if len(living) == len(slots) and alive.all():
            return
        if 2 * len(living) > len(slots) and 2 * alive.sum() > len(alive):
            return
        new = self._slots.renumber(np.flatnonzero(alive).astype(np.uint32))
        self._state = yield from self._state.moved(living, new, self._merging.resize)
        self._merging.resize(0)
        self._account()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The groups that some window waits for, their panes, and how far time has come; the same of those that are ahead."""
        states = [_Ahead(self._watermark, self._slots, self._state), *self._ahead]
        return join_parts([self._saved(each, keys) for each in states])

    def _saved(self, of: _Ahead, keys: KeyRange) -> bytes:
        groups = of.state.groups_in(keys)
        slots = of.state.slots()[groups]
        waits = of.slots.closed_at[slots] > of.time
        parts = of.state.snapshot(groups[waits])
        return join_parts([struct.pack("<q", of.time), of.slots.snapshot(np.unique(slots[waits])), *parts])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave.

        Time has come as far as for the least of all.  Groups of a task that was ahead wait until it is where that was, so that no window is given
        twice; a window that is a pane of its own is no more there once it was given.
        """
        states = [state for part in parts if part for state in split_parts(part)]
        if not states:
            return
        time = least([next(split_parts(state)) for state in states])
        by_time: dict[int, list[bytes]] = defaultdict(list)
        for state in states:
            by_time[time if self._windows.single else least([next(split_parts(state))])].append(state)
        first, *self._ahead = [self._united(each, by_time[each]) for each in sorted(by_time)]
        self._watermark, self._slots, self._state = first.time, first.slots, first.state
        self._ahead = [each for each in self._ahead if each.state.groups]
        self._account()
        self.next_close = self._next()

    def _united(self, time: int, states: Sequence[bytes]) -> _Ahead:
        each = across(states)
        next(each)
        made = _Ahead(time, PaneSlots(self._windows), window_state(self._node))
        made.state.restore(each, made.slots.restore(next(each)))
        return made

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._state.clear()
            self._reservation.release()
            self._merging.release()


def _chunks(fresh: Mask, sizes: Rows, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of pairs that are whole windows, with about ``most`` groups or one large window each."""
    begins = np.append(np.flatnonzero(fresh), len(fresh))
    before = np.append(0, np.cumsum(sizes))[begins]
    window = 0
    while window < len(begins) - 1:
        after = int(np.searchsorted(before, before[window] + most, "right")) - 1
        after = max(after, window + 1)
        yield int(begins[window]), int(begins[after])
        window = after
