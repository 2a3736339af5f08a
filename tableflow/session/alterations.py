"""ALTER TABLE: another name, or another description once the rows are found to satisfy it."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.catalog import decisions
from tableflow.catalog.change import PutEntry, RemoveEntry
from tableflow.catalog.entry import TableEntry
from tableflow.catalog.snapshot import split_path
from tableflow.catalog.store import CatalogStore
from tableflow.errors import CatalogError, IntegrityError, InternalError, UnsupportedError
from tableflow.planner.logical.nodes import Query
from tableflow.session.definitions import defined
from tableflow.session.outcome import Outcome
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.writing import Rebind, provider_of
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind, TableDescription
from tableflow.storage.transaction import Transaction


class Alterations:
    """Carries out ALTER TABLE; ``has_row`` runs a query and says whether it gives one."""

    def __init__(self, catalog: CatalogStore, storage: SessionStorage, has_row: Callable[[Query, str], bool]) -> None:
        self._catalog = catalog
        self._storage = storage
        self._has_row = has_row

    def alter(self, statement: sql.AlterTable, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        """ALTER TABLE: another name, or another description once the rows are found to satisfy it."""
        while True:
            if statement.table is None:
                return defined(statement, "table", statement.name, "does not exist")
            table = provider_of(statement)
            with self._storage.begin(table.database, frozenset({table.table_id}), catalog=True) as transaction:
                if transaction.state.sequence != pinned.sequence(table.database):
                    pinned = pinned.within(table.database, transaction.state)
                    again = rebind(pinned)
                    assert isinstance(again, sql.AlterTable)
                    statement = again
                    if statement.table is None or provider_of(statement).table_id != table.table_id:
                        continue
                for validation in statement.validations:
                    if self._has_row(validation.query, script):
                        hint = "correct the rows first; a column that is added may have a DEFAULT"
                        refused = IntegrityError(validation.message, detail="nothing was changed", hint=hint)
                        raise refused.at(statement.span)
                if statement.rename is not None or _takes_away(table.description, statement.description):
                    self._storage.shared.keeper.check_unread(
                        {table.table_id: statement.name[-1]}, "altered like this", self._catalog.current
                    )
                if statement.rename is not None:
                    self._rename(statement, statement.rename, table.table_id, transaction)
                elif statement.description is not None:
                    transaction.describe(table.table_id, statement.description)
                transaction.commit(ChangeKind.ALTER)
            return defined(statement, "table", statement.name, "altered")

    def _rename(self, statement: sql.AlterTable, new: str, table: int, transaction: Transaction) -> None:
        schema, name = split_path(statement.name, self._catalog.current)
        entry = self._catalog.find(statement.name)
        if not isinstance(entry, TableEntry):
            raise InternalError(f"table {name!r} has no entry")
        if entry.temporary:
            raise UnsupportedError(f"temporary table {name!r} cannot be renamed", hint="create it under the other name")
        held = decisions.schema_of(transaction.state.schemas, schema)
        existing = held.permanent.get(new.lower())
        if existing is not None and new.lower() != name.lower():
            raise CatalogError(f"{existing.kind} {existing.name!r} exists already", span=statement.names_at[1])
        transaction.change_catalog(PutEntry(held.name, TableEntry(new, table=table)))
        if new.lower() != name.lower():
            transaction.change_catalog(RemoveEntry(held.name, name))


def _takes_away(old: TableDescription, new: TableDescription | None) -> bool:
    """Whether a column is not what it was: readers know columns by name and type."""
    if new is None:
        return False
    left = {(column.id, column.name, column.type) for column in new.columns}
    return any((column.id, column.name, column.type) not in left for column in old.columns)
