"""Casts among BOOLEAN and the numbers.  To fewer digits rounds half away from zero; what does not fit is an error."""

from __future__ import annotations

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting import exact
from tableflow.expressions.operand import Array, Mask, Operand, build, either, numbers


def convert_number(of: Operand, to: t.SqlType) -> Operand:
    """A BOOLEAN, integer, decimal or float as another one of these."""
    values = numbers(of)
    source = of.type
    if isinstance(to, t.BooleanType):
        return _made(to, values != 0, of, None)
    if isinstance(source, t.BooleanType):
        values = values.astype(np.int64)
    if isinstance(to, t.FloatType):
        floats = values if isinstance(source, t.FloatType) else exact.to_float(values, exact.scale_of(source))
        with np.errstate(over="ignore"):
            narrow = floats.astype(np.float32 if to.bits == 32 else np.float64)
        return _made(to, narrow, of, _overflowed(floats, narrow))
    scale = exact.scale_of(to)
    errors: Mask | None = None
    if isinstance(source, t.FloatType):
        values, errors = float_to_exact(values.astype(np.float64), scale)
    else:
        values = exact.rescale(values, scale - exact.scale_of(source))
    errors = either(errors, exact.outside(values, to))
    return _made(to, exact.wrapped(values, errors), of, errors)


def _overflowed(floats: Array, narrow: Array) -> Mask | None:
    lost: Mask = np.isinf(narrow) & ~np.isinf(floats)
    return lost if lost.any() else None


def float_to_exact(values: Array, scale: int) -> tuple[Array, Mask | None]:
    """Scaled integers of floats, and which have none (NaN, infinities)."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = exact.round_half_away(values * 10.0**scale)
    errors: Mask = ~np.isfinite(scaled)
    scaled = np.where(errors, 0.0, scaled)
    if len(scaled) == 0 or float(np.abs(scaled).max()) < 2.0**63:
        result: Array = scaled.astype(np.int64)
    else:
        result = np.array([int(value) for value in scaled], object)
    return result, errors if errors.any() else None


def _made(to: t.SqlType, values: Array, of: Operand, errors: Mask | None) -> Operand:
    with np.errstate(over="ignore", invalid="ignore"):
        return build(to, values, of.valid, errors, constant=of.constant)
