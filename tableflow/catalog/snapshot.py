"""The frozen catalog that a binder sees; implements :class:`tableflow.catalog.provider.Catalog`.

A snapshot never changes: the store replaces its state as a whole, so a statement that is being planned is not
touched by DDL that runs meanwhile.  Temporary objects hide permanent ones of the same name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field

from tableflow.catalog.entry import DEFAULT_SCHEMA, Entry, TableDefinition, TableEntry, ViewEntry
from tableflow.catalog.provider import CatalogObject, ColumnDefinition, TableProvider, ViewScope
from tableflow.errors import CatalogError
from tableflow.records import dataclass, replace

FileOpener = Callable[[str], TableProvider]
TableOpener = Callable[[TableDefinition], TableProvider]
ManagedOpener = Callable[[TableEntry], TableProvider]


@dataclass(frozen=True, slots=True)
class SchemaEntries:
    """A schema: its name as written, permanent and temporary objects by lower-case name."""

    name: str
    permanent: Mapping[str, Entry] = field(default_factory=dict)
    temporary: Mapping[str, Entry] = field(default_factory=dict)

    def find(self, name: str) -> Entry | None:
        """The object a name means: the temporary one if there is one."""
        folded = name.lower()
        return self.temporary.get(folded) or self.permanent.get(folded)

    def visible(self, *, lasting: bool = False) -> list[Entry]:
        """Every object that a name can mean, in order of name; only permanent ones if ``lasting``."""
        both = self.permanent if lasting else {**self.permanent, **self.temporary}
        return [both[name] for name in sorted(both)]


class ProviderCache:
    """Providers of one snapshot, each made once: within a statement a table's files are listed one time.

    The next statement makes them again and so sees files that have come since; what is expensive about a file (its
    footer) the connector remembers.
    """

    def __init__(self, open_file: FileOpener, open_table: TableOpener, open_managed: ManagedOpener) -> None:
        self._open_file = open_file
        self._open_table = open_table
        self._open_managed = open_managed
        self._tables: dict[int, TableProvider] = {}
        self._files: dict[object, TableProvider] = {}
        self._lock = threading.Lock()

    def table(self, entry: TableEntry) -> TableProvider:
        """The provider of an entry; errors of the connector pass through and are not remembered."""
        if entry.provider is not None:
            return entry.provider
        with self._lock:
            key = id(entry)  # entries live as long as the snapshot
            if key not in self._tables:
                self._tables[key] = self._opened(entry)
            return self._tables[key]

    def _opened(self, entry: TableEntry) -> TableProvider:
        if entry.table is not None:
            return self._open_managed(entry)
        if entry.definition is None:
            raise CatalogError(f"table {entry.name!r} has neither a provider nor a definition")
        return self._open_table(entry.definition)

    def opened(self, definition: TableDefinition) -> TableProvider:
        """The provider of a declaration that no entry has."""
        return self._open_table(definition)

    def file(
        self, path: str, columns: Sequence[ColumnDefinition] = (), options: tuple[tuple[str, str], ...] = ()
    ) -> TableProvider:
        """The provider of a path or glob."""
        key = (path, tuple(columns), options)
        with self._lock:
            if key not in self._files:
                given = (("connector", "filesystem"), ("path", path), *options)
                definition = TableDefinition(path, "filesystem", tuple(columns), given)
                declared = bool(columns or options)
                self._files[key] = self._open_table(definition) if declared else self._open_file(path)
            return self._files[key]


@dataclass(frozen=True, slots=True)
class CatalogSnapshot:
    """All schemas at one moment, and the providers made of them."""

    schemas: Mapping[str, SchemaEntries]
    current_schema: str
    providers: ProviderCache
    lasting: bool = False
    """Whether temporary objects are not seen, as by the text of a permanent view."""
    durable: bool = True
    """Whether permanent objects outlive the session: then a name that only a temporary one has is an error to them."""

    def entry(self, path: Sequence[str]) -> Entry | None:
        """The object of a name, qualified or not; None if there is none."""
        schema, name = split_path(path, self.current_schema)
        entries = self.schemas.get(schema.lower())
        if entries is None:
            return None
        if not self.lasting:
            return entries.find(name)
        found = entries.permanent.get(name.lower())
        if found is None and (temporary := entries.temporary.get(name.lower())) is not None:
            if not self.durable:
                return temporary
            raise CatalogError(
                f"{temporary.kind} {name!r} lives in this session only, the view would outlive it",
                hint="CREATE TEMPORARY VIEW, or read what is stored",
            )
        return found

    def table(self, path: Sequence[str]) -> TableProvider | None:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        found = self.entry(path)
        return self.providers.table(found) if isinstance(found, TableEntry) else None

    def view(self, path: Sequence[str]) -> str | None:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        found = self.entry(path)
        return found.text if isinstance(found, ViewEntry) else None

    def view_scope(self, path: Sequence[str], *, temporary: bool | None = None) -> ViewScope:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        schema, name = split_path(path, self.current_schema)
        within = self.current_schema
        if temporary is None:
            found = self.entry(path)
            if not isinstance(found, ViewEntry):
                raise CatalogError(f"view {'.'.join(path)!r} does not exist")
            temporary, within = found.temporary, found.schema or schema
        kind = "temporary " if temporary else ""
        return ViewScope(
            f"{kind}{schema}.{name}".lower(),
            replace(self, current_schema=within, lasting=self.lasting or not temporary),
        )

    def file(
        self, path: str, columns: Sequence[ColumnDefinition] = (), options: tuple[tuple[str, str], ...] = ()
    ) -> TableProvider:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        return self.providers.file(path, columns, options)

    def opened(self, definition: TableDefinition) -> TableProvider:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        return self.providers.opened(definition)

    def names(self) -> Sequence[str]:
        """Names of all tables and views; those of other schemas than the current one qualified."""
        found: list[str] = []
        for folded, schema in self.schemas.items():
            prefix = "" if folded == self.current_schema.lower() else f"{schema.name}."
            found.extend(prefix + entry.name for entry in schema.visible(lasting=self.lasting))
        return found

    def current(self) -> str:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        return self.current_schema

    def schema_names(self) -> Sequence[str]:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        return [self.schemas[folded].name for folded in sorted(self.schemas)]

    def objects(self, schema: str) -> Sequence[CatalogObject]:
        """See :class:`~tableflow.catalog.provider.Catalog`."""
        return [
            CatalogObject(entry.name, entry.text if isinstance(entry, ViewEntry) else None, entry.temporary)
            for entry in self.entries(schema)
        ]

    def entries(self, schema: str | None = None) -> list[Entry]:
        """The visible objects of a schema (the current one if None), in order of name."""
        found = self.schemas.get((schema or self.current_schema).lower())
        return [] if found is None else found.visible(lasting=self.lasting)


def folded_path(path: Sequence[str], current_schema: str) -> tuple[str, str]:
    """The same in small letters: what tells two objects apart."""
    schema, name = split_path(path, current_schema)
    return schema.lower(), name.lower()


def shown_path(path: Sequence[str], current_schema: str) -> str:
    """A name of two parts as one writes it where a schema is the current one: without it if that is meant."""
    schema, name = path
    return name if schema.lower() == current_schema.lower() else f"{schema}.{name}"


def split_path(path: Sequence[str], current_schema: str) -> tuple[str, str]:
    """(schema, name) of a name with one or two parts."""
    match tuple(path):
        case (name,):
            return current_schema, name
        case (schema, name):
            return schema, name
    raise CatalogError(
        f"name {'.'.join(path)!r} has {len(path)} parts",
        hint=f"write schema.name, or the name alone for the current schema ({DEFAULT_SCHEMA!r} at the start)",
    )
