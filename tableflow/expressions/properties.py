"""Properties of expressions that rules and operators ask for.

``can_raise`` may say yes for an expression that never fails, but never no for one that may: rules move what cannot
raise to where it sees more rows.
"""

from __future__ import annotations

from collections.abc import Mapping

from tableflow.expressions.casting import cast_can_fail
from tableflow.expressions.intervals import Domain, always_fits
from tableflow.expressions.nodes import (
    AggregateCall,
    Call,
    Case,
    Cast,
    Chain,
    ColumnRef,
    Expression,
    Literal,
    WindowCall,
    children,
    walk,
)
from tableflow.expressions.ranges import chain_steps
from tableflow.expressions.registry import function


def can_raise(of: Expression, domains: Mapping[int, Domain] | None = None) -> bool:
    """Whether some row may end in an error; with bounds of the columns more expressions are known to be safe."""
    if isinstance(of, Call) and of.function == "try":
        return False
    if any(can_raise(child, domains) for child in children(of)):
        return True
    match of:
        case Call():
            return function(of.function).can_raise(of) and not always_fits(of, domains or {})
        case Cast(lenient=False, zone=str()):
            return True  # at the ends of the calendar a wall clock may show what is outside of it
        case Chain():
            return any(
                function(step.function).can_raise(step) and not always_fits(step, known)
                for step, known in chain_steps(of, domains or {})
            )
        case Cast(lenient=False, operand=operand):
            return cast_can_fail(operand.type, of.type) and not always_fits(of, domains or {})
        case _:
            return False


def deterministic(of: Expression) -> bool:
    """Whether equal arguments always give equal values."""
    return all(function(node.function).deterministic for node in walk(of) if isinstance(node, Call))


def is_constant(of: Expression) -> bool:
    """Whether the value is the same for all rows: no columns, no aggregates, nothing non-deterministic."""
    for node in walk(of):
        if isinstance(node, (ColumnRef, AggregateCall, WindowCall)):
            return False
        if isinstance(node, Call) and not function(node.function).deterministic:
            return False
    return True


def strict(of: Expression) -> bool:
    """Whether the value is NULL whenever any column it reads is NULL."""
    match of:
        case ColumnRef() | Literal():
            return True
        case Cast(operand=operand):
            return strict(operand)
        case Call():
            return function(of.function).strict and all(strict(argument) for argument in of.args)
        case Chain():
            return all(strict(argument) for argument in children(of))
        case Case() | AggregateCall() | WindowCall():
            return False
        case _:
            return False


def null_rejecting(of: Expression, ids: frozenset[int]) -> bool:
    """Whether a condition is never TRUE for a row in which all these columns are NULL (outer joins become inner)."""
    match of:
        case Call(function="and", args=args):
            return any(null_rejecting(argument, ids) for argument in args)
        case Call(function="or", args=args):
            return all(null_rejecting(argument, ids) for argument in args)
        case Call(function="is_not_null" | "is_true" | "is_false" | "not", args=(operand,)):
            return _null_if_all_null(operand, ids)
        case Literal(value=value):
            return value is None or value is False
        case _:
            return _null_if_all_null(of, ids)


def _null_if_all_null(of: Expression, ids: frozenset[int]) -> bool:
    """Whether the value is NULL when all these columns are."""
    match of:
        case ColumnRef(id=number):
            return number in ids
        case Cast(operand=operand):
            return _null_if_all_null(operand, ids)
        case Call(function="in", args=args):
            return _null_if_all_null(args[0], ids)
        case Call():
            return function(of.function).strict and any(_null_if_all_null(argument, ids) for argument in of.args)
        case Literal(value=value):
            return value is None
        case _:
            return False
