"""Keys of a join beside the columns by which an outside table is asked, where these have other types.

A table is asked for values of its own columns.  A key that a column's type cannot hold (half past nine of a DATE, 2.5 of an INT) is
in no row of it, so nobody is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.expressions.casting.rules import can_cast
from tableflow.expressions.evaluation import filter_rows, project
from tableflow.expressions.nodes import Call, Cast, ColumnRef, Expression, substitute
from tableflow.types import BOOLEAN, FloatType, SqlType, StringType


class ColumnKeys:
    """Keys, values of expressions over columns of a table, as values of these columns; see :func:`asked_column`."""

    def __init__(self, keys: Sequence[Expression]) -> None:
        given = [ColumnRef(key.type, number, "key") for number, key in enumerate(keys)]
        self._given = {number: number for number in range(len(keys))}
        self._columns = [_undone(key, of) for key, of in zip(keys, given, strict=True)]
        self._same = [
            Call(BOOLEAN, "eq", (of, _over(key, column)))
            for key, of, column in zip(keys, given, self._columns, strict=True)
        ]

    def held(self, keys: Sequence[Column], count: int) -> Selection:
        """The numbers of the keys that the columns can hold."""
        return filter_rows(self._same, Batch(list(keys), count), self._given)

    def columns(self, keys: Sequence[Column], count: int) -> list[Column]:
        """Such keys as values of the columns."""
        return project(self._columns, Batch(list(keys), count), self._given)


def asked_column(key: Expression) -> ColumnRef | None:
    """The column that a key is, in a type that keeps all of its values apart, or without the blanks of a CHAR; None if it is none."""
    match key:
        case ColumnRef():
            return key
        case Cast(operand=operand, lenient=False) if _keeps_apart(operand.type, key.type):
            return asked_column(operand)
        case Call(function="rtrim", args=(Cast(operand=ColumnRef() as column),)) if _is_char(column.type):
            return column
        case _:
            return None


def _keeps_apart(of: SqlType, to: SqlType) -> bool:
    as_text = isinstance(to, StringType) and to.length is None and not isinstance(of, FloatType)
    return as_text or can_cast(of, to, implicit=True)


def _is_char(of: SqlType) -> bool:
    return isinstance(of, StringType) and of.fixed


def _undone(key: Expression, of: Expression) -> Expression:
    """The value of the column in a row whose key is ``of``; NULL or another key's if there is none."""
    match key:
        case Cast(operand=operand, zone=zone):
            return _undone(operand, of if operand.type == of.type else Cast(operand.type, of, lenient=True, zone=zone))
        case Call(args=(operand,)):
            return _undone(operand, of)
        case _:
            return of


def _over(key: Expression, value: Expression) -> Expression:
    """The key of a row in which the column has a value."""
    column = asked_column(key)
    assert column is not None
    return substitute(key, {column.id: value})
