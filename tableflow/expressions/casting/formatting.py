"""Casts to text: each value in the spelling in which the dialect reads it back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.expressions.casting.calendar import intervals, per_second
from tableflow.expressions.casting.zones import offset_texts, to_wall
from tableflow.expressions.operand import INT64_MIN, Array, Operand, blank, numbers, validity


def format_value(of: Operand, to: t.StringType, zone: str | None = None) -> Operand:
    """Any scalar as text, cut to the length of VARCHAR(n), padded for CHAR(n); instants by the zone's wall clock."""
    text = limited(_text(of, zone), to)
    return Operand(to, text, constant=of.constant)


def limited(text: pa.Array, to: t.StringType) -> pa.Array:
    """Text cut or padded to what the type holds."""
    if to.length is None:
        return text
    cut = pc.utf8_slice_codeunits(text, 0, to.length)
    return pc.utf8_rpad(cut, to.length, " ") if to.fixed else cut


def _text(of: Operand, zone: str | None) -> pa.Array:
    match of.type:
        case t.StringType() | t.JsonType():
            return of.plain
        case t.DecimalType(scale=scale):
            return _nulled(format_exact(numbers(of), scale), of)
        case t.FloatType():
            return _nulled(pa.array(numbers(of).astype("U32").tolist(), pa.string()), of)
        case t.TimestampType() | t.TimeType():
            return _nulled(_clock_text(of, zone), of)
        case t.IntervalType():
            parts = zip(*(part.tolist() for part in intervals(of)), strict=True)
            return _nulled(pa.array([format_interval(*value) for value in parts], pa.string()), of)
        case _:
            return of.plain.cast(pa.string())


def _nulled(text: pa.Array, of: Operand) -> pa.Array:
    """NULL where the operand is: the text of such rows means nothing."""
    valid = validity(of.array)
    return blank(text, None if valid is None else ~valid)


def format_exact(values: Array, scale: int) -> pa.Array:
    """Scaled integers with a point."""
    if values.dtype != object and scale == 0:
        return pa.array(values).cast(pa.string())
    if values.dtype == object or scale > 18 or (len(values) and int(values.min()) == INT64_MIN):
        return pa.array([_with_point(int(value), scale) for value in values], pa.string())
    unit = 10**scale
    magnitude = np.abs(values)
    sign = pc.if_else(pa.array(values < 0), "-", "")
    whole = pa.array(magnitude // unit).cast(pa.string())
    part = pc.utf8_lpad(pa.array(magnitude % unit).cast(pa.string()), scale, "0")
    return pc.binary_join_element_wise(pc.binary_join_element_wise(sign, whole, ""), part, ".")


def _with_point(value: int, scale: int) -> str:
    digits = f"{abs(value):0{scale + 1}d}"
    text = f"{digits[:-scale]}.{digits[-scale:]}" if scale else digits
    return f"-{text}" if value < 0 else text


def _clock_text(of: Operand, zone: str | None) -> pa.Array:
    """Times and timestamps; the fraction without trailing zeros, instants with their offset."""
    unit = per_second(of.type)
    values = numbers(of)
    valid = validity(of.array)
    if valid is not None:
        values = np.where(valid, values, 0)
    tail = None
    if isinstance(of.type, t.TimestampType) and of.type.zoned:
        codes, texts = offset_texts(values, of.type, zone)
        tail = pa.array(texts).take(pa.array(codes))
        values = to_wall(values, of.type, zone)
    whole = pa.array((values // unit).astype("M8[s]"), pa.timestamp("s")).cast(pa.string())
    if isinstance(of.type, t.TimeType):
        whole = pc.utf8_slice_codeunits(whole, 11)
    fraction = values % unit
    if fraction.any():
        digits = pa.array(fraction + unit).cast(pa.string())
        part = pc.utf8_rtrim(pc.utf8_replace_slice(digits, 0, 1, "."), characters="0")
        whole = pc.binary_join_element_wise(whole, pc.if_else(pa.array(fraction > 0), part, ""), "")
    return whole if tail is None else pc.binary_join_element_wise(whole, tail, "")


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
            return _with_point(int(value), scale)
        case t.FloatType():
            return str(np.array([value], np.float64).astype("U32")[0])
        case t.DateType():
            return str(np.datetime64(int(value), "D"))
        case t.TimeType() | t.TimestampType():
            unit = per_second(of)
            text = _joined(str(np.datetime64(int(value) // unit, "s")), int(value) % unit, unit)
            return text[11:] if isinstance(of, t.TimeType) else f"{text}+00" if of.zoned else text
        case t.IntervalType():
            return format_interval(*value)
        case t.BooleanType():
            return "true" if value else "false"
        case _:
            return str(value)
