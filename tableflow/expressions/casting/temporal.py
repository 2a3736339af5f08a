"""Casts among dates, times, timestamps, and text of intervals."""

from __future__ import annotations

import re

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting.calendar import outside, per_second
from tableflow.expressions.casting.rules import is_instant
from tableflow.expressions.casting.zones import to_instant, to_wall
from tableflow.expressions.operand import Array, Mask, Operand, build, either, numbers, rowwise


def convert_temporal(of: Operand, to: t.SqlType, zone: str | None = None) -> Operand:
    """A date as a timestamp, a timestamp as a date, time or timestamp of another precision, a time as a time.

    An instant and a wall-clock time become each other by the zone's clock.
    """
    values = numbers(of)
    if isinstance(of.type, t.DateType):
        return _midnight(of, values, to, zone)
    source, target = per_second(of.type), per_second(to)
    errors: Mask | None = None
    if is_instant(of.type) and not is_instant(to):
        values = to_wall(values, of.type, zone)
        errors = outside(values, of.type) if zone is not None else None
    if isinstance(to, t.DateType):
        return build(to, values // (86400 * source), of.valid, errors, constant=of.constant)
    if isinstance(to, t.TimeType):
        values = values % (86400 * source)
    if target > source:
        wide = np.abs(values) > (2**63 - 1) // 1000
        values = np.where(wide, 0, values) * 1000
        errors = either(errors, wide)
    elif target < source:
        values = values // 1000
    precision = to.precision if isinstance(to, (t.TimeType, t.TimestampType)) else 6
    step = max(target // 10**precision, 1)
    values = values // step * step
    if is_instant(to) and not is_instant(of.type) and zone is not None:
        values = to_instant(values, to, zone)
        errors = either(errors, outside(values, to))
    return build(to, values, of.valid, errors, constant=of.constant)


def _midnight(of: Operand, days: Array, to: t.SqlType, zone: str | None) -> Operand:
    day = 86400 * per_second(to)
    wrong: Mask = np.abs(days) > (2**63 - 1) // day - 1
    values = np.where(wrong, 0, days) * day
    if is_instant(to) and zone is not None:
        values = to_instant(values, to, zone)
        wrong = wrong | outside(values, to)
    return build(to, values, of.valid, wrong, constant=of.constant)


_PART = re.compile(r"\s*([+-]?\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
_CLOCK = re.compile(r"\s*([+-]?)(\d+):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?")
_UNITS: dict[str, tuple[int, int]] = {
    "year": (0, 12), "quarter": (0, 3), "month": (0, 1), "decade": (0, 120), "century": (0, 1200), "week": (1, 7), "day": (1, 1),
    "hour": (2, 3_600_000_000), "minute": (2, 60_000_000), "second": (2, 1_000_000), "millisecond": (2, 1_000),
    "microsecond": (2, 1),
}  # fmt: skip
_SHORT = {
    "y": "year", "yr": "year", "mon": "month", "w": "week", "d": "day", "h": "hour", "hr": "hour", "m": "minute", "min": "minute",
    "s": "second", "sec": "second", "ms": "millisecond", "us": "microsecond", "centurie": "century",
}  # fmt: skip


def interval_unit(name: str) -> tuple[int, int] | None:
    """(position in the storage value, factor) of a unit's name, singular, plural or short; None if there is none."""
    lowered = name.strip().lower()
    for candidate in (lowered, lowered.removesuffix("s")):
        unit = _UNITS.get(_SHORT.get(candidate, candidate))
        if unit is not None:
            return unit
    return None


def parse_interval_text(text: str, unit: str | None = None) -> tuple[int, int, int]:
    """``'90'`` with a unit, ``'1 year 2 days'``, ``'1-2'`` (years-months), ``'3 04:05:06.7'``; ValueError if none fits."""
    stripped = text.strip()
    if unit is not None and re.fullmatch(r"[+-]?\d+(\.\d+)?", stripped):
        stripped = f"{stripped} {unit}"
    totals = [0, 0, 0]
    if year_month := re.fullmatch(r"([+-]?)(\d+)-(\d{1,2})", stripped):
        sign, years, months = year_month.groups()
        totals[0] = (-1 if sign == "-" else 1) * (int(years) * 12 + int(months))
        return totals[0], 0, 0
    if day_time := re.fullmatch(r"([+-]?)(\d+)\s+(\d+:.*)", stripped):
        sign, days, clock = day_time.groups()
        stripped = f"{sign}{days} day {sign}{clock}"
    position = 0
    while position < len(stripped):
        if clock_match := _CLOCK.match(stripped, position):
            sign, hours, minutes, seconds = clock_match.groups()
            value = (int(hours) * 60 + int(minutes)) * 60_000_000 + round(float(seconds or 0) * 1_000_000)
            totals[2] += -value if sign == "-" else value
            position = clock_match.end()
        elif part := _PART.match(stripped, position):
            _add_part(totals, part.group(1), part.group(2))
            position = part.end()
        else:
            raise ValueError(f"{text!r} is not an interval")
        position += len(stripped[position:]) - len(stripped[position:].lstrip())
    if not stripped:
        raise ValueError("an empty text is not an interval")
    return totals[0], totals[1], totals[2]


def _add_part(totals: list[int], amount: str, unit: str) -> None:
    found = interval_unit(unit)
    if found is None:
        raise ValueError(f"{unit!r} is not a unit of time")
    position, factor = found
    whole, _, fraction = amount.partition(".")
    totals[position] += int(whole) * factor
    if fraction:
        # A fraction of a day is time, of a month days; smaller parts than these are dropped.
        part = float(f"{'-' if whole.startswith('-') else ''}0.{fraction}") * factor
        below = (1, 30) if position == 0 else (2, 86_400_000_000)
        totals[2 if position == 2 else below[0]] += round(part * (1 if position == 2 else below[1]))


def parse_interval(of: Operand, to: t.SqlType) -> Operand:
    """Text as an interval, see :func:`parse_interval_text`."""
    return rowwise(to, [of], _month_day_nano)


def _month_day_nano(text: str) -> tuple[int, int, int]:
    months, days, microseconds = parse_interval_text(text)
    return months, days, microseconds * 1000
