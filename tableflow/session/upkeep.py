"""TRUNCATE and VACUUM: statements about the rows of managed tables as they are stored."""

from __future__ import annotations

import gc

from tableflow.catalog import decisions
from tableflow.catalog.entry import TableEntry
from tableflow.catalog.store import CatalogStore
from tableflow.errors import CatalogError
from tableflow.session.definitions import defined
from tableflow.session.outcome import Outcome
from tableflow.session.session_storage import SessionStorage
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind


class Upkeep:
    """Carries out statements of this kind."""

    def __init__(self, catalog: CatalogStore, storage: SessionStorage) -> None:
        self._catalog = catalog
        self._storage = storage

    def vacuum(self, statement: sql.Vacuum) -> Outcome:
        """VACUUM of a table, or of all: the log becomes files, files become few, and what nobody needs goes."""
        if statement.name:
            entry = self._managed(statement.name, statement, "vacuumed")
            database = self._storage.of(temporary=entry.temporary)
            tables = [entry.table or 0]
        else:
            database = self._storage.of(temporary=False)
            tables = list(database.state().tables)
        self._storage.begin(database).abort()  # an error if the session only reads
        database.fold(tables)
        gc.collect()  # jobs that have ended are cycles, which hold the files that they read until Python looks for such
        removed = database.collect()
        what = f"vacuumed, {removed:,} file{'' if removed == 1 else 's'} removed"
        return defined(
            statement, "table" if statement.name else "database", statement.name or (database.disk.place,), what
        )

    def truncate(self, statement: sql.Truncate) -> Outcome:
        """TRUNCATE."""
        while True:
            entry = self._managed(statement.name, statement, "truncated")
            table = entry.table or 0
            database = self._storage.of(temporary=entry.temporary)
            with self._storage.begin(database, frozenset({table})) as transaction:
                if table not in transaction.state.tables:
                    continue  # dropped meanwhile, or replaced
                rows = transaction.state.table(table).at().rows
                transaction.truncate(table)
                transaction.commit(ChangeKind.TRUNCATE)
            return defined(statement, "table", statement.name, "truncated", rows)

    def _managed(self, name: tuple[str, ...], statement: sql.Base, doing: str) -> TableEntry:
        entry = self._catalog.find(name)
        if not isinstance(entry, TableEntry):
            raise decisions.missing(name, "table", self._catalog.snapshot().names()).at(statement.place)
        if entry.table is None:
            detail = "its rows are not stored by TableFlow"
            raise CatalogError(f"table {entry.name!r} cannot be {doing}", detail=detail, span=statement.place)
        return entry
