"""What a table that is not stored by TableFlow says about rows that INSERT gives it.

A provider that can be written to has an attribute ``sink``, a :class:`SinkOffer`.  Nothing here writes: the offer makes a plain
value from which the connector opens a writer in the process that runs the task.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from tableflow.catalog.provider import ColumnDefinition, TableProvider
from tableflow.errors import CatalogError
from tableflow.records import dataclass

KINDS_COLUMN = "op"
"""The name of the column that says what a row does to those before it: ``+I``, ``-U``, ``+U`` or ``-D``."""


class Takes(enum.Enum):
    """What a sink can do with a query whose result changes."""

    APPENDED = "appended"
    """Nothing: it takes rows that are never taken back."""
    CHANGES = "changes"
    """It takes rows with a first column that says what each does, one epoch after the other, updates as pairs."""
    UPSERTS = "upserts"
    """The same by the key of its offer, without the rows that are replaced: the last row of each key in an epoch."""
    ANYTHING = "anything"
    """It takes rows and weights as they come, in any task."""


@dataclass(frozen=True, slots=True)
class SinkRequest:
    """What a writer will be given: the table's columns, behind a column of kinds if there are ``changes``.

    ``endless``: rows count epoch by epoch; otherwise when all have come and the statement commits.  ``control`` is the key of
    an object of the session through which the writers of a job are told that it will end.
    """

    table: str
    columns: tuple[ColumnDefinition, ...]
    changes: bool
    endless: bool
    zone: str
    control: str | None = None


@dataclass(frozen=True, slots=True)
class SinkOffer:
    """How a table is written to.  ``columns`` are those that INSERT gives; ``advice`` says what to write for changes.

    ``key``, if there is one, is declared: a row takes the place of the one with the same key.  ``spec`` makes the connector's kind and options.
    """

    takes: Takes
    columns: tuple[ColumnDefinition, ...]
    spec: Callable[[SinkRequest], tuple[str, Any]]
    advice: str = ""
    key: tuple[str, ...] = ()


def sink_of(provider: TableProvider | None) -> SinkOffer | None:
    """What the provider offers; None if it is not written to."""
    found = getattr(provider, "sink", None)
    return found if isinstance(found, SinkOffer) else None


def given_columns(columns: tuple[ColumnDefinition, ...], table: str) -> tuple[ColumnDefinition, ...]:
    """The columns that rows for a table have: not those that are computed, hidden or filled by the connector."""
    found = tuple(column for column in columns if not (column.computed or column.hidden or column.metadata))
    if not found:
        raise CatalogError(f"table {table!r} declares no columns that could be written", hint="declare them")
    return found
