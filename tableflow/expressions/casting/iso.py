"""Dates and timestamps in their commonest spelling, one at a time.

Casting a column costs milliseconds before its first row, which is too much for each literal of a long list.  What is not spelled
exactly so is left to the cast; what is means the same there.
"""

from __future__ import annotations

import datetime as dt
import re

from tableflow import types as t

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)(?: (\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?)?", re.ASCII)
_EPOCH = dt.date(1970, 1, 1).toordinal()
_SECOND = 1_000_000


def iso_value(text: str, to: t.SqlType) -> int | None:
    """The storage value of an ISO date or timestamp (up to microseconds, without zone); None for everything else."""
    if not isinstance(to, t.DateType) and not (isinstance(to, t.TimestampType) and not to.zoned and to.precision <= 6):
        return None
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    date, hour, minute, second, fraction = match.groups()
    try:
        days = dt.date.fromisoformat(date).toordinal() - _EPOCH
    except ValueError:
        return None
    if isinstance(to, t.DateType):
        return days if hour is None else None
    if hour is None:
        return days * 86_400 * _SECOND
    digits = fraction or ""
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59 or len(digits) > to.precision:
        return None
    seconds = (days * 24 + int(hour)) * 3600 + int(minute) * 60 + int(second)
    return seconds * _SECOND + int(digits.ljust(6, "0"))
