"""The calendar: days and civil dates, units of time, and text of dates and times, in proleptic Gregorian time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tableflow import types as t
from tableflow.expressions.casting.parsing import trimmed
from tableflow.expressions.operand import INTERVAL_STORAGE, Array, Mask, Operand, build, numbers

DAY = 86_400_000_000
"""Microseconds of a day."""
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31: standard SQL's range of dates, which results must lie in."""

_DATE = r"^(?P<year>\d{1,4})-(?P<month>\d{1,2})-(?P<day>\d{1,2})"
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?"
_ZONE = r"(?: ?(?P<zone>Z|z|UTC|[+-]\d{2}(?::?\d{2})?))?$"


def days_of(year: Array, month: Array, day: Array) -> tuple[Array, Mask]:
    """Days since 1970-01-01 and which dates do not exist."""
    wrong = (month < 1) | (month > 12) | (year < 1) | (year > 9999)
    start = np.where(wrong, 0, (year - 1970) * 12 + month - 1)
    first = start.astype("M8[M]").astype("M8[D]").astype(np.int64)
    after = (start + 1).astype("M8[M]").astype("M8[D]").astype(np.int64)
    wrong = wrong | (day < 1) | (day > after - first)
    return first + day - 1, wrong


def add_months(days: Array, months: Array) -> Array:
    """Dates moved by months; the day becomes the month's last where the month is shorter."""
    start = days.astype("M8[D]").astype("M8[M]")
    day = days - start.astype("M8[D]").astype(np.int64)
    moved = start.astype(np.int64) + months
    first = moved.astype("M8[M]").astype("M8[D]").astype(np.int64)
    length = (moved + 1).astype("M8[M]").astype("M8[D]").astype(np.int64) - first
    result: Array = first + np.minimum(day, length - 1)
    return result


def per_second(of: t.SqlType) -> int:
    """Storage units of a TIME or TIMESTAMP in a second."""
    return 1_000_000 if isinstance(of, t.TimeType | t.TimestampType) and of.precision <= 6 else 1_000_000_000


def intervals(of: Operand) -> tuple[Array, Array, Array]:
    """Months, days, microseconds of INTERVAL values."""
    values = numbers(of)
    return (
        values["months"].astype(np.int64),
        values["days"].astype(np.int64),
        values["nanoseconds"] // 1000,
    )


def build_intervals(
    months: Array, days: Array, microseconds: Array, valid: Mask | None, errors: Mask | None, *, constant: bool = False
) -> Operand:
    """INTERVAL values; parts that do not fit are errors."""
    months, days, microseconds = np.broadcast_arrays(months, days, microseconds)
    limit, most = 2**31 - 1, (2**63 - 1) // 1000
    wrong = (np.abs(months) > limit) | (np.abs(days) > limit) | (np.abs(microseconds) > most)
    wrong = wrong.astype(np.bool_) if errors is None else wrong.astype(np.bool_) | errors
    values = np.zeros(len(months), INTERVAL_STORAGE)
    values["months"], values["days"] = np.where(wrong, 0, months), np.where(wrong, 0, days)
    values["nanoseconds"] = np.where(wrong, 0, microseconds).astype(np.int64) * 1000
    return build(t.INTERVAL, values, valid, wrong, constant=constant)


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


def parse_timestamp(of: Operand, to: t.TimestampType) -> Operand:
    """``YYYY-MM-DD[ HH:MM[:SS[.fraction]][zone]]``; a zone's offset is applied, the result is in UTC."""
    parts = pc.extract_regex(trimmed(of), _DATE + "(?:[ T]" + _CLOCK + _ZONE + ")?$")
    days, wrong = days_of(_field(parts, "year"), _field(parts, "month"), _field(parts, "day"))
    nanoseconds, bad_clock = _clock(parts)
    wrong = wrong | bad_clock | ~_present(parts)
    unit = per_second(to)
    limit = (2**63 - 1) // (86400 * unit) - 1
    wrong = wrong | (np.abs(days) > limit)
    values = np.where(wrong, 0, days) * 86400 * unit + _units(nanoseconds, to) - _offset(parts) * unit
    return build(to, values, of.valid, wrong, constant=of.constant)


def _clock(parts: pa.StructArray) -> tuple[Array, Mask]:
    hour, minute, second = (_field(parts, name) for name in ("hour", "minute", "second"))
    fraction = pc.utf8_rpad(parts.field("fraction").fill_null(""), 9, "0")
    nanoseconds = pc.cast(fraction, pa.int64()).to_numpy(zero_copy_only=False)
    wrong = (hour > 23) | (minute > 59) | (second > 59)
    return ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanoseconds, wrong


def _offset(parts: pa.StructArray) -> Array:
    zone = pc.replace_substring(pc.utf8_upper(parts.field("zone").fill_null("")), ":", "")
    zone = pc.if_else(pc.is_in(zone, pa.array(["", "Z", "UTC"])), "+0000", pc.utf8_rpad(zone, 5, "0"))
    value = pc.cast(pc.utf8_slice_codeunits(zone, 1, 5), pa.int64()).to_numpy(zero_copy_only=False)
    seconds = (value // 100 * 60 + value % 100) * 60
    sign = pc.starts_with(zone, "-").to_numpy(zero_copy_only=False)
    result: Array = np.where(sign, -seconds, seconds)
    return result


def _units(nanoseconds: Array, of: t.SqlType) -> Array:
    """Nanoseconds in the type's storage unit, cut to its precision."""
    precision = of.precision if isinstance(of, t.TimeType | t.TimestampType) else 6
    step = 10 ** (9 - precision)
    result: Array = nanoseconds // step * step // (1_000_000_000 // per_second(of))
    return result
