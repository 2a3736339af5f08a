"""Casts among BOOLEAN and the numbers: to fewer digits half away from zero, to floating point the nearest; no rounding
happens twice, and what does not fit is an error.
"""

from __future__ import annotations

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting import exact, nearest
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
        return _to_float(of, values, to)
    scale = exact.scale_of(to)
    errors: Mask | None = None
    if isinstance(source, t.FloatType):
        values, errors = nearest.to_scaled(values.astype(np.float64), scale)
    else:
        values = exact.rescale(values, scale - exact.scale_of(source))
    errors = either(errors, exact.outside(values, to))
    return _made(to, exact.wrapped(values, errors), of, errors)


def _to_float(of: Operand, values: Array, to: t.FloatType) -> Operand:
    if not isinstance(of.type, t.FloatType):
        scale = exact.scale_of(of.type)
        return _made(
            to, nearest.to_single(values, scale) if to.bits == 32 else nearest.to_double(values, scale), of, None
        )
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32 if to.bits == 32 else np.float64)
    return _made(to, narrow, of, _overflowed(values, narrow))


def _overflowed(floats: Array, narrow: Array) -> Mask | None:
    lost: Mask = np.isinf(narrow) & ~np.isinf(floats)
    return lost if lost.any() else None


def _made(to: t.SqlType, values: Array, of: Operand, errors: Mask | None) -> Operand:
    with np.errstate(over="ignore", invalid="ignore"):
        return build(to, values, of.valid, errors, constant=of.constant)
