"""Ordering rows: full sorts, top-N, limits."""

from __future__ import annotations

import struct
from collections.abc import Generator, Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat_steps, take_rows_steps
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.kernels.sorting import Key, select_before, sort_indices_steps
from tableflow.physical.node import UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.physical.sort_ranges import RangeSealer, SortedRanges
from tableflow.physical.sorted_runs import BatchBuffer, SortedRuns, key_positions, merged
from tableflow.physical.steps import pausing
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.runtime.publication import Publication
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class SortRows(UnaryNode):
    """Orders the rows of each task.  With ``publication`` set (by lowering) the sort is parallel: each task contributes
    a sorted run, ranges of the keys have one owner each, and task i emits range i: tasks hold ascending ranges.
    """

    keys: tuple[OrderingKey, ...]
    publication: str = ""


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class TopN(UnaryNode):
    """The first ``limit`` rows after ``offset`` in this order, per task; ordered output.

    A plan has a local one with offset 0 and limit + offset in each task, and a final one in a single task.
    """

    keys: tuple[OrderingKey, ...]
    limit: int
    offset: int = 0


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRows(UnaryNode):
    """At most ``limit`` rows (None: all) after ``offset``, per task, in arrival order; ends its input early."""

    limit: int | None
    offset: int = 0


class SortRowsOperator(Operator):
    """Sorts runs while rows come, merges them when all have."""

    _context: OperatorContext
    _reservation: Reservation
    _runs: SortedRuns

    def __init__(self, node: SortRows) -> None:
        self._keys = key_positions(node.keys, node.input.fields)
        self._publication = node.publication
        self._adopted = False

    def open(self, context: OperatorContext) -> None:
        """Starts without runs."""
        self._context = context
        self._reservation = context.reserve("runs")
        self._runs = SortedRuns(self._keys, self._reservation)

    @property
    def contributes(self) -> bool:
        """Ranges of rows are made of the runs of all tasks."""
        return bool(self._publication)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Collects, and sorts a run now and then."""
        return self._runs.add(batch)

    def on_end(self, port: int) -> Emission | None:
        """Emits all rows in order: those of this task, or those of its range."""
        return self._emit()

    def _emit(self) -> Emission:
        runs = yield from self._runs.finish()
        self._context.count("sorted_runs", len(runs))
        yield from self._emit_range(runs) if self._publication else self._emit_own(runs)

    def _emit_own(self, runs: list[Batch]) -> Emission:
        yield from merged(runs, self._keys, self._context.batch_rows)
        runs.clear()
        self._reservation.release()

    def _emit_range(self, runs: list[Batch]) -> Emission:
        context = self._context
        publication: Publication[list[Batch], SortedRanges] = context.publication(self._publication)
        # Other tasks emit rows of these runs after this task may have closed.
        publication.adopt(self._reservation)
        self._adopted = True
        yield from publication.contribute(context.task_index, runs, RangeSealer(self._keys, context.parallelism))
        pieces = publication.handle().part(context.task_index)
        yield from merged(pieces, self._keys, context.batch_rows)

    def close(self) -> None:
        """Gives memory back that the publication has not taken over."""
        if hasattr(self, "_reservation") and not self._adopted:
            self._reservation.release()


class TopNOperator(Operator):
    """Keeps the best rows so far; the worst of them is a threshold that most rows do not pass.

    Beyond ``_MOST_KEPT`` rows that stops paying, and runs are sorted and merged as for a full sort, up to the limit.
    """

    _MOST_KEPT = 1 << 17
    _SLACK = 1024

    _context: OperatorContext
    _reservation: Reservation

    def __init__(self, node: TopN) -> None:
        self._keys: tuple[Key, ...] = key_positions(node.keys, node.input.fields)
        self._limit = node.limit
        self._offset = node.offset
        self._keep = node.limit + node.offset if node.limit else 0
        self._buffer = BatchBuffer()
        self._worst: Batch | None = None
        self._runs: SortedRuns | None = None

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._reservation = context.reserve("rows")
        if self._keep > self._MOST_KEPT:
            self._runs = SortedRuns(self._keys, self._reservation)

    @property
    def finished(self) -> bool:
        """Nothing is wanted with a limit of zero."""
        return self._keep == 0

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Keeps rows that may be among the first."""
        if self._runs is not None:
            return self._runs.add(batch)
        if self._worst is not None:
            batch = batch.with_selection(select_before(batch, self._keys, self._worst, 0))
        if self._keep == 0 or batch.rows == 0:
            return None
        self._reservation.resize(3 * (self._buffer.bytes + batch.nbytes))
        self._buffer.add(batch)
        if self._buffer.rows >= self._keep + max(self._keep, self._SLACK):
            return self._pruning()
        self._reservation.resize(self._buffer.bytes)
        return None

    def _pruning(self) -> Emission:
        yield from self._prune()
        self._reservation.resize(self._buffer.bytes)

    def on_end(self, port: int) -> Emission | None:
        """Emits what was kept, in order and without the offset."""
        if self._runs is not None:
            return self._emit_merged(self._runs)
        return self._emit() if self._buffer.rows > self._offset else None

    def _emit_merged(self, sorted_runs: SortedRuns) -> Emission:
        runs = yield from sorted_runs.finish()
        yield from _skipping(merged(runs, self._keys, self._context.batch_rows, self._keep), self._offset)

    def _emit(self) -> Emission:
        best = yield from self._prune()
        size = self._context.batch_rows
        for first in range(self._offset, best.length, size):
            yield best.slice(first, min(size, best.length - first))

    def _prune(self) -> Generator[Suspend, None, Batch]:
        """Sorts what is kept and drops what is beyond; returns it."""
        rows = yield from pausing(concat_steps(self._buffer.drain()))
        order = yield from pausing(sort_indices_steps(rows, self._keys))
        best = yield from pausing(take_rows_steps(rows, order[: self._keep]))
        if best.length == self._keep:
            self._worst = best.slice(self._keep - 1, 1)
        self._buffer.add(best)
        return best

    def close(self) -> None:
        """Gives memory back."""
        if hasattr(self, "_reservation"):
            self._reservation.release()


def _skipping(emission: Emission, offset: int) -> Emission:
    for batch in emission:
        if not isinstance(batch, Batch):
            yield batch
            continue
        if offset < batch.length:
            yield batch.slice(offset, batch.length - offset) if offset else batch
        offset = max(0, offset - batch.length)


class LimitRowsOperator(Operator):
    """Passes rows on until there are enough."""

    def __init__(self, node: LimitRows) -> None:
        self._skip = node.offset
        self._left = node.limit

    @property
    def finished(self) -> bool:
        """Whether the limit is reached."""
        return self._left == 0

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The part of the batch between offset and limit."""
        rows = batch.rows
        first = min(self._skip, rows)
        self._skip -= first
        count = rows - first if self._left is None else min(rows - first, self._left)
        if count == 0:
            return None
        if self._left is not None:
            self._left -= count
        return iter((batch if count == rows else batch.slice(first, count),))

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """How many rows are still to be left out, and to come; which rows is no key's business."""
        if not keys.first:
            return b""
        return struct.pack("<q?q", self._skip, self._left is not None, self._left or 0)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave; of several tasks, which all give as many rows as may be wanted, the one that has most to give."""
        saved = [struct.unpack("<q?q", part) for part in parts if part]
        if saved:
            self._skip, limited, left = max(saved)
            self._left = left if limited else None
