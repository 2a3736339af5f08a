"""What an aggregation reads and what a partial one hands to the final one: the state columns of each call.

A state is enough to continue: merging the states of any split of a group's rows gives the state of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import Aggregate, AggregateOverflow
from tableflow.errors import DataError
from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression
from tableflow.physical.node import positions
from tableflow.physical.row_values import RowValues
from tableflow.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    DecimalType,
    Field,
    FloatType,
    SqlType,
    TypeFamily,
    family,
)

_IDEMPOTENT = frozenset({"min", "max", "any_value", "bool_and", "bool_or"})
_MOMENTS = frozenset({"stddev_samp", "stddev_pop", "var_samp", "var_pop"})


def splittable(call: AggregateCall) -> bool:
    """Whether the call has partial states; DISTINCT calls need all rows of a group in one place."""
    return not call.distinct or call.function in _IDEMPOTENT


def state_fields(call: AggregateCall, first_id: int) -> tuple[Field, ...]:
    """The columns of a call's state, with ids from ``first_id`` on."""
    return tuple(
        Field(first_id + i, f"{call.function}_{name}", of, nullable)
        for i, (name, of, nullable) in enumerate(_parts(call))
    )


def state_types(calls: Sequence[AggregateCall]) -> tuple[SqlType, ...]:
    """Types of the state columns of all calls, in order."""
    return tuple(of for call in calls for _, of, _ in _parts(call))


def _parts(call: AggregateCall) -> tuple[tuple[str, SqlType, bool], ...]:
    if call.function in {"count", "count_if"}:
        return (("rows", BIGINT, False),)
    if call.function == "avg":
        return (("sum", _exact_sum(call.args[0].type), True), ("rows", BIGINT, False))
    if call.function in _MOMENTS:
        return (("rows", BIGINT, False), ("mean", DOUBLE, False), ("deviation", DOUBLE, False))
    if call.function in _IDEMPOTENT:
        return (("value", call.args[0].type, True),)
    return (("value", call.type, True),)


def _exact_sum(of: SqlType) -> SqlType:
    match of:
        case FloatType():
            return DOUBLE
        case DecimalType(scale=scale):
            return DecimalType(38, scale)
        case _:
            return DecimalType(38, 0)


class AggregateInputs(Protocol):
    """The argument columns of a batch, and the aggregates that name them by position."""

    @property
    def aggregates(self) -> Sequence[Aggregate]:
        """One per call."""
        ...

    @property
    def places(self) -> list[int] | None:
        """Where the argument columns are among the input's, if all of them are there as they are needed."""
        ...

    def columns(self, batch: Batch) -> tuple[list[Column], list[bool]]:
        """The argument columns and whether they are dense; raises the error of a row that counts."""
        ...


class _Rows:
    """Arguments and filters of calls over rows, each expression computed once."""

    def __init__(self, calls: Sequence[AggregateCall], fields: tuple[Field, ...]) -> None:
        self._expressions: list[Expression] = []
        self._presence_only: set[int] = set()
        self.aggregates = [self._aggregate(call) for call in calls]
        self._values = RowValues(self._expressions, fields)
        where = positions(fields)
        bare = [where[e.id] for e in self._expressions if isinstance(e, ColumnRef)]
        self.places: list[int] | None = (
            bare if len(bare) == len(self._expressions) and not self._presence_only else None
        )

    def _aggregate(self, call: AggregateCall) -> Aggregate:
        arguments = tuple(self._position(argument) for argument in call.args)
        types = [argument.type for argument in call.args]
        if call.function == "count" and not call.distinct:
            for i, position in enumerate(arguments):
                if family(types[i]) is TypeFamily.NESTED:
                    self._presence_only.add(position)
                    types[i] = BOOLEAN
        condition = None if call.filter is None else self._position(call.filter)
        return Aggregate(call.function, arguments, tuple(types), call.type, condition, call.distinct)

    def _position(self, expression: Expression) -> int:
        if expression not in self._expressions:
            self._expressions.append(expression)
        return self._expressions.index(expression)

    def columns(self, batch: Batch) -> tuple[list[Column], list[bool]]:
        columns, dense = self._values.mixed(batch)
        for position in self._presence_only:
            present = columns[position].array.is_valid()
            columns[position] = Column(BOOLEAN, pc.if_else(present, present, None))
        return columns, dense


class _States:
    """State columns of calls, which follow the keys."""

    places: list[int] | None = None

    def __init__(self, calls: Sequence[AggregateCall], first: int) -> None:
        self.aggregates: list[Aggregate] = []
        self._first = first
        position = 0
        for call in calls:
            types = tuple(of for _, of, _ in _parts(call))
            places = tuple(range(position, position + len(types)))
            self.aggregates.append(Aggregate(call.function, places, types, call.type, merging=True))
            position += len(types)

    def columns(self, batch: Batch) -> tuple[list[Column], list[bool]]:
        columns = list(batch.columns[self._first :])
        return columns, [False] * len(columns)


def row_inputs(calls: Sequence[AggregateCall], fields: tuple[Field, ...]) -> AggregateInputs:
    """Of calls that read rows with these fields."""
    return _Rows(calls, fields)


def merging_inputs(calls: Sequence[AggregateCall], keys: int) -> AggregateInputs:
    """Of calls that merge states, which stand behind ``keys`` columns."""
    return _States(calls, keys)


def too_large(calls: Sequence[AggregateCall], overflow: AggregateOverflow) -> DataError:
    """The error of a sum that has left its type."""
    message, number = overflow.args
    call = calls[number]
    return DataError(
        message,
        detail=f"the {call.function} of a group does not fit {call.type}",
        hint="cast the argument to DOUBLE",
        span=call.span,
    )
