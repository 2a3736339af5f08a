"""Arithmetic operators.

Exact numbers are computed exactly and checked against the result's type; floats follow IEEE 754.  Result types are
the dialect's: integers keep the wider type, decimals grow as docs/functions.md says, any float makes it DOUBLE.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting import exact, nearest
from tableflow.expressions.coercion import cast, common_type, decimal_type, exact_view
from tableflow.expressions.function import Binding, Function, Kernel, Rule, numeric_nulls
from tableflow.expressions.functions import moments
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Array, Mask, Operand, both, build, either, numbers

_DecimalRule = Callable[[t.DecimalType, t.DecimalType], t.SqlType]


def _numeric(decimals: _DecimalRule) -> Rule:
    """Integers: the wider one.  Any float: DOUBLE (FLOAT of FLOATs).  Else decimals, by the given rule."""

    def rule(args: Sequence[Expression]) -> Binding | None:
        args = numeric_nulls(args)
        if len(args) != 2 or not all(t.is_numeric(a.type) for a in args):
            return None
        common = common_type([a.type for a in args])
        if isinstance(common, (t.IntegerType, t.FloatType)):
            return Binding(tuple(cast(a, common) for a in args), common)
        views = [exact_view(a) for a in args]
        result = decimals(views[0], views[1])
        return Binding(tuple(cast(a, v) for a, v in zip(args, views, strict=True)), result)

    return rule


def _sum_type(a: t.DecimalType, b: t.DecimalType) -> t.DecimalType:
    scale = max(a.scale, b.scale)
    return decimal_type(max(a.precision - a.scale, b.precision - b.scale) + scale + 1, scale)


def _product_type(a: t.DecimalType, b: t.DecimalType) -> t.DecimalType:
    return decimal_type(a.precision + b.precision, a.scale + b.scale)


def _remainder_type(a: t.DecimalType, b: t.DecimalType) -> t.DecimalType:
    scale = max(a.scale, b.scale)
    return decimal_type(max(min(a.precision - a.scale, b.precision - b.scale) + scale, 1), scale)


def _whole_quotient_type(a: t.DecimalType, b: t.DecimalType) -> t.DecimalType:
    return t.DecimalType(min(max(a.precision - a.scale + b.scale, 1), t.MAX_DECIMAL_PRECISION), 0)


def _first(*rules: Rule) -> Rule:
    def rule(args: Sequence[Expression]) -> Binding | None:
        return next((found for one in rules if (found := one(args)) is not None), None)

    return rule


def _checked(values: Array, to: t.SqlType, valid: Mask | None, errors: Mask | None = None) -> Operand:
    errors = either(errors, exact.outside(values, to))
    return build(to, exact.wrapped(values, errors), valid, errors)


def _linear(integers: Callable[[Array, Array], Array], floats: Callable[..., Any], temporal: Kernel) -> Kernel:
    """Addition and subtraction: decimals are brought to one scale first."""

    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        if not all(t.is_numeric(arg.type) for arg in args):
            return temporal(args, to)
        a, b = args
        x, y, valid = numbers(a), numbers(b), both(a.valid, b.valid)
        if isinstance(to, t.FloatType):
            return build(to, _floating(floats, x, y), valid)
        scales = exact.scale_of(a.type), exact.scale_of(b.type)
        scale = max(scales)
        values = integers(exact.rescale(x, scale - scales[0]), exact.rescale(y, scale - scales[1]))
        return _checked(exact.rescale(values, exact.scale_of(to) - scale), to, valid)

    return kernel


def _floating(operation: Callable[..., Any], *values: Array) -> Array:
    with np.errstate(all="ignore"):
        result: Array = operation(*values)
    return result


def _multiply(args: Sequence[Operand], to: t.SqlType) -> Operand:
    if isinstance(to, t.IntervalType):
        return moments.multiply_interval(args, to)
    a, b = args
    x, y, valid = numbers(a), numbers(b), both(a.valid, b.valid)
    if isinstance(to, t.FloatType):
        return build(to, _floating(np.multiply, x, y), valid)
    scale = exact.scale_of(a.type) + exact.scale_of(b.type)
    return _checked(exact.rescale(exact.multiply(x, y), exact.scale_of(to) - scale), to, valid)


def _divide(args: Sequence[Operand], to: t.SqlType) -> Operand:
    a, b = args
    x, y, valid = numbers(a), numbers(b), both(a.valid, b.valid)
    if isinstance(to, t.IntegerType):
        return _checked(exact.truncated_quotient(x, y), to, valid, y == 0)
    if isinstance(a.type, t.FloatType):
        return build(to, _floating(np.divide, x, y), valid)
    quotient = _floating(
        np.divide, nearest.to_double(x, exact.scale_of(a.type)), nearest.to_double(y, exact.scale_of(b.type))
    )
    return build(to, quotient, valid, (y == 0).astype(np.bool_))


def _aligned(a: Operand, b: Operand) -> tuple[Array, Array]:
    scales = exact.scale_of(a.type), exact.scale_of(b.type)
    scale = max(scales)
    return exact.rescale(numbers(a), scale - scales[0]), exact.rescale(numbers(b), scale - scales[1])


def _integer_divide(args: Sequence[Operand], to: t.SqlType) -> Operand:
    a, b = args
    valid = both(a.valid, b.valid)
    if isinstance(to, t.FloatType):
        return build(to, np.trunc(_floating(np.divide, numbers(a), numbers(b))), valid)
    x, y = _aligned(a, b)
    return _checked(exact.truncated_quotient(x, y), to, valid, (y == 0).astype(np.bool_))


def _modulo(args: Sequence[Operand], to: t.SqlType) -> Operand:
    a, b = args
    valid = both(a.valid, b.valid)
    if isinstance(to, t.FloatType):
        return build(to, _floating(np.fmod, numbers(a), numbers(b)), valid)
    x, y = _aligned(a, b)
    scale = max(exact.scale_of(a.type), exact.scale_of(b.type))
    rest = exact.rescale(exact.remainder(x, y), exact.scale_of(to) - scale)
    return _checked(rest, to, valid, (y == 0).astype(np.bool_))


def _division_rule(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 3 or not isinstance(args[2], Literal) or not isinstance(args[2].value, int):
        return _numeric(_whole_quotient_type)(args) if len(args) == 2 else None
    a, b = numeric_nulls(args[:2])
    scale = args[2].value
    if not (_is_exact(a.type) and _is_exact(b.type) and 0 <= scale <= t.MAX_DECIMAL_PRECISION):
        return None
    first, second = exact_view(a), exact_view(b)
    precision = min(max(first.precision - first.scale + second.scale, 1) + scale, t.MAX_DECIMAL_PRECISION)
    return Binding((cast(a, first), cast(b, second), args[2]), t.DecimalType(precision, scale))


def _is_exact(of: t.SqlType) -> bool:
    return isinstance(of, (t.IntegerType, t.DecimalType))


def _divide_to_scale(args: Sequence[Operand], to: t.SqlType) -> Operand:
    if len(args) == 2:
        return _integer_divide(args, to)
    a, b = args[0], args[1]
    x, y = numbers(a), numbers(b)
    shift = exact.scale_of(to) + exact.scale_of(b.type) - exact.scale_of(a.type)
    zero = (y == 0).astype(np.bool_)
    quotient = exact.rounded_quotient(exact.rescale(x, max(shift, 0)), exact.rescale(y, max(-shift, 0)))
    return _checked(quotient, to, both(a.valid, b.valid), zero)


def _unary(args: Sequence[Expression]) -> Binding | None:
    args = numeric_nulls(args)
    if len(args) != 1 or not (t.is_numeric(args[0].type) or isinstance(args[0].type, t.IntervalType)):
        return None
    return Binding(tuple(args), args[0].type)


def _number_rule(args: Sequence[Expression]) -> Binding | None:
    found = _unary(args)
    return found if found is not None and t.is_numeric(found.type) else None


def _sign_rule(args: Sequence[Expression]) -> Binding | None:
    found = _number_rule(args)
    return None if found is None else Binding(found.args, t.INT)


def _negate(args: Sequence[Operand], to: t.SqlType) -> Operand:
    of = args[0]
    if isinstance(to, t.IntervalType):
        return moments.negate_interval(of)
    values = numbers(of)
    if isinstance(to, t.FloatType):
        return build(to, -values, of.valid)
    return _checked(exact.subtract(np.zeros(1, np.int64), values), to, of.valid)


def _absolute(args: Sequence[Operand], to: t.SqlType) -> Operand:
    of = args[0]
    values = numbers(of)
    if isinstance(to, t.FloatType):
        return build(to, np.abs(values), of.valid)
    negated = exact.subtract(np.zeros(1, np.int64), values)
    return _checked(np.where(values < 0, negated, values), to, of.valid)


def _sign(args: Sequence[Operand], to: t.SqlType) -> Operand:
    values = numbers(args[0])
    return build(to, (values > 0).astype(np.int64) - (values < 0).astype(np.int64), args[0].valid)


def _when_integer(call: Call) -> bool:
    return isinstance(call.type, (t.IntegerType, t.IntervalType))


def _decimals_can_overflow(call: Call) -> bool:
    """A decimal result that was not cut to 38 digits holds every value."""
    if not isinstance(call.type, t.DecimalType):
        return not isinstance(call.type, t.FloatType)
    a, b = (exact_view(arg.type) for arg in call.args)
    if call.function == "multiply":
        return a.precision + b.precision > t.MAX_DECIMAL_PRECISION
    whole = max(a.precision - a.scale, b.precision - b.scale) + 1
    return whole + max(a.scale, b.scale) > t.MAX_DECIMAL_PRECISION


def _division_can_fail(call: Call) -> bool:
    return not isinstance(call.args[0].type, t.FloatType)


def _division_failure(values: Sequence[Any], of: t.SqlType) -> str:
    return "division by zero" if values[1] == 0 else f"the result is out of range for {of}"


def _overflow(_values: Sequence[Any], of: t.SqlType) -> str:
    return f"the result is out of range for {of}"


FUNCTIONS = (
    Function(
        "add", "a + b",
        "Sum. Decimals (p1,s1), (p2,s2): scale max(s1,s2), precision max(p1-s1, p2-s2) + scale + 1. A date plus an integer "
        "is days later; a date, time or timestamp plus an interval is moved by it, and has as many digits behind the second as the finer of both.",
        ("1.5 + 2", "3.5"), "arithmetic", rule=_first(_numeric(_sum_type), moments.addition),
        kernel=_linear(exact.add, np.add, moments.add), aliases=("+",), can_raise=_decimals_can_overflow, failure=_overflow,
    ),
    Function(
        "subtract", "a - b",
        "Difference, typed as a sum. Dates give the days between them (BIGINT), timestamps an interval.",
        ("DATE '1998-12-01' - INTERVAL '90' DAY", "1998-09-02"), "arithmetic",
        rule=_first(_numeric(_sum_type), moments.subtraction), kernel=_linear(exact.subtract, np.subtract, moments.subtract),
        aliases=("-",), can_raise=_decimals_can_overflow, failure=_overflow,
    ),
    Function(
        "multiply", "a * b", "Product. Decimals: precision p1+p2, scale s1+s2. An interval times an integer is an interval.",
        ("1.5 * 1.5", "2.25"), "arithmetic", rule=_first(_numeric(_product_type), moments.multiplication), kernel=_multiply,
        aliases=("*",), can_raise=_decimals_can_overflow, failure=_overflow,
    ),
    Function(
        "divide", "a / b",
        "Quotient. Integers: truncated towards zero; decimals: DOUBLE; by zero an error. Floats follow IEEE 754.",
        ("7 / -2", "-3"), "arithmetic", rule=_numeric(lambda _a, _b: t.DOUBLE), kernel=_divide, aliases=("/",),
        can_raise=_division_can_fail, failure=_division_failure,
    ),
    Function(
        "integer_divide", "a // b", "Quotient truncated towards zero, for any numbers.", ("7.5 // 2", "3"), "arithmetic",
        rule=_numeric(_whole_quotient_type), kernel=_integer_divide, aliases=("//",), can_raise=_division_can_fail,
        failure=_division_failure,
    ),
    Function(
        "modulo", "a % b", "Rest of the division truncated towards zero; it has the sign of the dividend.",
        ("-7 % 3", "-1"), "arithmetic", rule=_numeric(_remainder_type), kernel=_modulo, aliases=("%", "mod"),
        can_raise=_division_can_fail, failure=_division_failure,
    ),
    Function(
        "div", "div(a, b [, scale])",
        "Exact quotient of integers or decimals, rounded half away from zero to the scale (a literal); without a scale "
        "truncated as by //.",
        ("div(2, 3, 4)", "0.6667"), "arithmetic", rule=_division_rule, kernel=_divide_to_scale,
        can_raise=_division_can_fail, failure=_division_failure,
    ),
    Function(
        "negate", "-a", "The number or interval with the opposite sign.", ("-(2)", "-2"), "arithmetic", rule=_unary,
        kernel=_negate, can_raise=_when_integer, failure=_overflow,
    ),
    Function(
        "abs", "abs(number)", "The number without its sign.", ("abs(-2.5)", "2.5"), "arithmetic", rule=_number_rule,
        kernel=_absolute, can_raise=_when_integer, failure=_overflow,
    ),
    Function(
        "sign", "sign(number)", "-1, 0 or 1.", ("sign(-2.5)", "-1"), "arithmetic", rule=_sign_rule, kernel=_sign,
    ),
)  # fmt: skip
