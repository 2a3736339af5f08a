"""Rounding, and functions of mathematics over DOUBLE.

Rounding is half away from zero.  Functions over DOUBLE follow IEEE 754: outside their domain they are NaN or infinite,
never an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting import exact
from tableflow.expressions.coercion import implicit_cast
from tableflow.expressions.function import Binding, Function, Kernel, Rule, numeric_nulls, overloads
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.operand import Array, Mask, Operand, both, build, either, numbers

_Rounding = Callable[[Array, int], Array]
"""Scaled integers and how many digits go: the scaled integers with that many digits fewer."""


def _nearest(values: Array, digits: int) -> Array:
    return exact.rescale(values, -digits)


def _divisor(digits: int) -> Array:
    return np.array([10**digits], np.int64 if digits <= 18 else object)


def _towards_zero(values: Array, digits: int) -> Array:
    return exact.truncated_quotient(values, _divisor(digits))


def _down(values: Array, digits: int) -> Array:
    return values // _divisor(digits)


def _up(values: Array, digits: int) -> Array:
    return -(-values.astype(object) // _divisor(digits))


def _literal_scale(args: Sequence[Expression]) -> int | None:
    """The number of digits asked for, if it is known: 0 without a second argument."""
    if len(args) == 1:
        return 0
    return args[1].value if isinstance(args[1], Literal) and isinstance(args[1].value, int) else None


def _rounding_rule(most: int) -> Rule:
    """One number, and up to ``most`` - 1 counts of digits; decimals keep only the digits asked for."""

    def rule(args: Sequence[Expression]) -> Binding | None:
        if not 1 <= len(args) <= most:
            return None
        number, *rest = numeric_nulls(args[:1]) + list(args[1:])
        digits = [implicit_cast(argument, t.INT) for argument in rest]
        if not t.is_numeric(number.type) or any(argument is None for argument in digits):
            return None
        taken = (number, *(argument for argument in digits if argument is not None))
        return Binding(taken, _rounded_type(number.type, _literal_scale(taken)))

    return rule


def _rounded_type(of: t.SqlType, scale: int | None) -> t.SqlType:
    if not isinstance(of, t.DecimalType):
        return of
    whole = of.precision - of.scale
    if scale is None:
        return t.DecimalType(min(of.precision + 1, t.MAX_DECIMAL_PRECISION), of.scale)
    if scale >= of.scale:
        return of
    kept = max(scale, 0)
    return t.DecimalType(min(whole + kept + 1, t.MAX_DECIMAL_PRECISION), kept)


def _rounding_kernel(exactly: _Rounding, floats: Callable[[Array], Array]) -> Kernel:
    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        number = args[0]
        digits = numbers(args[1]) if len(args) == 2 else np.zeros(1, np.int64)
        valid = both(number.valid, args[1].valid if len(args) == 2 else None)
        if isinstance(to, t.FloatType):
            return build(to, _round_floats(numbers(number), digits, floats), valid)
        errors: Mask | None = None
        result = np.zeros(np.broadcast_shapes(numbers(number).shape, digits.shape), np.int64)
        for wanted in np.unique(digits):
            values = _round_exact(
                numbers(number), int(wanted), exact.scale_of(number.type), exact.scale_of(to), exactly
            )
            result = np.where(digits == wanted, values, result)
        errors = either(errors, exact.outside(result, to))
        return build(to, exact.wrapped(result, errors), valid, errors)

    return kernel


def _round_exact(values: Array, wanted: int, scale: int, to_scale: int, exactly: _Rounding) -> Array:
    dropped = min(scale - wanted, 60)
    if dropped > 0:
        values = exact.rescale(exactly(values, dropped), dropped)
    # Digits behind the result's scale are zero by now, so this does not round again.
    return exact.rescale(values, to_scale - scale)


def _round_floats(values: Array, digits: Array, floats: Callable[[Array], Array]) -> Array:
    digits = np.clip(digits, -330, 330)
    with np.errstate(all="ignore"):
        factor = 10.0 ** np.abs(digits)
        scaled = np.where(digits >= 0, values * factor, values / factor)
        rounded = floats(scaled)
        result = np.where(digits >= 0, rounded / factor, rounded * factor)
    kept: Array = np.where(np.isfinite(result), result, np.where(digits >= 0, values, 0.0))
    return kept.astype(values.dtype)


def _can_overflow(call: Call) -> bool:
    """Integers when digits before the point go; decimals without a digit to spare."""
    of = call.args[0].type
    scale = _literal_scale(call.args)
    if isinstance(of, t.IntegerType):
        return scale is None or scale < 0
    if isinstance(of, t.DecimalType) and isinstance(call.type, t.DecimalType):
        return scale is None or (scale < of.scale and of.precision - of.scale + max(scale, 0) + 1 > 38)
    return False


def _double(function: Callable[..., Any]) -> Kernel:
    def kernel(args: Sequence[Operand], to: t.SqlType) -> Operand:
        with np.errstate(all="ignore"):
            values = function(*(numbers(arg) for arg in args))
        return build(to, values, both(*(arg.valid for arg in args)))

    return kernel


def _logarithm(base: Array, of: Array | None = None) -> Array:
    result: Array = np.log10(base) if of is None else np.log(of) / np.log(base)
    return result


def _rounding(name: str, signature: str, most: int, doc: str, example: tuple[str, str], *functions: Any) -> Function:
    exactly, floats, *aliases = functions
    return Function(
        name, signature, doc, example, "mathematics", rule=_rounding_rule(most), kernel=_rounding_kernel(exactly, floats),
        aliases=tuple(aliases), can_raise=_can_overflow,
    )  # fmt: skip


def _mathematics(
    name: str, signature: str, doc: str, example: tuple[str, str], function: Callable[..., Any], *aliases: str
) -> Function:
    variants = [((t.DOUBLE,) * n, t.DOUBLE) for n in ((1, 2) if "[" in signature else (signature.count(",") + 1,))]
    return Function(
        name,
        signature,
        doc,
        example,
        "mathematics",
        rule=overloads(*variants),
        kernel=_double(function),
        aliases=aliases,
    )


def _pi(args: Sequence[Operand], to: t.SqlType) -> Operand:
    return build(to, np.full(len(args[0]), np.pi))


FUNCTIONS = (
    _rounding(
        "round", "round(number [, digits])",
        2, "Rounded half away from zero to so many digits behind the point (0); negative: before it.",
        ("round(2.345, 2)", "2.35"), _nearest, exact.round_half_away,
    ),
    _rounding(
        "trunc", "trunc(number [, digits])", 2, "Cut towards zero to so many digits.", ("trunc(-2.345, 1)", "-2.3"),
        _towards_zero, np.trunc, "truncate",
    ),
    _rounding("floor", "floor(number)", 1, "The greatest whole number not above.", ("floor(-2.5)", "-3"), _down, np.floor),
    _rounding(
        "ceil", "ceil(number)", 1, "The smallest whole number not below.", ("ceil(2.1)", "3"), _up, np.ceil, "ceiling"
    ),
    _mathematics("sqrt", "sqrt(x)", "Square root.", ("sqrt(16)", "4.0"), np.sqrt),
    _mathematics("cbrt", "cbrt(x)", "Cube root.", ("cbrt(27)", "3.0"), np.cbrt),
    _mathematics("power", "power(x, y)", "``x`` to the power of ``y``.", ("power(2, 10)", "1024.0"), np.power, "pow"),
    _mathematics("exp", "exp(x)", "e to the power of ``x``.", ("exp(0)", "1.0"), np.exp),
    _mathematics("ln", "ln(x)", "Natural logarithm.", ("ln(1)", "0.0"), np.log),
    _mathematics("log", "log([base,] x)", "Logarithm, to base 10 unless given.", ("log(2, 8)", "3.0"), _logarithm),
    _mathematics("log10", "log10(x)", "Logarithm to base 10.", ("log10(1000)", "3.0"), np.log10),
    _mathematics("log2", "log2(x)", "Logarithm to base 2.", ("log2(8)", "3.0"), np.log2),
    _mathematics("sin", "sin(x)", "Sine of radians.", ("sin(0)", "0.0"), np.sin),
    _mathematics("cos", "cos(x)", "Cosine of radians.", ("cos(0)", "1.0"), np.cos),
    _mathematics("tan", "tan(x)", "Tangent of radians.", ("tan(0)", "0.0"), np.tan),
    _mathematics("asin", "asin(x)", "Arc sine in radians.", ("asin(0)", "0.0"), np.arcsin),
    _mathematics("acos", "acos(x)", "Arc cosine in radians.", ("acos(1)", "0.0"), np.arccos),
    _mathematics("atan", "atan(x)", "Arc tangent in radians.", ("atan(0)", "0.0"), np.arctan),
    _mathematics("atan2", "atan2(y, x)", "Angle of the point (x, y) in radians.", ("atan2(0, 1)", "0.0"), np.arctan2),
    _mathematics("degrees", "degrees(x)", "Radians as degrees.", ("degrees(0)", "0.0"), np.degrees),
    _mathematics("radians", "radians(x)", "Degrees as radians.", ("radians(0)", "0.0"), np.radians),
    Function(
        "pi", "pi()", "The ratio of a circle's circumference to its diameter.", ("round(pi(), 4)", "3.1416"), "mathematics",
        rule=overloads(((), t.DOUBLE)), kernel=_pi,
    ),
)  # fmt: skip
