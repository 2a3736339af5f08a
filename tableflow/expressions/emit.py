"""EMIT as a value: when an aggregation says what it has, which rows it keeps, and what becomes of late ones."""

from __future__ import annotations

from dataclasses import field
from typing import TypeAlias

from tableflow.errors import Span
from tableflow.records import dataclass
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class OnWindowClose:
    """One final row per key and window, when time has passed the window's end."""


@serializable
@dataclass(frozen=True, slots=True)
class OnUpdate:
    """A change whenever the result changes."""


@serializable
@dataclass(frozen=True, slots=True)
class EveryInterval:
    """Early results, so many microseconds of processing time (or event time) apart."""

    micros: int
    event_time: bool = False


@serializable
@dataclass(frozen=True, slots=True)
class EveryRows:
    """Early results after every so many rows of a key and window."""

    rows: int


Trigger: TypeAlias = OnWindowClose | OnUpdate | EveryInterval | EveryRows


@serializable
@dataclass(frozen=True, slots=True)
class Emit:
    """Triggers (none: the default of the aggregation), evictor, lateness.

    ``keep_last_rows`` or ``keep_last`` (microseconds before the newest row) bound what a firing sees.  Rows late by at most
    ``lateness`` microseconds still correct the result; later ones go to the table ``late_into``.
    """

    triggers: tuple[Trigger, ...] = ()
    keep_last_rows: int | None = None
    keep_last: int | None = None
    lateness: int | None = None
    late_into: str | None = None
    span: Span | None = field(default=None, compare=False)

    @property
    def evicts(self) -> bool:
        """Whether each firing is a row of its own, because it sees other rows than the one before."""
        return self.keep_last_rows is not None or self.keep_last is not None
