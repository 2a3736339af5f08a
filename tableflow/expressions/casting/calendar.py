"""The calendar: days and civil dates, units of time, and intervals, in proleptic Gregorian time."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

import numpy as np

from tableflow import types as t
from tableflow.expressions.operand import INT64_MAX, INTERVAL_STORAGE, Array, Mask, Operand, build, numbers

DAY = 86_400_000_000
"""Microseconds of a day."""
FIRST_DAY, LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31: standard SQL's range of dates, which results must lie in."""


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


def moved_date(day: int, months: int, days: int) -> int | None:
    """One date moved as :func:`add_months` does it, without arrays; None where that leads past what there is, be it on the way."""
    if not FIRST_DAY <= day <= LAST_DAY:
        return None
    before = date.fromordinal(day - FIRST_DAY + 1)
    year, month = divmod(before.year * 12 + before.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        return None
    moved = date(year, month + 1, min(before.day, monthrange(year, month + 1)[1])).toordinal() - 1 + FIRST_DAY + days
    return moved if FIRST_DAY <= moved <= LAST_DAY else None


def per_second(of: t.SqlType) -> int:
    """Storage units of a TIME or TIMESTAMP in a second."""
    return 1_000_000 if isinstance(of, (t.TimeType, t.TimestampType)) and of.precision <= 6 else 1_000_000_000


def limits(of: t.SqlType) -> tuple[int, int]:
    """The first and the last of the dates or timestamps that there are, as they are stored."""
    day = 1 if isinstance(of, t.DateType) else 86400 * per_second(of)
    return max(FIRST_DAY * day, -INT64_MAX), min((LAST_DAY + 1) * day - 1, INT64_MAX)


def outside(values: Array, of: t.SqlType) -> Mask:
    """Which dates or timestamps lie outside of 0001-01-01 to 9999-12-31, or of what their storage holds."""
    low, high = limits(of)
    wrong: Mask = ((values < low) | (values > high)).astype(np.bool_)
    return wrong


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
