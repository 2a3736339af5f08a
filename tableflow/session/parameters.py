"""Parameters of a statement that is carried out for many rows of them: columns instead of literals.

What a value means does not depend on how many there are: a column's type holds every literal that a value alone would be.
Values of which that cannot be said cheaply (several types in a column, none that SQL has) have no column; then the
statement is carried out once for each row.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.representation import from_arrow
from tableflow.errors import TableFlowError
from tableflow.expressions.functions.statement import StatementClock, clock_readings
from tableflow.expressions.literals import literal_column
from tableflow.expressions.nodes import ColumnRef

_ARROW: Mapping[type, pa.DataType | None] = {
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    bytes: pa.binary(),
    bool: pa.bool_(),
    dt.date: pa.date32(),
    dt.datetime: None,
    decimal.Decimal: None,
}
"""Python types whose values become a column of one Arrow type; None: it depends on them."""


@dataclass(frozen=True, slots=True)
class ParameterColumns:
    """``columns[i]`` holds parameter i of every row; None if it is NULL in all of them."""

    columns: tuple[Column | None, ...]
    names: tuple[str, ...] | None
    rows: int

    @property
    def types(self) -> tuple[t.SqlType | None, ...]:
        """The types: what a bound statement depends on."""
        return tuple([None if column is None else column.type for column in self.columns])

    def references(self) -> Sequence[Any] | Mapping[str, Any]:
        """What stands for the parameters while the statement is bound."""
        values = [None if c is None else ColumnRef(c.type, -1 - i, f"?{i + 1}") for i, c in enumerate(self.columns)]
        return values if self.names is None else dict(zip(self.names, values, strict=True))

    def batch(self, clock: StatementClock, read: Collection[int]) -> tuple[Batch, dict[int, int]]:
        """The columns with those that are read of the statement's clock, and where each is by id."""
        columns: list[Column] = []
        where: dict[int, int] = {}
        for i, column in enumerate(self.columns):
            if column is not None:
                where[-1 - i] = len(columns)
                columns.append(column)
        for column_id, literal in clock_readings(clock, read).items():
            where[column_id] = len(columns)
            columns.append(literal_column([literal.value] * self.rows, literal.type))
        return Batch(columns, self.rows), where


def parameter_columns(rows: Sequence[Sequence[Any] | Mapping[str, Any]]) -> ParameterColumns | None:
    """The rows as columns; None if they cannot be."""
    first = rows[0]
    names: tuple[str, ...] | None = None
    if isinstance(first, Mapping):
        names = tuple(map(str, first))
        if any(not isinstance(row, Mapping) or row.keys() != first.keys() for row in rows):
            return None
        given: Sequence[Any] = rows
        rows = [[row[name] for name in first] for row in given]
    elif any(isinstance(row, Mapping) or len(row) != len(first) for row in rows):
        return None
    made: list[Column | None] = []
    for values in zip(*rows, strict=True):
        kinds = set(map(type, values))
        kinds.discard(type(None))
        if not kinds:
            made.append(None)
            continue
        column = _column(values, kinds)
        if column is None:
            return None
        made.append(column)
    return ParameterColumns(tuple(made), names, len(rows))


def _column(values: Sequence[Any], kinds: set[type]) -> Column | None:
    if len(kinds) != 1:
        if kinds != {int, float}:
            return None
        kinds = {float}
    kind = next(iter(kinds))
    if kind not in _ARROW:
        return None
    try:
        match kind:
            case dt.datetime:
                zoned = {value.tzinfo is not None for value in values if value is not None}
                if len(zoned) != 1:
                    return None
                of = pa.timestamp("us", tz="UTC" if True in zoned else None)
                return from_arrow(pa.array(values, of), t.TIMESTAMP_LTZ if True in zoned else t.TIMESTAMP)
            case decimal.Decimal:
                if not all(value is None or value.is_finite() for value in values):
                    return None
                return from_arrow(pa.array(values))
            case _:
                return from_arrow(pa.array(values, _ARROW[kind]))
    except (pa.ArrowException, TableFlowError, OverflowError, UnicodeError, ValueError):
        return None  # what is wrong with it, the literal will say
