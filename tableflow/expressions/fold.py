"""Folding of constants and simplification of conditions.

Every rewrite keeps three-valued logic and errors: an expression that fails is left to the runtime, where it fails only if
a row needs it; an operand is dropped only if it cannot fail, or if the evaluator would not count its error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tableflow import types as t
from tableflow.expressions.casting.calendar import moved_date
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.functions.logic import connect
from tableflow.expressions.intervals import always_fits, exact_range
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import Call, Case, Cast, Chain, Expression, Literal, children, transform
from tableflow.expressions.operand import Operand
from tableflow.expressions.properties import can_raise, deterministic, is_constant
from tableflow.expressions.ranges import is_exact
from tableflow.expressions.registry import function

TRUE, FALSE = Literal(t.BOOLEAN, value=True), Literal(t.BOOLEAN, value=False)
_OPPOSITES = {
    "eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "is_null": "is_not_null",
    "is_not_null": "is_null", "is_true": "is_not_true", "is_not_true": "is_true", "is_false": "is_not_false",
    "is_not_false": "is_false", "is_distinct_from": "is_not_distinct_from", "is_not_distinct_from": "is_distinct_from",
}  # fmt: skip


def fold(expression: Expression) -> Expression:
    """The expression with constants computed and conditions simplified; equal to it for every row, errors included."""
    return transform(expression, fold_node)


def fold_node(of: Expression) -> Expression:
    """One step of :func:`fold`, for an expression whose operands are folded."""
    if isinstance(of, Call):
        way = _WAYS.get(of.function)
        return _computed(of) if way is None else way(of)
    return _fold_case(of) if isinstance(of, Case) else _computed(of)


def _tried(of: Call) -> Expression:
    return _computed(of) if can_raise(of.args[0]) else of.args[0]


def _computed(of: Expression) -> Expression:
    """A constant's value, unless it fails."""
    if not isinstance(of, (Call, Cast, Case, Chain)):
        return of
    for operand in children(of):
        if type(operand) is not Literal:
            if _may_save(of):
                break
            return of  # an operand that is not a constant by now has columns in it, or fails
    exact = _exact_value(of)
    if exact is not None:
        return Literal(of.type, exact, of.span)
    if not is_constant(of):
        return of
    result = evaluate(of, {}, 1)
    if result.errors is not None and result.errors.any():
        return of
    value = storage_values(Operand(of.type, result.column.array))[0]
    return Literal(of.type, value, of.span)


def _may_save(of: Expression) -> bool:
    """Whether the expression may have a value although an operand has none."""
    if isinstance(of, Call):
        return function(of.function).lazy
    return of.lenient if isinstance(of, Cast) else isinstance(of, Case)


def _exact_value(of: Expression) -> int | None:
    """The value of exact arithmetic over constants, where its bounds meet, and of dates: far cheaper than evaluating it."""
    match of:
        case Call(
            function="add" | "subtract" as name, args=(Literal() as day, Literal(type=t.IntervalType()) as by)
        ) if isinstance(of.type, t.DateType) and isinstance(day.type, t.DateType):
            if day.value is None or by.value is None:
                return None
            sign = 1 if name == "add" else -1
            months, days, _ = by.value  # a date has no time to be moved
            return moved_date(day.value, sign * months, sign * days)
        case Call(function="add" | "subtract" | "multiply", args=operands) | Cast(operand=operands):
            pass
        case _:
            return None
    known = all(
        isinstance(operand, Literal) and type(operand.value) is int and is_exact(operand.type)
        for operand in (operands if isinstance(operands, tuple) else (operands,))
    )
    if not known or not is_exact(of.type) or not always_fits(of, {}):
        return None
    found = exact_range(of, {})
    return found[0] if found is not None and found[0] == found[1] else None


def _fold_connective(of: Call, dominant: Literal, neutral: Literal) -> Expression:
    """Without neutral, repeated and nested operands; the dominant one decides alone, because it outweighs errors."""
    flat = connect(of.function, of.args, of.span)
    operands = flat.args if isinstance(flat, Call) and flat.function == of.function else (flat,)
    kept: list[Expression] = []
    for operand in operands:
        if isinstance(operand, Literal) and operand.value is dominant.value:
            return Literal(t.BOOLEAN, dominant.value, of.span)
        if isinstance(operand, Literal) and operand.value is neutral.value:
            continue
        if not (operand in kept and deterministic(operand)):
            kept.append(operand)
    if not kept:
        return Literal(t.BOOLEAN, neutral.value, of.span)
    return _computed(connect(of.function, kept, of.span))


def _negated(operand: Expression, of: Call) -> Expression:
    """NOT moved inwards: to the opposite comparison, through AND and OR."""
    match operand:
        case Call(function="not", args=(inner,)):
            return inner
        case Call(function="and" | "or" as name, args=args):
            inverse = [_negated(arg, Call(t.BOOLEAN, "not", (arg,), of.span)) for arg in args]
            return fold_node(Call(t.BOOLEAN, "or" if name == "and" else "and", tuple(inverse), operand.span))
        case Call(function=name, args=args) if name in _OPPOSITES:
            return _computed(Call(t.BOOLEAN, _OPPOSITES[name], args, operand.span))
    return _computed(of)


def _fold_coalesce(of: Call) -> Expression:
    """Without NULLs and what follows a value that is never NULL."""
    kept: list[Expression] = []
    for operand in of.args:
        if isinstance(operand, Literal) and operand.value is None:
            continue
        kept.append(operand)
        if isinstance(operand, Literal):
            break
    if not kept:
        return Literal(of.type, None, of.span)
    return kept[0] if len(kept) == 1 else _computed(Call(of.type, "coalesce", tuple(kept), of.span))


def _fold_case(of: Case) -> Expression:
    """Without arms that are never reached."""
    conditions: list[Expression] = []
    results: list[Expression] = []
    otherwise = of.otherwise
    for condition, result in zip(of.conditions, of.results, strict=True):
        if isinstance(condition, Literal) and condition.value is not True:
            continue
        if isinstance(condition, Literal):
            otherwise = result
            break
        conditions.append(condition)
        results.append(result)
    if not conditions:
        return otherwise
    return _computed(Case(of.type, tuple(conditions), tuple(results), otherwise, of.span))


_WAYS: Mapping[str, Callable[[Call], Expression]] = {
    "and": lambda of: _fold_connective(of, FALSE, TRUE),
    "or": lambda of: _fold_connective(of, TRUE, FALSE),
    "not": lambda of: _negated(of.args[0], of),
    "coalesce": _fold_coalesce,
    "try": _tried,
}


def split_conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """The conjuncts of a condition, folded; none if it is always TRUE."""
    folded = fold(expression)
    if folded == TRUE:
        return ()
    return folded.args if isinstance(folded, Call) and folded.function == "and" else (folded,)
