"""What is known of a column's values in a chunk or a file: bounds as storage values, NULLs, rows.

Bounds are bounds: no value lies outside, but the nearest value may be further inside (long text is cut).  None is
unknown; a column with a NaN has no upper bound, as NaN is above all numbers.
"""

from __future__ import annotations

import base64
import decimal
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tableflow import types as t

TEXT_BOUND = 64
"""Characters (bytes for BYTES) that a bound keeps."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of a column; see the module."""

    minimum: Any
    maximum: Any
    nulls: int
    rows: int

    @property
    def all_null(self) -> bool:
        """Whether no value is present."""
        return self.nulls == self.rows


def merged(zones: Iterable[Zone]) -> Zone:
    """The zone of all parts together."""
    parts = list(zones)
    filled = [zone for zone in parts if not zone.all_null]
    low = [zone.minimum for zone in filled]
    high = [zone.maximum for zone in filled]
    return Zone(
        None if not low or None in low else min(low),
        None if not high or None in high else max(high),
        sum(zone.nulls for zone in parts),
        sum(zone.rows for zone in parts),
    )


def bounds(array: pa.Array, of: t.SqlType) -> tuple[Any, Any]:
    """Lower and upper bound of an array in a representation of the type that is no dictionary."""
    if len(array) == array.null_count:
        return None, None
    match of:
        case t.IntegerType() | t.BooleanType():
            return _min_max(array)
        case t.DateType() | t.TimeType() | t.TimestampType():
            return _min_max(array.view(pa.int32() if isinstance(of, t.DateType) else pa.int64()))
        case t.DecimalType(scale=scale):
            low, high = _min_max(array)
            return (low, high) if isinstance(low, int) else (_scaled(low, scale), _scaled(high, scale))
        case t.FloatType():
            return _float_bounds(array)
        case t.StringType() | t.BytesType():
            low, high = _min_max(array)
            return low[:TEXT_BOUND], _above(high)
        case _:
            return None, None


def _min_max(array: pa.Array) -> tuple[Any, Any]:
    both = pc.min_max(array)
    return both["min"].as_py(), both["max"].as_py()


def _float_bounds(array: pa.Array) -> tuple[Any, Any]:
    low, high = _min_max(array)
    if math.isnan(low):  # nothing but NaN
        return None, None
    numbers = array.drop_null() if array.null_count else array
    return low, None if bool(np.isnan(numbers.to_numpy(zero_copy_only=False)).any()) else high


def _scaled(value: decimal.Decimal, scale: int) -> int:
    sign, digits, exponent = value.as_tuple()
    magnitude = int("".join(map(str, digits))) * 10 ** (int(exponent) + scale)
    return int(-magnitude if sign else magnitude)


def _above(high: Any) -> Any:
    """A short value that is at least ``high``; None if there is none."""
    if len(high) <= TEXT_BOUND:
        return high
    if isinstance(high, bytes):
        kept = high[:TEXT_BOUND].rstrip(b"\xff")
        return kept[:-1] + bytes([kept[-1] + 1]) if kept else None
    kept = high[:TEXT_BOUND].rstrip(chr(0x10FFFF))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if following == 0xD800 else following)  # surrogates are no characters


def bound_to_json(value: Any) -> Any:
    """A bound as JSON has it."""
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def bound_from_json(document: Any) -> Any:
    """The bound that :func:`bound_to_json` was given."""
    if isinstance(document, dict):
        return float(document["float"]) if "float" in document else base64.b64decode(document["bytes"])
    return document
