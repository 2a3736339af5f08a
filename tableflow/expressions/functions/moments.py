"""Arithmetic of dates, times, timestamps and intervals, which the operators + - * hand on to.

A date moved by whole days or months stays a date; moved by an interval that has (or may have) hours it becomes a
timestamp; a timestamp moved by an interval that has (or may have) finer parts of a second becomes one as fine.  Months are added first; the day becomes the month's last where the month is shorter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting import exact
from tableflow.expressions.casting.calendar import (
    DAY,
    add_months,
    build_intervals,
    intervals,
    outside,
    per_second,
)
from tableflow.expressions.casting.zones import to_instant, to_wall
from tableflow.expressions.coercion import cast
from tableflow.expressions.function import Binding
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Array, Mask, Operand, both, build, numbers
from tableflow.records import replace


def _may_have_time(interval: Expression) -> bool:
    """Whether an interval's value may have hours or smaller units."""
    match interval:
        case Literal(value=None):
            return False
        case Literal(value=(_, _, microseconds)):
            return bool(microseconds)
        case Call(function="add" | "subtract" | "negate" | "multiply", args=args):
            return any(_may_have_time(a) for a in args if isinstance(a.type, t.IntervalType))
        case _:
            return True


def _digits(of: Expression) -> int:
    """How many digits behind the second a value may have, of the six that an interval has."""
    match of:
        case Literal(value=None):
            return 0
        case Literal(value=(_, _, microseconds)):
            return next(digits for digits in range(7) if microseconds % 10 ** (6 - digits) == 0)
        case Call(type=t.IntervalType(), function="add" | "subtract" | "negate" | "multiply", args=args):
            return max(_digits(a) for a in args)
        case Expression(type=t.TimestampType(precision=precision) | t.TimeType(precision=precision)):
            return min(precision, 6)
        case Expression(type=t.DateType() | t.IntegerType()):
            return 0
        case _:
            return 6


def _shifted(moment: Expression, interval: Expression) -> Binding | None:
    match moment.type:
        case t.DateType() if _may_have_time(interval):
            return Binding((cast(moment, t.TIMESTAMP), interval), t.TIMESTAMP)
        case t.TimestampType(precision=precision) if precision < _digits(interval):
            # What is finer than the column is not lost: a condition on both would be about other moments than it says.
            finer = replace(moment.type, precision=_digits(interval))
            return Binding((cast(moment, finer), interval), finer)
        case t.DateType() | t.TimestampType() | t.TimeType():
            return Binding((moment, interval), moment.type)
        case _:
            return None


def _moved(first: Expression, second: Expression) -> Binding | None:
    """What + and - have in common: an interval or a number of days behind what it moves."""
    match first.type, second.type:
        case t.IntervalType(), t.IntervalType():
            return Binding((first, second), t.INTERVAL)
        case _, t.IntervalType():
            return _shifted(first, second)
        case t.DateType(), (t.IntegerType() | t.NullType()):
            return Binding((first, cast(second, t.BIGINT)), t.DATE)
        case _:
            return None


def addition(args: Sequence[Expression]) -> Binding | None:
    """Rule of + where a side is a date, time, timestamp or interval."""
    if len(args) != 2:
        return None
    for first, second in ((args[0], args[1]), (args[1], args[0])):
        if isinstance(first.type, t.DateType) and isinstance(second.type, t.TimeType):
            return Binding((first, second), t.TimestampType(second.type.precision))
        if (found := _moved(first, second)) is not None:
            return found
    return None


def subtraction(args: Sequence[Expression]) -> Binding | None:
    """Rule of - where a side is a date, time, timestamp or interval."""
    if len(args) != 2:
        return None
    first, second = args
    match first.type, second.type:
        case t.DateType(), t.DateType():
            return Binding((first, second), t.BIGINT)
        case ((t.DateType() | t.TimestampType()), (t.DateType() | t.TimestampType())):
            sides = [cast(a, t.TIMESTAMP) if isinstance(a.type, t.DateType) else a for a in args]
            return Binding(tuple(sides), t.INTERVAL)
        case t.TimeType(), t.TimeType():
            return Binding((first, second), t.INTERVAL)
        case _:
            return _moved(first, second)


def multiplication(args: Sequence[Expression]) -> Binding | None:
    """Rule of * where a side is an interval and the other an integer."""
    if len(args) != 2:
        return None
    for first, second in ((args[0], args[1]), (args[1], args[0])):
        if isinstance(first.type, t.IntervalType) and isinstance(second.type, t.IntegerType):
            return Binding((first, cast(second, t.BIGINT)), t.INTERVAL)
    return None


def add(args: Sequence[Operand], to: t.SqlType) -> Operand:
    """The sum, by the rule's choice of types."""
    return _combine(args, to, 1)


def subtract(args: Sequence[Operand], to: t.SqlType) -> Operand:
    """The difference, by the rule's choice of types."""
    return _combine(args, to, -1)


def _combine(args: Sequence[Operand], to: t.SqlType, sign: int) -> Operand:
    a, b, *zone = args
    valid = both(a.valid, b.valid)
    if isinstance(b.type, t.IntervalType) and not isinstance(a.type, t.IntervalType):
        return _shift(a, b, to, sign, zone[0].value if zone else None)
    if isinstance(a.type, t.IntervalType):
        # Objects: three int64 parts may overflow, which the builder checks.
        first, second = (tuple(part.astype(object) for part in intervals(side)) for side in (a, b))
        parts = [x + sign * y for x, y in zip(first, second, strict=True)]
        return build_intervals(parts[0], parts[1], parts[2], valid, None)
    x, y = numbers(a), numbers(b)
    if isinstance(to, t.DateType):
        moved = exact.add(x, exact.multiply(y, np.array([sign])))
        return _dates(moved, to, valid)
    if isinstance(to, t.TimestampType):
        unit = per_second(to)
        values = exact.add(exact.multiply(x, np.array([86400 * unit])), y // (per_second(b.type) // unit or 1))
        return _timestamps(values, to, valid)
    if isinstance(to, t.IntegerType):
        return build(to, x - y, valid)
    return _elapsed(a, b, valid)


def _elapsed(a: Operand, b: Operand, valid: Mask | None) -> Operand:
    """The interval between two timestamps or times, in days and microseconds of one sign."""
    x = numbers(a).astype(object) * (10**9 // per_second(a.type))
    y = numbers(b).astype(object) * (10**9 // per_second(b.type))
    microseconds = exact.truncated_quotient(x - y, np.array([1000], object))
    days = exact.truncated_quotient(microseconds, np.array([DAY], object))
    return build_intervals(np.zeros(1, np.int64), days, microseconds - days * DAY, valid, None)


def _dates(days: Array, to: t.SqlType, valid: Mask | None) -> Operand:
    wrong = outside(days, to)
    return build(to, np.where(wrong, 0, days), valid, wrong)


def _timestamps(values: Array, to: t.TimestampType, valid: Mask | None, wrong: Mask | None = None) -> Operand:
    wrong = outside(values, to) if wrong is None else wrong | outside(values, to)
    return build(to, exact.wrapped(np.where(wrong, 0, values), wrong), valid, wrong)


def _shift(moment: Operand, interval: Operand, to: t.SqlType, sign: int, zone: str | None) -> Operand:
    """A date, time or timestamp moved by an interval; an instant's months and days are those of the zone's calendar."""
    months, days, microseconds = (part * sign for part in intervals(interval))
    values, valid = numbers(moment), both(moment.valid, interval.valid)
    if isinstance(to, t.DateType):
        return _dates(add_months(values, months) + days, to, valid)
    unit = per_second(to)
    day = 86400 * unit
    if isinstance(to, t.TimeType):
        return build(to, (values + microseconds % DAY * (unit // 1_000_000)) % day, valid)
    if isinstance(to, t.TimestampType):
        elapsed = exact.multiply(microseconds, np.array([unit // 1_000_000]))
        if zone is not None:
            return _shift_instant(values, (months, days, elapsed), to, valid, zone)
        if not months.any():
            by = exact.add(exact.multiply(days, np.array([day])), elapsed)
            return _timestamps(exact.add(values, by), to, valid)
        date = add_months(values // day, months) + days
        time = exact.add(values % day, elapsed)
        return _timestamps(exact.add(exact.multiply(date, np.array([day])), time), to, valid)
    raise TypeError(f"{to} is not moved by intervals")


def _shift_instant(
    values: Array, by: tuple[Array, Array, Array], to: t.TimestampType, valid: Mask | None, zone: str
) -> Operand:
    months, days, elapsed = by
    day = 86400 * per_second(to)
    walls = to_wall(values, to, zone)
    moved = exact.add(exact.multiply(add_months(walls // day, months) + days, np.array([day])), walls % day)
    wrong = outside(moved, to)
    instants = to_instant(exact.wrapped(np.where(wrong, 0, moved), None), to, zone)
    # The wall clock shows some times twice: where the day stays, the instant does.
    kept = np.where((months == 0) & (days == 0), values, instants)
    return _timestamps(exact.add(kept, elapsed), to, valid, wrong)


def multiply_interval(args: Sequence[Operand], _to: t.SqlType) -> Operand:
    """Each part of an interval times an integer."""
    interval, factor = args
    times = numbers(factor).astype(object)
    months, days, microseconds = (part.astype(object) * times for part in intervals(interval))
    return build_intervals(months, days, microseconds, both(interval.valid, factor.valid), None)


def negate_interval(of: Operand) -> Operand:
    """Each part with the opposite sign."""
    months, days, microseconds = (-part for part in intervals(of))
    return build_intervals(months, days, microseconds, of.valid, None)
