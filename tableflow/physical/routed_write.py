"""Writing the rows of several statements to a sink for each, from one stream in which every row has the number of its statement.

Invariant: an epoch goes on only when what all sinks were given before it is where others see it.
"""

from __future__ import annotations

import enum

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, take_rows
from tableflow.columnar.representation import widen
from tableflow.errors import Span
from tableflow.physical.changelog_result import named_changes, repeated
from tableflow.physical.held_changes import HeldChanges
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.row_constraints import RowConstraints
from tableflow.records import dataclass
from tableflow.runtime.events import Epoch
from tableflow.runtime.graph import SinkSpec
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend, Wake
from tableflow.serialization import serializable


@serializable
class RouteKind(enum.Enum):
    """How a statement's rows go to its sink."""

    DIRECT = "direct"
    """As they come, with weights if there are any."""
    CHANGES = "changes"
    """Epoch by epoch, with a first column that says what each row does."""
    SETTLED = "settled"
    """Those that are left when all have come."""


@serializable
@dataclass(frozen=True, slots=True)
class Route:
    """A statement: ``values`` are input columns by id, ``required`` positions of those that hold no NULL.

    ``key`` are positions among the values that are unique together, None if that is not known.  ``upserts`` is as in
    :class:`~tableflow.physical.changelog_result.ChangelogResult`.
    """

    table: str
    sink: SinkSpec
    columns: tuple[str, ...]
    values: tuple[int, ...]
    kind: RouteKind
    required: tuple[int, ...] = ()
    key: tuple[int, ...] | None = None
    upserts: bool = False
    span: Span | None = None


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedWrite(UnaryNode):
    """``number`` is the id of the column with a row's place among the ``routes``; nothing goes on."""

    number: int
    routes: tuple[Route, ...]


class _Way:
    """One route in one task."""

    def __init__(self, node: RoutedWrite, route: Route, context: OperatorContext) -> None:
        where = positions(node.input.fields)
        types = {f.id: f.type for f in node.input.fields}
        self._values = [where[column] for column in route.values]
        self._constraints = RowConstraints(route.table, route.columns, route.required, [], route.span)
        self._key = None if route.key is None else list(route.key)
        self._upserts = route.upserts
        self._kind = route.kind
        self._rows = context.batch_rows
        self.sink = context.sink(route.sink)
        self._context, self._table = context, route.table
        self._held = None
        if route.kind is not RouteKind.DIRECT:
            self._held = HeldChanges([types[column] for column in route.values], context.reserve("changes"))

    def take(self, batch: Batch) -> Emission:
        """Rows of this statement."""
        batch = batch.project(self._values)
        self._constraints.check(batch.columns, batch.columns, None, None)
        if self._held is not None:
            self._held.add(batch)
            return
        self.sink.write(batch)
        yield from self._wait()

    def publish(self, epoch: int, *, last: bool) -> Emission:
        """Gives the sink what was held, and waits until it has it."""
        if self._held is not None and (last or self._kind is RouteKind.CHANGES):
            if self._kind is RouteKind.CHANGES:
                for batch in named_changes(self._held, self._key, self._rows, upserts=self._upserts):
                    self.sink.write(batch)
                    yield from self._wait()
            else:
                for part in self._held.parts(self._rows):
                    for batch in repeated(part, self._rows):
                        self.sink.write(batch)
                        yield from self._wait()
                self._held.clear()
        publishing = self.sink.publish(epoch)
        if publishing is not None:
            yield from self._stand(publishing)
            publishing.result()

    def _wait(self) -> Emission:
        while (room := self.sink.room) is not None:
            yield from self._stand(room)

    def _stand(self, wake: Wake) -> Emission:
        self._context.waits(f"the sink of {self._table}")
        yield Suspend(wake)
        self._context.waits(None)


class RoutedWriteOperator(Operator):
    """Hands each row to the sink of its statement."""

    def __init__(self, node: RoutedWrite) -> None:
        self._node = node
        self._number = positions(node.input.fields)[node.number]

    def open(self, context: OperatorContext) -> None:
        """Opens all writers."""
        self._context = context
        self._ways = [_Way(self._node, route, context) for route in self._node.routes]

    def process(self, batch: Batch, port: int) -> Emission:
        """Deals the rows out."""
        whole = compact(batch)
        self._context.count("changes", whole.length)
        numbers = widen(whole.columns[self._number]).array.to_numpy(zero_copy_only=False)
        for number, way in enumerate(self._ways):
            rows = np.flatnonzero(numbers == number)
            if len(rows):
                yield from way.take(whole if len(rows) == whole.length else take_rows(whole, rows))

    def on_epoch(self, epoch: Epoch) -> Emission:
        """Makes the epoch's rows visible."""
        for way in self._ways:
            yield from way.publish(epoch.number, last=False)

    def on_end(self, port: int) -> Emission:
        """What came after the last epoch."""
        for way in self._ways:
            yield from way.publish(-1, last=True)
        for way in self._ways:
            way.sink.prepare()
