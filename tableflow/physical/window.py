"""Window functions over rows that come sorted by partition and order.

Whole partitions are collected, then emitted slice by slice: memory holds the rows of the partition at hand and those that came
in the same batch, and a task stays responsive however many rows a partition has.
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat_steps, take_rows
from tableflow.columnar.kernels.windows import key_changes, same_keys
from tableflow.errors import InternalError
from tableflow.expressions.nodes import Expression, WindowCall
from tableflow.physical.collect_aggregate import CollectedCall
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.properties import OrderingKey
from tableflow.physical.row_values import RowValues
from tableflow.physical.sorted_runs import BatchBuffer, key_positions
from tableflow.physical.steps import pausing
from tableflow.physical.window_calls import Evaluator, evaluator, reads_peers
from tableflow.physical.window_collected import FrameCollected, collected_call, is_collected
from tableflow.physical.window_frames import Chunk, Slice
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable
from tableflow.types import Field

_LEAST_ROWS = 16_384
_ROW_BYTES = 64
"""What a row of a chunk costs besides its columns: where partitions, peers and frames begin."""


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class WindowAggregate(UnaryNode):
    """Each call's value for each row; ``fields`` are columns of the input, then ``results``.

    Rows of a partition (equal values of the columns ``partition``) are in one task, next to each other, and in ``order``.
    With ``limit`` only the first so many rows of each partition are looked at and come out.
    """

    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    results: tuple[Field, ...]
    calls: tuple[WindowCall, ...]
    limit: int | None = None


class WindowAggregateOperator(Operator):
    """One task's part of a :class:`WindowAggregate`."""

    _context: OperatorContext
    _reservation: Reservation

    def __init__(self, node: WindowAggregate) -> None:
        self._node = node
        fields = node.input.fields
        where = positions(fields)
        self._partition = [where[column] for column in node.partition]
        self._order = key_positions(node.order, fields)
        self._kept = [where[f.id] for f in node.fields[: len(node.fields) - len(node.results)]]
        self._width = len(fields)
        self._expressions: list[Expression] = []
        self._collected: dict[WindowCall, CollectedCall] = {}
        self._places = [self._columns_of(call) for call in node.calls]
        self._values = RowValues(self._expressions, fields)
        self._buffer = BatchBuffer()
        self._last: Batch | None = None
        self._number = 0

    def _columns_of(self, call: WindowCall) -> tuple[list[int], list[int]]:
        """Positions of a call's arguments and frame keys behind the columns of the input."""
        keys = [bound.key for bound in (call.frame.start, call.frame.end) if bound.key is not None]
        read = list(call.args)
        if is_collected(call):
            read = []
            self._collected[call] = collected_call(call, read)
        return [self._position(e) for e in read], [self._position(e) for e in keys]

    def _position(self, expression: Expression) -> int:
        if expression not in self._expressions:
            self._expressions.append(expression)
        return self._width + self._expressions.index(expression)

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._reservation = context.reserve("partitions")

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Collects; emits the partitions that are complete once they are worth it."""
        if batch.weights is not None:
            raise InternalError("a window over changing rows")
        if batch.rows == 0:
            return None
        batch, begins = self._next(compact(batch))
        if batch.length == 0:
            return None
        columns, _ = self._values.mixed(batch)
        batch = batch.with_columns([*batch.columns, *columns])
        self._reserve(batch)
        if begins is None or self._buffer.rows + begins < _LEAST_ROWS:
            self._buffer.add(batch)
            return None
        if begins:
            self._buffer.add(batch.slice(0, begins))
        complete = self._buffer.drain()
        self._buffer.add(batch.slice(begins, batch.length - begins))
        return self._emit(complete)

    def _next(self, batch: Batch) -> tuple[Batch, int | None]:
        """The rows of a batch that are looked at, and where among them the last partition begins, if it begins here."""
        continues = self._last is not None and same_keys(self._last, 0, batch, 0, self._partition)
        starts = key_changes(batch, self._partition)
        if not continues:
            starts = np.concatenate((np.zeros(1, np.int64), starts))
        before = self._number if continues else 0
        self._last = batch.slice(batch.length - 1, 1)
        self._number = batch.length - int(starts[-1]) if len(starts) else before + batch.length
        begins = int(starts[-1]) if len(starts) else None
        if self._node.limit is None:
            return batch, begins
        rows = np.arange(batch.length, dtype=np.int64)
        part = np.searchsorted(starts, rows, side="right")
        first = np.concatenate((np.full(1, -before, np.int64), starts))[part]
        chosen = np.flatnonzero(rows - first < self._node.limit)
        if begins is not None:
            begins = int(np.searchsorted(chosen, begins))
        return (batch if len(chosen) == batch.length else take_rows(batch, chosen)), begins

    def _reserve(self, more: Batch) -> None:
        rows = self._buffer.rows + more.length
        # Emitting holds the rows twice: as they came, and put together.
        self._reservation.resize(2 * (self._buffer.bytes + more.nbytes) + rows * _ROW_BYTES)

    def on_end(self, port: int) -> Emission | None:
        """Emits the rest."""
        return self._emit(self._buffer.drain()) if self._buffer.rows else None

    def _emit(self, batches: list[Batch]) -> Emission:
        rows = yield from pausing(concat_steps(batches))
        batches.clear()
        chunk = Chunk(rows, self._partition, self._order)
        held = rows.nbytes + self._buffer.bytes + rows.length * _ROW_BYTES
        yield from pausing(chunk.find_bounds(peers=any(map(reads_peers, self._node.calls))))
        evaluators = yield from self._evaluators(chunk)
        self._context.count("partitions", len(chunk.partitions) - 1)
        size, first = self._context.batch_rows, 0
        while first < rows.length:
            part = Slice(chunk, first, min(size, rows.length - first))
            fitting = min([part.count, *(e.affordable(part) for e in evaluators if isinstance(e, FrameCollected))])
            part = part if fitting == part.count else Slice(chunk, first, fitting)
            results = []
            for each in evaluators:
                results.append((yield from pausing(each.steps(part))))
                yield Suspend(READY)
            self._reservation.resize(held + sum(each.bytes for each in evaluators))
            kept = [rows.columns[i].slice(first, part.count) for i in self._kept]
            yield Batch([*kept, *results], part.count)
            first += part.count
        self._reservation.resize(2 * self._buffer.bytes + self._buffer.rows * _ROW_BYTES)

    def _evaluators(self, chunk: Chunk) -> Generator[Suspend, None, list[Evaluator]]:
        made: list[Evaluator] = []
        for call, (args, keys) in zip(self._node.calls, self._places, strict=True):
            computes = self._collected.get(call)
            made.append(
                evaluator(call, chunk, args, keys)
                if computes is None
                else FrameCollected(call, chunk, args, keys, computes)
            )
            yield from pausing(made[-1].prepare())
        return made

    def close(self) -> None:
        """Gives memory back."""
        if hasattr(self, "_reservation"):
            self._reservation.release()
