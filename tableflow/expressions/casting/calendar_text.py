"""Dates, times and timestamps read from text; what is no such text is that row's error."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.expressions.casting.calendar import days_of, outside, per_second
from tableflow.expressions.casting.parsing import trimmed
from tableflow.expressions.casting.zones import to_instant
from tableflow.expressions.operand import Array, Mask, Operand, build

_DATE = r"^(?P<year>\d{1,4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
_ZONE = r"(?: ?(?P<zone>Z|z|UTC|[+-]\d{2}(?::?\d{2}(?::?\d{2})?)?))?$"


def _field(parts: pa.StructArray, name: str) -> Array:
    text = parts.field(name)
    filled = pc.if_else(pc.equal(text, ""), "0", text).fill_null("0")
    result: Array = pc.cast(pc.replace_substring_regex(filled, r"^\+", ""), pa.int64()).to_numpy(zero_copy_only=False)
    return result


def _present(parts: pa.StructArray) -> Mask:
    mask: Mask = parts.is_valid().to_numpy(zero_copy_only=False)
    return mask


def parse_date(of: Operand, to: t.SqlType) -> Operand:
    """``YYYY-MM-DD``; a time of day is refused, because dropping it would go unseen."""
    parts = pc.extract_regex(trimmed(of), _DATE + "$")
    days, wrong = days_of(_field(parts, "year"), _field(parts, "month"), _field(parts, "day"))
    return build(to, days, of.valid, wrong | ~_present(parts), constant=of.constant)


def parse_time(of: Operand, to: t.SqlType) -> Operand:
    """``HH:MM[:SS[.fraction]]``."""
    parts = pc.extract_regex(trimmed(of), "^" + _CLOCK + "$")
    nanoseconds, wrong = _clock(parts)
    return build(to, _units(nanoseconds, to), of.valid, wrong | ~_present(parts), constant=of.constant)


def parse_timestamp(of: Operand, to: t.TimestampType, zone: str | None = None) -> Operand:
    """``YYYY-MM-DD[ HH:MM[:SS[.fraction]][offset]]``, an offset is applied; without one an instant is the zone's wall clock's."""
    parts = pc.extract_regex(trimmed(of), _DATE + "(?:[ T]" + _CLOCK + _ZONE + ")?$")
    days, wrong = days_of(_field(parts, "year"), _field(parts, "month"), _field(parts, "day"))
    nanoseconds, bad_clock = _clock(parts)
    wrong = wrong | bad_clock | ~_present(parts)
    unit = per_second(to)
    limit = (2**63 - 1) // (86400 * unit) - 1
    wrong = wrong | (np.abs(days) > limit)
    values = np.where(wrong, 0, days) * 86400 * unit + _units(nanoseconds, to)
    offset = parts.field("zone").fill_null("")
    instants = values - _offset(offset) * unit
    if to.zoned and zone is not None:
        local = pc.equal(offset, "").to_numpy(zero_copy_only=False)
        instants = np.where(local, to_instant(values, to, zone), instants)
    return build(to, instants, of.valid, wrong | outside(instants, to), constant=of.constant)


def _clock(parts: pa.StructArray) -> tuple[Array, Mask]:
    hour, minute, second = (_field(parts, name) for name in ("hour", "minute", "second"))
    fraction = pc.utf8_rpad(parts.field("fraction").fill_null(""), 9, "0")
    nanoseconds = pc.cast(fraction, pa.int64()).to_numpy(zero_copy_only=False)
    wrong = (hour > 23) | (minute > 59) | (second > 59)
    return ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanoseconds, wrong


def _offset(text: pa.Array) -> Array:
    """Seconds of ``Z``, ``UTC``, ``+02``, ``+0530``, ``-03:30``, ``+00:53:28``; 0 of nothing."""
    zone = pc.replace_substring(pc.utf8_upper(text), ":", "")
    zone = pc.if_else(pc.is_in(zone, pa.array(["", "Z", "UTC"])), "+000000", pc.utf8_rpad(zone, 7, "0"))
    value = pc.cast(pc.utf8_slice_codeunits(zone, 1, 7), pa.int64()).to_numpy(zero_copy_only=False)
    seconds = (value // 10_000 * 60 + value // 100 % 100) * 60 + value % 100
    sign = pc.starts_with(zone, "-").to_numpy(zero_copy_only=False)
    result: Array = np.where(sign, -seconds, seconds)
    return result


def _units(nanoseconds: Array, of: t.SqlType) -> Array:
    """Nanoseconds in the type's storage unit, cut to its precision."""
    precision = of.precision if isinstance(of, (t.TimeType, t.TimestampType)) else 6
    step = 10 ** (9 - precision)
    result: Array = nanoseconds // step * step // (1_000_000_000 // per_second(of))
    return result
