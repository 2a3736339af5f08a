"""What is known of a column's values in a chunk or a file: bounds as storage values, NULLs, rows.

Bounds are bounds: no value lies outside, but the nearest value may be further inside (long text is cut).  None is
unknown; a column with a NaN has no upper bound, as NaN is above all numbers.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable
from typing import Any

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.narrowing import TextCodes, narrow, real_bounds, text_bounds
from tableflow.records import dataclass

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


def bounds(column: Column) -> tuple[Any, Any]:
    """Lower and upper bound of a column in any representation; see the module."""
    match column.type:
        case t.IntegerType() if len(column) == 1:  # a key that is looked up
            value = column.array[0].as_py()
            return value, value
        case t.IntegerType() | t.DecimalType() | t.DateType() | t.TimeType() | t.TimestampType():
            _, low, high = narrow([column])
            return low, high
        case t.FloatType():
            least, most, nan = real_bounds(column)
            return least, None if nan else most
        case t.BooleanType():
            both = pc.min_max(column.array)
            return both["min"].as_py(), both["max"].as_py()
        case t.StringType() | t.BytesType() | t.JsonType():
            if column.vector.dictionary is None:
                return text_zone(*text_bounds(column), column.type)
            _, first, last, _ = TextCodes(column.type).add([column])
            return text_zone(first, last, column.type)
        case _:
            return None, None


def text_zone(low: bytes | None, high: bytes | None, of: t.SqlType) -> tuple[Any, Any]:
    """Bounds of text by its bytes as short bounds in storage values; none for JSON, which has no order."""
    if low is None or high is None or isinstance(of, t.JsonType):
        return None, None
    if isinstance(of, t.BytesType):
        return low[:TEXT_BOUND], _above(high)
    # Four bytes for each character are enough; a character cut apart goes.
    return low[: 4 * TEXT_BOUND].decode(errors="ignore")[:TEXT_BOUND], _above(_beginning(high))


def _beginning(text: bytes) -> str:
    return text[: 4 * TEXT_BOUND + 4].decode(errors="ignore")


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
