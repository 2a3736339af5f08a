"""Time zones: instants as a zone shows them on its wall clock, and wall-clock times as instants.

A zone is a table of its changes of offset, read from the system's zone data through :mod:`zoneinfo`, and searched for a
whole column at once.  Beyond the table the rules repeat every 400 years, as the Gregorian calendar does.  A wall-clock time
that comes twice is the first of the two, and one that the clock leaps over is as much later as the clock leaps (Java's
rules, and so Flink's): in both cases the offset before the change counts.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from tableflow import types as t
from tableflow.expressions.casting.calendar import per_second
from tableflow.expressions.operand import Array

UTC = "UTC"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_CYCLE = 146_097 * 86_400
"""Seconds of 400 years."""
_STEP = 2 * 86_400
"""Offsets are looked at every other day; no zone has changed its offset twice within two days."""
_RULE_STEP = 28 * 86_400


def _seconds(year: int) -> int:
    return int((dt.datetime(year, 1, 1, tzinfo=dt.UTC) - _EPOCH).total_seconds())


_NEVER = -(2**40)
"""A second before all others."""
_FIRST, _RULES, _LAST = _seconds(1830), _seconds(2100), _seconds(2502)
"""Before the first year there are no changes, from the second on the rules alone decide."""


class Zone:
    """Changes of a zone's offset from UTC, in seconds."""

    def __init__(self, name: str) -> None:
        self._of = ZoneInfo(name)
        probes = [*range(_FIRST, _RULES, _STEP), *range(_RULES, _LAST, _RULE_STEP)]
        offsets = [self._offset(at) for at in probes]
        changes = [i for i in range(1, len(probes)) if offsets[i] != offsets[i - 1]]
        self._changes = np.array([self._change(probes[i - 1], probes[i]) for i in changes], np.int64)
        self._offsets = np.array([offsets[0], *(offsets[i] for i in changes)], np.int64)
        # On the wall clock the offset before a change counts up to the later of the two times that it shows then.
        self._walls = self._changes + np.maximum(self._offsets[:-1], self._offsets[1:])

    def _offset(self, at: int) -> int:
        found = (_EPOCH + dt.timedelta(seconds=at)).astimezone(self._of).utcoffset()
        return 0 if found is None else int(found.total_seconds())

    def _change(self, before: int, after: int) -> int:
        """The first second with the offset that ``after`` has."""
        offset = self._offset(before)
        while after - before > 1:
            middle = (before + after) // 2
            if self._offset(middle) == offset:
                before = middle
            else:
                after = middle
        return after

    def offsets(self, seconds: Array) -> Array:
        """The offset at each instant, in seconds since 1970."""
        result: Array = self._offsets[np.searchsorted(self._changes, _in_table(seconds), "right")]
        return result

    def offsets_of_walls(self, seconds: Array) -> Array:
        """The offset that counts at each wall-clock time."""
        result: Array = self._offsets[np.searchsorted(self._walls, _in_table(seconds), "right")]
        return result

    def shown_until(self, seconds: Array) -> Array:
        """The wall-clock time, exclusive, that had been shown when the offset in force at each instant came to be.

        After a clock was put back it shows earlier times again until this one.
        """
        known = _in_table(seconds)
        passed = np.searchsorted(self._changes, known, "right")
        last = np.maximum(passed - 1, 0)
        if not len(self._changes):
            return np.full(len(seconds), _NEVER)
        result: Array = np.where(passed > 0, self._changes[last] + self._offsets[last] + (seconds - known), _NEVER)
        return result

    def first_shown(self, walls: Array) -> Array:
        """The first instant at which the clock shows this time or a later one."""
        known = _in_table(walls)
        passed = np.searchsorted(self._walls, known, "right")
        next_change = np.append(self._changes, 2**60)[passed]
        result: Array = np.minimum(known - self._offsets[passed], next_change) + (walls - known)
        return result


def _in_table(seconds: Array) -> Array:
    late = seconds >= _RULES + _CYCLE
    return np.where(late, _RULES + (seconds - _RULES) % _CYCLE, seconds) if late.any() else seconds


@lru_cache(maxsize=64)
def zone_of(name: str) -> Zone:
    """The zone with this name; :class:`ValueError` or :class:`KeyError` if there is none."""
    return Zone(name)


def to_wall(values: Array, of: t.SqlType, zone: str | None) -> Array:
    """Instants as the zone's wall clock shows them, both in the type's unit; they may leave its range."""
    if zone is None or zone == UTC:
        return values
    unit = per_second(of)
    walls: Array = values + zone_of(zone).offsets(values // unit) * unit
    return walls


def to_instant(values: Array, of: t.SqlType, zone: str | None) -> Array:
    """Wall-clock times of the zone as instants."""
    if zone is None or zone == UTC:
        return values
    unit = per_second(of)
    instants: Array = values - zone_of(zone).offsets_of_walls(values // unit) * unit
    return instants


def offset_text(seconds: int) -> str:
    """``+02``, ``-03:30``, ``+00:53:28``."""
    magnitude = abs(seconds)
    text = f"{'-' if seconds < 0 else '+'}{magnitude // 3600:02d}"
    minutes, rest = magnitude // 60 % 60, magnitude % 60
    if minutes or rest:
        text += f":{minutes:02d}"
    return text + (f":{rest:02d}" if rest else "")


def offset_texts(values: Array, of: t.SqlType, zone: str | None) -> tuple[Array, list[str]]:
    """For each instant the number of its offset's text, and the texts."""
    if zone is None or zone == UTC:
        return np.zeros(len(values), np.int64), ["+00"]
    found, codes = np.unique(zone_of(zone).offsets(values // per_second(of)), return_inverse=True)
    return codes, [offset_text(int(seconds)) for seconds in found] or ["+00"]
