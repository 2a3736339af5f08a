"""Values as text: as SQL people write them, and as JSON."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tableflow.connectors.rows import printable_rows
from tableflow.expressions.casting.formatting import format_interval


def text_of(value: Any) -> str:
    """A value as SQL people write it; NULL for None."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case float():
            return _float_text(value)
        case Decimal():
            return f"{value:f}"
        case bytes():
            return "\\x" + value.hex()
        case datetime():
            return _clock_text(value.isoformat(sep=" "))
        case time():
            return _clock_text(value.isoformat())
        case list():
            return "[" + ", ".join(map(text_of, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{k}: {text_of(v)}" for k, v in value.items()) + "}"
        case pa.MonthDayNano():
            return format_interval(value.months, value.days, value.nanoseconds // 1000)
        case _:
            return str(value)


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return repr(value)


def _clock_text(text: str) -> str:
    """ISO's text as a cast to STRING spells it: the fraction without trailing zeros, whole hours of the zone."""
    whole, point, rest = text.partition(".")
    if point:
        digits, zone = rest[:6].rstrip("0"), rest[6:]
        text = f"{whole}.{digits}{zone}" if digits else f"{whole}{zone}"
    return text[:-3] if text.endswith(":00") and text[-6] in "+-" else text


def json_lines(batch: pa.RecordBatch) -> str:
    """One JSON object a line; decimals as exact numbers, times and intervals as text, NaN and infinities as text."""
    names = [json.dumps(name) for name in batch.schema.names]
    lines = (
        "{" + ", ".join([f"{name}: {json_text(value)}" for name, value in zip(names, row, strict=True)]) + "}\n"
        for row in printable_rows(batch)
    )
    return "".join(lines)


def json_text(value: Any) -> str:
    """A value as JSON."""
    match value:
        case None | bool() | int() | str():
            return json.dumps(value, ensure_ascii=False)
        case float() if math.isfinite(value):
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case list():
            return "[" + ", ".join(map(json_text, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{json.dumps(str(k))}: {json_text(v)}" for k, v in value.items()) + "}"
        case date() | time():
            return json.dumps(text_of(value))
        case _:
            return json.dumps(text_of(value))
