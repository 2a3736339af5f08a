"""KEEP LAST with lateness: a late row takes its place in the order of time, and the firings that it changes are taken back and said anew.

What a window's firings are follows from its rows in the order of time and from the watermark.  So all rows of windows are kept until no row can
change them any more; of a group that a late row touches the firings are computed without it and with it, and what differs is said.  Rows in
the order of time are taken as ever, whatever else is kept.  Groups are corrected a share of them at a time: what a late row costs is the rows
of its group twice, and others are to have their turn meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat, take_rows
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.multi_state import consolidated
from tableflow.physical.assign_windows import rows_in_panes
from tableflow.physical.grouped_rows import GroupedRows
from tableflow.physical.last_rows import Firings, LastRows
from tableflow.physical.last_rows_windows import LastRowsOperator
from tableflow.physical.window_state import Part, Slots
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import START_OF_TIME
from tableflow.runtime.operator import Emission, Suspend
from tableflow.runtime.wake import READY

SHARE_ROWS = 65_536
"""About how many rows are replayed at once."""


class CorrectedFiringsOperator(LastRowsOperator):
    """Over windows of event time; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        super().__init__(node)
        self._grace = node.emit.lateness or 0
        self._kept = GroupedRows([f.type for f in node.input.fields], changing=False)
        """All rows of each group, in the order in which they were taken."""
        self._copies = 0
        """Bytes of what a correction has beside what is kept."""

    def _held(self) -> int:
        return super()._held() + self._kept.nbytes + self._copies

    def _held_rows(self) -> int:
        return super()._held_rows() + self._kept.rows

    def process(self, batch: Batch, port: int) -> Emission:
        """Rows wait for their turn; those whose turn is over correct what was said."""
        assert self._order is not None
        self._judge(batch)
        batch = compact(batch)
        behind = self._order.times(batch) < self._watermark
        if behind.any():
            yield from self._correct(take_rows(batch, np.flatnonzero(behind)))
            batch = take_rows(batch, np.flatnonzero(~behind))
        self._order.add(batch)
        self._reservation.resize(self._held())

    def _add(self, batch: Batch, slots: Slots) -> Emission:
        yield from super()._add(batch, slots)
        self._kept.add(batch, self._last.place(batch, slots))
        self._reservation.resize(self._held())

    def _correct(self, batch: Batch) -> Emission:
        assert self._time is not None
        rows, panes = rows_in_panes(batch, self._time, self._windows)
        which, starts, ends = self._windows.windows(self._windows.pane_starts(panes))
        timely = self._windows.closed_at(ends) > self._watermark - self._grace
        if not timely.any():
            return
        slots = self._slots.of(starts[timely], ends[timely])
        more = take_rows(batch, rows[which[timely]])
        self._hold(more.nbytes, more=self._last.bytes_with(more))
        groups = self._last.place(more, slots)
        for some in self._shares(groups):
            yield from self._correct_groups(take_rows(more, some), groups[some], more.nbytes)
        self._hold(0)

    def _hold(self, copies: int, more: int = 0) -> None:
        """Reserves what is kept, what a correction has beside it, and what it is about to keep."""
        self._copies = copies
        self._reservation.resize(self._held() + more)

    def _shares(self, groups: GroupNumbers) -> Iterator[npt.NDArray[np.int64]]:
        """Rows of these groups, whole groups at a time: so many as have few rows together, with those that are kept of them."""
        touched, lanes, often = np.unique(groups, return_inverse=True, return_counts=True)
        often += self._kept.counts(touched)
        shares = ((np.cumsum(often) - often) // SHARE_ROWS)[lanes]
        order = np.argsort(shares, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(shares[order])) + 1)

    def _correct_groups(self, more: Batch, groups: GroupNumbers, beside: int) -> Emission:
        """Late rows of a share of the groups, of which none has rows elsewhere."""
        touched = np.unique(groups)
        _, before = yield from self._replayed(touched, beside)
        said = [_weighted(batch, -1) for batch in before]
        beside += sum(batch.nbytes for batch in said)
        self._kept.add(more, groups)
        again, firings = yield from self._replayed(touched, beside)
        self._last.replace(again)
        said += [_weighted(batch, 1) for batch in firings]
        changes = consolidated(concat(said)) if said else None
        if changes is not None and changes.length:
            self._hold(changes.nbytes + beside)
            yield from changes.pieces(self._context.batch_rows)

    def _replayed(self, groups: GroupNumbers, beside: int) -> Generator[Suspend, None, tuple[LastRows, list[Batch]]]:
        """These groups as their rows make them in the order of time, and all their firings up to now."""
        assert self._order is not None
        again, firings = LastRows(self._node, self._every), list[Batch]()
        share = self._kept.nbytes * int(self._kept.counts(groups).sum()) // max(self._kept.rows, 1)
        self._hold(beside + 2 * share)
        rows, lanes = self._kept.of(groups)
        if rows is None:
            return again, firings
        order = self._order.order_of(rows)
        rows, slots = take_rows(rows, order), self._last.named(groups)[0][lanes[order]]
        beside += rows.nbytes
        for fired in self._fired(again, rows, slots):
            for batch in self._told(again, fired):
                firings.append(batch)
                beside += batch.nbytes
            self._hold(beside + again.nbytes)
            yield Suspend(READY)
        return again, firings

    def _fired(self, again: LastRows, rows: Batch, slots: Slots) -> Iterator[Firings]:
        """What fires while these rows, which are in order, come and time goes on to where it is."""
        assert self._order is not None
        at = 0
        step = self._event_clock
        released = self._order.by_interval(rows, step, START_OF_TIME, self._watermark) if step else ((rows, False),)
        for some, over in released:
            if over:
                yield again.fire(again.pending())
            if some is not None:
                yield again.take(some, slots[at : at + some.length])
                at += some.length
        closed = self._slots.closed_by(self._watermark)[again.slots()]
        yield again.fire(again.pending() & closed)

    def _retain(self, groups: GroupNumbers, slots: Slots) -> None:
        super()._retain(groups, slots)
        self._kept.retain(groups)

    def _saved(self, groups: GroupNumbers) -> list[Part]:
        return [*super()._saved(groups), self._kept.snapshot(groups)]

    def _restored(self, parts: Iterator[Sequence[Part]], slots: Sequence[Slots]) -> list[GroupNumbers]:
        placed = super()._restored(parts, slots)
        self._kept.restore(next(parts), placed)
        return placed


def _weighted(batch: Batch, weight: int) -> Batch:
    return Batch(batch.columns, batch.length, None, np.full(batch.length, weight, np.int64))
