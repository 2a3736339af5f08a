"""Which parts of a table cannot hold a row that satisfies a conjunct, by the range of its columns.

Sound, never complete: ``may_match`` is False only if no row of the part makes the conjunct TRUE.  Understood are
comparisons of a column with a literal, IN lists, IS [NOT] NULL, a bare BOOLEAN column, and AND, OR over these;
lossless numeric casts around the column are looked through.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from tableflow import types as t
from tableflow.expressions.nodes import Call, Cast, ColumnRef, Expression, Literal
from tableflow.records import dataclass
from tableflow.types import family, is_numeric

_FLIPPED = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq"}


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
        case Call(function=function, args=(left, right)) if function in _FLIPPED:
            return _comparison(function, left, right) is not None
        case ColumnRef(type=t.BooleanType()):
            return True
        case _:
            return False


def may_match(predicate: Expression, range_of: RangeOf) -> bool:
    """Whether a row of the part could make the conjunct TRUE."""
    match predicate:
        case Call(function="and", args=args):
            return all(may_match(arg, range_of) for arg in args)
        case Call(function="or", args=args):
            return any(may_match(arg, range_of) for arg in args)
        case Call(function="is_null", args=(ColumnRef(name=name),)):
            known = range_of(name)
            return known is None or known.nulls is None or known.nulls > 0
        case Call(function="is_not_null", args=(ColumnRef(name=name),)):
            known = range_of(name)
            return known is None or not known.all_null
        case Call(function="in", args=(value, *items)):
            column = column_below_casts(value)
            if column is None:
                return True
            near = _between(predicate, range_of(column.name)) if len(items) > _FEW else _literals(items)
            return near is None or any(_compares("eq", column, item, range_of) for item in near)
        case Call(function=function, args=(left, right)) if function in _FLIPPED:
            parts = _comparison(function, left, right)
            return parts is None or _compares(*parts, range_of)
        case ColumnRef(type=t.BooleanType(), name=name):
            known = range_of(name)
            return known is None or not (known.all_null or known.maximum is False)
        case _:
            return True


_FEW = 16
_SORTED: dict[int, tuple[Call, list[Any], list[Literal] | None]] = {}
"""Long lists of literals by the identity of their call: comparable values in order, and the literals."""
_MOST_SORTED = 64


def _literals(items: Sequence[Expression]) -> list[Literal] | None:
    """The items; None if one is no literal."""
    found = [item for item in items if isinstance(item, Literal)]
    return found if len(found) == len(items) else None


def _between(predicate: Call, known: ColumnRange | None) -> Sequence[Literal] | None:
    """The items of a long list that may lie between the bounds; None if any value may be meant."""
    low = None if known is None else _comparable(known.minimum, known.type)
    high = None if known is None else _comparable(known.maximum, known.type)
    found = _SORTED.get(id(predicate))
    if found is None or found[0] is not predicate:
        if len(_SORTED) >= _MOST_SORTED:
            _SORTED.clear()
        found = _SORTED[id(predicate)] = predicate, *_in_order(predicate.args[1:])
    _, values, items = found
    if low is None or high is None or not values:
        return items
    try:
        return None if items is None else items[bisect_left(values, low) : bisect_right(values, high)]
    except TypeError:  # values of types that do not compare in Python
        return items


def _in_order(items: Sequence[Expression]) -> tuple[list[Any], list[Literal] | None]:
    """Comparable values of all literals and the literals in their order; no values if they have none."""
    literals = _literals(items)
    pairs = [(_comparable(item.value, item.type), item) for item in literals or ()]
    if any(value is None for value, _ in pairs):
        return [], literals
    try:
        pairs.sort(key=lambda pair: pair[0])
    except TypeError:
        return [], literals
    return [value for value, _ in pairs], [item for _, item in pairs] if pairs else literals


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
        case Call(function=function, args=(left, right)) if function in _FLIPPED:
            found = _comparison(function, left, right)
            if found is None:
                return None
            function, column, literal = found
            units = _units(column.type)
            value = None if literal.value is None else _comparable(literal.value, literal.type)
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


def _comparison(function: str, left: Expression, right: Expression) -> tuple[str, ColumnRef, Literal] | None:
    if isinstance(left, Literal):
        function, left, right = _FLIPPED[function], right, left
    column = column_below_casts(left)
    if column is None or not isinstance(right, Literal):
        return None
    return function, column, right


def equality(predicate: Expression) -> tuple[ColumnRef, Literal] | None:
    """The column and the literal of ``column = literal``; None for another predicate."""
    match predicate:
        case Call(function="eq", args=(left, right)):
            found = _comparison("eq", left, right)
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


def _compares(function: str, column: ColumnRef, literal: Literal, range_of: RangeOf) -> bool:
    if literal.value is None:
        return False  # a comparison with NULL is never TRUE
    known = range_of(column.name)
    if known is None:
        return True
    if known.all_null:
        return False
    if _same_unit(literal.type, known.type):
        value, low, high = literal.value, known.minimum, known.maximum
    else:
        value = _comparable(literal.value, literal.type)
        low = _comparable(known.minimum, known.type)
        high = _comparable(known.maximum, known.type)
    if value is None:
        return True
    try:
        match function:
            case "eq":
                inside = (low is None or low <= value) and (high is None or value <= high)
                return inside and not (known.excludes is not None and known.excludes(literal))
            case "lt":
                return low is None or low < value
            case "le":
                return low is None or low <= value
            case "gt":
                return high is None or high > value
            case _:
                return high is None or high >= value
    except TypeError:  # storage values of types that do not compare in Python: nothing is known
        return True


def _same_unit(one: t.SqlType, other: t.SqlType) -> bool:
    """Whether storage values of both types compare as they are, so that no fractions need be made of them."""
    return isinstance(one, t.DecimalType) and isinstance(other, t.DecimalType) and one.scale == other.scale


def _comparable(value: Any, of: t.SqlType) -> Any:
    """A value that compares across the representations of a family; None if it says nothing."""
    if value is None:
        return None
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
