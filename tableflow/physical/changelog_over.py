"""Functions with OVER of a changelog: touched partitions are computed again."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.expressions.nodes import WindowCall, column_ids
from tableflow.physical.node import Input, UnaryNode, positions
from tableflow.physical.partition_rows import PartitionRows
from tableflow.physical.properties import OrderingKey
from tableflow.physical.recomputation import SIDE, difference, sided
from tableflow.physical.window import WindowAggregate, WindowAggregateOperator
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogOver(UnaryNode):
    """Each call's value for each row; ``fields`` are columns of the input, then ``results``, as in a WindowAggregate.

    Partitions that a batch has touched are computed again, and what differs is emitted: a retract stream.  Ties in ``order`` are
    broken by all remaining columns.  Equal partitions are in one task; the input comes in any order.  ``ttl``: partitions in which
    nothing changes are forgotten after so many microseconds.
    """

    partition: tuple[int, ...]
    order: tuple[OrderingKey, ...]
    results: tuple[Field, ...]
    calls: tuple[WindowCall, ...]
    ttl: int = 0


class ChangelogOverOperator(Operator):
    """One task's part of a :class:`ChangelogOver`."""

    def __init__(self, node: ChangelogOver) -> None:
        kept = node.fields[: len(node.fields) - len(node.results)]
        read = frozenset[int]().union(*(column_ids(call) for call in node.calls))
        self._rows = PartitionRows(node.input, read | {f.id for f in kept}, node.partition, node.order, ttl=node.ttl)
        there = positions(self._rows.fields)
        inputs = (*self._rows.fields, SIDE)
        self._inner = WindowAggregate(
            fields=(*inputs, *node.results),
            input=Input(fields=inputs),
            partition=(SIDE.id,),
            order=node.order,
            results=node.results,
            calls=node.calls,
        )
        self._kept = [*(there[f.id] for f in kept), *range(len(inputs), len(self._inner.fields))]

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._rows.open(context)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """What changes in the partitions of these rows."""
        return self._changes(batch) if batch.rows else None

    def _changes(self, batch: Batch) -> Emission:
        yield from self._rows.take(self._rows.kept(batch))
        side = len(self._rows.fields)
        for touched in self._rows.touched():
            made = yield from difference(sided(touched), self._operator, self._context, side, self._kept)
            if made is not None and made.length:
                yield from made.pieces(self._context.batch_rows)
        self._rows.settle()

    def _operator(self) -> Operator:
        return WindowAggregateOperator(self._inner)

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

    def close(self) -> None:
        """Gives the memory back."""
        self._rows.close()
