"""KEEP LAST with lateness: a late row takes its place in the order of time, and the firings that it changes are taken back and said anew.

What a window's firings are follows from its rows in the order of time and from the watermark.  So all rows of windows are kept until no row can
change them any more; of a group that a late row touches the firings are computed without it and with it, and what differs is said.  Rows in
the order of time are taken as ever, whatever else is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat, take_rows
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.multi_state import consolidated
from tableflow.physical.assign_windows import rows_in_panes
from tableflow.physical.grouped_rows import GroupedRows
from tableflow.physical.last_rows import LastRows
from tableflow.physical.last_rows_windows import LastRowsOperator
from tableflow.physical.window_state import Part, Slots
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import START_OF_TIME
from tableflow.runtime.operator import Emission


class CorrectedFiringsOperator(LastRowsOperator):
    """Over windows of event time; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        super().__init__(node)
        self._grace = node.emit.lateness or 0
        self._kept = GroupedRows([f.type for f in node.input.fields], changing=False)
        """All rows of each group, in the order in which they were taken."""

    def _held(self) -> int:
        return super()._held() + self._kept.nbytes

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
        self._reservation.resize(self._held() + self._last.bytes_with(more) + more.nbytes)
        groups = self._last.place(more, slots)
        touched = np.unique(groups)
        said = list(self._weighted(self._replayed(touched)[1], -1))
        self._kept.add(more, groups)
        again, firings = self._replayed(touched)
        self._last.replace(again)
        self._reservation.resize(self._held())
        said += self._weighted(firings, 1)
        changes = consolidated(concat(said)) if said else None
        if changes is not None and changes.length:
            yield from changes.pieces(self._context.batch_rows)

    def _weighted(self, firings: Sequence[Batch], weight: int) -> Iterator[Batch]:
        for batch in firings:
            yield Batch(batch.columns, batch.length, None, np.full(batch.length, weight, np.int64))

    def _replayed(self, groups: GroupNumbers) -> tuple[LastRows, list[Batch]]:
        """These groups as their rows make them in the order of time, and all their firings up to now."""
        assert self._order is not None
        again, firings = LastRows(self._node, self._every), list[Batch]()
        rows, lanes = self._kept.of(groups)
        if rows is None:
            return again, firings
        order = self._order.order_of(rows)
        rows, slots = take_rows(rows, order), self._last.named(groups)[0][lanes[order]]
        at = 0
        step = self._event_clock
        released = self._order.by_interval(rows, step, START_OF_TIME, self._watermark) if step else ((rows, False),)
        for some, over in released:
            if over:
                firings += self._told(again, again.fire(again.pending()))
            if some is not None:
                firings += self._told(again, again.take(some, slots[at : at + some.length]))
                at += some.length
        closed = self._slots.closed_by(self._watermark)[again.slots()]
        firings += self._told(again, again.fire(again.pending() & closed))
        return again, firings

    def _retain(self, groups: GroupNumbers, slots: Slots) -> None:
        super()._retain(groups, slots)
        self._kept.retain(groups)

    def _saved(self, groups: GroupNumbers) -> list[Part]:
        return [*super()._saved(groups), self._kept.snapshot(groups)]

    def _restored(self, parts: Iterator[Sequence[Part]], slots: Sequence[Slots]) -> list[GroupNumbers]:
        placed = super()._restored(parts, slots)
        self._kept.restore(next(parts), placed)
        return placed
