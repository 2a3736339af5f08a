"""Casts to text: each value in the spelling in which the dialect reads it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tableflow import types as t
from tableflow.expressions.casting.calendar import intervals, per_second
from tableflow.expressions.operand import Array, Operand, blank, numbers, validity


def format_value(of: Operand, to: t.StringType) -> Operand:
    """Any scalar as text, cut to the length of VARCHAR(n), padded for CHAR(n)."""
    text = limited(_text(of), to)
    return Operand(to, text, constant=of.constant)


def limited(text: pa.Array, to: t.StringType) -> pa.Array:
    """Text cut or padded to what the type holds."""
    if to.length is None:
        return text
    cut = pc.utf8_slice_codeunits(text, 0, to.length)
    return pc.utf8_rpad(cut, to.length, " ") if to.fixed else cut


def _text(of: Operand) -> pa.Array:
    match of.type:
        case t.StringType() | t.JsonType():
            return of.plain
        case t.DecimalType(scale=scale):
            return _strings(format_exact(numbers(of), scale), of)
        case t.FloatType():
            return _strings(numbers(of).astype("U32"), of)
        case t.TimestampType() | t.TimeType():
            return _strings(_clock_text(of), of)
        case t.IntervalType():
            parts = zip(*(part.tolist() for part in intervals(of)), strict=True)
            return _strings(np.array([format_interval(*value) for value in parts], object), of)
        case _:
            return of.plain.cast(pa.string())


def _strings(values: Array, of: Operand) -> pa.Array:
    text = pa.array(values.tolist(), pa.string())
    valid = validity(of.array)
    return blank(text, None if valid is None else ~valid)


def format_exact(values: Array, scale: int) -> Array:
    """Scaled integers with a point."""
    if scale == 0:
        return values.astype(object).astype("U48")
    digits = [f"{abs(value):0{scale + 1}d}" for value in values.tolist()]
    signs = ["-" if value < 0 else "" for value in values.tolist()]
    return np.array([f"{s}{d[:-scale]}.{d[-scale:]}" for s, d in zip(signs, digits, strict=True)], object)


def _clock_text(of: Operand) -> Array:
    """Times and timestamps; the fraction without trailing zeros."""
    unit = per_second(of.type)
    values = numbers(of)
    valid = validity(of.array)
    if valid is not None:
        values = np.where(valid, values, 0)
    seconds, fraction = values // unit, values % unit
    whole = seconds.astype("M8[s]").astype("U24")
    texts = [_joined(str(w), int(f), unit) for w, f in zip(whole, fraction, strict=True)]
    if isinstance(of.type, t.TimeType):
        texts = [text[11:] for text in texts]
    elif isinstance(of.type, t.TimestampType) and of.type.zoned:
        texts = [text + "+00" for text in texts]
    return np.array(texts, object)


def _joined(whole: str, fraction: int, unit: int) -> str:
    text = whole.replace("T", " ")
    if fraction:
        text += "." + str(fraction + unit)[1:].rstrip("0")
    return text


def _counted(amount: int, unit: str) -> str:
    return f"{amount} {unit}{'' if abs(amount) == 1 else 's'}"


def format_interval(months: int, days: int, microseconds: int) -> str:
    """``1 year 2 months 3 days 04:05:06.7``; ``00:00:00`` if it is empty."""
    years = int(months / 12)
    parts = [_counted(years, "year")] if years else []
    parts += [_counted(months - 12 * years, "month")] if months - 12 * years else []
    parts += [_counted(days, "day")] if days else []
    if microseconds or not parts:
        magnitude = abs(microseconds)
        seconds, fraction = divmod(magnitude, 1_000_000)
        text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        if fraction:
            text += f".{fraction:06d}".rstrip("0")
        parts.append(("-" if microseconds < 0 else "") + text)
    return " ".join(parts)


def storage_text(value: Any, of: t.SqlType) -> str:
    """A literal's storage value as the text a cast to STRING gives (messages, EXPLAIN)."""
    match of:
        case t.DecimalType(scale=scale):
            return str(format_exact(np.array([value], object), scale)[0])
        case t.FloatType():
            return str(np.array([value], np.float64).astype("U32")[0])
        case t.DateType():
            return str(np.datetime64(int(value), "D"))
        case t.TimeType() | t.TimestampType():
            unit = per_second(of)
            text = _joined(str(np.datetime64(int(value) // unit, "s")), int(value) % unit, unit)
            return text[11:] if isinstance(of, t.TimeType) else text
        case t.IntervalType():
            return format_interval(*value)
        case t.BooleanType():
            return "true" if value else "false"
        case _:
            return str(value)
