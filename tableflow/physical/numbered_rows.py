"""The rows of windows of rows: their partitions, their turn, and the windows that they are in, by slot.

The rows of a partition are numbered from 1, in the order that ORDER BY gives (they wait for the watermark then) or as they
arrive.  A window is over when the row that ends it has come.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_rows
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.representation import canonical
from tableflow.expressions.window_assigner import CountHop
from tableflow.physical.node import positions
from tableflow.physical.rows_in_order import RowsInOrder
from tableflow.physical.window_numbers import Numbered, numbering_of
from tableflow.physical.window_state import Mask, Part, Slots, renumbered
from tableflow.physical.window_times import Rows, Times
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import OperatorContext
from tableflow.types import BIGINT

_NONE = np.empty(0, np.int64)


class NumberedRows:
    """The partitions and windows of one task."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._node = node
        where = positions(node.input.fields)
        self._by = [where[column] for column in node.partition]
        self._partitions = GroupTable([node.input.fields[i].type for i in self._by], [])
        self._numbering = numbering_of(node)
        self._order = RowsInOrder(node.input.fields, node.order, in_time=node.in_time) if node.order else None
        self._windows = GroupTable([BIGINT, BIGINT], [])  # (partition, window) by slot
        self.starts: Times = _NONE
        """The first row of each slot's window."""
        self.ends: Times = _NONE
        """The last one; its window may not have it yet."""
        self.open: Mask = np.empty(0, np.bool_)

    @property
    def count(self) -> int:
        """Partitions (their numbering goes on for ever), and rows that wait."""
        return self._partitions.groups + (0 if self._order is None else self._order.count)

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        waiting = 0 if self._order is None else self._order.bytes
        return self._partitions.bytes + self._windows.bytes + self._numbering.nbytes + 3 * self.starts.nbytes + waiting

    def arrive(self, batch: Batch, context: OperatorContext) -> Iterator[Batch]:
        """Rows whose turn has come with these; the others wait."""
        if self._order is None:
            yield batch
            return
        late = self._order.add(batch)
        if late:
            context.count("late_rows", late)

    def released(self, time: int, context: OperatorContext) -> Iterator[Batch]:
        """Rows whose turn has come with time, in order."""
        rows = None if self._order is None else self._order.release(time)
        for at in range(0, 0 if rows is None else rows.length, context.batch_rows):
            assert rows is not None
            yield rows.slice(at, context.batch_rows)

    def take(self, batch: Batch) -> tuple[Batch | None, Slots, Mask]:
        """Rows in windows, some perhaps several times or not at all, with the slot of each; and which slots are over now."""
        by = [batch.columns[i] for i in self._by]
        partitions = self._partitions.number(by, [], batch.length, batch.selection).astype(np.int64)
        numbered = self._numbering.take(batch, partitions)
        if not len(numbered.rows):
            return None, np.empty(0, np.int32), self._ended(numbered)
        slots, over = self._place(partitions, numbered)
        own = np.arange(batch.length) if batch.selection is None else batch.selection.astype(np.int64)
        whole = len(numbered.rows) == batch.length and not isinstance(self._node.assigner, CountHop)
        return batch if whole else take_rows(batch, own[numbered.rows]), slots, over | self._ended(numbered)

    def _place(self, partitions: Rows, numbered: Numbered) -> tuple[Slots, Mask]:
        """The slot of each row in a window, and which slots have their last row now."""
        columns = [Column(BIGINT, pa.array(values)) for values in (partitions[numbered.rows], numbered.windows)]
        slots = self._windows.number(columns, [], len(numbered.rows)).view(np.int32)
        fresh = self._windows.groups - len(self.open)
        self.starts = np.append(self.starts, np.full(fresh, 2**63 - 1))
        self.ends = np.append(self.ends, np.full(fresh, -(2**63)))
        self.open = np.append(self.open, np.ones(fresh, np.bool_))
        np.minimum.at(self.starts, slots, numbered.starts)
        np.maximum.at(self.ends, slots, numbered.ends)
        over = np.zeros(len(self.open), np.bool_)
        over[slots[numbered.last]] = True
        return slots, over

    def _ended(self, numbered: Numbered) -> Mask:
        """Open windows that a later one of their partition has ended."""
        over = np.zeros(len(self.open), np.bool_)
        if numbered.begun is not None and len(self.open):
            slots = np.flatnonzero(self.open)
            partitions, windows = (self._windows.key(i, 0, len(self.open)).array.to_numpy()[slots] for i in (0, 1))
            over[slots] = windows < numbered.begun[partitions]
        return over

    def columns(self, starts: Times, ends: Times) -> list[Column]:
        """The window columns of windows with these bounds."""
        asked = ((self._node.start, starts), (self._node.end, ends))
        made = [Column(field.type, pa.array(values)) for field, values in asked if field is not None]
        time = self._node.window_time
        return made if time is None else [*made, Column(time.type, pa.nulls(len(starts), canonical(time.type)))]

    def renumber(self) -> Slots:
        """Forgets windows that are not open; the new number of each old slot."""
        kept = np.flatnonzero(self.open)
        new = renumbered(len(self.open), kept)
        self._windows.retain(kept.astype(np.uint32))
        self.starts, self.ends, self.open = self.starts[kept], self.ends[kept], self.open[kept]
        return new

    def snapshot(self) -> list[Part]:
        """Partitions and their numbering, open windows, rows that wait."""
        arrays = [a.tobytes() for a in (self.starts, self.ends, self.open)]
        waiting = b"" if self._order is None else self._order.snapshot()
        return [self._partitions.snapshot(), self._numbering.snapshot(), self._windows.snapshot(), *arrays, waiting]

    def restore(self, parts: Iterator[Part]) -> None:
        """Takes from ``parts`` what :meth:`snapshot` gave."""
        self._partitions.restore(next(parts))
        self._numbering.restore(next(parts))
        self._windows.restore(next(parts))
        self.starts, self.ends = (np.frombuffer(next(parts), np.int64).copy() for _ in range(2))
        self.open = np.frombuffer(next(parts), np.bool_).copy()
        waiting = next(parts)
        if self._order is not None:
            self._order.restore(waiting)
