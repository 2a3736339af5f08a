"""Whether parts of a table may hold a row that satisfies a conjunct; what is understood is in :mod:`tableflow.connectors.pruning`.

A conjunct is made a function once, which is then asked about the ranges of each part.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from tableflow import types as t
from tableflow.connectors.pruning import FLIPPED, RangeOf, column_below_casts, comparable, comparison
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal

Matcher = Callable[[RangeOf], bool]


def may_match(predicate: Expression, range_of: RangeOf) -> bool:
    """Whether a row of the part could make the conjunct TRUE."""
    return matcher(predicate)(range_of)


def matcher(predicate: Expression) -> Matcher:
    """The same for many parts: what depends on the conjunct alone is found out once."""
    match predicate:
        case Call(function="and", args=args):
            parts = [matcher(arg) for arg in args]
            return lambda range_of: all(part(range_of) for part in parts)
        case Call(function="or", args=args):
            parts = [matcher(arg) for arg in args]
            return lambda range_of: any(part(range_of) for part in parts)
        case Call(function="is_null", args=(ColumnRef(name=name),)):
            return lambda range_of: (known := range_of(name)) is None or known.nulls is None or known.nulls > 0
        case Call(function="is_not_null", args=(ColumnRef(name=name),)):
            return lambda range_of: (known := range_of(name)) is None or not known.all_null
        case Call(function="in", args=(value, *items)):
            column, literals = column_below_casts(value), _literals(items)
            return _always if column is None or literals is None else _listed(column.name, literals)
        case Call(function=function, args=(left, right)) if function in FLIPPED:
            found = comparison(function, left, right)
            return _always if found is None else _comparing(found[0], found[1].name, found[2])
        case ColumnRef(type=t.BooleanType(), name=name):
            return lambda range_of: (known := range_of(name)) is None or not (known.all_null or known.maximum is False)
        case _:
            return _always


def _always(range_of: RangeOf) -> bool:  # noqa: ARG001 - a matcher
    return True


def _never(range_of: RangeOf) -> bool:  # noqa: ARG001 - as above
    return False


_FEW = 16


def _listed(name: str, literals: list[Literal]) -> Matcher:
    """A value of the list may be in the column; of a long one only those between the bounds are compared."""
    if len(literals) <= _FEW:
        parts = [_comparing("eq", name, literal) for literal in literals]
        return lambda range_of: any(part(range_of) for part in parts)
    values, ordered = _in_order(literals)

    def matches(range_of: RangeOf) -> bool:
        known = range_of(name)
        if known is None:
            return True
        if known.all_null:
            return False
        low, high = comparable(known.minimum, known.type), comparable(known.maximum, known.type)
        if not values or low is None or high is None:
            return any(_comparing("eq", name, one)(range_of) for one in ordered)
        try:
            first, last = bisect_left(values, low), bisect_right(values, high)
        except TypeError:  # values of types that do not compare in Python
            return True
        if known.excludes is None:
            return first < last
        return not all(known.excludes(one) for one in ordered[first:last])

    return matches


def _literals(items: Sequence[Expression]) -> list[Literal] | None:
    """The items; None if one is no literal."""
    found = [item for item in items if isinstance(item, Literal)]
    return found if len(found) == len(items) else None


def _in_order(literals: list[Literal]) -> tuple[list[Any], list[Literal]]:
    """Comparable values of all literals and the literals in their order; no values if they have none."""
    pairs = [(comparable(one.value, one.type), one) for one in literals]
    if any(value is None for value, _ in pairs):
        return [], literals
    try:
        pairs.sort(key=lambda pair: pair[0])
    except TypeError:
        return [], literals
    return [value for value, _ in pairs], [one for _, one in pairs]


def _comparing(function: str, name: str, literal: Literal) -> Matcher:
    """Compares the bounds of a column with a literal."""
    if literal.value is None:
        return _never  # a comparison with NULL is never TRUE
    exact = comparable(literal.value, literal.type)

    def matches(range_of: RangeOf) -> bool:
        known = range_of(name)
        if known is None:
            return True
        if known.all_null:
            return False
        if _same_unit(literal.type, known.type):
            value, low, high = literal.value, known.minimum, known.maximum
        else:
            value = exact
            low, high = comparable(known.minimum, known.type), comparable(known.maximum, known.type)
        if value is None:
            return True
        try:
            match function:
                case "eq":
                    inside = (low is None or low <= value) and (high is None or value <= high)
                    return bool(inside and not (known.excludes is not None and known.excludes(literal)))
                case "lt":
                    return bool(low is None or low < value)
                case "le":
                    return bool(low is None or low <= value)
                case "gt":
                    return bool(high is None or high > value)
                case _:
                    return bool(high is None or high >= value)
        except TypeError:  # storage values of types that do not compare in Python: nothing is known
            return True

    return matches


def _same_unit(one: t.SqlType, other: t.SqlType) -> bool:
    """Whether storage values of both types compare as they are, so that no fractions need be made of them."""
    return isinstance(one, t.DecimalType) and isinstance(other, t.DecimalType) and one.scale == other.scale
