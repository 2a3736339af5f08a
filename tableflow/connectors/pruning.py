"""Which parts of a table cannot hold a row that satisfies a conjunct, by the range of its columns.

Sound, never complete: :mod:`tableflow.connectors.part_matcher` rules a part out only if no row of it makes the conjunct TRUE.
Understood are comparisons of a column with a literal, IN lists, IS [NOT] NULL, a bare BOOLEAN column, and AND, OR over these;
lossless numeric casts around the column are looked through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from tableflow import types as t
from tableflow.expressions.nodes import Call, Cast, ColumnRef, Expression, Literal
from tableflow.records import dataclass
from tableflow.types import family, is_numeric

FLIPPED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq"}
"""Comparisons, and what they are with their sides changed."""


@dataclass(frozen=True, slots=True)
class ColumnRange:
    """What is known of a column in one part: bounds as storage values, NULLs, rows; None is unknown.

    ``excludes`` says of a literal whether surely no row has its value, as a Bloom filter does.
    """

    type: t.SqlType
    minimum: Any = None
    maximum: Any = None
    nulls: int | None = None
    rows: int | None = None
    excludes: Callable[[Literal], bool] | None = None

    @property
    def all_null(self) -> bool:
        """Whether surely no value is present."""
        return self.nulls is not None and self.nulls == self.rows


RangeOf = Callable[[str], ColumnRange | None]


def can_prune(predicate: Expression) -> bool:
    """Whether the conjunct is of a shape that could rule parts out."""
    match predicate:
        case Call(function="and", args=args):
            return any(can_prune(arg) for arg in args)
        case Call(function="or", args=args):
            return all(can_prune(arg) for arg in args)
        case Call(function="is_null" | "is_not_null", args=(ColumnRef(),)):
            return True
        case Call(function="in", args=(value, *items)):
            return column_below_casts(value) is not None and all(isinstance(item, Literal) for item in items)
        case Call(function=function, args=(left, right)) if function in FLIPPED:
            return comparison(function, left, right) is not None
        case ColumnRef(type=t.BooleanType()):
            return True
        case _:
            return False


def integer_interval(predicate: Expression) -> tuple[ColumnRef, int | None, int | None] | None:
    """The storage values of a column for which the conjunct is TRUE, as bounds that are in; None: no such interval.

    Understood are comparisons of columns stored as integers with literals, and AND over these.
    """
    match predicate:
        case Call(function="and", args=args):
            parts = [integer_interval(arg) for arg in args]
            first = parts[0]
            if first is None or any(part is None or part[0].id != first[0].id for part in parts):
                return None
            lows = [part[1] for part in parts if part is not None and part[1] is not None]
            highs = [part[2] for part in parts if part is not None and part[2] is not None]
            return first[0], max(lows, default=None), min(highs, default=None)
        case Call(function=function, args=(left, right)) if function in FLIPPED:
            found = comparison(function, left, right)
            if found is None:
                return None
            function, column, literal = found
            units = _units(column.type)
            value = None if literal.value is None else comparable(literal.value, literal.type)
            if units is None or not isinstance(value, int | Fraction):
                return None
            if family(column.type) is not family(literal.type) and not (
                is_numeric(column.type) and is_numeric(literal.type)
            ):
                return None
            exact = value * units
            low, high = math.ceil(exact), math.floor(exact)
            match function:
                case "eq":
                    return column, low, high
                case "lt":
                    return column, None, low - 1
                case "le":
                    return column, None, high
                case "gt":
                    return column, high + 1, None
                case _:
                    return column, low, None
        case _:
            return None


def _units(of: t.SqlType) -> Fraction | None:
    """How many storage values a comparable value of 1 is."""
    match of:
        case t.IntegerType() | t.DateType():
            return Fraction(1)
        case t.DecimalType(scale=scale):
            return Fraction(10**scale)
        case t.TimestampType(precision=precision) | t.TimeType(precision=precision):
            return Fraction(1, 1000) if precision <= 6 else Fraction(1)
        case _:
            return None


def comparison(function: str, left: Expression, right: Expression) -> tuple[str, ColumnRef, Literal] | None:
    """The comparison with the column at its left; None if it is not one of a column with a literal."""
    if isinstance(left, Literal):
        function, left, right = FLIPPED[function], right, left
    column = column_below_casts(left)
    if column is None or not isinstance(right, Literal):
        return None
    return function, column, right


def equality(predicate: Expression) -> tuple[ColumnRef, Literal] | None:
    """The column and the literal of ``column = literal``; None for another predicate."""
    match predicate:
        case Call(function="eq", args=(left, right)):
            found = comparison("eq", left, right)
            return None if found is None else found[1:]
        case _:
            return None


def column_below_casts(expression: Expression) -> ColumnRef | None:
    """The column below lossless numeric casts."""
    while isinstance(expression, Cast) and _lossless(expression.operand.type, expression.type):
        expression = expression.operand
    return expression if isinstance(expression, ColumnRef) else None


def _lossless(of: t.SqlType, to: t.SqlType) -> bool:
    match of, to:
        case t.IntegerType(), t.IntegerType():
            return to.bits >= of.bits
        case t.IntegerType(), t.DecimalType():
            return to.precision - to.scale >= of.digits
        case t.DecimalType(), t.DecimalType():
            return to.scale >= of.scale and to.precision - to.scale >= of.precision - of.scale
        case t.StringType(fixed=False), t.StringType(length=None):
            return True
        case _:
            return of == to


_AS_THEY_ARE = (t.IntegerType, t.DateType, t.BooleanType)


def comparable(value: Any, of: t.SqlType) -> Any:
    """A value that compares across the representations of a family; None if it says nothing."""
    if value is None or isinstance(of, _AS_THEY_ARE):
        return value
    match of:
        case t.DecimalType(scale=scale):
            return Fraction(value, 10**scale)
        case t.FloatType() if math.isnan(value):
            return None
        case t.TimestampType(precision=precision) | t.TimeType(precision=precision):
            return value * 1000 if precision <= 6 else value
        case t.StringType(fixed=True):
            return None  # trailing blanks do not count
        case _:
            return value
