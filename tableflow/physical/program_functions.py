"""The functions and operators that have instructions, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from tableflow import types as t
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.physical import program_dates as dates
from tableflow.physical import program_text as text
from tableflow.physical.program_builder import NotCompilableError, Value, is_exact, scale_of, type_bounds
from tableflow.records import replace

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
        return dates.moved(compiler, op, call, _overflow(compiler, call))

    return compiled


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


def compared(compiler: Compiler, op: str, left: Expression, right: Expression) -> Value:
    """A comparison of two expressions of one family."""
    a, b = compiler.value(left), compiler.value(right)
    types = (left.type, right.type)
    if all(is_exact(of) for of in types):
        a, b = compiler.numbers.comparable(a, b, (scale_of(types[0]), scale_of(types[1])))
    elif all(is_exact(of) or isinstance(of, t.FloatType) for of in types):
        a, b = compiler.numbers.real(a, types[0]), compiler.numbers.real(b, types[1])
    elif type(types[0]) is not type(types[1]) or (
        isinstance(types[0], _TEMPORAL) and dates.unit_of(types[0]) != dates.unit_of(types[1])
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


_NULL_AS_TEXT = frozenset({"lower", "upper", "regexp_matches", "regexp_extract", "regexp_replace"})
"""Functions of a text and constants that are NULL where the text is."""


def _decides_null(of: Expression) -> Expression:
    """What is NULL where the expression is, and cheaper."""
    while isinstance(of, Call) and of.function in _NULL_AS_TEXT:
        if not all(isinstance(arg, Literal) and arg.value is not None for arg in of.args[1:]):
            break
        of = of.args[0]
    return of


def _null_test(op: str) -> Compiled:
    def compiled(compiler: Compiler, call: Call) -> Value:
        value = compiler.value(_decides_null(call.args[0]))
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
    if plain and all(dates.unit_of(i.type) == dates.unit_of(value.type) for i in literals):
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


def _extreme(op: str) -> Compiled:
    """The greatest or least of the values that are not NULL."""

    def compiled(compiler: Compiler, call: Call) -> Value:
        build = compiler.builder
        best = compiler.as_type(call.args[0], call.type)
        for arg in call.args[1:]:
            other = compiler.as_type(arg, call.type)
            if best.kind != other.kind:
                best, other = compiler.numbers.same_kind(best, other)
            better = build.emit("is_true.bool", "bool", [build.emit(f"{op}.{best.kind}", "bool", [other, best])])
            missing = build.emit(f"is_null.{best.kind}", "bool", [best])
            best = compiler.choose("select", [build.emit("or.bool", "bool", [better, missing])], other, best)
        return best

    return compiled


def _rounded(compiler: Compiler, call: Call) -> Value:
    """A decimal to a constant number of digits behind the point."""
    number, *rest = call.args
    digits = 0 if not rest else rest[0].value if isinstance(rest[0], Literal) else None
    scale = scale_of(number.type)
    if digits is None or digits < 0 or not is_exact(number.type) or scale_of(call.type) != min(digits, scale):
        raise NotCompilableError(call.function)
    value = compiler.numbers.scaled(compiler.value(number), min(digits, scale) - scale)
    return compiler.numbers.narrowed(value, type_bounds(call.type), _overflow(compiler, call))


def _part_test(before: str, after: str) -> Compiled:
    return lambda compiler, call: text.part_test(compiler, call, before, after)


def _try(compiler: Compiler, call: Call) -> Value:
    value = compiler.value(call.args[0])
    if not value.fails:
        return value
    result = compiler.builder.emit(f"try.{value.kind}", value.kind, [value], (value.low, value.high))
    return replace(result, fails=False)


FUNCTIONS: Mapping[str, Compiled] = {
    "add": _arithmetic("add"), "subtract": _arithmetic("sub"), "multiply": _arithmetic("mul"), "divide": _divide,
    "integer_divide": _quotient("div"), "modulo": _quotient("mod"), "negate": _negate, "abs": _absolute, "concat": text.concat,
    "eq": _comparison("eq"), "ne": _comparison("ne"), "lt": _comparison("lt"), "le": _comparison("le"),
    "gt": _comparison("gt"), "ge": _comparison("ge"), "is_distinct_from": _distinct,
    "is_not_distinct_from": _comparison("same"),
    "and": _junction("and"), "or": _junction("or"), "not": _boolean("not"), "is_true": _boolean("is_true"),
    "is_not_true": _boolean("is_not_true"), "is_false": _boolean("is_false"), "is_not_false": _boolean("is_not_false"),
    "is_null": _null_test("is_null"), "is_not_null": _null_test("is_not_null"),
    "in": _in, "like": text.like, "coalesce": _coalesce, "nullif": _nullif, "if": _if, "try": _try,
    "lower": text.letters, "upper": text.letters, "regexp_matches": text.regular("matches", "bool"),
    "regexp_extract": text.regular("extract", "str"), "regexp_replace": text.regular("replace", "str"),
    "replace": text.substitution, "length": text.length, "octet_length": text.octet_length,
    "substring": text.substring, "starts_with": _part_test("", "%"), "ends_with": _part_test("%", ""),
    "contains": _part_test("%", "%"), "extract": dates.extract, "date_trunc": dates.truncated,
    "greatest": _extreme("gt"), "least": _extreme("lt"), "round": _rounded,
}  # fmt: skip
