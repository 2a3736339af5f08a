"""Whether an object may be created or dropped: pure functions from what there is to yes, no, or an error."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.catalog.change import RemoveEntry, Schemas
from tableflow.catalog.entry import DEFAULT_SCHEMA, Entry, TableEntry
from tableflow.catalog.snapshot import SchemaEntries
from tableflow.errors import CatalogError
from tableflow.nearest import nearest
from tableflow.records import dataclass

INFORMATION_SCHEMA = "information_schema"
"""The schema of built-in tables, which are made when they are named."""


@dataclass(frozen=True, slots=True)
class Creation:
    """What CREATE says of an object that is there already."""

    if_not_exists: bool = False
    or_replace: bool = False


def schema_of(schemas: Schemas, name: str) -> SchemaEntries:
    """The schema of a name; :class:`CatalogError` if there is none."""
    found = schemas.get(name.lower())
    if found is None:
        near = nearest(name, schemas)
        hint = f"did you mean {schemas[near].name!r}?" if near else "CREATE SCHEMA makes one"
        raise CatalogError(f"schema {name!r} does not exist", hint=hint)
    return found


def may_create(existing: Entry | None, wanted: Entry, flags: Creation) -> bool:
    """Whether to put it there; False if what is there is to be left."""
    if existing is None:
        return True
    if flags.if_not_exists:
        return False
    if type(existing) is not type(wanted):
        raise CatalogError(f"{existing.kind} {existing.name!r} exists already", hint=f"drop the {existing.kind} first")
    if not flags.or_replace:
        outside = isinstance(wanted, TableEntry) and wanted.definition is not None
        other = "DROP TABLE first to declare it anew" if outside else "CREATE OR REPLACE"
        streaming = isinstance(wanted, TableEntry) and wanted.streaming is not None
        kind = "STREAMING TABLE" if streaming else existing.kind.upper()
        hint = f"use CREATE {kind} IF NOT EXISTS to leave it as it is, or {other}"
        raise CatalogError(f"{existing.kind} {existing.name!r} exists already", hint=hint)
    return True


def may_drop(found: Entry, cls: type[Entry], kind: str) -> None:
    """An error if the statement speaks of another kind of object."""
    if not isinstance(found, cls):
        raise CatalogError(f"{found.name!r} is a {found.kind}, not a {kind}", hint=f"use DROP {found.kind.upper()}")


def removing(schemas: Schemas, schema: str, name: str, cls: type[Entry], kind: str) -> RemoveEntry | None:
    """The change that removes an object; None if there is none."""
    if schema.lower() == INFORMATION_SCHEMA:
        raise CatalogError(f"{schema}.{name} is built in and cannot be dropped")
    held = schemas.get(schema.lower())
    found = None if held is None else held.permanent.get(name.lower())
    if held is None or found is None:
        return None
    may_drop(found, cls, kind)
    return RemoveEntry(held.name, found.name)


def missing(path: Sequence[str], kind: str, names: Sequence[str]) -> CatalogError:
    """The error for an object that is not there."""
    near = nearest(".".join(path), names)
    hint = f"did you mean {near!r}?" if near else "SHOW TABLES lists what there is"
    return CatalogError(f"{kind} {'.'.join(path)!r} does not exist", hint=hint)


def may_create_schema(schemas: Schemas, name: str, *, if_not_exists: bool) -> bool:
    """Whether to add it; False if it is there and that is fine."""
    if name.lower() not in schemas:
        return True
    if if_not_exists:
        return False
    raise CatalogError(f"schema {name!r} exists already", hint="use CREATE SCHEMA IF NOT EXISTS")


def may_drop_schema(schemas: Schemas, name: str, current: str, *, if_exists: bool, cascade: bool) -> bool:
    """Whether to remove it; False if there is none and that is fine."""
    if name.lower() == INFORMATION_SCHEMA:
        raise CatalogError(f"schema {name!r} is built in and cannot be dropped")
    if name.lower() not in schemas and if_exists:
        return False
    schema = schema_of(schemas, name)
    if name.lower() in {DEFAULT_SCHEMA, current.lower()}:
        raise CatalogError(f"schema {schema.name!r} cannot be dropped", detail="it is in use")
    held = schema.visible()
    if held and not cascade:
        raise CatalogError(
            f"schema {schema.name!r} is not empty",
            detail=f"it holds {held[0].kind} {held[0].name!r}",
            hint="drop its objects first, or use CASCADE",
        )
    return True
