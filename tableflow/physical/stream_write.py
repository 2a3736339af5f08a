"""Writing the changes of a stream to a sink, epoch by epoch.

Invariant: an epoch goes on only when everything before it is where others see it, so who waits for an epoch sees its effect.
Changes of one epoch are summed up first: a row that came and went is never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter_ns

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.errors import MemoryLimitError, Span
from tableflow.physical.held_changes import HeldChanges
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.row_constraints import RowConstraints
from tableflow.records import dataclass
from tableflow.runtime.events import Epoch
from tableflow.runtime.graph import SinkSpec
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Suspend, Wake
from tableflow.serialization import serializable

_SMALLER = (
    "raise memory.limit, or SET 'table.exec.epoch-interval' to less before the job begins: the rows of an epoch are kept in memory"
    " until it ends, and so is which rows the table has if it takes any back"
)
_CATCHING_UP = (
    "raise memory.limit: until a job that began again has passed where it was, what its table will show is kept in memory;"
    " the table shows what it showed"
)


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class StreamWrite(UnaryNode):
    """Input columns by id, one for each of the table's ``columns``; ``required`` are positions of those that hold no NULL.

    ``appends``: the input never takes a row back, or the sink wants changes as they come.  Nothing goes on; ``fields`` is empty.
    """

    table: str
    sink: SinkSpec
    columns: tuple[str, ...]
    values: tuple[int, ...]
    required: tuple[int, ...] = ()
    appends: bool = False
    span: Span | None = None


class StreamWriteOperator(Operator):
    """Writes appended rows as they come, changes when their epoch is whole."""

    _context: OperatorContext

    def __init__(self, node: StreamWrite) -> None:
        where = positions(node.input.fields)
        self._node = node
        self._values = [where[column] for column in node.values]
        types = {f.id: f.type for f in node.input.fields}
        self._types = [types[column] for column in node.values]
        self._waited = 0
        self._constraints = RowConstraints(node.table, node.columns, node.required, [], node.span)

    def open(self, context: OperatorContext) -> None:
        """Opens the task's writer."""
        self._context = context
        self._sink = context.sink(self._node.sink)
        self._written = context.reserve("rows of the epoch") if self._sink.buffers else None
        if self._written is not None:
            self._written.rows = lambda: self._sink.rows
        self._held = None if self._node.appends else HeldChanges(self._types, context.reserve("changes"))

    def process(self, batch: Batch, port: int) -> Emission:
        """Takes the changes; waits while the sink has no room."""
        batch = compact(batch.project(self._values))
        self._constraints.check(batch.columns, batch.columns, None, None)
        self._context.count("changes", batch.length)
        if self._held is None:
            self._write(batch)
        else:
            try:
                self._held.add(batch)
            except MemoryLimitError as error:
                raise self._refused(error) from None
        yield from self._wait_for_room()

    def on_epoch(self, epoch: Epoch) -> Emission:
        """Makes the epoch's changes visible."""
        return self._publish(epoch.number)

    def on_end(self, port: int) -> Emission:
        """What came after the last epoch."""
        yield from self._publish(-1)
        self._sink.prepare()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """Changes of an epoch that has not ended; at its end all of them are where others see them."""
        return b"" if self._held is None else self._held.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        if self._held is not None:
            self._held.restore(parts)

    def _publish(self, epoch: int) -> Emission:
        if self._held is not None:
            for part in self._held.parts(self._context.batch_rows):
                self._write(part)
                yield from self._wait_for_room()
            self._held.clear()
        publishing = self._sink.publish(epoch)
        if publishing is not None:
            yield from self._wait(publishing)
            publishing.result()
        if self._written is not None:
            self._reserve(0)

    def _write(self, batch: Batch) -> None:
        """Gives rows to the sink; of one that holds them in memory they are accounted for before."""
        if self._written is not None:
            try:
                self._written.resize(self._sink.held + batch.nbytes)
            except MemoryLimitError:
                self._sink.give_back()
                self._reserve(batch.nbytes)
        self._sink.write(batch)
        if self._written is not None:
            self._reserve(0)

    def _reserve(self, more: int) -> None:
        assert self._written is not None
        try:
            self._written.resize(self._sink.held + more)
        except MemoryLimitError as error:
            raise self._refused(error) from None

    def _refused(self, error: MemoryLimitError) -> MemoryLimitError:
        error.hint = _CATCHING_UP if self._sink.catching_up else _SMALLER
        return error

    def _wait_for_room(self) -> Emission:
        while (room := self._sink.room) is not None:
            yield from self._wait(room)

    def _wait(self, wake: Wake) -> Emission:
        """Waits for the sink, and counts how long."""
        began = perf_counter_ns()
        self._context.waits("its sink")
        yield Suspend(wake)
        self._context.waits(None)
        self._waited += perf_counter_ns() - began
        if self._waited >= 1_000_000:
            self._context.count("waited_ms", self._waited // 1_000_000)
            self._waited %= 1_000_000
