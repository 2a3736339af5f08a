"""Parameters of a statement that is carried out for many rows of them: columns instead of literals.

What a value means does not depend on how many there are: a column's type holds every literal that a value alone would be.
Rows that have no common types (several kinds of values in a column, other names, more or fewer values) are runs of their own; a
row with values that have no column (an interval, none that SQL has) is a run by itself, of literals.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.representation import from_arrow
from tableflow.errors import TableFlowError
from tableflow.expressions.functions.statement import StatementClock, clock_readings
from tableflow.expressions.literals import literal_column
from tableflow.expressions.nodes import ColumnRef
from tableflow.records import dataclass

_ARROW: Mapping[type, tuple[pa.DataType, t.SqlType] | None] = {
    int: (pa.int64(), t.BIGINT),
    float: (pa.float64(), t.DOUBLE),
    str: (pa.string(), t.STRING),
    bytes: (pa.binary(), t.BYTES),
    bool: (pa.bool_(), t.BOOLEAN),
    dt.date: (pa.date32(), t.DATE),
    dt.time: (pa.time64("us"), t.TIME),
    dt.datetime: None,
    decimal.Decimal: None,
    uuid.UUID: None,
}
"""Python types whose values become a column of one Arrow and SQL type; None: it depends on them."""

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]
_ROWS_AT_ONCE = 50_000


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

    def part(self, start: int, stop: int) -> ParameterColumns:
        """Some of the rows."""
        columns = [None if column is None else column.slice(start, stop - start) for column in self.columns]
        return ParameterColumns(tuple(columns), self.names, stop - start)

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


@dataclass(frozen=True, slots=True)
class ParameterRun:
    """Neighbouring rows of parameters, from row ``first`` on (counted from 0), that a statement is bound to together.

    ``columns`` is None for one row of literals.
    """

    first: int
    rows: Sequence[Parameters]
    columns: ParameterColumns | None

    def references(self) -> Parameters:
        """What the statement is bound to."""
        return self.rows[0] if self.columns is None else self.columns.references()

    def batch(self, clock: StatementClock, read: Collection[int]) -> tuple[Batch, dict[int, int]]:
        """What its expressions read; see :meth:`ParameterColumns.batch`."""
        columns = self.columns or ParameterColumns((), None, len(self.rows))
        return columns.batch(clock, read)

    def part(self, start: int, stop: int) -> ParameterRun:
        """Some of its rows."""
        if stop - start == len(self.rows):
            return self
        columns = None if self.columns is None else self.columns.part(start, stop)
        return ParameterRun(self.first + start, self.rows[start:stop], columns)


def parameter_runs(rows: Sequence[Parameters]) -> Iterator[ParameterRun]:
    """All rows, in order, as few runs as there can be."""
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        chunk = rows[first : first + _ROWS_AT_ONCE]
        columns = parameter_columns(chunk)
        if columns is not None:
            yield ParameterRun(first, chunk, columns)
            continue
        for start, stop in _alike(chunk):
            piece = chunk[start:stop]
            columns = parameter_columns(piece)
            if columns is not None:
                yield ParameterRun(first + start, piece, columns)
            else:
                for at in range(start, stop):
                    yield ParameterRun(first + at, chunk[at : at + 1], parameter_columns(chunk[at : at + 1]))


def _alike(rows: Sequence[Parameters]) -> Iterator[tuple[int, int]]:
    """Ranges of neighbours with the same names or number of values, and one kind in each column."""
    start = 0
    shape: Any = None
    kinds: dict[Any, Any] = {}
    for at, row in enumerate(rows):
        items = row.items() if isinstance(row, Mapping) else enumerate(row)
        own = {name: _kind(value) for name, value in items if value is not None}
        its_shape = row.keys() if isinstance(row, Mapping) else len(row)
        if at > start and (its_shape != shape or any(kinds.get(name, kind) != kind for name, kind in own.items())):
            yield start, at
            start, kinds = at, {}
        shape = its_shape
        kinds |= own
    yield start, len(rows)


def _kind(value: Any) -> Any:
    """What tells values apart that have no column together."""
    kind = type(value)
    if kind is int:
        return float
    if kind is dt.datetime:
        return kind, value.tzinfo is None
    if kind is decimal.Decimal:
        return kind, value.is_finite()
    return kind


def parameter_columns(rows: Sequence[Parameters]) -> ParameterColumns | None:
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
    if not kinds <= _ARROW.keys() and any(issubclass(kind, np.generic) for kind in kinds):
        values = [_plain(value) for value in values]
        kinds = set(map(type, values)) - {type(None)}
    if len(kinds) != 1:
        if kinds != {int, float}:
            return None
        kinds = {float}
    kind = next(iter(kinds))
    if kind not in _ARROW:
        return None
    simple = _ARROW[kind]
    try:
        match kind:
            case _ if simple is not None:
                return from_arrow(pa.array(values, simple[0]), simple[1])
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
            case uuid.UUID:
                return from_arrow(pa.array([None if value is None else str(value) for value in values], pa.string()))
    except OverflowError:
        if kind is not int:
            return None
        return _column([None if value is None else decimal.Decimal(value) for value in values], {decimal.Decimal})
    except (pa.ArrowException, TableFlowError, UnicodeError, ValueError):
        pass
    return None  # what is wrong with it, the literal will say


def _plain(value: Any) -> Any:
    """Numbers of numpy as Python's."""
    return value.item() if isinstance(value, (np.integer, np.floating, np.bool_)) else value


@contextmanager
def naming_row(number: int) -> Iterator[None]:
    """Errors say that they are of this row of parameters (counted from 0)."""
    try:
        yield
    except TableFlowError as error:
        raise of_row(error, number) from None


def of_row(error: TableFlowError, number: int) -> TableFlowError:
    """The error, saying of which row of parameters it is, unless it does already."""
    if "of the parameters" not in (error.detail or ""):
        which = f"row {number + 1:,} of the parameters"
        error.detail = which if error.detail is None else f"{which}: {error.detail}"
    return error
