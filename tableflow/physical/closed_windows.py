"""Window functions over partitions that are closed by time: each row comes out once, when its window closes.

Rows wait until time has passed their window's end; then they are computed as finished data is.  Of those that wait for a
``limit`` no more than the first rows of each partition are kept.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat, take_rows
from tableflow.columnar.kernels.packed_rows import pack_rows, rows_in, unpack_rows
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.kernels.sorting import sort_batch
from tableflow.errors import InternalError
from tableflow.expressions.nodes import WindowCall
from tableflow.physical.assign_watermarks import storage_times, units_per_microsecond
from tableflow.physical.node import Input, UnaryNode, dealt_by
from tableflow.physical.partition_top_n import first_of_partitions
from tableflow.physical.properties import OrderingKey
from tableflow.physical.retention import Retention, position_of
from tableflow.physical.sorted_runs import key_positions
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.physical.window import WindowAggregate, WindowAggregateOperator
from tableflow.records import dataclass
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable
from tableflow.types import Field

_SMALL = 16_384


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedWindows(UnaryNode):
    """As :class:`~tableflow.physical.window.WindowAggregate`, over a stream that only adds rows.

    A partition is complete when its rows, by ``closes``, would be forgotten; a row that comes later is late and counted.
    """

    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    results: tuple[Field, ...]
    calls: tuple[WindowCall, ...]
    closes: Retention
    limit: int | None = None


class ClosedWindowsOperator(Operator):
    """One task's part of a :class:`ClosedWindows`."""

    def __init__(self, node: ClosedWindows) -> None:
        self._node = node
        self._fields = node.input.fields
        self._inner = WindowAggregate(
            fields=node.fields,
            input=Input(fields=self._fields),
            partition=node.partition,
            order=node.order,
            results=node.results,
            calls=node.calls,
            limit=node.limit,
        )
        ordering = (*[OrderingKey(column) for column in node.partition], *node.order)
        self._keys = key_positions(ordering, self._fields)
        self._partition = [position for position, _, _ in self._keys[: len(node.partition)]]
        self._time = position_of(self._fields, node.closes.column)
        self._unit = units_per_microsecond(self._fields[self._time].type)
        self._waiting: list[Batch] = []
        self._rows = self._most = 0
        self._watermark = START_OF_TIME
        self._next = END_OF_TIME

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._reservation = context.reserve("rows")
        self._reservation.rows = lambda: self._rows

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Rows wait; those whose window has closed are late."""
        if batch.weights is not None:
            raise InternalError("changes arrive where rows are only added")
        batch = compact(batch)
        closes = self._closes(batch)
        timely = closes > self._watermark
        if not timely.all():
            self._context.count("late_rows", int(len(timely) - timely.sum()))
            batch, closes = take_rows(batch, np.flatnonzero(timely)), closes[timely]
        if batch.length:
            self._next = min(self._next, int(closes.min()))
            self._keep(batch)
        return None

    def _closes(self, batch: Batch) -> np.ndarray:
        """The watermark that closes each row's window; the end of time for a row without one."""
        column = batch.columns[self._time]
        closes = storage_times(column) // self._unit + (1 + self._node.closes.behind)
        if column.array.null_count:
            closes = np.where(column.array.is_valid().to_numpy(zero_copy_only=False), closes, END_OF_TIME)
        return closes

    def _keep(self, batch: Batch) -> None:
        self._waiting.append(batch)
        self._rows += batch.length
        if self._node.limit is not None and self._rows > max(2 * self._most, _SMALL):
            rows = sort_batch(concat(self._waiting), self._keys)
            rows = first_of_partitions(rows, self._partition, self._node.limit)
            self._waiting, self._rows = [rows], rows.length
            self._most = rows.length
        self._account()

    def _account(self) -> None:
        self._reservation.resize(sum(batch.nbytes for batch in self._waiting))

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Computes the windows that are complete now."""
        self._watermark = watermark.time
        return self._close() if self._waiting and watermark.time >= self._next else None

    def _close(self) -> Emission:
        rows = concat(self._waiting)
        closes = self._closes(rows)
        due = closes <= self._watermark
        rest = take_rows(rows, np.flatnonzero(~due))
        self._waiting, self._rows, self._most = [rest] if rest.length else [], rest.length, 0
        self._next = int(closes[~due].min(initial=END_OF_TIME))
        ready = sort_batch(take_rows(rows, np.flatnonzero(due)), self._keys)
        self._account()
        operator = WindowAggregateOperator(self._inner)
        operator.open(self._context)
        try:
            yield from operator.process(ready, 0) or ()
            yield from operator.on_end(0) or ()
        finally:
            operator.close()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The rows of a range of partitions, and how far time has come."""
        dealt = dealt_by(self._node.input, [f.id for f in self._fields])
        return join_parts([struct.pack("<q", self._watermark), pack_rows(rows_in(keys, self._waiting, dealt))])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave; time has come as far as for the least of all."""
        times, saved = across(parts)
        self._watermark = least(times)
        for packed in saved:
            rows = unpack_rows(packed, [f.type for f in self._fields])
            if rows is not None:
                self._next = min(self._next, int(self._closes(rows).min(initial=END_OF_TIME)))
                self._keep(rows)

    def close(self) -> None:
        """Gives the memory back."""
        self._waiting = []
        if hasattr(self, "_reservation"):
            self._reservation.release()
