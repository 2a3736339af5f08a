"""Entries of the catalog: immutable values that a store holds by name.

A table has a provider, or a definition from which its provider is made when it is first asked for: so a
table over files that do not exist yet can be declared, and only reading it fails.  Entries without a provider are
serialisable.
"""

from __future__ import annotations

import enum
from dataclasses import field
from typing import TypeAlias

from tableflow.catalog.provider import ColumnDefinition, TableProvider, WatermarkDefinition
from tableflow.records import dataclass
from tableflow.serialization import serializable

DEFAULT_SCHEMA = "default"
"""The schema that exists always and that unqualified names mean until another is chosen."""


@serializable
@dataclass(frozen=True, slots=True)
class TableDefinition:
    """What CREATE TABLE said: columns, key, the connector and its options; ``text`` is the statement, for SHOW."""

    name: str
    connector: str
    columns: tuple[ColumnDefinition, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    primary_key: tuple[str, ...] = ()
    partitioned_by: tuple[str, ...] = ()
    text: str | None = None
    watermark: WatermarkDefinition | None = None


@serializable
class TableKind(enum.Enum):
    """How a streaming table changes: rows are only added, replaced by key, or come and go with their count."""

    APPEND = "append"
    KEYED = "keyed"
    BAG = "bag"


@serializable
@dataclass(frozen=True, slots=True)
class StreamingDefinition:
    """What a streaming table is kept by: the text of its query, how it changes, the columns of its key."""

    text: str
    kind: TableKind
    key: tuple[str, ...] = ()
    schema: str = DEFAULT_SCHEMA
    """The schema that unqualified names of the text mean."""
    read: tuple[tuple[str, int], ...] = ()
    """How many rows sources whose rows are made up had given when that was noted last, by their names in the job."""


@serializable
@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table under the name it was written with: a provider, what to make one from, or a managed table's id.

    An entry with a provider lives in its session only; a database keeps the others.
    """

    name: str
    provider: TableProvider | None = field(default=None, compare=False)
    definition: TableDefinition | None = None
    temporary: bool = False
    table: int | None = None
    streaming: StreamingDefinition | None = None

    @property
    def kind(self) -> str:
        """The word for it in messages."""
        return "table"


@serializable
@dataclass(frozen=True, slots=True)
class ViewEntry:
    """A view: the text of its query, bound again at each use.

    Only the text of a temporary view sees temporary objects.
    """

    name: str
    text: str
    temporary: bool = False
    schema: str | None = None
    """The schema that unqualified names of the text mean; None (of older databases): the view's own."""

    @property
    def kind(self) -> str:
        """The word for it in messages."""
        return "view"


Entry: TypeAlias = TableEntry | ViewEntry
