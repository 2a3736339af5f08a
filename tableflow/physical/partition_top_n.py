"""The first rows of each partition, in order: sorted runs that keep no more than that.

A run loses the rows that are not among the first of their partition in it, so they are not among the first of all; runs are
merged into one now and then, and lose more.  What comes out is ordered, and may still have more rows of a partition.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat_steps, take_rows
from tableflow.columnar.kernels.windows import key_changes
from tableflow.errors import InternalError
from tableflow.physical.node import UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.physical.sorted_runs import BatchBuffer, SortedRuns, key_positions, merged
from tableflow.physical.steps import pausing
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.serialization import serializable

_MOST_RUNS = 8


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionTopN(UnaryNode):
    """Orders the rows of each task by ``keys``; of rows that agree in the first ``partition`` keys ``limit`` are enough."""

    keys: tuple[OrderingKey, ...]
    partition: int
    limit: int


def first_of_partitions(rows: Batch, partition: list[int], limit: int) -> Batch:
    """The first rows of each partition of sorted rows, which the columns at ``partition`` tell apart."""
    if rows.length == 0:
        return rows
    starts = np.concatenate((np.zeros(1, np.int64), key_changes(rows, partition)))
    numbers = np.arange(rows.length, dtype=np.int64)
    numbers -= np.repeat(starts, np.diff(starts, append=rows.length))
    chosen = np.flatnonzero(numbers < limit)
    return rows if len(chosen) == rows.length else take_rows(rows, chosen)


class PartitionTopNOperator(Operator):
    """One task's part of a :class:`PartitionTopN`."""

    _context: OperatorContext
    _reservation: Reservation
    _runs: SortedRuns

    def __init__(self, node: PartitionTopN) -> None:
        self._keys = key_positions(node.keys, node.input.fields)
        self._partition = [position for position, _, _ in self._keys[: node.partition]]
        self._limit = node.limit
        self._merged_rows = 0

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._reservation = context.reserve("runs")
        self._runs = SortedRuns(self._keys, self._reservation, self._kept)

    def _kept(self, run: Batch) -> Batch:
        return first_of_partitions(run, self._partition, self._limit)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Collects; merges runs when they have grown to twice of what they were merged to before."""
        if batch.weights is not None:
            raise InternalError("first rows of changing rows")
        forming = self._runs.add(batch)
        return None if forming is None else self._form_and_merge(forming)

    def _form_and_merge(self, forming: Generator[Suspend, None, None]) -> Emission:
        yield from forming
        runs = self._runs.runs
        if len(runs) >= _MOST_RUNS and sum(run.length for run in runs) >= 2 * self._merged_rows:
            yield from self._merge()

    def _merge(self) -> Emission:
        buffer = BatchBuffer()
        for piece in merged(self._runs.runs, self._keys, self._context.batch_rows):
            if isinstance(piece, Batch):
                buffer.add(self._kept(piece))
            else:
                yield piece
        pieces = buffer.drain()
        self._runs.replace([self._kept((yield from pausing(concat_steps(pieces))))] if pieces else [])
        self._merged_rows = sum(run.length for run in self._runs.runs)

    def on_end(self, port: int) -> Emission | None:
        """Emits what is left, in order."""
        return self._emit()

    def _emit(self) -> Emission:
        runs = yield from self._runs.finish()
        self._context.count("kept", sum(run.length for run in runs))
        yield from merged(runs, self._keys, self._context.batch_rows)
        runs.clear()
        self._reservation.release()

    def close(self) -> None:
        """Gives memory back."""
        if hasattr(self, "_reservation"):
            self._reservation.release()
