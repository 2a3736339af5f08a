"""The functions and operators that have instructions, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from tableflow import types as t
from tableflow.expressions.casting.calendar import FIRST_DAY, LAST_DAY
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.physical.program_builder import INT64, NotCompilableError, Value, is_exact, scale_of, type_bounds

if TYPE_CHECKING:
    from tableflow.physical.program_compiler import Compiler

Compiled: TypeAlias = "Callable[[Compiler, Call], Value]"

_ZERO = "division by zero"
_TEMPORAL = (t.DateType, t.TimeType, t.TimestampType)


def _overflow(compiler: Compiler, call: Call) -> int:
    return compiler.builder.error(f"the result is out of range for {call.type}", call.span)


def _operands(compiler: Compiler, call: Call) -> tuple[Value, ...]:
    return tuple(compiler.value(arg) for arg in call.args)


def _scales(call: Call) -> tuple[int, int]:
    return scale_of(call.args[0].type), scale_of(call.args[1].type)


def _all_exact(call: Call) -> bool:
    return all(is_exact(arg.type) for arg in call.args)


def _real(compiler: Compiler, op: str, call: Call) -> Value:
    if not all(is_exact(arg.type) or isinstance(arg.type, t.FloatType) for arg in call.args):
        raise NotCompilableError(f"{call.function} of other types")
    a, b = (compiler.numbers.real(compiler.value(arg), arg.type) for arg in call.args)
    return compiler.numbers.single(compiler.builder.emit(op, "f64", [a, b]), call.type)


def _arithmetic(op: str) -> Compiled:
    def compiled(compiler: Compiler, call: Call) -> Value:
        if len(call.args) != 2:
            raise NotCompilableError(call.function)
        if isinstance(call.type, t.FloatType):
            return _real(compiler, f"{op}.f64", call)
        if _all_exact(call) and is_exact(call.type):
            a, b = _operands(compiler, call)
            return compiler.numbers.arithmetic(op, a, b, _scales(call), call.type, _overflow(compiler, call))
        return _moved(compiler, op, call)

    return compiled


def _moved(compiler: Compiler, op: str, call: Call) -> Value:
    """A date plus or minus days or a constant interval, and the days between dates."""
    base, by = call.args
    if op == "sub" and isinstance(base.type, t.DateType) and isinstance(by.type, t.DateType):
        return compiler.numbers.arithmetic(op, compiler.value(base), compiler.value(by), (0, 0), call.type, 0)
    if op == "add" and isinstance(base.type, t.IntervalType | t.IntegerType):
        base, by = by, base
    sign = -1 if op == "sub" else 1
    if op == "mul" or not isinstance(base.type, t.DateType) or base.type != call.type:
        raise NotCompilableError(call.function)
    build, error = compiler.builder, _overflow(compiler, call)
    value = compiler.value(base)
    if isinstance(by.type, t.IntegerType):
        moved = compiler.numbers.arithmetic(op, value, compiler.value(by), (0, 0), t.BIGINT, error)
        return build.convert(compiler.numbers.narrowed(moved, (FIRST_DAY, LAST_DAY), error), "i32")
    if not (isinstance(by, Literal) and isinstance(by.type, t.IntervalType)) or by.value is None or by.value[2] != 0:
        raise NotCompilableError(call.function)
    months, days, _ = by.value
    if months:
        amount = build.constant("i64", sign * months)
        value = build.emit("add_months.i32", "i32", [value, amount], type_bounds(t.DATE), (), error)
    if days:
        amount = build.constant("i64", sign * days)
        value = compiler.numbers.arithmetic("add", value, amount, (0, 0), t.BIGINT, error)
    return build.convert(compiler.numbers.narrowed(value, (FIRST_DAY, LAST_DAY), error), "i32")


def _negate(compiler: Compiler, call: Call) -> Value:
    of = call.type
    value = compiler.value(call.args[0])
    if isinstance(of, t.FloatType):
        return compiler.builder.emit("neg.f64", "f64", [value])
    if not is_exact(of):
        raise NotCompilableError(call.function)
    zero = compiler.builder.constant("i64", 0)
    scale = scale_of(call.args[0].type)
    return compiler.numbers.arithmetic("sub", zero, value, (scale, scale), of, _overflow(compiler, call))


def _divide(compiler: Compiler, call: Call) -> Value:
    if isinstance(call.type, t.IntegerType):
        return _quotient("div")(compiler, call)
    if not _all_exact(call):
        return _real(compiler, "div.f64", call)
    zero = compiler.builder.error(_ZERO, call.span)
    a, b = (compiler.numbers.real(compiler.value(arg), arg.type) for arg in call.args)
    return compiler.numbers.single(compiler.builder.emit("divide_nonzero.f64", "f64", [a, b], error=zero), call.type)


def _quotient(op: str) -> Compiled:
    """Division towards zero, or its rest, of exact numbers at one scale."""

    def compiled(compiler: Compiler, call: Call) -> Value:
        scale = max(_scales(call)) if op == "mod" else 0
        if isinstance(call.type, t.FloatType) and op == "mod":
            return _real(compiler, "mod.f64", call)
        if len(call.args) != 2 or not _all_exact(call) or not is_exact(call.type) or scale_of(call.type) != scale:
            raise NotCompilableError(call.function)
        left, right = _operands(compiler, call)
        a, b, _ = compiler.numbers.aligned(left, right, _scales(call))
        zero = compiler.builder.error(_ZERO, call.span)
        return compiler.numbers.quotient(op, a, b, call.type, zero, _overflow(compiler, call))

    return compiled


def _absolute(compiler: Compiler, call: Call) -> Value:
    value = compiler.value(call.args[0])
    if isinstance(call.type, t.FloatType):
        return compiler.builder.emit("abs.f64", "f64", [value])
    if not is_exact(call.type):
        raise NotCompilableError(call.function)
    zero = compiler.builder.constant(value.kind, 0)
    negative = compiler.builder.emit(f"lt.{value.kind}", "bool", [value, zero])
    scale = scale_of(call.type)
    opposite = compiler.numbers.arithmetic("sub", zero, value, (scale, scale), call.type, _overflow(compiler, call))
    return compiler.choose("select", [negative], opposite, value)


def _unit(of: t.SqlType) -> str:
    return "ns" if isinstance(of, t.TimestampType | t.TimeType) and of.precision > 6 else "us"


def compared(compiler: Compiler, op: str, left: Expression, right: Expression) -> Value:
    """A comparison of two expressions of one family."""
    a, b = compiler.value(left), compiler.value(right)
    types = (left.type, right.type)
    if all(is_exact(of) for of in types):
        a, b, _ = compiler.numbers.aligned(a, b, (scale_of(types[0]), scale_of(types[1])))
    elif all(is_exact(of) or isinstance(of, t.FloatType) for of in types):
        a, b = compiler.numbers.real(a, types[0]), compiler.numbers.real(b, types[1])
    elif type(types[0]) is not type(types[1]) or (
        isinstance(types[0], _TEMPORAL) and _unit(types[0]) != _unit(types[1])
    ):
        raise NotCompilableError(f"comparisons of {types[0]} with {types[1]}")
    return compiler.builder.emit(f"{op}.{a.kind}", "bool", [a, b])


def _comparison(op: str) -> Compiled:
    return lambda compiler, call: compared(compiler, op, call.args[0], call.args[1])


def _distinct(compiler: Compiler, call: Call) -> Value:
    return compiler.builder.emit("not.bool", "bool", [compared(compiler, "same", *call.args)])


def _junction(op: str) -> Compiled:
    def compiled(compiler: Compiler, call: Call) -> Value:
        first, *others = call.args
        result = compiler.value(first)
        for other in others:
            result = compiler.builder.emit(f"{op}.bool", "bool", [result, compiler.value(other)])
        return result

    return compiled


def _boolean(op: str) -> Compiled:
    return lambda compiler, call: compiler.builder.emit(f"{op}.bool", "bool", [compiler.value(call.args[0])])


def _null_test(op: str) -> Compiled:
    def compiled(compiler: Compiler, call: Call) -> Value:
        value = compiler.value(call.args[0])
        return compiler.builder.emit(f"{op}.{value.kind}", "bool", [value])

    return compiled


def _in(compiler: Compiler, call: Call) -> Value:
    value, *items = call.args
    build = compiler.builder
    literals = [item for item in items if isinstance(item, Literal)]
    register = compiler.value(value)
    plain = len(literals) == len(items) and all(type(i.type) is type(value.type) for i in literals)
    plain = (
        plain
        and all(scale_of(i.type) == scale_of(value.type) for i in literals)
        and register.kind in {"i32", "i64", "str"}
    )
    if plain and not isinstance(value.type, t.TimestampType | t.TimeType):
        present = tuple(i.value for i in literals if i.value is not None)
        kept = present if register.kind == "str" else tuple(v for v in present if register.low <= v <= register.high)
        result = build.emit(f"in.{register.kind}", "bool", [register], immediates=kept)
        if len(present) < len(literals):
            result = build.emit("or.bool", "bool", [result, build.constant("bool", None)])
        return result
    result = compared(compiler, "eq", value, items[0])
    for item in items[1:]:
        result = build.emit("or.bool", "bool", [result, compared(compiler, "eq", value, item)])
    return result


def _like(compiler: Compiler, call: Call) -> Value:
    value, pattern, *escape = call.args
    texts = [item.value for item in (pattern, *escape) if isinstance(item, Literal) and isinstance(item.value, str)]
    if len(texts) != len(call.args) - 1 or not isinstance(value.type, t.StringType):
        raise NotCompilableError("LIKE with a computed pattern")
    text, mark = texts[0], texts[1] if escape else ""
    if len(mark) > 1:
        raise NotCompilableError("LIKE with such an escape")
    return compiler.builder.emit("like.str", "bool", [compiler.value(value)], immediates=(text, mark))


def _coalesce(compiler: Compiler, call: Call) -> Value:
    *before, last = [compiler.as_type(arg, call.type) for arg in call.args]
    for value in reversed(before):
        last = compiler.choose("coalesce", (), value, last)
    return last


def _nullif(compiler: Compiler, call: Call) -> Value:
    value, other = call.args
    same = compared(compiler, "eq", value, other)
    result = compiler.as_type(value, call.type)
    return compiler.choose("select", [same], compiler.builder.constant(result.kind, None), result)


def _if(compiler: Compiler, call: Call) -> Value:
    if len(call.args) != 3:
        raise NotCompilableError(call.function)
    condition, yes, no = call.args
    return compiler.choose(
        "select", [compiler.value(condition)], compiler.as_type(yes, call.type), compiler.as_type(no, call.type)
    )


def _try(compiler: Compiler, call: Call) -> Value:
    value = compiler.value(call.args[0])
    if not value.fails:
        return value
    result = compiler.builder.emit(f"try.{value.kind}", value.kind, [value], (value.low, value.high))
    return replace(result, fails=False)


def _day(compiler: Compiler, of: Expression) -> Value:
    """Days since 1970 of a date or timestamp."""
    value = compiler.value(of)
    if isinstance(of.type, t.DateType):
        return value
    if not isinstance(of.type, t.TimestampType) or of.type.zoned:
        raise NotCompilableError(f"calendar fields of {of.type}")
    unit = 86_400_000_000 * (1000 if _unit(of.type) == "ns" else 1)
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


def _extract(compiler: Compiler, call: Call) -> Value:
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
        unit *= 1000 if _unit(of.type) == "ns" else 1
        whole = build.emit("floor_div.i64", "i64", [compiler.value(of)], INT64, (unit,))
        return build.emit("floor_mod.i64", "i64", [whole], (0, size - 1), (size,))
    raise NotCompilableError(f"extract {name}")


def _length(compiler: Compiler, call: Call) -> Value:
    if not isinstance(call.args[0].type, t.StringType):
        raise NotCompilableError(call.function)
    return compiler.builder.emit("length.str", "i64", [compiler.value(call.args[0])], (0, 2**31))


def _substring(compiler: Compiler, call: Call) -> Value:
    build = compiler.builder
    if not isinstance(call.args[0].type, t.StringType) or len(call.args) not in (2, 3):
        raise NotCompilableError(call.function)
    text, start = compiler.value(call.args[0]), build.convert(compiler.value(call.args[1]), "i64")
    if len(call.args) == 2:
        count = build.constant("i64", INT64[1])
    else:
        count = build.convert(compiler.value(call.args[2]), "i64")
    error = build.error("a length is negative", call.span)
    result = build.emit("substring.str", "str", [text, start, count], error=error)
    harmless = count.constant and (count.literal is None or count.literal >= 0)
    return replace(result, fails=any(v.fails for v in (text, start, count))) if harmless else result


def _concat(compiler: Compiler, call: Call) -> Value:
    if not all(isinstance(arg.type, t.StringType) for arg in call.args):
        raise NotCompilableError(call.function)
    first, *others = _operands(compiler, call)
    for other in others:
        first = compiler.builder.emit("concat.str", "str", [first, other])
    return first


FUNCTIONS: Mapping[str, Compiled] = {
    "add": _arithmetic("add"), "subtract": _arithmetic("sub"), "multiply": _arithmetic("mul"), "divide": _divide,
    "integer_divide": _quotient("div"), "modulo": _quotient("mod"), "negate": _negate, "abs": _absolute, "concat": _concat,
    "eq": _comparison("eq"), "ne": _comparison("ne"), "lt": _comparison("lt"), "le": _comparison("le"),
    "gt": _comparison("gt"), "ge": _comparison("ge"), "is_distinct_from": _distinct,
    "is_not_distinct_from": _comparison("same"),
    "and": _junction("and"), "or": _junction("or"), "not": _boolean("not"), "is_true": _boolean("is_true"),
    "is_not_true": _boolean("is_not_true"), "is_false": _boolean("is_false"), "is_not_false": _boolean("is_not_false"),
    "is_null": _null_test("is_null"), "is_not_null": _null_test("is_not_null"),
    "in": _in, "like": _like, "coalesce": _coalesce, "nullif": _nullif, "if": _if, "try": _try,
    "length": _length, "substring": _substring, "extract": _extract,
}  # fmt: skip
