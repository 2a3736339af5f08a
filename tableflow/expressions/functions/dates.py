"""Parts, truncation and differences of dates, times and timestamps.  Weeks are ISO weeks, which start on Monday."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.errors import BindError, Span
from tableflow.expressions.casting import nearest
from tableflow.expressions.casting.calendar import days_of, intervals, outside, per_second
from tableflow.expressions.coercion import cast
from tableflow.expressions.function import Binding, Function, always, overloads
from tableflow.expressions.functions import moments
from tableflow.expressions.functions.comparison import length
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Array, Operand, both, build, numbers

_N = t.BIGINT
_Part = Callable[[Array, Array], Array]
"""From days since 1970 and microseconds of the day."""


def months_of(days: Array) -> Array:
    """Months since 1970-01."""
    months: Array = days.astype("M8[D]").astype("M8[M]").astype(np.int64)
    return months


def first_of_month(months: Array) -> Array:
    """The first day of months counted from 1970-01."""
    days: Array = months.astype("M8[M]").astype("M8[D]").astype(np.int64)
    return days


def _year(days: Array) -> Array:
    return months_of(days) // 12 + 1970


def _day_of_year(days: Array) -> Array:
    return days - first_of_month(months_of(days) // 12 * 12) + 1


def _iso_thursday(days: Array) -> Array:
    result: Array = days - (days + 3) % 7 + 3
    return result


_DATE_PARTS: dict[str, _Part] = {
    "year": lambda d, _: _year(d),
    "quarter": lambda d, _: months_of(d) % 12 // 3 + 1,
    "month": lambda d, _: months_of(d) % 12 + 1,
    "week": lambda d, _: (_day_of_year(_iso_thursday(d)) - 1) // 7 + 1,
    "day": lambda d, _: d - first_of_month(months_of(d)) + 1,
    "dow": lambda d, _: (d + 4) % 7,
    "isodow": lambda d, _: (d + 3) % 7 + 1,
    "doy": lambda d, _: _day_of_year(d),
    "isoyear": lambda d, _: _year(_iso_thursday(d)),
    "decade": lambda d, _: _year(d) // 10,
    "century": lambda d, _: (_year(d) - 1) // 100 + 1,
    "millennium": lambda d, _: (_year(d) - 1) // 1000 + 1,
}
_TIME_PARTS: dict[str, _Part] = {
    "hour": lambda _, u: u // 3_600_000_000,
    "minute": lambda _, u: u // 60_000_000 % 60,
    "second": lambda _, u: u // 1_000_000 % 60,
    "millisecond": lambda _, u: u // 1000 % 60_000,
    "microsecond": lambda _, u: u % 60_000_000,
}
_PARTS = (*_DATE_PARTS, *_TIME_PARTS, "epoch")
_ALIASES = {
    "years": "year", "yr": "year", "y": "year", "quarters": "quarter", "months": "month", "mon": "month", "weeks": "week",
    "weekofyear": "week", "days": "day", "dayofmonth": "day", "d": "day", "dayofweek": "dow", "weekday": "dow",
    "dayofyear": "doy", "hours": "hour", "h": "hour", "minutes": "minute", "min": "minute", "seconds": "second", "sec": "second",
    "s": "second", "milliseconds": "millisecond", "ms": "millisecond", "microseconds": "microsecond", "us": "microsecond",
}  # fmt: skip


def days_and_time(of: Operand) -> tuple[Array, Array]:
    """Days since 1970-01-01 and microseconds of the day."""
    values = numbers(of)
    if isinstance(of.type, t.DateType):
        return values, np.zeros(len(values), np.int64)
    unit = per_second(of.type)
    return values // (86400 * unit), values % (86400 * unit) // (unit // 1_000_000)


def unit_of(argument: Expression, known: Sequence[str], what: str, span: Span | None) -> str:
    """A literal unit by any of its names; :class:`~tableflow.errors.BindError` if it is not one of the known."""
    text = argument.value if isinstance(argument, Literal) and isinstance(argument.value, str) else None
    name = None if text is None else _ALIASES.get(text.lower(), text.lower())
    if name is None or name not in known:
        raise BindError(
            f"{what} needs a literal unit" if text is None else f"{what} does not know the unit {text!r}",
            hint=f"units are {', '.join(known)}",
            span=getattr(argument, "span", None) or span,
        )
    return name


def _bind_extract(args: Sequence[Expression], span: Span | None) -> Expression:
    if len(args) != 2:
        raise BindError("EXTRACT takes a field and a value", hint="extract(year FROM value)", span=span)
    value = cast(args[1], t.TIMESTAMP) if isinstance(args[1].type, t.NullType) else args[1]
    match value.type:
        case t.DateType() | t.TimestampType():
            known = _PARTS
        case t.TimeType():
            known = (*_TIME_PARTS, "epoch")
        case t.IntervalType():
            known = ("year", "month", "day", *_TIME_PARTS, "epoch")
        case _:
            raise BindError(
                f"EXTRACT does not take {value.type}",
                hint="cast it to DATE or TIMESTAMP",
                span=getattr(value, "span", None) or span,
            )
    field = unit_of(args[0], known, "EXTRACT", span)
    return Call(t.DOUBLE if field == "epoch" else _N, "extract", (Literal(t.STRING, field), value), span)


def _extract(args: Sequence[Operand], to: t.SqlType) -> Operand:
    field, value = args[0].value, args[1]
    if isinstance(value.type, t.IntervalType):
        return build(to, _interval_part(field, value), value.valid)
    if field == "epoch":
        return build(to, _epoch(value), value.valid)
    days, time = days_and_time(value)
    part = _DATE_PARTS.get(field) or _TIME_PARTS[field]
    return build(to, part(days, time), value.valid)


def _epoch(of: Operand) -> Array:
    """Seconds since 1970-01-01 or midnight, the nearest DOUBLE."""
    if isinstance(of.type, t.DateType):
        return nearest.to_double(numbers(of) * 86400, 0)
    return nearest.to_double(numbers(of), 6 if per_second(of.type) == 1_000_000 else 9)


def _interval_part(field: str, of: Operand) -> Array:
    months, days, microseconds = intervals(of)
    match field:
        case "year":
            result: Array = np.trunc(months / 12)
        case "month":
            result = np.fmod(months, 12)
        case "day":
            result = days
        case "hour":
            result = np.trunc(microseconds / 3_600_000_000)
        case "epoch":
            result = nearest.to_double(length(of), 9)
        case _:
            magnitude = _TIME_PARTS[field](days, np.abs(microseconds))
            result = np.where(microseconds < 0, -magnitude, magnitude)
    return result


def _named_part(name: str) -> Callable[[Sequence[Expression], Span | None], Expression]:
    def bind(args: Sequence[Expression], span: Span | None) -> Expression:
        if len(args) != 1:
            raise BindError(f"{name.upper()} takes one date or timestamp", hint=f"{name}(value)", span=span)
        return _bind_extract([Literal(t.STRING, name), *args], span)

    return bind


def _make_date(args: Sequence[Operand], to: t.SqlType) -> Operand:
    year, month, day = (numbers(arg) for arg in args)
    days, wrong = days_of(*np.broadcast_arrays(year, month, day))
    return build(to, days, both(*(arg.valid for arg in args)), wrong)


def _last_day(args: Sequence[Operand], to: t.SqlType) -> Operand:
    days, _ = days_and_time(args[0])
    return build(to, first_of_month(months_of(days) + 1) - 1, args[0].valid)


def _moment_before(args: Sequence[Operand], to: t.SqlType) -> Operand:
    assert isinstance(to, t.TimestampType)
    before = numbers(args[0]) - per_second(to) // 10**to.precision
    return build(to, before, args[0].valid, outside(before, to))


def _same_timestamp(args: Sequence[Expression]) -> Binding | None:
    taken = len(args) == 1 and isinstance(args[0].type, t.TimestampType)
    return Binding(tuple(args), args[0].type) if taken else None


_DAYS = pa.array(["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"])
_MONTH_NAMES = pa.array([
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
])  # fmt: skip


def _name_of(names: pa.Array, number: Callable[[Array], Array]) -> Callable[[Sequence[Operand], t.SqlType], Operand]:
    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        valid = args[0].valid
        index = number(days_and_time(args[0])[0])
        return Operand(to, names.take(pa.array(index, mask=None if valid is None else ~valid)))

    return kernel


def _moved(operator: str) -> Callable[[Sequence[Expression]], Binding | None]:
    def rule(args: Sequence[Expression]) -> Binding | None:
        return moments.addition(args) if operator == "add" else moments.subtraction(args)

    return rule


def _bind_moved(operator: str) -> Callable[[Sequence[Expression], Span | None], Expression]:
    rule = _moved(operator)

    def bind(args: Sequence[Expression], span: Span | None) -> Expression:
        binding = rule(args)
        if binding is None:
            raise BindError(
                f"DATE_{operator[:3].upper()} takes a date or timestamp and an interval",
                hint="or use + and -",
                span=span,
            )
        return Call(binding.type, operator, binding.args, span)

    return bind


def _part_functions() -> tuple[Function, ...]:
    names = {
        "year": (), "quarter": (), "month": (), "week": ("weekofyear",), "day": ("dayofmonth",), "dayofweek": (),
        "dayofyear": (), "hour": (), "minute": (), "second": (), "epoch": (),
    }  # fmt: skip
    answers = {
        "year": "1995", "quarter": "1", "month": "3", "week": "11", "day": "15", "dayofweek": "3", "dayofyear": "74",
        "hour": "10", "minute": "20", "second": "30", "epoch": "795262830.0",
    }  # fmt: skip
    value = "TIMESTAMP '1995-03-15 10:20:30'"
    return tuple(
        Function(
            name, f"{name}(value)", f"The same as extract({name} FROM value).", (f"{name}({value})", answers[name]),
            "dates", bind=_named_part(name), aliases=aliases,
        )
        for name, aliases in names.items()
    )  # fmt: skip


_DATE_OR_STAMP = [((t.DATE,), t.STRING), ((t.TIMESTAMP,), t.STRING)]
FUNCTIONS = (
    Function(
        "extract", "extract(field FROM value)",
        "A part of a date, time, timestamp or interval: " + ", ".join(_PARTS) + ". BIGINT, epoch (seconds) DOUBLE; dow is 0 "
        "on Sunday, isodow 7.",
        ("extract(year FROM DATE '1995-03-15')", "1995"), "dates", bind=_bind_extract, kernel=_extract,
        aliases=("date_part",),
    ),
    *_part_functions(),
    Function(
        "date_add", "date_add(value, interval)", "The same as value + interval.",
        ("date_add(DATE '1995-01-31', INTERVAL '1' MONTH)", "1995-02-28"), "dates", bind=_bind_moved("add"),
    ),
    Function(
        "date_sub", "date_sub(value, interval)", "The same as value - interval.",
        ("date_sub(DATE '1995-03-31', INTERVAL '1' MONTH)", "1995-02-28"), "dates", bind=_bind_moved("subtract"),
    ),
    Function(
        "make_date", "make_date(year, month, day)", "A date from its parts.", ("make_date(1995, 3, 15)", "1995-03-15"), "dates",
        rule=overloads(((_N, _N, _N), t.DATE)), kernel=_make_date, can_raise=always, failure="there is no such date",
    ),
    Function(
        "last_day", "last_day(value)", "The last day of the month.", ("last_day(DATE '1996-02-03')", "1996-02-29"), "dates",
        rule=overloads(((t.DATE,), t.DATE), ((t.TIMESTAMP,), t.DATE)), kernel=_last_day,
    ),
    Function(
        "moment_before", "moment_before(timestamp)", "The last timestamp before it that its type has, as window_time is to window_end.",
        ("moment_before(TIMESTAMP '1996-02-03 00:00:00')", "1996-02-02 23:59:59.999999"), "dates",
        rule=_same_timestamp, kernel=_moment_before, can_raise=always, failure="there is no such timestamp",
    ),
    Function(
        "dayname", "dayname(value)", "The English name of the weekday.", ("dayname(DATE '1995-03-15')", "Wednesday"), "dates",
        rule=overloads(*_DATE_OR_STAMP), kernel=_name_of(_DAYS, lambda days: (days + 4) % 7),
    ),
    Function(
        "monthname", "monthname(value)", "The English name of the month.", ("monthname(DATE '1995-03-15')", "March"), "dates",
        rule=overloads(*_DATE_OR_STAMP), kernel=_name_of(_MONTH_NAMES, lambda days: months_of(days) % 12),
    ),
)  # fmt: skip
