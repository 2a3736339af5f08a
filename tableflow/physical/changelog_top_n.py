"""The first rows of each partition of a changelog.

Rows have places by their counts: a row that is there three times has three.  What a batch changes are the places of its
partitions' rows before and after it, and both follow from sums of counts in order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.multi_state import Slots, SortedRows
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.errors import InternalError
from tableflow.physical.first_rows import FirstRowsOperator, keeps_first_rows
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.partition_rows import PIECE_ROWS, PartitionRows, TouchedRows
from tableflow.physical.properties import OrderingKey
from tableflow.physical.steps import pausing
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable
from tableflow.types import BIGINT, Field

Numbers = npt.NDArray[np.int64]
_ALL = 1 << 62


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogTopN(UnaryNode):
    """Of the rows with equal columns ``partition`` those from ``offset`` on, ``limit`` of them (None: all), by ``order``.

    ``rank`` is the number of the row within its partition, from 1, appended to the columns of the input; ``fields`` are any columns
    of the input in order, then the rank if it is wanted.  Ties are broken by all remaining columns, so that the answer depends on
    nothing but the rows.  The output is a retract stream.  Equal partitions are in one task.
    ``appends``: the input has no weights, so rows behind the last place are forgotten, and those that are there within their batch
    are not even kept.  ``ttl``: partitions in which nothing changes are forgotten after so many microseconds.
    """

    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    limit: int | None
    offset: int = 0
    rank: Field | None = None
    appends: bool = False
    ttl: int = 0


class ChangelogTopNOperator(Operator):
    """One task's part of a :class:`ChangelogTopN`."""

    def __init__(self, node: ChangelogTopN) -> None:
        self._node = node
        kept = [f for f in node.fields if node.rank is None or f.id != node.rank.id]
        self._rows = PartitionRows(node.input, (f.id for f in kept), node.partition, node.order, ttl=node.ttl)
        there = positions(self._rows.fields)
        self._kept = [there[f.id] for f in kept]
        self._ranked = len(kept) < len(node.fields)
        self._first, self._end = node.offset, _ALL if node.limit is None else node.offset + node.limit
        # One partition of all rows is too much to be put in order again and again.
        alone = not node.partition and node.limit is not None and not node.appends
        self._sorted = self._rows.in_order() if alone else None

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._rows.open(context)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """What changes among the first rows."""
        if self._node.appends and batch.weights is not None:
            raise InternalError("changes arrive where rows are only added")
        return self._changes(batch) if batch.rows else None

    def _changes(self, batch: Batch) -> Emission:
        if self._node.appends and self._end < _ALL:
            batch = yield from pausing(self._rows.leading(batch, self._end))
        if self._sorted is None:
            yield from self._rows.take(self._rows.kept(batch))
            yield from self._recomputed()
            return
        for piece in batch.pieces(PIECE_ROWS):
            yield from self._rows.room(piece)
            made = self._shifted(piece, self._sorted)
            if made is not None and made.length:
                yield from made.pieces(self._context.batch_rows)
            self._rows.settle()

    def _recomputed(self) -> Emission:
        """Changes of the touched partitions' first rows."""
        beyond: list[Slots] = []
        for touched in self._rows.touched():
            old, new = (_places(touched.partitions, counts) for counts in (touched.before, touched.after))
            made = self._diff(touched, old, new)
            if self._node.appends and self._end < _ALL:
                beyond.append(touched.slots[new >= self._end])
            if made.length:
                yield from made.pieces(self._context.batch_rows)
            yield Suspend(READY)
        for slots in beyond:
            self._rows.state.remove(slots)
        self._rows.settle()

    def _shifted(self, piece: Batch, rows: SortedRows) -> Batch | None:
        """Changes of the first rows of all, which are kept in order."""
        old_slots, old_counts = self._leading(rows)
        changes = self._rows.apply(piece)
        rows.change(changes.slots[changes.before == 0], changes.slots[changes.after == 0])
        new_slots, new_counts = self._leading(rows)
        slots = np.union1d(old_slots, new_slots)
        before, after, old, new = (np.zeros(len(slots), np.int64) for _ in range(4))
        for own, counts, into, places in ((old_slots, old_counts, before, old), (new_slots, new_counts, after, new)):
            at = np.searchsorted(slots, own)
            into[at], places[at] = counts, np.cumsum(counts) - counts
        columns = self._rows.state.columns(range(len(self._rows.fields)), slots)
        return self._diff(TouchedRows(columns, slots, np.zeros(len(slots), np.int64), before, after), old, new)

    def _leading(self, rows: SortedRows) -> tuple[Slots, Numbers]:
        slots = rows.first(self._end)
        return slots, np.maximum(self._rows.state.counts(slots), 0)

    def _diff(self, touched: TouchedRows, old: Numbers, new: Numbers) -> Batch:
        """The change between two sets of places; ``old`` and ``new`` are those of each row's first copy."""
        old_first, old_end = np.maximum(old, self._first), np.minimum(old + touched.before, self._end)
        new_first, new_end = np.maximum(new, self._first), np.minimum(new + touched.after, self._end)
        old_end, new_end = np.maximum(old_first, old_end), np.maximum(new_first, new_end)
        if not self._ranked:
            weights = (new_end - new_first) - (old_end - old_first)
            rows = np.flatnonzero(weights)
            return Batch(self._taken(touched, rows), len(rows), None, weights[rows])
        parts = [
            (-1, *_numbered(old_first, np.minimum(old_end, new_first))),
            (-1, *_numbered(np.maximum(old_first, new_end), old_end)),
            (1, *_numbered(new_first, np.minimum(new_end, old_first))),
            (1, *_numbered(np.maximum(new_first, old_end), new_end)),
        ]
        rows = np.concatenate([rows for _, rows, _ in parts])
        ranks = np.concatenate([places + 1 for _, _, places in parts])
        weights = np.concatenate([np.full(len(rows), weight, np.int64) for weight, rows, _ in parts])
        return Batch([*self._taken(touched, rows), Column(BIGINT, pa.array(ranks))], len(rows), None, weights)

    def _taken(self, touched: TouchedRows, rows: Numbers) -> list[Column]:
        return take_columns([touched.columns[i] for i in self._kept], rows)

    def on_timer(self, time: int) -> Emission | None:
        """What has not changed for long is forgotten."""
        self._rows.forget_old()
        return None

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The rows."""
        return self._rows.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._rows.restore(parts)
        if self._sorted is not None:
            for slots in self._rows.state.pieces(PIECE_ROWS):
                self._sorted.change(slots, slots[:0])

    def close(self) -> None:
        """Gives the memory back."""
        self._rows.close()


def top_n_operator(node: ChangelogTopN) -> Operator:
    """The operator for this input: rows that are only added need not be counted."""
    return FirstRowsOperator(node) if keeps_first_rows(node) else ChangelogTopNOperator(node)


def _places(partitions: Numbers, counts: Numbers) -> Numbers:
    """The place of each row's first copy in its partition, from 0; rows are in order."""
    ends = np.cumsum(counts)
    starts = ends - counts
    heads = np.flatnonzero(np.diff(partitions, prepend=-1))
    return starts - np.repeat(starts[heads], np.diff(heads, append=len(partitions)))


def _numbered(first: Numbers, end: Numbers) -> tuple[Numbers, Numbers]:
    """All numbers of the ranges ``[first, end)``, those that are empty left out, and the range of each."""
    sizes = np.maximum(end - first, 0)
    rows = np.repeat(np.arange(len(first)), sizes)
    within = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return rows, first[rows] + within
