"""Which windows a row belongs to, as plain values; durations are microseconds whatever the time column's unit.

A window of time is [start, end).  Starts are ``offset`` plus multiples of the size (of the slide, of HOP), floored also before
1970.  With a ``zone`` they are such on the wall clock of that zone, where a day may have 23 or 25 hours: a window starts at
the first instant that its clock shows, and ends where the next one starts.  Windows of rows are numbered by the rows of their
partition, from 1, first and last row included; those that close at the end of their input may be short of rows.
"""

from __future__ import annotations

from typing import TypeAlias

from tableflow.expressions.nodes import Expression
from tableflow.records import dataclass, replace
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class Tumble:
    """One window after the other."""

    size: int
    offset: int = 0
    zone: str = ""


@serializable
@dataclass(frozen=True, slots=True)
class Hop:
    """A window of ``size`` begins at every ``slide``; with a slide larger than the size some rows are in none."""

    slide: int
    size: int
    offset: int = 0
    zone: str = ""


@serializable
@dataclass(frozen=True, slots=True)
class Cumulate:
    """Windows of one start, each longer than the last by ``step``, up to ``size`` (a multiple of it)."""

    step: int
    size: int
    offset: int = 0
    zone: str = ""


@serializable
@dataclass(frozen=True, slots=True)
class Session:
    """Rows of a partition with no gap as long as ``gap`` between them: from the first row's time to the last one's plus the gap.

    A row ``gap`` after the last begins another window.
    """

    gap: int


@serializable
@dataclass(frozen=True, slots=True)
class CountTumble:
    """So many rows of a partition after the other: 1 to ``rows``, and so on."""

    rows: int


@serializable
@dataclass(frozen=True, slots=True)
class CountHop:
    """At every ``slide`` rows of a partition the last ``rows``; the first windows begin before row 1."""

    slide: int
    rows: int


@serializable
@dataclass(frozen=True, slots=True)
class Global:
    """One window for ever; its start, end and time are NULL."""


@serializable
@dataclass(frozen=True, slots=True)
class Punctuated:
    """A row for which the condition is TRUE is the last of its window; windows have numbers of rows."""

    condition: Expression


@serializable
@dataclass(frozen=True, slots=True)
class Landmark:
    """A row for which the condition is TRUE is the first of its window; earlier rows are in none; numbers of rows."""

    condition: Expression


@serializable
@dataclass(frozen=True, slots=True)
class Delta:
    """A row whose value is further than ``threshold`` from that of the window's first row begins another; numbers of rows.

    A row whose value is NULL stays in the window.
    """

    value: Expression
    threshold: Expression


WindowAssigner: TypeAlias = (
    Tumble | Hop | Cumulate | Session | CountTumble | CountHop | Global | Punctuated | Landmark | Delta
)
TimeAssigner: TypeAlias = Tumble | Hop | Cumulate
"""Those for which a row's time alone says which windows it is in."""


def assigner_expressions(of: WindowAssigner) -> tuple[Expression, ...]:
    """What is evaluated for each row to find its windows."""
    match of:
        case Punctuated(condition=condition) | Landmark(condition=condition):
            return (condition,)
        case Delta(value=value, threshold=threshold):
            return (value, threshold)
        case _:
            return ()


def with_assigner_expressions(of: WindowAssigner, new: tuple[Expression, ...]) -> WindowAssigner:
    """The same assigner with other expressions, in the order of :func:`assigner_expressions`."""
    match of:
        case Punctuated() | Landmark():
            return replace(of, condition=new[0])
        case Delta():
            return replace(of, value=new[0], threshold=new[1])
        case _:
            return of


def windows_per_row(of: WindowAssigner) -> float:
    """How many windows a row is in, on average."""
    match of:
        case Hop(slide=slide, size=size):
            return size / slide
        case Cumulate(step=step, size=size):
            return (size // step + 1) / 2
        case CountHop(slide=slide, rows=rows):
            return rows / slide
        case _:
            return 1.0
