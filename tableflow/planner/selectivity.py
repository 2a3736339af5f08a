"""The share of rows for which a predicate is TRUE."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tableflow.expressions.nodes import Call, Cast, ColumnRef, Expression, Literal
from tableflow.planner.column_statistics import ColumnEstimate
from tableflow.planner.logical.predicates import COMPARISONS, MIRRORED
from tableflow.types import BOOLEAN, DecimalType, IntegerType, SqlType

Lookup: TypeAlias = Callable[[int], ColumnEstimate | None]
"""What is known of a column by its id, before the predicate."""

DEFAULT = 1.0 / 3.0
EQUALITY = 0.05
_LIKE_ANCHORED = 0.1
_LIKE_WITHIN = 0.05
_LEAST = 1e-9


def selectivity_of_all(lookup: Lookup, conjuncts: tuple[Expression, ...]) -> float:
    """Of a conjunction: independent, except that bounds of one column make one range."""
    product = 1.0
    ranges: dict[int, list[float]] = {}
    for conjunct in conjuncts:
        bound = _range_bound(lookup, conjunct)
        if bound is None:
            product *= selectivity(lookup, conjunct)
            continue
        column, low, high = bound
        known = ranges.setdefault(column, [0.0, 1.0])
        known[0], known[1] = max(known[0], low), min(known[1], high)
    for low, high in ranges.values():
        product *= max(high - low, 1e-4)
    return max(_LEAST, min(1.0, product))


def selectivity(lookup: Lookup, of: Expression) -> float:
    """Of one predicate over the node's output."""
    match of:
        case Literal(value=value):
            return 1.0 if value is True else 0.0
        case Call(function="and", args=args):
            return selectivity_of_all(lookup, args)
        case Call(function="or", args=args):
            missed = 1.0
            for arg in args:
                missed *= 1.0 - selectivity(lookup, arg)
            return 1.0 - missed
        case Call(function="not", args=(arg,)) | Call(function="is_not_true", args=(arg,)):
            return max(0.0, 1.0 - selectivity(lookup, arg))
        case Call(function="is_true", args=(arg,)):
            return selectivity(lookup, arg)
        case Call(function="in", args=(value, *items)):
            column = _column(lookup, value)
            each = EQUALITY if column is None else _one_value(column)
            return min(1.0, each * len(items))
        case Call(function="like" | "ilike", args=(_, Literal(value=str(pattern)), *_)):
            if "%" not in pattern and "_" not in pattern:
                return EQUALITY
            return _LIKE_WITHIN if pattern.startswith("%") and pattern.endswith("%") else _LIKE_ANCHORED
        case Call(function="is_null", args=(arg,)):
            column = _column(lookup, arg)
            return EQUALITY if column is None else column.null_fraction
        case Call(function="is_not_null", args=(arg,)):
            column = _column(lookup, arg)
            return 1.0 - EQUALITY if column is None else 1.0 - column.null_fraction
        case Call(function=function, args=(a, b)) if function in COMPARISONS or function == "is_not_distinct_from":
            return _comparison(lookup, function, a, b)
        case _:
            return DEFAULT


def _comparison(lookup: Lookup, function: str, a: Expression, b: Expression) -> float:
    first, second = _column(lookup, a), _column(lookup, b)
    if function not in {"eq", "ne", "is_not_distinct_from"}:
        bound = _range_bound(lookup, Call(BOOLEAN, function, (a, b)))
        return DEFAULT if bound is None else max(1e-4, bound[2] - bound[1])
    if first is not None and second is not None:
        equal = 1.0 / max(1.0, first.base, second.base)
    elif first is not None or second is not None:
        equal = _one_value(first or second)
    else:
        equal = EQUALITY
    return 1.0 - equal if function == "ne" else equal


def _one_value(column: ColumnEstimate | None) -> float:
    return EQUALITY if column is None else (1.0 - column.null_fraction) / max(1.0, column.distinct)


def _column(lookup: Lookup, of: Expression) -> ColumnEstimate | None:
    while isinstance(of, Cast):
        of = of.operand
    return lookup(of.id) if isinstance(of, ColumnRef) else None


def _range_bound(lookup: Lookup, of: Expression) -> tuple[int, float, float] | None:
    """(column, low, high): the comparison leaves the values between these shares of the column's range."""
    match of:
        case Call(function=function, args=(a, Literal(value=value))) if function in COMPARISONS:
            pass
        case Call(function=function, args=(Literal(value=value), a)) if function in COMPARISONS:
            function = MIRRORED[function]
        case _:
            return None
    if function in {"eq", "ne"} or isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    column = _column(lookup, a)
    if column is None:
        return None
    while isinstance(a, Cast):
        value = _descaled(value, a.type, a.operand.type)
        a = a.operand
    assert isinstance(a, ColumnRef)
    share = column.share_below(value)
    if share is None:
        return None
    return (a.id, 0.0, share) if function in {"lt", "le"} else (a.id, share, 1.0)


def _descaled(value: float, outer: SqlType, inner: SqlType) -> float:
    """A scaled constant in the units of what was cast."""
    outer_scale = outer.scale if isinstance(outer, DecimalType) else 0
    inner_scale = inner.scale if isinstance(inner, DecimalType) else 0
    if isinstance(outer, (DecimalType, IntegerType)) or isinstance(inner, DecimalType):
        return value * 10.0 ** (inner_scale - outer_scale)
    return value
