"""Truncation of dates and timestamps to units of time, and how many units lie between two of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.errors import BindError, Span
from tableflow.expressions.casting import exact
from tableflow.expressions.casting.calendar import DAY, outside, per_second
from tableflow.expressions.casting.zones import to_instant, to_wall
from tableflow.expressions.coercion import cast
from tableflow.expressions.function import Function
from tableflow.expressions.functions.dates import days_and_time, first_of_month, months_of, unit_of
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Array, Mask, Operand, both, build, either, numbers

_N = t.BIGINT
_TRUNCATIONS = (
    "microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "year", "decade", "century",
    "millennium",
)  # fmt: skip
_SECONDS = {"microsecond": 1, "millisecond": 1000, "second": 10**6, "minute": 60 * 10**6, "hour": 3600 * 10**6}
_MONTHS = {"month": 1, "quarter": 3, "year": 12, "decade": 120, "century": 1200, "millennium": 12000}


def _start_of(unit: str, days: Array) -> Array:
    """The first day of the unit that each day lies in."""
    if unit == "day":
        return days
    if unit == "week":
        result: Array = days - (days + 3) % 7
        return result
    months = months_of(days) + 1970 * 12
    # Centuries and millennia start in the year 1 of theirs.
    offset = 12 if unit in ("century", "millennium") else 0
    size = _MONTHS[unit]
    return first_of_month((months - offset) // size * size + offset - 1970 * 12)


def _bind_trunc(args: Sequence[Expression], span: Span | None) -> Expression:
    if len(args) != 2:
        raise BindError("DATE_TRUNC takes a unit and a value", hint="date_trunc('month', value)", span=span)
    value = cast(args[1], t.TIMESTAMP) if isinstance(args[1].type, t.NullType) else args[1]
    unit = unit_of(args[0], _TRUNCATIONS, "DATE_TRUNC", span)
    if not isinstance(value.type, (t.DateType, t.TimestampType)):
        raise BindError(
            f"DATE_TRUNC does not take {value.type}",
            hint="cast it to DATE or TIMESTAMP",
            span=getattr(value, "span", None) or span,
        )
    return Call(value.type, "date_trunc", (Literal(t.STRING, unit), value), span)


def _trunc(args: Sequence[Operand], to: t.SqlType) -> Operand:
    unit, value, *zone = args[0].value, *args[1:]
    if zone:
        return _trunc_instant(unit, value, to, zone[0].value)
    days, time = days_and_time(value)
    if isinstance(to, t.DateType):
        first = days if unit in _SECONDS else _start_of(unit, days)
        return build(to, first, value.valid, _left(first, days, to))
    factor = per_second(to) // 1_000_000
    if unit in _SECONDS:
        kept = days * DAY + time // _SECONDS[unit] * _SECONDS[unit]
    else:
        kept = _start_of(unit, days) * DAY
    values = exact.multiply(kept, np.array([factor]))
    wrong = _left(values, numbers(value), to)
    return build(to, exact.wrapped(values, wrong), value.valid, wrong)


def _left(results: Array, values: Array, of: t.SqlType) -> Mask | None:
    """Rows whose result is outside of the calendar, and whose value is not."""
    wrong = outside(results, of)
    return wrong & ~outside(values, of) if wrong.any() else None


def _may_leave(call: Call) -> bool:
    """The first decade begins before the calendar, as may what nanoseconds hold, and a zone's wall clock."""
    unit, of = call.args[0], call.type
    decade = isinstance(unit, Literal) and unit.value == "decade"
    return decade or len(call.args) > 2 or (isinstance(of, t.TimestampType) and of.precision > 6)


def _trunc_instant(unit: str, value: Operand, to: t.SqlType, zone: str) -> Operand:
    """The start of the unit by the zone's wall clock; the time since the start of an hour or less is the same on both."""
    instants = numbers(value)
    walls = to_wall(instants, to, zone)
    plain = t.TimestampType(to.precision) if isinstance(to, t.TimestampType) else to
    found = _trunc([_constant(unit), build(plain, walls, value.valid)], plain)
    starts = numbers(found)
    kept = instants - (walls - starts) if unit in _SECONDS else to_instant(starts, to, zone)
    return build(to, kept, value.valid, either(found.errors, _left(kept, instants, to)))


def _constant(text: str) -> Operand:
    return Operand(t.STRING, pa.array([text]), constant=True)


def _bind_difference(args: Sequence[Expression], span: Span | None) -> Expression:
    if len(args) != 3:
        raise BindError("DATE_DIFF takes a unit and two values", hint="date_diff('day', start, end)", span=span)
    unit = unit_of(args[0], _TRUNCATIONS, "DATE_DIFF", span)
    sides = [cast(a, t.TIMESTAMP) if isinstance(a.type, t.NullType) else a for a in args[1:]]
    for side in sides:
        if not isinstance(side.type, (t.DateType, t.TimestampType)):
            raise BindError(f"DATE_DIFF does not take {side.type}", hint="cast it to DATE or TIMESTAMP", span=span)
    return Call(_N, "date_diff", (Literal(t.STRING, unit), *sides), span)


def _ordinal(unit: str, of: Operand) -> Array:
    """The running number of the unit that each value lies in."""
    days, time = days_and_time(of)
    if unit in _SECONDS:
        result: Array = days * (DAY // _SECONDS[unit]) + time // _SECONDS[unit]
        return result
    if unit in ("day", "week"):
        return _start_of(unit, days) // (7 if unit == "week" else 1)
    offset = 12 if unit in ("century", "millennium") else 0
    return (months_of(days) + 1970 * 12 - offset) // _MONTHS[unit]


def _difference(args: Sequence[Operand], to: t.SqlType) -> Operand:
    unit, start, end = args[0].value, args[1], args[2]
    return build(to, _ordinal(unit, end) - _ordinal(unit, start), both(start.valid, end.valid))


FUNCTIONS = (
    Function(
        "date_trunc", "date_trunc(unit, value)", "The start of the unit in which a date or timestamp lies; the type stays.",
        ("date_trunc('month', DATE '1995-03-15')", "1995-03-01"), "dates", bind=_bind_trunc, kernel=_trunc,
        can_raise=_may_leave,
    ),
    Function(
        "date_diff", "date_diff(unit, start, end)", "How many starts of the unit lie between two dates or timestamps.",
        ("date_diff('month', DATE '1995-01-31', DATE '1995-02-01')", "1"), "dates", bind=_bind_difference,
        kernel=_difference, aliases=("datediff",),
    ),
)  # fmt: skip
