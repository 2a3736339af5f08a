"""The catalog that statements change: permanent objects of a database, and a session's temporary ones.

Every change replaces a mapping as a whole, so a :class:`~tableflow.catalog.snapshot.CatalogSnapshot` taken before stays as it
was.  Tables and views share one name space per schema; names match without regard to case and keep the case they were
written in.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from tableflow.catalog import decisions
from tableflow.catalog.change import CatalogChange, PutEntry, PutSchema, RemoveSchema, Schemas, apply_change
from tableflow.catalog.entry import DEFAULT_SCHEMA, Entry, TableDefinition, TableEntry, ViewEntry
from tableflow.catalog.permanent import PermanentCatalog, PinnedCatalog, UnstoredCatalog
from tableflow.catalog.provider import TableProvider
from tableflow.catalog.snapshot import (
    CatalogSnapshot,
    FileOpener,
    ProviderCache,
    SchemaEntries,
    TableOpener,
    split_path,
)
from tableflow.errors import CatalogError, Span

Temporary = Mapping[str, Mapping[str, Entry]]
"""Temporary objects by lower-case schema and name."""


class CatalogStore:
    """Create, replace, drop; every method that changes something says whether it did."""

    def __init__(
        self, open_file: FileOpener, open_table: TableOpener, permanent: PermanentCatalog | None = None
    ) -> None:
        self._open_file = open_file
        self._open_table = open_table
        self._permanent = UnstoredCatalog() if permanent is None else permanent
        self._lock = threading.RLock()
        self._temporary: Temporary = {}
        self._current = DEFAULT_SCHEMA
        self.changes = 0
        """How often something changed that belongs to the session alone."""

    def snapshot(self, pinned: PinnedCatalog | None = None) -> CatalogSnapshot:
        """The catalog as it is now (or was when permanent objects were pinned), for one statement."""
        at = self._permanent.pin() if pinned is None else pinned
        with self._lock:
            providers = ProviderCache(self._open_file, self._open_table, at.managed)
            return CatalogSnapshot(self._merged(at.schemas), self._current, providers, durable=self._permanent.durable)

    @property
    def current(self) -> str:
        """The schema that unqualified names mean."""
        return self._current

    def use(self, schema: str) -> None:
        """Makes a schema the one that unqualified names mean."""
        name = decisions.schema_of(self._permanent.pin().schemas, schema).name
        with self._lock:
            self._current = name
            self.changes += 1

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
        """Adds a table that has a provider, or a definition to make it from; False if it was there already.

        One with a provider has to be temporary if there is a database.
        """
        if (provider is None) == (definition is None):
            raise ValueError("a table has either a provider or a definition")
        entry = TableEntry(path[-1], provider, definition, temporary)
        return self.create(path, entry, if_not_exists=if_not_exists, or_replace=or_replace)

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
        entry = ViewEntry(path[-1], text, temporary, self.current)
        return self.create(path, entry, if_not_exists=if_not_exists, or_replace=or_replace)

    def create(self, path: Sequence[str], entry: Entry, *, if_not_exists: bool, or_replace: bool) -> bool:
        """Adds an entry; False if it was there already."""
        flags = decisions.Creation(if_not_exists, or_replace)
        if entry.temporary:
            with self._lock:
                schema, name = split_path(path, self._current)
                decisions.schema_of(self._permanent.pin().schemas, schema)
                group = self._temporary.get(schema.lower(), {})
                if not decisions.may_create(group.get(name.lower()), entry, flags):
                    return False
                self._put_temporary(schema, {**group, name.lower(): entry})
                return True
        changes: list[CatalogChange] = []

        def decide(schemas: Schemas) -> Sequence[CatalogChange]:
            changes.clear()
            schema, name = split_path(path, self._current)
            found = decisions.schema_of(schemas, schema)
            if decisions.may_create(found.permanent.get(name.lower()), entry, flags):
                changes.append(PutEntry(found.name, entry))
            return changes

        self._permanent.change(decide)
        return bool(changes)

    def drop_table(self, *paths: Sequence[str], if_exists: bool = False, places: Sequence[Span] = ()) -> bool:
        """Removes tables, all or none, temporary ones first; False if there was none of the last name.

        ``places`` are where the names stand, for errors.
        """
        return self._drop(paths, TableEntry, "table", places, if_exists=if_exists)

    def drop_view(self, *paths: Sequence[str], if_exists: bool = False, places: Sequence[Span] = ()) -> bool:
        """Removes views, all or none, temporary ones first; False if there was none of the last name.

        ``places`` are where the names stand, for errors.
        """
        return self._drop(paths, ViewEntry, "view", places, if_exists=if_exists)

    def create_schema(self, name: str, *, if_not_exists: bool = False) -> bool:
        """Adds an empty schema; False if it was there already."""
        changes: list[CatalogChange] = []

        def decide(schemas: Schemas) -> Sequence[CatalogChange]:
            changes.clear()
            if decisions.may_create_schema(schemas, name, if_not_exists=if_not_exists):
                changes.append(PutSchema(name))
            return changes

        self._permanent.change(decide)
        return bool(changes)

    def drop_schema(
        self, *names: str, if_exists: bool = False, cascade: bool = False, places: Sequence[Span] = ()
    ) -> bool:
        """Removes schemas, all or none, with their objects only if ``cascade``; False if there was none of the last name.

        ``places`` are where the names stand, for errors.
        """
        changes: list[CatalogChange] = []

        def decide(schemas: Schemas) -> Sequence[CatalogChange]:
            changes.clear()
            for name, place in zip_longest(names, places):
                left = self._merged(_after(schemas, changes))
                with _at(place):
                    if decisions.may_drop_schema(left, name, self._current, if_exists=if_exists, cascade=cascade):
                        changes.append(RemoveSchema(name))
            return changes

        self._permanent.change(decide)
        gone = [change.name for change in changes if isinstance(change, RemoveSchema)]
        with self._lock:
            for name in gone:
                self._put_temporary(name, {})
        return bool(gone) and gone[-1] == names[-1]

    def drop_temporary(self) -> None:
        """Removes all temporary objects, at the end of a session."""
        with self._lock:
            self._temporary = {}
            self.changes += 1

    def find(self, path: Sequence[str], pinned: PinnedCatalog | None = None) -> Entry | None:
        """The object that a name means; None if there is none."""
        return self.snapshot(pinned).entry(path)

    def temporary_entries(self) -> Sequence[TableEntry]:
        """The temporary tables of the session."""
        return [e for group in self._temporary.values() for e in group.values() if isinstance(e, TableEntry)]

    def own(self, schema: str, name: str) -> Entry | None:
        """The temporary object of this name."""
        return self._temporary.get(schema.lower(), {}).get(name.lower())

    def _drop(
        self, paths: Sequence[Sequence[str]], cls: type[Entry], kind: str, places: Sequence[Span], *, if_exists: bool
    ) -> bool:
        temporary: list[tuple[str, str]] = []
        permanent: list[tuple[Sequence[str], Span | None]] = []
        done = False
        for path, place in zip_longest(paths, places):
            schema, name = split_path(path, self._current)
            held = self.own(schema, name)
            if held is None or (schema.lower(), name.lower()) in temporary:
                permanent.append((path, place))
            else:
                with _at(place):
                    decisions.may_drop(held, cls, kind)
                temporary.append((schema.lower(), name.lower()))
                done = True
        changes: list[CatalogChange] = []

        def decide(schemas: Schemas) -> Sequence[CatalogChange]:
            nonlocal done
            changes.clear()
            for path, place in permanent:
                schema, name = split_path(path, self._current)
                with _at(place):
                    removed = decisions.removing(_after(schemas, changes), schema, name, cls, kind)
                if removed is not None:
                    changes.append(removed)
                elif not if_exists:
                    raise decisions.missing(path, kind, self.snapshot().names()).at(place)
                if path is paths[-1]:
                    done = removed is not None
            return changes

        if permanent:
            self._permanent.change(decide)
        with self._lock:
            for schema, name in temporary:
                group = self._temporary.get(schema, {})
                self._put_temporary(schema, {key: entry for key, entry in group.items() if key != name})
        return done

    def _merged(self, schemas: Schemas) -> Mapping[str, SchemaEntries]:
        if not self._temporary:
            return schemas
        return {
            folded: SchemaEntries(schema.name, schema.permanent, self._temporary.get(folded, {}))
            for folded, schema in schemas.items()
        }

    def _put_temporary(self, schema: str, group: Mapping[str, Entry]) -> None:
        self._temporary = {**self._temporary, schema.lower(): group}
        self.changes += 1


@contextlib.contextmanager
def _at(place: Span | None) -> Iterator[None]:
    try:
        yield
    except CatalogError as error:
        error.at(place)
        raise


def _after(schemas: Schemas, changes: Sequence[CatalogChange]) -> Schemas:
    for change in changes:
        schemas = apply_change(schemas, change)
    return schemas
