"""The rows of windows of rows: their partitions, their turn, and the windows that they are in, by slot.

The rows of a partition are numbered from 1, in the order that ORDER BY gives (they wait for the watermark then) or as they
arrive.  A window is over when the row that ends it has come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_rows
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.columnar.representation import canonical
from tableflow.expressions.window_assigner import CountHop
from tableflow.physical.node import dealt_by, positions
from tableflow.physical.rows_in_order import RowsInOrder
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.timed_slots import moved
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
        self._order = RowsInOrder(node.input, node.order, in_time=node.in_time) if node.order else None
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

    def snapshot(self, keys: KeyRange) -> tuple[Part, Slots]:
        """A range of partitions and their numbering, their open windows, and rows that wait; the slots of the windows."""
        partitions = self._partitions.groups_in(keys, dealt_by(self._node.input, self._node.partition))
        place = renumbered(self._partitions.groups, partitions)
        of, windows = (self._windows.key(i, 0, len(self.open)).array.to_numpy() for i in (0, 1))
        slots = np.flatnonzero(self.open & (place[of] >= 0)).astype(np.int32)
        arrays = (slots, place[of[slots]].astype(np.int64), windows[slots], self.starts[slots], self.ends[slots])
        waiting = b"" if self._order is None else self._order.snapshot(keys)
        numbered = [self._partitions.snapshot(partitions), self._numbering.snapshot(partitions)]
        return join_parts([*numbered, waiting, *[a.tobytes() for a in arrays]]), slots

    def restore(self, states: Sequence[Part]) -> list[Slots]:
        """Takes what :meth:`snapshot` of several gave, one behind the other; for each, the new numbers of its slots by the old ones."""
        tables, numbering, waiting, *arrays = across(states)
        placed = self._partitions.unite(tables)
        self._numbering.restore(numbering, placed)
        if self._order is not None:
            self._order.restore(waiting)
        found: list[Slots] = []
        for groups, old, *saved in zip(placed, *arrays, strict=True):
            of, windows, starts, ends = (np.frombuffer(each, np.int64) for each in saved)
            columns = [Column(BIGINT, pa.array(values)) for values in (groups.astype(np.int64)[of], windows)]
            slots = self._windows.number(columns, [], len(windows))
            found.append(moved(np.frombuffer(old, np.int32), slots))
            self.starts, self.ends = np.append(self.starts, starts), np.append(self.ends, ends)
        self.open = np.ones(len(self.starts), np.bool_)
        return found
