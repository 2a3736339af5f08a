"""The catalog that statements change.

Copy on write: every change builds a new mapping and puts it in place under a lock, so a
:class:`~tableflow.catalog.snapshot.CatalogSnapshot` taken before stays as it was.  Tables and views share one name
space per schema; names match without regard to case and keep the case they were written in.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tableflow.catalog.entry import DEFAULT_SCHEMA, Entry, TableDefinition, TableEntry, ViewEntry
from tableflow.catalog.provider import TableProvider
from tableflow.catalog.snapshot import (
    CatalogSnapshot,
    FileOpener,
    ProviderCache,
    SchemaEntries,
    TableOpener,
    split_path,
)
from tableflow.errors import CatalogError


class CatalogStore:
    """Create, replace, drop; every method that changes something says whether it did."""

    def __init__(self, open_file: FileOpener, open_table: TableOpener) -> None:
        self._open_file = open_file
        self._open_table = open_table
        self._lock = threading.RLock()
        self._schemas: Mapping[str, SchemaEntries] = {DEFAULT_SCHEMA: SchemaEntries(DEFAULT_SCHEMA)}
        self._current = DEFAULT_SCHEMA

    def snapshot(self) -> CatalogSnapshot:
        """The catalog as it is now, for one statement."""
        with self._lock:
            providers = ProviderCache(self._open_file, self._open_table)
            return CatalogSnapshot(self._schemas, self._current, providers)

    def use(self, schema: str) -> None:
        """Makes a schema the one that unqualified names mean."""
        with self._lock:
            self._current = self._schema(schema).name

    def create_table(
        self,
        path: Sequence[str],
        *,
        provider: TableProvider | None = None,
        definition: TableDefinition | None = None,
        if_not_exists: bool = False,
        or_replace: bool = False,
        temporary: bool = False,
    ) -> bool:
        """Adds a table that has a provider, or a definition to make it from; False if it was there already."""
        if (provider is None) == (definition is None):
            raise ValueError("a table has either a provider or a definition")
        entry = TableEntry(path[-1], provider, definition, temporary)
        return self._create(path, entry, if_not_exists=if_not_exists, or_replace=or_replace)

    def create_view(
        self,
        path: Sequence[str],
        text: str,
        *,
        if_not_exists: bool = False,
        or_replace: bool = False,
        temporary: bool = False,
    ) -> bool:
        """Adds a view over the text of a query; False if it was there already."""
        entry = ViewEntry(path[-1], text, temporary)
        return self._create(path, entry, if_not_exists=if_not_exists, or_replace=or_replace)

    def drop_table(self, path: Sequence[str], *, if_exists: bool = False) -> bool:
        """Removes a table, the temporary one first; False if there was none."""
        return self._drop(path, TableEntry, "table", if_exists=if_exists)

    def drop_view(self, path: Sequence[str], *, if_exists: bool = False) -> bool:
        """Removes a view, the temporary one first; False if there was none."""
        return self._drop(path, ViewEntry, "view", if_exists=if_exists)

    def create_schema(self, name: str, *, if_not_exists: bool = False) -> bool:
        """Adds an empty schema; False if it was there already."""
        with self._lock:
            if name.lower() in self._schemas:
                if if_not_exists:
                    return False
                raise CatalogError(f"schema {name!r} exists already", hint="use CREATE SCHEMA IF NOT EXISTS")
            self._schemas = {**self._schemas, name.lower(): SchemaEntries(name)}
            return True

    def drop_schema(self, name: str, *, if_exists: bool = False, cascade: bool = False) -> bool:
        """Removes a schema, with its objects only if ``cascade``; False if there was none."""
        with self._lock:
            if name.lower() not in self._schemas and if_exists:
                return False
            schema = self._schema(name)
            if name.lower() in {DEFAULT_SCHEMA, self._current.lower()}:
                raise CatalogError(f"schema {schema.name!r} cannot be dropped", detail="it is in use")
            held = schema.visible()
            if held and not cascade:
                raise CatalogError(
                    f"schema {schema.name!r} is not empty",
                    detail=f"it holds {held[0].kind} {held[0].name!r}",
                    hint="drop its objects first, or use CASCADE",
                )
            self._schemas = {folded: kept for folded, kept in self._schemas.items() if folded != name.lower()}
            return True

    def drop_temporary(self) -> None:
        """Removes all temporary objects, at the end of a session."""
        with self._lock:
            self._schemas = {folded: replace(schema, temporary={}) for folded, schema in self._schemas.items()}

    def _create(self, path: Sequence[str], entry: Entry, *, if_not_exists: bool, or_replace: bool) -> bool:
        with self._lock:
            schema_name, name = split_path(path, self._current)
            schema = self._schema(schema_name)
            group = schema.temporary if entry.temporary else schema.permanent
            existing = group.get(name.lower())
            if existing is not None:
                if if_not_exists:
                    return False
                if not or_replace or type(existing) is not type(entry):
                    raise _exists(existing, entry)
            changed = {**group, name.lower(): entry}
            self._put(replace(schema, temporary=changed) if entry.temporary else replace(schema, permanent=changed))
            return True

    def _drop(self, path: Sequence[str], cls: type[Entry], kind: str, *, if_exists: bool) -> bool:
        with self._lock:
            schema_name, name = split_path(path, self._current)
            folded = name.lower()
            schema = self._schemas.get(schema_name.lower())
            found = None if schema is None else schema.find(name)
            if schema is None or found is None:
                if if_exists:
                    return False
                raise self._missing(path, kind)
            if not isinstance(found, cls):
                raise CatalogError(
                    f"{found.name!r} is a {found.kind}, not a {kind}", hint=f"use DROP {found.kind.upper()}"
                )
            if found.temporary:
                self._put(replace(schema, temporary=_without(schema.temporary, folded)))
            else:
                self._put(replace(schema, permanent=_without(schema.permanent, folded)))
            return True

    def _missing(self, path: Sequence[str], kind: str) -> CatalogError:
        names = self.snapshot().names()
        by_folded = {name.lower(): name for name in names}
        near = difflib.get_close_matches(".".join(path).lower(), by_folded, 1)
        hint = f"did you mean {by_folded[near[0]]!r}?" if near else "SHOW TABLES lists what there is"
        return CatalogError(f"{kind} {'.'.join(path)!r} does not exist", hint=hint)

    def _schema(self, name: str) -> SchemaEntries:
        found = self._schemas.get(name.lower())
        if found is None:
            near = difflib.get_close_matches(name.lower(), self._schemas, 1)
            hint = f"did you mean {self._schemas[near[0]].name!r}?" if near else "CREATE SCHEMA makes one"
            raise CatalogError(f"schema {name!r} does not exist", hint=hint)
        return found

    def _put(self, schema: SchemaEntries) -> None:
        self._schemas = {**self._schemas, schema.name.lower(): schema}


def _exists(existing: Entry, wanted: Entry) -> CatalogError:
    if type(existing) is not type(wanted):
        return CatalogError(f"{existing.kind} {existing.name!r} exists already", hint=f"drop the {existing.kind} first")
    hint = f"use CREATE {existing.kind.upper()} IF NOT EXISTS, or CREATE OR REPLACE"
    return CatalogError(f"{existing.kind} {existing.name!r} exists already", hint=hint)


def _without(group: Mapping[str, Entry], folded: str) -> dict[str, Entry]:
    return {name: entry for name, entry in group.items() if name != folded}
