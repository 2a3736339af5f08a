"""PEP 249's type objects and constructors.

A type object equals the type codes of ``Cursor.description`` that it stands for: ``DECIMAL(3,2) == NUMBER``.
"""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final


class TypeObject:
    """Equal to every type code of its names, whatever precision or length the code has."""

    def __init__(self, *names: str) -> None:
        self._names: Final = frozenset(names)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return other.partition("(")[0].partition("<")[0] in self._names
        return self is other

    def __hash__(self) -> int:
        return hash(self._names)

    def __repr__(self) -> str:
        return f"TypeObject({', '.join(sorted(self._names))})"


STRING = TypeObject("STRING", "CHAR", "VARCHAR", "JSON")
BINARY = TypeObject("BYTES", "BINARY")
NUMBER = TypeObject("TINYINT", "SMALLINT", "INT", "BIGINT", "FLOAT", "DOUBLE", "DECIMAL")
DATETIME = TypeObject("DATE", "TIME", "TIMESTAMP", "TIMESTAMP_LTZ")
ROWID = TypeObject()

Date = date
Time = time
Timestamp = datetime
Binary = bytes


def DateFromTicks(ticks: float) -> date:  # noqa: N802 - PEP 249 names it so
    """The local date of seconds since 1970."""
    return date.fromtimestamp(ticks)  # noqa: DTZ012 - PEP 249 means local time


def TimeFromTicks(ticks: float) -> time:  # noqa: N802 - PEP 249 names it so
    """The local time of day of seconds since 1970."""
    return datetime.fromtimestamp(ticks).time()  # noqa: DTZ006 - as above


def TimestampFromTicks(ticks: float) -> datetime:  # noqa: N802 - PEP 249 names it so
    """The local date and time of seconds since 1970."""
    return datetime.fromtimestamp(ticks)  # noqa: DTZ006 - as above
