"""Windows of rows: TUMBLE and HOP over so many ROWS, PUNCTUATED, LANDMARK, DELTA; one final row for each window and key.

The rows of a partition are numbered from 1, in the order that ORDER BY gives (they wait for the watermark then) or as they
arrive.  A window is over when the row that ends it has come; what is open when the input ends is given then.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_rows
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.representation import canonical
from tableflow.expressions.window_assigner import CountHop
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.node import positions
from tableflow.physical.rows_in_order import RowsInOrder
from tableflow.physical.state_parts import join_parts, split_parts
from tableflow.physical.window_numbers import Numbered, numbering_of
from tableflow.physical.window_state import MOVED_AT_ONCE, Mask, Slots
from tableflow.physical.window_times import Rows, Times
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT

_NONE = np.empty(0, np.int64)


class NumberedWindowsOperator(Operator):
    """One task's partitions; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._node = node
        where = positions(node.input.fields)
        self._by = [where[column] for column in node.partition]
        self._partitions = GroupTable([node.input.fields[i].type for i in self._by], [])
        self._numbering = numbering_of(node)
        self._order = RowsInOrder(node.input.fields, node.order, in_time=node.in_time) if node.order else None
        self._windows = GroupTable([BIGINT, BIGINT], [])  # (partition, window) by slot
        self._starts: Times = _NONE
        self._ends: Times = _NONE
        self._open: Mask = np.empty(0, np.bool_)
        self._state = window_state(node)

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty tables."""
        self._context = context
        self._reservation = context.reserve("windows", self._held())
        self._reservation.rows = self._held_rows

    def _held_rows(self) -> int:
        """Open windows, partitions (their numbering goes on for ever), and rows that wait."""
        waiting = 0 if self._order is None else self._order.count
        return int(self._open.sum()) + self._partitions.groups + waiting

    def _held(self) -> int:
        waiting = 0 if self._order is None else self._order.bytes
        tables = self._partitions.bytes + self._windows.bytes + self._state.bytes + self._numbering.nbytes
        return tables + 3 * self._starts.nbytes + waiting

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Takes rows, at once or to wait for their turn."""
        if not batch.rows:
            return None
        self._reservation.resize(self._held() + self._state.bytes_with(batch) - self._state.bytes)
        if self._order is None:
            return self._take(batch)
        late = self._order.add(batch)
        if late:
            self._context.count("late_rows", late)
        self._reservation.resize(self._held())
        return None

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Rows whose turn has come."""
        if self._order is None:
            return
        rows = self._order.release(watermark.time)
        for at in range(0, 0 if rows is None else rows.length, self._context.batch_rows):
            assert rows is not None
            yield from self._take(rows.slice(at, self._context.batch_rows))

    def on_end(self, port: int) -> Emission:
        """Windows that nothing has ended are over as well."""
        yield from self._give(self._open.copy())

    def _take(self, batch: Batch) -> Emission:
        by = [batch.columns[i] for i in self._by]
        partitions = self._partitions.number(by, [], batch.length, batch.selection).astype(np.int64)
        numbered = self._numbering.take(batch, partitions)
        if len(numbered.rows):
            slots, over = self._place(partitions, numbered)
            own = np.arange(batch.length) if batch.selection is None else batch.selection.astype(np.int64)
            whole = len(numbered.rows) == batch.length and not isinstance(self._node.assigner, CountHop)
            rows = batch if whole else take_rows(batch, own[numbered.rows])
            self._state.take(rows, slots)
        else:
            over = np.zeros(len(self._open), np.bool_)
        self._reservation.resize(self._held())
        return self._give(over | self._ended(numbered))

    def _place(self, partitions: Rows, numbered: Numbered) -> tuple[Slots, Mask]:
        """The slot of each row in a window, and which slots have their last row now."""
        columns = [Column(BIGINT, pa.array(values)) for values in (partitions[numbered.rows], numbered.windows)]
        slots = self._windows.number(columns, [], len(numbered.rows)).view(np.int32)
        fresh = self._windows.groups - len(self._open)
        self._starts = np.append(self._starts, np.full(fresh, 2**63 - 1))
        self._ends = np.append(self._ends, np.full(fresh, -(2**63)))
        self._open = np.append(self._open, np.ones(fresh, np.bool_))
        np.minimum.at(self._starts, slots, numbered.starts)
        np.maximum.at(self._ends, slots, numbered.ends)
        over = np.zeros(len(self._open), np.bool_)
        over[slots[numbered.last]] = True
        return slots, over

    def _ended(self, numbered: Numbered) -> Mask:
        """Open windows that a later one of their partition has ended."""
        over = np.zeros(len(self._open), np.bool_)
        if numbered.begun is not None and len(self._open):
            slots = np.flatnonzero(self._open)
            partitions, windows = (self._windows.key(i, 0, len(self._open)).array.to_numpy()[slots] for i in (0, 1))
            over[slots] = windows < numbered.begun[partitions]
        return over

    def _give(self, over: Mask) -> Emission:
        over &= self._open
        if not over.any():
            return
        slots = self._state.slots()
        groups = np.flatnonzero(over[slots]).astype(np.uint32)
        for at in range(0, len(groups), self._context.batch_rows):
            some = groups[at : at + self._context.batch_rows]
            places, results = self._state.said(some)
            of = slots[some] if places is None else slots[some][places]
            asked = ((self._node.start, self._starts[of]), (self._node.end, self._ends[of]))
            made = [Column(field.type, pa.array(values)) for field, values in asked if field is not None]
            if self._node.window_time is not None:
                made.append(
                    Column(self._node.window_time.type, pa.nulls(len(of), canonical(self._node.window_time.type)))
                )
            said = Batch([*self._state.keys_of(some), *made, *results], len(of))
            yield from said.pieces(self._context.batch_rows)
        self._open &= ~over
        yield from self._forget()

    def _forget(self) -> Emission:
        """Drops windows that have been given, if they are most of all."""
        kept = np.flatnonzero(self._open)
        if 2 * len(kept) > len(self._open):
            return
        slots = self._state.slots()
        living = np.flatnonzero(self._open[slots]).astype(np.uint32)
        new = np.full(len(self._open), -1, np.int32)
        new[kept] = np.arange(len(kept), dtype=np.int32)
        self._windows.retain(kept.astype(np.uint32))
        self._starts, self._ends, self._open = self._starts[kept], self._ends[kept], self._open[kept]
        state = self._state.fresh()
        for at in range(0, len(living), MOVED_AT_ONCE):
            some = living[at : at + MOVED_AT_ONCE]
            state.absorb(self._state, some, new[slots[some]])
            yield Suspend(READY)
        self._state = state
        self._reservation.resize(self._held())

    def snapshot(self) -> bytes:
        """Partitions and their numbering, open windows, rows that wait."""
        arrays = [a.tobytes() for a in (self._starts, self._ends, self._open)]
        waiting = b"" if self._order is None else self._order.snapshot()
        tables = [self._partitions.snapshot(), self._numbering.snapshot(), self._windows.snapshot()]
        return join_parts([*tables, *arrays, waiting, *self._state.snapshot()])

    def restore(self, state: bytes) -> None:
        """Takes what :meth:`snapshot` gave."""
        parts = split_parts(state)
        self._partitions.restore(next(parts))
        self._numbering.restore(next(parts))
        self._windows.restore(next(parts))
        self._starts, self._ends = (np.frombuffer(next(parts), np.int64).copy() for _ in range(2))
        self._open = np.frombuffer(next(parts), np.bool_).copy()
        waiting = next(parts)
        if self._order is not None:
            self._order.restore(waiting)
        self._state.restore(parts)
        self._reservation.resize(self._held())

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._state.clear()
            self._reservation.release()
