"""GLOBAL: one window for ever, in which each firing of a key is a row of its own, with its number.

Rows are taken as they arrive, or in the order that ORDER BY gives, for which they wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.representation import canonical
from tableflow.physical.firing_windows import FiringOperator
from tableflow.physical.rows_in_order import RowsInOrder
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.window_numbers import running
from tableflow.physical.window_state import Slots
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission
from tableflow.types import BIGINT


class GlobalWindowOperator(FiringOperator):
    """One window for ever, in which each firing of a key is a row; what is pending at the end fires as well."""

    def __init__(self, node: WindowedAggregate) -> None:
        super().__init__(node)
        self._fired = np.empty(0, np.int64)
        self._beyond = np.empty(0, np.int64)
        """By group that is shown, its rows since the last firing at so many rows: firings at other moments do not begin a new count."""
        if self._on_update and not node.changing:
            self._rows = 1  # each firing is a row of its own, so how many there are must not depend on batches
        self._order = (
            RowsInOrder(node.input, node.order, in_time=node.in_time) if node.order and not node.changing else None
        )

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Takes rows, at once or to wait for their turn."""
        if self._order is None:
            return self._take(batch)
        late = self._order.add(batch)
        if late:
            self._context.count("late_rows", late)
        self._reservation.resize(self._held())
        return None

    def _held_rows(self) -> int:
        return super()._held_rows() + (0 if self._order is None else self._order.count)

    def _held(self) -> int:
        return super()._held() + 2 * self._fired.nbytes + (0 if self._order is None else self._order.bytes)

    def _take(self, batch: Batch) -> Emission:
        """Adds rows; fires what is due: a key with rows for several firings fires several times."""
        for some in self._rounds(batch) if self._rows and batch.rows else (batch,):
            if some.rows:
                self._add(some, np.zeros(some.rows, np.int32))
                yield from self._fire(self._due())

    def _rounds(self, batch: Batch) -> Iterator[Batch]:
        """The rows of each key up to its next firing, then those up to the one after, and so on."""
        groups = self._pending.place(batch, np.zeros(batch.rows, np.int32))
        self._begin_counting()
        order = np.argsort(groups, kind="stable")
        ranks = np.empty(len(groups), np.int64)
        ranks[order] = running(groups[order].astype(np.int64), np.ones(len(order), np.int64))
        rounds = (self._arrived[groups] + ranks - 1) // self._rows
        own = np.arange(batch.length, dtype=np.uint32) if batch.selection is None else batch.selection
        for number in range(int(rounds.max()) + 1):
            yield batch.with_selection(own[rounds == number])

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Rows whose turn has come; an interval of event time may be over; at the end everything fires."""
        before, self._watermark = self._watermark, watermark.time
        for rows, over in self._released(before):
            if over:
                yield from self._fire(np.ones(self._pending.groups, np.bool_))
            for at in range(0, 0 if rows is None else rows.length, self._context.batch_rows):
                assert rows is not None
                yield from self._take(rows.slice(at, self._context.batch_rows))
        if watermark.time == END_OF_TIME:
            yield from self._fire(np.ones(self._pending.groups, np.bool_))

    def _released(self, before: int) -> Iterator[tuple[Batch | None, bool]]:
        """Rows whose turn has come, and whether an interval of event time is over before them; rows that wait are in its intervals."""
        step, time = self._event_clock, self._watermark
        rows = None if self._order is None else self._order.release(time)
        if self._order is not None and step:
            yield from self._order.by_interval(rows, step, before, time)
            return
        begun = step and before > START_OF_TIME  # the first watermark says when time begins
        yield rows, bool(begun and time // step > before // step)

    def _begin_counting(self) -> None:
        fresh = np.arange(len(self._arrived), self._pending.groups, dtype=np.uint32)
        super()._begin_counting()
        if self._rows and (self._clock or self._event_clock):
            known = self._shown.locate(self._pending, fresh)
            self._know()
            self._arrived[fresh] = self._beyond[known]

    def _know(self) -> None:
        none = np.zeros(self._shown.groups - len(self._fired), np.int64)
        self._fired, self._beyond = np.append(self._fired, none), np.append(self._beyond, none)

    def _replace(self, groups: GroupNumbers) -> Batch | None:
        numbers = self._shown.absorb(self._pending, groups)
        self._know()
        self._fired[numbers] += 1
        if self._rows:
            self._beyond[numbers] = self._arrived[groups] % self._rows
        visible = self._shown.visible(numbers)
        if not len(visible):
            return None
        return Batch(self._output(visible, self._shown.results_of(visible)), len(visible))

    def _output(self, groups: GroupNumbers, results: list[Column]) -> list[Column]:
        made = super()._output(groups, results)
        if self._node.fire is not None:
            at = len(made) - len(results)
            made.insert(at, Column(BIGINT, pa.array(self._fired[groups])))
        return made

    def _window(self, slots: Slots) -> list[Column]:
        asked = (self._node.start, self._node.end, self._node.window_time)
        return [Column(f.type, pa.nulls(len(slots), canonical(f.type))) for f in asked if f is not None]

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The groups, how often each has fired, and rows that wait."""
        waiting = b"" if self._order is None else self._order.snapshot(keys)
        shown, pending = (of.groups_in(keys) for of in (self._shown, self._pending))
        counts = [self._fired[shown].tobytes(), self._beyond[shown].tobytes()]
        return join_parts([waiting, *counts, *self._saved(shown, pending)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave; the firings of each group are numbered on."""
        each = across(parts)
        waiting, *counts = (next(each) for _ in range(3))
        if self._order is not None:
            self._order.restore(waiting)
        placed = self._restored(each, [np.zeros(1, np.int32)] * len(waiting))
        self._know()
        for of, parts_of in zip((self._fired, self._beyond), counts, strict=True):
            for saved, groups in zip(parts_of, placed, strict=True):
                of[groups] = np.frombuffer(saved, np.int64)
