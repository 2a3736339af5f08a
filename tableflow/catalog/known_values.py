"""Tables that know values of all their rows together, so that nobody has to read the rows for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class KnownValues:
    """What is true of a column in all rows that a scan would give; None is unknown.

    ``extremes`` are the least and the greatest value as storage values, both of which are there, unlike bounds; they are None, too,
    where all rows are NULL.
    """

    nulls: int | None = None
    extremes: tuple[Any, Any] | None = None


@dataclass(frozen=True, slots=True)
class KnownRows:
    """How many rows a scan gives, and what is known of columns, by name."""

    rows: int
    columns: Mapping[str, KnownValues]


@runtime_checkable
class KnownValuesProvider(Protocol):
    """A :class:`~tableflow.catalog.provider.TableProvider` that may answer for its rows."""

    def known_rows(self, columns: tuple[str, ...]) -> KnownRows | None:
        """What is known of the rows and of these columns without reading; None if not even how many rows there are."""
        ...
