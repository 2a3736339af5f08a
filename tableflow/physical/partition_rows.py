"""The rows of a changelog by partition, for operators that compute a partition again when it is touched.

Invariant: what such an operator has emitted is a function of the rows that are visible, so nothing but rows and counts is kept:
the old output follows from the counts before a change, the new one from those after it.  A change is taken in pieces (:meth:`PartitionRows.take`),
and its partitions are looked at once, however many pieces it has: what it costs is its rows and those of the partitions.  Rows are ordered by all their columns in the
end, so that the function depends on nothing but them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested, take_columns
from tableflow.columnar.kernels.multi_state import MultiState, Numbers, RowChanges, Slots, SortedRows
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.columnar.kernels.sorting import Key, sort_indices, sort_indices_steps
from tableflow.columnar.kernels.windows import key_changes
from tableflow.columnar.keys import encode
from tableflow.physical.node import PhysicalNode, dealt_by, positions
from tableflow.physical.properties import OrderingKey
from tableflow.physical.state_age import StateAge
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, OperatorContext, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BYTES, INT

PIECE_ROWS = 8192
_TOUCHED_ROWS = 16_384
_ROW_BYTES = 64
"""What a touched row costs besides its columns: its numbers, and its place in the order."""


@dataclass(frozen=True, slots=True)
class TouchedRows:
    """All rows of some of the partitions that a change has touched, in order: columns, the number of the partition, and how often each
    row was and is visible.
    """

    columns: list[Column]
    slots: Slots
    partitions: npt.NDArray[np.int64]
    before: Numbers
    after: Numbers


class PartitionRows:
    """Keeps the fields ``kept`` (and those of partition and order) of an input by ``partition``, to be seen in ``order``."""

    def __init__(
        self,
        leaf: PhysicalNode,
        kept: Iterable[int],
        partition: Sequence[int],
        order: Sequence[OrderingKey] = (),
        *,
        ttl: int = 0,
    ) -> None:
        """``ttl``: a partition from which nothing has changed for so many microseconds is forgotten, unless it is the only one."""
        inputs = leaf.fields
        wanted = {*kept, *partition, *(key.column for key in order)}
        self.fields = tuple(f for f in inputs if f.id in wanted)
        where, there = positions(inputs), positions(self.fields)
        self._read = [where[f.id] for f in self.fields]
        self._dealt = dealt_by(leaf, [f.id for f in self.fields])
        self._keys = [there[column] for column in partition]
        self.state = MultiState([f.type for f in self.fields], self._keys, [True] * len(self._keys))
        chosen: list[Key] = [(there[key.column], key.descending, key.nulls_first) for key in order]
        rest = sorted(set(range(len(self.fields))) - set(self._keys) - {position for position, _, _ in chosen})
        self._scratch: Numbers = np.zeros(0, np.int64)
        self._changed: list[Slots] = []
        self._sorted: SortedRows | None = None
        self._age = StateAge(ttl if partition else 0)
        self._order: list[Key] = [*chosen, *((position, False, False) for position in rest)]

    def in_order(self) -> SortedRows:
        """All rows in order, for one who keeps that up to date."""
        self._sorted = SortedRows(self.state, [*((key, False, False) for key in self._keys), *self._order])
        return self._sorted

    @property
    def _bytes(self) -> int:
        kept = 0 if self._sorted is None else self._sorted.bytes
        changed = sum([slots.nbytes for slots in self._changed])
        return self.state.bytes + self._scratch.nbytes + self._age.held + kept + changed

    def open(self, context: OperatorContext) -> None:
        """Accounts for the rows."""
        self._context = context
        self._age.begin(context)
        self._reservation: Reservation = context.reserve("rows", self.state.bytes)
        self._reservation.rows = lambda: self.state.rows
        self._touched: Reservation = context.reserve("touched rows")
        self._touched.rows = lambda: 0  # a copy, for as long as changes are computed

    def room(self, batch: Batch) -> Emission:
        """Waits until the directories have room for the rows of a batch."""
        while not self.state.prepare(batch.rows):
            yield Suspend(READY)

    def leading(self, batch: Batch, limit: int) -> Generator[None, None, Batch]:
        """Rows that may be among the first ``limit`` of their partition if rows are only added; pauses now and then."""
        if batch.rows <= limit or any(is_nested(batch.columns[i]) for i in self._read):
            return batch
        partition = [(self._read[i], False, False) for i in self._keys]
        ordered = [(self._read[i], descending, nulls_first) for i, descending, nulls_first in self._order]
        order = yield from sort_indices_steps(batch, [*partition, *ordered])
        yield
        keys = take_columns([batch.columns[i] for i, _, _ in partition], order)
        starts = np.zeros(1, np.int64)
        if keys:
            starts = np.concatenate((starts, key_changes(Batch(keys, len(order)), range(len(keys)))))
        places = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
        return batch.with_selection(np.sort(order[places < limit]).astype(np.uint32))

    def kept(self, batch: Batch) -> Batch:
        """A batch's columns :attr:`fields`."""
        return batch.project(self._read)

    def apply(self, batch: Batch) -> RowChanges:
        """Adds the rows of a batch; what it has changed is for the caller to know."""
        return self._apply(self.kept(batch), settles=True)

    def take(self, rows: Batch) -> Generator[Suspend, None, None]:
        """Adds rows with the columns :attr:`fields` to the change that is being taken; pauses now and then."""
        for piece in rows.pieces(PIECE_ROWS):
            while not self.state.prepare(piece.rows):
                yield Suspend(READY)
            self._add(piece)
            yield Suspend(READY)

    def _add(self, rows: Batch) -> None:
        changes = self._apply(rows, settles=not self._changed)
        if len(self._scratch) < self.state.slots:
            more = self.state.slots + self.state.slots // 2 - len(self._scratch)
            self._scratch = np.concatenate((self._scratch, np.zeros(more, np.int64)))
        self._scratch[changes.slots] += changes.deltas
        self._changed.append(changes.slots)

    def _apply(self, rows: Batch, *, settles: bool) -> RowChanges:
        self._reservation.resize(self.state.bytes_after(rows.columns, rows.rows) + self._bytes - self.state.bytes)
        changes = self.state.apply(rows.columns, rows.length, rows.selection, rows.weights, settles=settles)
        self._reservation.resize(self._bytes)
        return changes

    def touched(self) -> Iterator[TouchedRows]:
        """The rows of the partitions of rows whose count the change has altered, some whole partitions at a time; :meth:`settle` ends it.

        Rows must not be removed meanwhile.
        """
        changed = np.unique(np.concatenate([np.zeros(0, np.uint32), *self._changed]))
        changed = changed[self._scratch[changed] != 0]
        found: list[tuple[Slots, Slots]] = []
        for lanes, slots in self.state.chains(changed).pieces(_TOUCHED_ROWS):
            whole = int(np.searchsorted(lanes, lanes[-1]))  # the last partition may go on
            if whole:
                yield self._rows_of([*found, (lanes[:whole], slots[:whole])])
                found.clear()
            found.append((lanes[whole:], slots[whole:]))
        if found:
            yield self._rows_of(found)
        self._scratch[changed] = 0

    def _rows_of(self, found: Sequence[tuple[Slots, Slots]]) -> TouchedRows:
        lanes, slots = (np.concatenate(parts) for parts in zip(*found, strict=True))
        self._age.touch(slots)
        self._context.count("recomputed_rows", len(slots))
        partitions = lanes.astype(np.int64)
        after = self.state.counts(slots)
        before = after - self._scratch[slots]
        columns = self.state.columns(range(len(self.fields)), slots)
        self._touched.resize(2 * sum(c.nbytes for c in columns) + len(slots) * _ROW_BYTES)
        order = self._in_order(partitions, columns)
        taken = [partitions[order], np.maximum(before, 0)[order], np.maximum(after, 0)[order]]
        return TouchedRows(take_columns(columns, order), slots[order], *taken)

    def _in_order(self, partitions: npt.NDArray[np.int64], columns: list[Column]) -> npt.NDArray[np.int64]:
        """Rows by partition, then order, then whatever else they have."""
        keys: list[Key] = [(0, False, False)]
        compared = [Column(INT, pa.array(partitions.astype(np.int32)))]
        for position, descending, nulls_first in self._order:
            column = columns[position]
            keys.append((len(compared), descending, nulls_first))
            compared.append(Column(BYTES, encode(column)) if is_nested(column) else column)
        return sort_indices(Batch(compared, len(partitions)), keys)

    def settle(self) -> None:
        """What happened so far is over; rows may be in other slots then."""
        self._changed.clear()
        before = self.state.slots
        moved = self._age.compact(self.state)
        if self.state.slots < before:
            self._scratch = np.zeros(0, np.int64)
        if moved and self._sorted is not None:
            self._sorted.renew()
        self._touched.resize(0)
        self._reservation.resize(self._bytes)

    def touch(self, rows: Batch) -> None:
        """The partitions of these rows, which have the columns :attr:`fields`, change now."""
        keys = [rows.columns[i] for i in self._keys]
        for _, slots in self.state.probe(keys, rows.length, rows.selection).pieces(PIECE_ROWS):
            self._age.touch(slots)

    def forget_old(self) -> None:
        """Forgets partitions that have not changed for long; when a timer has come."""
        self._age.forget_rows(self.state)
        self.settle()

    def forget_below(self, column: int, bound: int) -> None:
        """Forgets the partitions in which the column (a timestamp, by id) is less than this."""
        self.state.remove(self.state.below(positions(self.fields)[column], bound))
        self.settle()

    def snapshot(self, keys: KeyRange) -> bytes:
        """The rows of a range of keys."""
        return self._age.save_rows(self.state, keys, self._dealt)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._age.load_rows(self.state, parts)
        self._reservation.resize(self._bytes)

    def close(self) -> None:
        """Gives the memory back."""
        self.state.clear()
        if hasattr(self, "_reservation"):
            self._reservation.release()
            self._touched.release()
