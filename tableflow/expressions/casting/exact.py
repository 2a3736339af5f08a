"""Exact numbers: scaling, rounding and range checks on int64 where that is enough, else on Python integers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tableflow import types as t
from tableflow.expressions.operand import INT64_MAX, INT64_MIN, Array, Mask


def extremes(values: Array) -> tuple[int, int]:
    """Smallest and largest value; (0, 0) of nothing."""
    return (int(values.min()), int(values.max())) if len(values) else (0, 0)


def fits(low: int, high: int) -> bool:
    """Whether a range of results fits into int64."""
    return low >= INT64_MIN and high <= INT64_MAX


def add(a: Array, b: Array) -> Array:
    """Exact sums."""
    (a_low, a_high), (b_low, b_high) = extremes(a), extremes(b)
    return _apply(np.add, a, b, safe=fits(a_low + b_low, a_high + b_high))


def subtract(a: Array, b: Array) -> Array:
    """Exact differences."""
    (a_low, a_high), (b_low, b_high) = extremes(a), extremes(b)
    return _apply(np.subtract, a, b, safe=fits(a_low - b_high, a_high - b_low))


def multiply(a: Array, b: Array) -> Array:
    """Exact products."""
    corners = [x * y for x in extremes(a) for y in extremes(b)]
    return _apply(np.multiply, a, b, safe=fits(min(corners), max(corners)))


def _apply(operation: Callable[[Array, Array], Array], a: Array, b: Array, *, safe: bool) -> Array:
    if safe and a.dtype != object and b.dtype != object:
        return operation(a, b)
    return operation(a.astype(object), b.astype(object))


def truncated_quotient(a: Array, b: Array) -> Array:
    """The quotient a / b towards zero; where b is 0 the result means nothing."""
    if a.dtype != object and b.dtype != object and extremes(a)[0] == INT64_MIN:
        a = a.astype(object)
    safe = np.where(b == 0, 1, b)
    quotient: Array = np.floor_divide(a, safe)
    inexact = (quotient * safe != a) & ((a < 0) != (safe < 0))
    result: Array = quotient + inexact.astype(np.int64)
    return result


def remainder(a: Array, b: Array) -> Array:
    """The rest of the division towards zero, with the sign of a; where b is 0 it means nothing."""
    if a.dtype != object and b.dtype != object and extremes(a)[0] == INT64_MIN:
        a = a.astype(object)
    safe = np.where(b == 0, 1, b)
    rest: Array = np.remainder(a, safe)
    # numpy's remainder has the sign of the divisor.
    return np.where((rest != 0) & ((a < 0) != (safe < 0)), rest - safe, rest)


def rounded_quotient(a: Array, b: Array) -> Array:
    """The quotient a / b rounded half away from zero; where b is 0 the result means nothing."""
    a, b = a.astype(object), b.astype(object)
    safe = np.where(b == 0, 1, b)
    magnitude = (2 * abs(a) + abs(safe)) // (2 * abs(safe))
    quotient: Array = np.where((a < 0) != (safe < 0), -magnitude, magnitude)
    return quotient


def rescale(values: Array, digits: int) -> Array:
    """Times 10**digits; with negative digits rounded half away from zero."""
    if digits == 0:
        return values
    if digits > 0:
        factor = np.array([10**digits], np.int64 if digits <= 18 else object)
        return multiply(values, factor)
    divisor = 10**-digits
    if divisor > INT64_MAX // 4:
        values = values.astype(object)
    quotient: Array = values // divisor
    rest = values - quotient * divisor
    up = np.where(values < 0, rest * 2 > divisor, rest * 2 >= divisor)
    result: Array = quotient + up.astype(np.int64)
    return result


def outside(values: Array, of: t.SqlType) -> Mask | None:
    """Rows whose exact value the type does not hold; None when all fit."""
    if isinstance(of, t.IntegerType):
        low, high = -(2 ** (of.bits - 1)), 2 ** (of.bits - 1) - 1
    elif isinstance(of, t.DecimalType):
        high = 10**of.precision - 1
        low = -high
    else:
        raise TypeError(f"{of} is not exact")
    least, most = extremes(values)
    if low <= least and most <= high:
        return None
    mask: Mask = ((values < low) | (values > high)).astype(np.bool_)
    return mask


def wrapped(values: Array, errors: Mask | None) -> Array:
    """Values without those in error, as int64 where they then fit."""
    if values.dtype != object:
        return values
    kept = values if errors is None else np.where(errors, 0, values)
    return kept.astype(np.int64) if fits(*extremes(kept)) else kept


def round_half_away(values: Array) -> Array:
    """Floats rounded to whole numbers, halves away from zero."""
    magnitude = np.abs(values)
    whole = np.floor(magnitude)
    whole = whole + (magnitude - whole >= 0.5)
    result: Array = np.copysign(whole, values)
    return result


def scale_of(of: t.SqlType) -> int:
    """Digits behind the point; 0 for integers."""
    return of.scale if isinstance(of, t.DecimalType) else 0
