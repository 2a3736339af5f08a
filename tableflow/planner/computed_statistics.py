"""What is expected of values that a query computes: distinct results of expressions, and results of aggregates.

An aggregate's result is taken to be normally distributed over the groups: their sizes vary as if rows fell into them by chance,
values lie evenly between their bounds.  That is wrong for skewed data, and far better than no idea: HAVING is estimated by it.
"""

from __future__ import annotations

import math

from tableflow.expressions.nodes import AggregateCall, Call, Case, Cast, ColumnRef, Expression, Literal
from tableflow.planner.column_statistics import ColumnEstimate, unknown_column
from tableflow.records import replace
from tableflow.types import BooleanType, DateType, DecimalType, Field, SqlType, TimestampType

_DAYS = {
    "millennium": 365_250.0, "century": 36_525.0, "decade": 3652.5, "year": 365.25, "isoyear": 365.25, "quarter": 91.3,
    "month": 30.44, "week": 7.0, "day": 1.0, "doy": 1.0, "dow": 1.0, "isodow": 1.0, "hour": 1 / 24, "minute": 1 / 1440,
    "second": 1 / 86_400,
}  # fmt: skip
_MOST = {
    "quarter": 4.0, "month": 12.0, "week": 53.0, "day": 31.0, "doy": 366.0, "dow": 7.0, "isodow": 7.0, "hour": 24.0,
    "minute": 60.0, "second": 60.0,
}  # fmt: skip
_SPREAD = 6.0
"""Standard deviations between which nearly all values lie."""


def computed_distinct(of: Expression, inputs: float, column: ColumnEstimate | None) -> float | None:
    """Distinct values of an expression over ``inputs`` distinct ones; None if nothing is known but that they are no more.

    ``column`` is its only column, if it has one.
    """
    match of:
        case Call(function="extract", args=(Literal(value=str(unit)), value)):
            return _periods(unit.lower(), value, inputs, column, _MOST.get(unit.lower()))
        case Call(function="date_trunc", args=(Literal(value=str(unit)), value, *_)):
            return _periods(unit.lower(), value, inputs, column, None)
        case Call(type=BooleanType()):
            return min(inputs, 2.0)
        case Call(function="modulo", args=(_, Literal(value=int(divisor)))) if divisor:
            return min(inputs, abs(divisor) / 10.0 ** _scale(of.type))
        case Case(results=results, otherwise=otherwise):
            if all(isinstance(result, Literal) for result in (*results, otherwise)):
                return min(inputs, len(results) + 1.0)
            return None
        case Cast(operand=operand, type=DateType()):
            return _periods("day", operand, inputs, column, None)
        case Cast(operand=ColumnRef()) | Call(function="add" | "subtract" | "negate", args=(ColumnRef(),)):
            return inputs
        case Call(function="add" | "subtract", args=(ColumnRef(), Literal()) | (Literal(), ColumnRef())):
            return inputs
        case Literal():
            return 1.0
        case _:
            return None


def _periods(
    unit: str, of: Expression, inputs: float, column: ColumnEstimate | None, most: float | None
) -> float | None:
    """How many periods of time lie between a column's bounds, and ``most`` where their names come again."""
    while isinstance(of, Cast):
        of = of.operand
    length = _DAYS.get(unit)
    if column is not None and length is not None and isinstance(of, ColumnRef):
        low, high = column.minimum, column.maximum
        if isinstance(low, int) and isinstance(high, int) and isinstance(of.type, (DateType, TimestampType)):
            periods = (high - low) / _units_a_day(of.type) / length + 1.0
            most = periods if most is None else min(most, periods)
    return None if most is None else min(inputs, most)


def _units_a_day(of: DateType | TimestampType) -> float:
    if isinstance(of, DateType):
        return 1.0
    return 86_400e6 if of.precision <= 6 else 86_400e9


def _scale(of: SqlType) -> int:
    return of.scale if isinstance(of, DecimalType) else 0


def aggregate_result(
    field: Field, call: AggregateCall, groups: float, rows: float, bounds: tuple[float, float] | None
) -> ColumnEstimate:
    """What is expected of an aggregate over ``rows`` in ``groups``; ``bounds`` are those of its argument's storage values."""
    unknown = replace(unknown_column(field.type, groups, groups), unknown=True)
    size = max(1.0, rows / max(1.0, groups))
    if call.filter is not None or call.distinct:
        return unknown
    if call.function == "count":
        deviation = math.sqrt(size)
        distinct = min(groups, _SPREAD * deviation + 1.0)
        return replace(unknown, distinct=distinct, base=distinct, mean=size, deviation=deviation, unknown=False)
    if bounds is None:
        return unknown
    factor = 10.0 ** (_scale(field.type) - _scale(call.args[0].type))
    low, high = bounds[0] * factor, bounds[1] * factor
    mean, deviation = low / 2.0 + high / 2.0, (high - low) / math.sqrt(12.0)
    spread = math.sqrt(size) * math.hypot(mean, deviation)
    if not math.isfinite(size * mean) or not math.isfinite(spread):
        return (
            unknown if call.function not in {"min", "max"} else replace(unknown, minimum=bounds[0], maximum=bounds[1])
        )
    match call.function:
        case "sum":
            return replace(unknown, mean=size * mean, deviation=spread)
        case "avg":
            return replace(unknown, mean=mean, deviation=deviation / math.sqrt(size))
        case "min" | "max":
            return replace(unknown, minimum=bounds[0], maximum=bounds[1])
        case _:
            return unknown
