"""Changes of a catalog, as data: what a database writes into its log, and how each is applied.

Applying is pure: it gives a new mapping of schemas (by lower-case name) and leaves the old one as it was.  Names match
without regard to case.  A change that finds nothing to remove changes nothing, so that replaying is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, assert_never

from tableflow.catalog.entry import DEFAULT_SCHEMA, Entry, TableEntry
from tableflow.catalog.snapshot import SchemaEntries
from tableflow.records import dataclass, replace
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class PutSchema:
    """Adds an empty schema, unless there is one of that name."""

    name: str


@serializable
@dataclass(frozen=True, slots=True)
class RemoveSchema:
    """Removes a schema with everything in it."""

    name: str


@serializable
@dataclass(frozen=True, slots=True)
class PutEntry:
    """Adds an entry to a schema, or replaces the one of its name."""

    schema: str
    entry: Entry


@serializable
@dataclass(frozen=True, slots=True)
class RemoveEntry:
    """Removes an entry."""

    schema: str
    name: str


@serializable
@dataclass(frozen=True, slots=True)
class NoteRead:
    """Remembers how many rows each source of a streaming table's job had given; nothing happens if the table is gone.

    It changes nothing that another change says, so no turn is needed for it.
    """

    table: int
    read: tuple[tuple[str, int], ...]


CatalogChange: TypeAlias = PutSchema | RemoveSchema | PutEntry | RemoveEntry | NoteRead

Schemas: TypeAlias = Mapping[str, SchemaEntries]
"""Schemas by lower-case name; in a database their entries are all ``permanent``."""

EMPTY: Schemas = {DEFAULT_SCHEMA: SchemaEntries(DEFAULT_SCHEMA)}
"""What a new database has."""


def apply_change(schemas: Schemas, change: CatalogChange) -> Schemas:
    """The schemas after a change."""
    match change:
        case PutSchema(name):
            return schemas if name.lower() in schemas else {**schemas, name.lower(): SchemaEntries(name)}
        case RemoveSchema(name):
            return {folded: schema for folded, schema in schemas.items() if folded != name.lower()}
        case PutEntry(schema, entry):
            found = schemas.get(schema.lower()) or SchemaEntries(schema)
            permanent = {**found.permanent, entry.name.lower(): entry}
            return {**schemas, schema.lower(): replace(found, permanent=permanent)}
        case RemoveEntry(schema, name):
            held = schemas.get(schema.lower())
            if held is None:
                return schemas
            kept = {folded: entry for folded, entry in held.permanent.items() if folded != name.lower()}
            return {**schemas, schema.lower(): replace(held, permanent=kept)}
        case NoteRead(table, read):
            return _noted(schemas, table, read)
        case _:
            assert_never(change)


def _noted(schemas: Schemas, table: int, read: tuple[tuple[str, int], ...]) -> Schemas:
    for folded, schema in schemas.items():
        for name, entry in schema.permanent.items():
            if isinstance(entry, TableEntry) and entry.table == table and entry.streaming is not None:
                noted = replace(entry, streaming=replace(entry.streaming, read=read))
                return {**schemas, folded: replace(schema, permanent={**schema.permanent, name: noted})}
    return schemas


def managed_tables(schemas: Schemas) -> dict[int, str]:
    """The ids of all managed tables that an entry names, with the qualified name."""
    return {
        entry.table: f"{schema.name}.{entry.name}"
        for schema in schemas.values()
        for entry in schema.permanent.values()
        if isinstance(entry, TableEntry) and entry.table is not None
    }
