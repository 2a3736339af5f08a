"""Exact numbers and floating point, rounded once: to the nearest float, ties to even; from a float's exact value half away
from zero.

Where both sides of one division, or an error-free product, are exact, numpy does it; the other values go through
Python's integers, whose division is correctly rounded.
"""

from __future__ import annotations

import numpy as np

from tableflow.expressions.casting.exact import extremes
from tableflow.expressions.operand import Array, Mask

_EXACT = 2**53
_LARGEST_POWER = 22
"""10**22 is the largest power of ten that a DOUBLE holds exactly."""
_SPLITTER = 134_217_729.0


def to_double(values: Array, scale: int) -> Array:
    """Scaled integers as the nearest DOUBLE."""
    low, high = extremes(values)
    if low >= -_EXACT and high <= _EXACT and scale <= _LARGEST_POWER:
        floats: Array = values.astype(np.float64)
        return floats / 10.0**scale if scale else floats
    if scale == 0 and values.dtype != object:
        return values.astype(np.float64)
    by = 10**scale
    if values.dtype == object or scale > _LARGEST_POWER:
        return np.array([int(value) / by for value in values], np.float64)
    result: Array = values / 10.0**scale
    for row in np.flatnonzero((values < -_EXACT) | (values > _EXACT)):
        result[row] = int(values[row]) / by
    return result


def to_single(values: Array, scale: int) -> Array:
    """Scaled integers as the nearest FLOAT."""
    doubles = to_double(values, scale)
    bits = doubles.view(np.int64)
    # Half way between two FLOATs the double has lost on which side of the middle the value lies.
    halves = np.flatnonzero((bits & 0x1FFF_FFFF) == 0x1000_0000)
    by = 10**scale
    for row in halves:
        numerator, denominator = doubles[row].as_integer_ratio()
        apart = int(values[row]) * denominator - numerator * by
        if apart:
            doubles[row] = np.nextafter(doubles[row], np.inf if apart > 0 else -np.inf)
    single: Array = doubles.astype(np.float32)
    return single


def to_scaled(values: Array, scale: int) -> tuple[Array, Mask | None]:
    """Scaled integers of floats, and which have none (NaN, infinities)."""
    errors: Mask = ~np.isfinite(values)
    values = np.where(errors, 0.0, values)
    by = 10.0**scale
    with np.errstate(over="ignore", invalid="ignore"):
        product = np.abs(values) * by
    rows = np.flatnonzero(~(product < _EXACT // 2)) if scale <= _LARGEST_POWER else np.arange(len(values))
    result: Array = np.zeros(len(values), np.int64)
    if len(rows) < len(values):
        small = np.where(product < _EXACT // 2, values, 0.0)
        result = np.copysign(_rounded_product(np.abs(small), by), small).astype(np.int64)
    if len(rows):
        result = result.astype(object)
        for row in rows:
            result[row] = _rounded(float(values[row]), 10**scale)
    return result, errors if errors.any() else None


def _rounded_product(a: Array, b: float) -> Array:
    """A * b rounded half up, for products well below 2**53: Dekker's product knows what the rounded one has lost."""
    product = a * b
    high = a * _SPLITTER - (a * _SPLITTER - a)
    by_high = b * _SPLITTER - (b * _SPLITTER - b)
    low, by_low = a - high, b - by_high
    lost = ((high * by_high - product) + high * by_low + low * by_high) + low * by_low
    whole = np.floor(product)
    result: Array = whole + ((product - whole - 0.5) + lost >= 0)
    return result


def _rounded(value: float, by: int) -> int:
    numerator, denominator = value.as_integer_ratio()
    magnitude = (2 * abs(numerator) * by + denominator) // (2 * denominator)
    return -magnitude if numerator < 0 else magnitude
