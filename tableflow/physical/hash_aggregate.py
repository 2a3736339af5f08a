"""Grouping by hash table, in one or two phases.

The table belongs to one task.  A partial phase never needs more than a bounded table: it hands its states on when the
table has grown, and stops grouping altogether when grouping does not reduce the rows.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import AggregateOverflow, GroupTable
from tableflow.columnar.kernels.programs import Program
from tableflow.errors import InternalError, MemoryLimitError
from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.aggregate_states import AggregateInputs, merging_inputs, row_inputs, state_types, too_large
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.properties import OrderingKey
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable
from tableflow.types import Field, SqlType

_TRIAL_ROWS = 65_536
_LEAST_REDUCTION = 0.6
"""New groups a row: to find a row's group costs about what it costs to move one row and merge it, so half of them have to disappear, or nearly so."""
_AT_FIRST = 0.78
"""The same of an empty table: of values drawn at random that have given so many groups, the next rows give 0.6."""
_PARTIAL_BYTES = 32 * 2**20
_SMALL_ROWS = 1024
_PIECE_ROWS = 16_384
_CACHED_BYTES = 32 * 2**20


@serializable
class AggregatePhase(enum.Enum):
    """SINGLE: rows to results.  PARTIAL: rows to states (keys, then state columns).  FINAL: states to results."""

    SINGLE = "single"
    PARTIAL = "partial"
    FINAL = "final"


@serializable
@dataclass(frozen=True, slots=True)
class FirstGroups:
    """The first ``limit`` groups of each task in this order of some of its columns."""

    keys: tuple[OrderingKey, ...]
    limit: int


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class HashAggregate(UnaryNode):
    """Groups by ``keys`` (fields of the input, kept first in ``fields``).

    SINGLE, FINAL: ``fields`` are keys then one result per call.  PARTIAL: keys then each call's state columns, as
    :func:`state_fields` gives them; the FINAL node above has the same ``calls`` and reads the states by position.
    Without keys SINGLE and FINAL give exactly one row (and run in one task).
    """

    phase: AggregatePhase
    keys: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]
    first: FirstGroups | None = None
    """Groups that are not among these are of no use to anybody; SINGLE and FINAL with keys only."""
    most: int | None = None
    """So many groups are enough, whichever they are: only where there are keys and no calls."""


class HashAggregateOperator(Operator):
    """One task's part of a :class:`HashAggregate`.

    ::

        grouping --(PARTIAL: table is large)--> emits states, empties the table, goes on grouping
        grouping --(PARTIAL: rows hardly reduced)--> emits states --> passing rows on, each as its own state
    """

    def __init__(self, node: HashAggregate) -> None:
        self._node = node
        where = positions(node.input.fields)
        self._key_positions = [where[key.id] for key in node.keys]
        self._inputs: AggregateInputs = (
            merging_inputs(node.calls, len(node.keys))
            if node.phase is AggregatePhase.FINAL
            else row_inputs(node.calls, node.input.fields)
        )
        self._passing = False
        self._rows = 0
        self._judged = 0, 0  # rows and groups when it was last asked whether grouping reduces them

    def open(self, context: OperatorContext) -> None:
        """Makes the empty table."""
        self._context = context
        self._table = self._new_table([key.type for key in self._node.keys])
        self._reservation: Reservation = context.reserve("groups", self._table.bytes)

    @property
    def finished(self) -> bool:
        """Whether there are as many groups as anybody wants."""
        return self._node.most is not None and self._table.groups >= self._node.most

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Takes rows (or states); only a partial phase emits before the end."""
        if batch.weights is not None:
            raise InternalError("a hash aggregation over changing rows")
        return self.taking(batch, self._take)

    def taking(self, batch: Batch, take: Callable[[Batch], Emission | None]) -> Emission | None:
        """Has ``take`` take the batch: at once, or with pauses while a large table grows, or in pieces when memory is short."""
        if self._passing:
            return take(batch)
        pieces = self._fitting(batch)
        if len(pieces) == 1 and self._table.prepare(batch.rows):
            before = self._rows
            try:
                return take(batch)
            except MemoryLimitError:  # what its texts need is only known by now
                if self._rows != before or batch.rows <= _SMALL_ROWS:
                    raise
            pieces = tuple(batch.pieces(_SMALL_ROWS))
        return self._taking_pieces(pieces, take)

    def _fitting(self, batch: Batch) -> Sequence[Batch]:
        """The batch if there is memory for all its rows being new groups, else small pieces, which need less at once.

        Of a table beyond all caches a row costs so much that a large batch is taken in pieces, too.
        """
        try:
            self._reservation.resize(self._table.bytes_after([], [], batch.rows))
        except MemoryLimitError:
            return tuple(batch.pieces(_SMALL_ROWS))
        if self._table.bytes < _CACHED_BYTES or batch.rows <= _PIECE_ROWS:
            return (batch,)
        return tuple(batch.pieces(_PIECE_ROWS))

    def _taking_pieces(self, pieces: Sequence[Batch], take: Callable[[Batch], Emission | None]) -> Emission:
        for piece in pieces:
            while not self._passing and not self._table.prepare(piece.rows):
                yield Suspend(READY)
            emission = take(piece)
            if emission is not None:
                yield from emission
            yield Suspend(READY)

    def _take(self, batch: Batch) -> Emission | None:
        arguments, dense = self._inputs.columns(batch)
        keys = [batch.columns[i] for i in self._key_positions]
        if self._passing:
            return self._pass_on(batch, keys, arguments, dense)
        self._reservation.resize(self._table.bytes_after(keys, arguments, batch.rows))
        self._table.update(keys, arguments, batch.length, batch.selection, dense)
        return self._taken(batch.rows)

    def process_fused(self, batch: Batch, program: Program) -> Emission | None:
        """Takes the rows that a program makes of a batch, as :meth:`process` would, but without storing them between."""
        if self._passing or self._inputs.places is None or batch.weights is not None:
            rows = program.apply(batch)
            return None if rows is None else self.process(rows, 0)
        self._reservation.resize(self._table.bytes_after(program.text_columns(batch), [], batch.rows))
        return self._taken(program.feed(batch, self._table, self._key_positions, self._inputs.places))

    def _taken(self, rows: int) -> Emission | None:
        self._rows += rows
        self._reservation.resize(self._table.bytes)
        if self._node.phase is AggregatePhase.PARTIAL and self._node.keys:
            return self._relieve()
        return None

    def on_end(self, port: int) -> Emission | None:
        """Emits all groups."""
        return self._emit()

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_table"):
            self._table.clear()
            self._reservation.release()

    def _new_table(self, keys: list[SqlType]) -> GroupTable:
        return GroupTable(keys, self._inputs.aggregates, state_types(self._node.calls))

    def _relieve(self) -> Emission | None:
        rows, groups = self._rows - self._judged[0], self._table.groups - self._judged[1]
        if rows >= _TRIAL_ROWS:
            if groups > rows * (_LEAST_REDUCTION if self._judged[0] else _AT_FIRST):
                self._passing = True
                self._context.count("passed")
                return self._emit()
            self._judged = self._rows, self._table.groups
        return self._emit() if self._table.bytes > _PARTIAL_BYTES else None

    def _emit(self) -> Emission:
        groups, most, first = self._table.groups, self._context.batch_rows, self._node.first
        if first is not None and groups > first.limit:
            yield from self._emit_first(first)
        else:
            for start in range(0, groups, most):
                count = min(most, groups - start)
                yield Batch([*self._table.keys(start, count), *self._values(self._table, start, count)], count)
        self._context.count("groups", groups)
        self._table.clear()
        self._reservation.resize(self._table.bytes)
        self._rows, self._judged = 0, (0, 0)

    def _emit_first(self, first: FirstGroups) -> Emission:
        """Emits the groups that are wanted, and copies the keys of these alone."""
        from tableflow.physical.first_groups import first_groups

        try:
            numbers = yield from first_groups(self._context, self._table, self._node.fields, self._node.calls, first)
            self._context.count("groups_left_out", self._table.groups - len(numbers))
            for start in range(0, len(numbers), self._context.batch_rows):
                some = numbers[start : start + self._context.batch_rows]
                yield Batch([*self._table.keys_of(some), *self._table.results_of(some)], len(some))
        except AggregateOverflow as overflow:
            raise too_large(self._node.calls, overflow) from None

    def _values(self, table: GroupTable, start: int, count: int) -> list[Column]:
        try:
            if self._node.phase is AggregatePhase.PARTIAL:
                return table.states(start, count)
            return table.results(start, count)
        except AggregateOverflow as overflow:
            raise too_large(self._node.calls, overflow) from None

    def _pass_on(self, batch: Batch, keys: list[Column], arguments: list[Column], dense: list[bool]) -> Iterator[Batch]:
        table = self._new_table([])
        self._reservation.resize(self._table.bytes + table.bytes_after([], arguments, batch.length))
        table.spread(arguments, batch.length, batch.selection, dense)
        yield Batch([*keys, *self._values(table, 0, batch.length)], batch.length, batch.selection)
        table.clear()
        self._reservation.resize(self._table.bytes)
