"""Dates and timestamps as instructions: moving, truncating, fields of the calendar and the clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tableflow import types as t
from tableflow.expressions.casting.calendar import FIRST_DAY, LAST_DAY
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.physical.program_builder import INT64, NotCompilableError, Value, type_bounds

if TYPE_CHECKING:
    from tableflow.physical.program_compiler import Compiler

_DAY = 86_400_000_000


def unit_of(of: t.SqlType) -> int:
    """Stored units per microsecond of a time or timestamp."""
    return 1000 if isinstance(of, (t.TimestampType, t.TimeType)) and of.precision > 6 else 1


def moved(compiler: Compiler, op: str, call: Call, error: int) -> Value:
    """A date plus or minus days, a date or timestamp plus or minus a constant interval, the days between dates."""
    if len(call.args) != 2:
        raise NotCompilableError("the wall clock of a time zone")
    base, by = call.args
    if op == "sub" and isinstance(base.type, t.DateType) and isinstance(by.type, t.DateType):
        return compiler.numbers.arithmetic(op, compiler.value(base), compiler.value(by), (0, 0), call.type, error)
    if op == "add" and isinstance(base.type, (t.IntervalType, t.IntegerType)):
        base, by = by, base
    if op == "mul" or base.type != call.type:
        raise NotCompilableError(call.function)
    if isinstance(by.type, t.IntegerType) and isinstance(base.type, t.DateType):
        days = compiler.numbers.arithmetic(op, compiler.value(base), compiler.value(by), (0, 0), t.BIGINT, error)
        return _date(compiler, days, error)
    if not (isinstance(by, Literal) and isinstance(by.type, t.IntervalType)) or by.value is None:
        raise NotCompilableError(call.function)
    sign = -1 if op == "sub" else 1
    months, days_by, microseconds = (sign * part for part in by.value)
    if isinstance(base.type, t.DateType) and microseconds == 0:
        return _moved_date(compiler, compiler.value(base), months, days_by, error)
    if isinstance(base.type, t.TimestampType) and months == 0:
        factor = unit_of(base.type)
        return _moved_time(compiler, compiler.value(base), (days_by * _DAY + microseconds) * factor, factor, error)
    raise NotCompilableError(call.function)


def _date(compiler: Compiler, days: Value, error: int) -> Value:
    return compiler.builder.convert(compiler.numbers.narrowed(days, (FIRST_DAY, LAST_DAY), error), "i32")


def _moved_date(compiler: Compiler, value: Value, months: int, days: int, error: int) -> Value:
    build = compiler.builder
    if months:
        value = build.emit(
            "add_months.i32", "i32", [value, build.constant("i64", months)], type_bounds(t.DATE), (), error
        )
    if days:
        value = compiler.numbers.arithmetic("add", value, build.constant("i64", days), (0, 0), t.BIGINT, error)
    return _date(compiler, value, error)


def _moved_time(compiler: Compiler, value: Value, by: int, factor: int, error: int) -> Value:
    if not INT64[0] <= by <= INT64[1]:
        raise NotCompilableError("an interval beyond the range of timestamps")
    later = compiler.numbers.arithmetic("add", value, compiler.builder.constant("i64", by), (0, 0), t.BIGINT, error)
    day = _DAY * factor
    range_ = (max(FIRST_DAY * day, -INT64[1]), min((LAST_DAY + 1) * day - 1, INT64[1]))
    return compiler.numbers.narrowed(later, range_, error)


def _day(compiler: Compiler, of: Expression) -> Value:
    """Days since 1970 of a date or timestamp."""
    value = compiler.value(of)
    if isinstance(of.type, t.DateType):
        return value
    if not isinstance(of.type, t.TimestampType) or of.type.zoned:
        raise NotCompilableError(f"calendar fields of {of.type}")
    unit = _DAY * unit_of(of.type)
    days = compiler.builder.emit("floor_div.i64", "i64", [value], type_bounds(t.DATE), (unit,))
    return compiler.builder.convert(days, "i32")


_PARTS: Mapping[str, tuple[str, int, int]] = {
    "year": ("year.i32", -6_000_000, 6_000_000),
    "month": ("month.i32", 1, 12),
    "day": ("day.i32", 1, 31),
    "quarter": ("quarter.i32", 1, 4),
    "doy": ("day_of_year.i32", 1, 366),
}
_WEEKDAYS = {"dow": 4, "isodow": 3}  # days before 1970-01-01 that the first weekday was
_CLOCK = {"hour": (3_600_000_000, 24), "minute": (60_000_000, 60)}


def extract(compiler: Compiler, call: Call) -> Value:
    """A field of a date or timestamp."""
    field, of = call.args
    name = str(field.value) if isinstance(field, Literal) else ""
    build = compiler.builder
    if name in _PARTS:
        op, low, high = _PARTS[name]
        return build.emit(op, "i64", [_day(compiler, of)], (low, high))
    if name in _WEEKDAYS:
        days = build.convert(_day(compiler, of), "i64")
        moved = build.emit(
            "add_wrapping.i64", "i64", [days, build.constant("i64", _WEEKDAYS[name])], (days.low, days.high + 7)
        )
        weekday = build.emit("floor_mod.i64", "i64", [moved], (0, 6), (7,))
        if name == "dow":
            return weekday
        return build.emit("add_wrapping.i64", "i64", [weekday, build.constant("i64", 1)], (1, 7))
    if name in _CLOCK and isinstance(of.type, t.TimestampType) and not of.type.zoned:
        unit, size = _CLOCK[name]
        unit *= unit_of(of.type)
        whole = build.emit("floor_div.i64", "i64", [compiler.value(of)], INT64, (unit,))
        return build.emit("floor_mod.i64", "i64", [whole], (0, size - 1), (size,))
    raise NotCompilableError(f"extract {name}")


_TRUNCATIONS = {"day": _DAY, "hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "millisecond": 1000}


def truncated(compiler: Compiler, call: Call) -> Value:
    """A timestamp at the start of its day or of a smaller unit."""
    field, of = call.args[:2]
    size = _TRUNCATIONS.get(str(field.value)) if isinstance(field, Literal) else None
    if size is None or not isinstance(of.type, t.TimestampType) or of.type.zoned or unit_of(of.type) != 1:
        raise NotCompilableError("date_trunc")
    value = compiler.value(of)
    rest = compiler.builder.emit("floor_mod.i64", "i64", [value], (0, size - 1), (size,))
    return compiler.builder.emit(
        "sub_wrapping.i64", "i64", [value, rest], (max(value.low - size, INT64[0]), value.high)
    )
