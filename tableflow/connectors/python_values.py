"""A Python value beside the type of its column: whether it fits without loss, and what would."""

from __future__ import annotations

import datetime as dt
import numbers
from collections.abc import Mapping, Sequence
from typing import Any

from tableflow import types as t

_WHOLE = frozenset({int, bool, type(None), dt.datetime, dt.date, dt.time, dt.timedelta})
_SHOWN_CHARACTERS = 80


def fractional(values: Sequence[Any]) -> bool:
    """Whether a number among them has a fraction, or is none at all (NaN)."""
    return not _WHOLE.issuperset(map(type, values)) and any(map(_fraction, values))


def _fraction(value: Any) -> bool:
    return isinstance(value, numbers.Number) and not isinstance(value, int) and bool(value % 1)  # type: ignore[operator]


def zoned(values: Sequence[Any]) -> bool:
    """Whether a time among them has a zone, which Arrow would drop by going over to UTC."""
    return any(map(_has_zone, values))


def _has_zone(value: Any) -> bool:
    return isinstance(value, dt.datetime) and value.tzinfo is not None


def loses(value: Any, of: t.SqlType) -> bool:
    """Whether Arrow would make less of the value than it is: cut a fraction, drop a field or a zone."""
    if value is None:
        return False
    match of:
        case t.TimestampType(zoned=False):
            return _fraction(value) or _has_zone(value)
        case t.IntegerType() | t.DateType() | t.TimeType() | t.TimestampType():
            return _fraction(value)
        case t.ArrayType(element=element):
            return any(loses(each, element) for each in value)
        case t.MapType(key=key, value=held):
            pairs = value.items() if isinstance(value, Mapping) else value
            return any(loses(k, key) or loses(v, held) for k, v in pairs)
        case t.RowType(fields=fields) if isinstance(value, Mapping):
            types = {field.name: field.type for field in fields}
            return any(name not in types or loses(each, types[name]) for name, each in value.items())
    return False


def shown(value: Any) -> str:
    """The value and its class, as errors tell them."""
    text = repr(value)
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}..."
    return f"{text} ({type(value).__name__})"


def wanted(of: t.SqlType) -> str:
    """What Python value a column of the type takes."""
    match of:
        case t.BooleanType():
            return "a bool"
        case t.IntegerType():
            return "an int"
        case t.DecimalType():
            return "a decimal.Decimal or an int"
        case t.FloatType():
            return "a float or an int"
        case t.BytesType():
            return "bytes"
        case t.DateType():
            return "a datetime.date"
        case t.TimeType():
            return "a datetime.time"
        case t.TimestampType(zoned=zoned):
            return "a datetime.datetime with a zone" if zoned else "a datetime.datetime without a zone"
        case t.ArrayType(element=element):
            return f"a list, each element {wanted(element)}"
        case t.MapType(key=key, value=held):
            return f"a dict, each key {wanted(key)} and each value {wanted(held)}"
        case t.RowType(fields=fields):
            return f"a dict with {', '.join(f'{f.name} {f.type}' for f in fields)}"
        case t.IntervalType():
            return "a pyarrow.MonthDayNano"
        case _:
            return "a str"
