"""Why a row could not be computed: finds the operation that failed and words it with its arguments' values."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import DataError, InternalError, RowError, TableFlowError
from tableflow.expressions.evaluation import compute
from tableflow.expressions.frame import Frame
from tableflow.expressions.functions.logic import truth
from tableflow.expressions.literals import storage_values
from tableflow.expressions.nodes import Call, Case, Cast, Chain, ColumnRef, Expression, Literal, children, walk
from tableflow.expressions.registry import function
from tableflow.expressions.text import literal_text, to_sql

_LONGEST = 200


def explain(expressions: Sequence[Expression], row: Frame) -> TableFlowError:
    """The error of the first expression that fails for the frame's only row."""
    for expression in expressions:
        if _fails(expression, row):
            return _innermost(expression, row, None)
    return InternalError("a row failed and does not fail when it is looked at again")


def _fails(of: Expression, row: Frame) -> bool:
    errors = compute(of, row).errors
    return errors is not None and bool(errors.any())


def _innermost(of: Expression, row: Frame, target: str | None) -> TableFlowError:
    """``target`` is the column that the value is assigned to, of an operation that assigning added."""
    if isinstance(of, Cast):
        target = of.target
    operands = _evaluated(of, row) if isinstance(of, Case) else children(of)
    failing = next((operand for operand in operands if _fails(operand, row)), None)
    if failing is not None:
        return _innermost(failing, row, target if _fits(failing) else None)
    return _worded(_failing_step(of, row) if isinstance(of, Chain) else of, row, target)


def _fits(of: Expression) -> bool:
    """Whether this is what assigning puts around a text that may be too long."""
    return isinstance(of, Call) and of.function == "fit"


def _failing_step(of: Chain, row: Frame) -> Expression:
    """The step of a chain that fails, over the result that the steps before it have."""
    left = of.first
    for name, operand in zip(of.operators, of.operands, strict=True):
        step = Call(of.type, name, (left, operand), of.span)
        result = compute(step, row)
        if result.errors is not None and result.errors.any():
            return step
        left = Literal(of.type, storage_values(result)[0])
    return of


def _evaluated(of: Case, row: Frame) -> list[Expression]:
    """The conditions up to the one that holds, and its result."""
    seen: list[Expression] = []
    for condition, result in zip(of.conditions, of.results, strict=True):
        seen.append(condition)
        if truth(compute(condition, row), 1)[0][0]:
            return [*seen, result]
    return [*seen, of.otherwise]


def _worded(of: Expression, row: Frame, target: str | None) -> TableFlowError:
    args = children(of)
    values = [storage_values(compute(argument, row))[0] for argument in args]
    if isinstance(of, Call):
        failure = function(of.function).failure
        message = failure if isinstance(failure, str) else failure(values, of.type)
        if advice := function(of.function).advice:
            return RowError(message, detail=_detail(of, row).partition(" where ")[2], hint=advice)
    elif isinstance(of, Cast):
        message = f"cannot cast {literal_text(values[0], of.operand.type)[:_LONGEST]} to {of.type}"
    else:
        return InternalError(f"a {type(of).__name__} failed")
    if target is not None:
        source = to_sql(children(of)[0])
        computed = not isinstance(children(of)[0], Literal) and not source.startswith("#")
        return DataError(
            message,
            detail=f"the value is for column {target!r}" + (f"; it comes from {source[:_LONGEST]}" if computed else ""),
            hint="TRY_CAST gives NULL instead" if isinstance(of, Cast) else "left(text, n) makes it shorter",
            span=getattr(of, "span", None),
        )
    return DataError(
        message,
        detail=_detail(of, row),
        hint="TRY_CAST gives NULL instead" if isinstance(of, Cast) else "try(...) gives NULL instead",
        span=getattr(of, "span", None),
    )


def _detail(of: Expression, row: Frame) -> str:
    """The operation, and the values of the columns and computed arguments in it."""
    named: dict[str, Expression] = {to_sql(node): node for node in walk(of) if isinstance(node, ColumnRef)}
    named |= {to_sql(child): child for child in children(of) if not isinstance(child, Literal)}
    parts = []
    for text, node in named.items():
        value = storage_values(compute(node, row))[0]
        parts.append(f"{text} = {literal_text(value, node.type)}"[:_LONGEST])
    where = f" where {', '.join(parts)}" if parts else ""
    return f"in {to_sql(of)[:_LONGEST]}{where}"
