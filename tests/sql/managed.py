"""A catalog of managed tables without data, declared by CREATE TABLE, for binding."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types
from tableflow.catalog.provider import Accepted, ColumnDefinition, ScanRequest, TableSchema, TableStatistics
from tableflow.config import Settings
from tableflow.errors import CatalogError
from tableflow.sql.binder import bind
from tableflow.sql.statements import CreateManagedTable, Write
from tableflow.storage.description import ChangeKind, TableDescription, VersionFacts
from tableflow.storage.provider import CHANGE_VERSION, CHANGE_WEIGHT, managed_columns
from tests.sql.soundness import check
from tests.sql.tables import DeclaredCatalog, DeclaredTable, declared

TABLES = (
    "CREATE TABLE t (a INT, b STRING DEFAULT 'none', c DECIMAL(8,2))",
    "CREATE TABLE k (id INT PRIMARY KEY, name VARCHAR(5) NOT NULL, n BIGINT DEFAULT 7, UNIQUE (name, n))",
    "CREATE TABLE g (a INT, b INT DEFAULT 1 CHECK (b > 0), s AS a + b, d DATE, CONSTRAINT small CHECK (a < 100))",
)


class StoredTable:
    """A managed table that has a description and versions 1 to 3."""

    bounded = True
    table_id = 1

    def __init__(self, description: TableDescription, version: int = 3) -> None:
        self.description = description
        self.version = version
        keys = tuple(tuple(description.column(number).name for number in key.columns) for key in description.keys)
        self.schema = TableSchema(managed_columns(description), keys)

    def statistics(self) -> TableStatistics:
        return TableStatistics()

    def accept(self, request: ScanRequest) -> Accepted:
        return Accepted(request)

    def source(self, accepted: Accepted) -> tuple[str, object]:
        return "stored", None

    def at(self, version: int | None = None, time: int | None = None) -> StoredTable:
        if version is not None and not 1 <= version <= 3:
            raise CatalogError(f"version {version} is not retained")
        return StoredTable(self.description, 2 if version is None else version)

    def changes(self, first: int, last: int) -> DeclaredTable:
        columns = [ColumnDefinition(c.name, c.type, c.nullable) for c in self.description.columns]
        added = [ColumnDefinition(name, types.BIGINT, nullable=False) for name in (CHANGE_VERSION, CHANGE_WEIGHT)]
        return DeclaredTable([*columns, *added])

    def versions(self) -> Sequence[VersionFacts]:
        return [VersionFacts(number, 0, ChangeKind.INSERT, 1, 0, number) for number in (1, 2, 3)]


def managed_catalog(*texts: str, views: dict[str, str] | None = None) -> DeclaredCatalog:
    """The tables that these statements make, beside a connector's table ``outside``."""
    catalog = DeclaredCatalog({"outside": declared("a INT, y STRING")}, views or {})
    for text in texts:
        made = bind(text, 0, catalog, Settings(), ())
        assert isinstance(made, CreateManagedTable)
        catalog.tables[made.name[-1].lower()] = StoredTable(made.description)
    return catalog


CATALOG = managed_catalog(*TABLES, views={"v": "SELECT * FROM t"})


def written(text: str, parameters=(), given: DeclaredCatalog = CATALOG) -> Write:
    """A bound statement whose plan is sound."""
    statement = bind(text, 0, given, Settings(), parameters)
    assert isinstance(statement, Write)
    check(statement.query)
    return statement
