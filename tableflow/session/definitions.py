"""CREATE and DROP: statements that change what there is rather than rows; ALTER, TRUNCATE and VACUUM have files of their own.

A managed table and its entry in the catalog are made, changed and dropped in one transaction.  Changes of the catalog wait for
each other, and before that for nobody; so what a statement has looked at is what it changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tableflow.catalog import decisions
from tableflow.catalog.change import RemoveEntry
from tableflow.catalog.entry import TableDefinition, TableEntry
from tableflow.catalog.snapshot import folded_path, split_path
from tableflow.catalog.store import CatalogStore
from tableflow.connectors.registry import check_definition
from tableflow.errors import CatalogError, InternalError, Span
from tableflow.planner.logical.nodes import Query
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.outcome import Outcome
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.write_plan import Writing
from tableflow.session.writing import Rebind, Writer
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind
from tableflow.storage.transaction import Transaction

if TYPE_CHECKING:
    from tableflow.session.upkeep import Upkeep


class Definitions:
    """Carries out statements of this kind; ``has_row`` runs a query and says whether it gives one."""

    def __init__(
        self,
        catalog: CatalogStore,
        storage: SessionStorage,
        writer: Writer,
        has_row: Callable[[Query, str], bool],
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._writer = writer
        self._has_row = has_row

    def carry_out(self, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        """Any of them."""
        match statement:
            case sql.CreateTable():
                return self.create_connector_table(statement)
            case sql.CreateView():
                return self.create_view(statement)
            case sql.CreateManagedTable():
                return self.create_table(statement, script)
            case sql.Drop():
                self._check_jobs(statement.names, pinned)
                return self.drop(statement)
            case sql.CreateSchema():
                return self.create_schema(statement)
            case sql.DropSchema():
                if statement.cascade:
                    held = [pinned.schemas.get(name.lower()) for name in statement.schemas]
                    names = [(one.name, entry) for one in held if one is not None for entry in one.permanent]
                    self._check_jobs(names, pinned)
                return self.drop_schema(statement)
            case sql.AlterTable():
                self.check_not_kept(statement.name, pinned, "altered")
                from tableflow.session.alterations import Alterations  # few processes alter

                altering = Alterations(self._catalog, self._storage, self._has_row)
                return altering.alter(statement, pinned, rebind, script)
            case sql.Truncate():
                self.check_not_kept(statement.name, pinned, "truncated")
                return self._upkeep().truncate(statement)
            case sql.Vacuum():
                return self._upkeep().vacuum(statement)
        raise InternalError(f"a {type(statement).__name__} is not carried out")

    def check_not_kept(self, name: Sequence[str], pinned: PinnedStates, doing: str, place: Span | None = None) -> None:
        """Refuses statements that would change a streaming table, whose one writer is its job; ``place``: where it is named."""
        entry = self._catalog.find(name, pinned)
        if isinstance(entry, TableEntry) and entry.streaming is not None:
            raise CatalogError(
                f"streaming table {entry.name!r} cannot be {doing}",
                detail="its rows are those of its query",
                hint="change what the query reads, or DROP TABLE and create it anew",
                span=place,
            )

    def _check_jobs(self, names: Sequence[Sequence[str]], pinned: PinnedStates) -> None:
        """Refuses to drop what jobs read or write, but for those of streaming tables that go as well."""
        entries = [entry for name in names if isinstance(entry := self._catalog.find(name, pinned), TableEntry)]
        gone = {entry.table: entry for entry in entries if entry.table is not None and not entry.temporary}
        self._keeper.check_unread(
            {table: entry.name for table, entry in gone.items()}, "dropped", self._catalog.current
        )
        called = {folded_path(name, self._catalog.current): ".".join(name) for name in names}
        self._keeper.check_unused(called, gone, self._catalog.current)

    def end_jobs(self, tables: frozenset[int]) -> None:
        """Ends the jobs of streaming tables that go."""
        for table in tables:
            self._keeper.forget(table)

    def _upkeep(self) -> Upkeep:
        from tableflow.session.upkeep import Upkeep  # few processes truncate or vacuum

        return Upkeep(self._catalog, self._storage)

    @property
    def _keeper(self) -> JobKeeper:
        return self._storage.shared.keeper

    def create_connector_table(self, statement: sql.CreateTable) -> Outcome:
        """CREATE TABLE ... WITH ('connector' = ...)."""
        options = dict(statement.options)
        definition = TableDefinition(
            statement.name[-1],
            options.get("connector", ""),
            statement.columns,
            statement.options,
            statement.primary_key,
            statement.partitioned_by,
            statement.text,
            statement.watermark,
        )
        check_definition(definition)
        done = self._catalog.create_table(
            statement.name,
            definition=definition,
            if_not_exists=statement.if_not_exists,
            temporary=statement.temporary,
        )
        return defined(statement, "table", statement.name, "created" if done else "exists already")

    def create_view(self, statement: sql.CreateView) -> Outcome:
        """CREATE VIEW."""
        done = self._catalog.create_view(
            statement.name,
            statement.text,
            if_not_exists=statement.if_not_exists,
            or_replace=statement.or_replace,
            temporary=statement.temporary,
        )
        return defined(statement, "view", statement.name, "created" if done else "exists already")

    def create_table(self, statement: sql.CreateManagedTable, script: str) -> Outcome:
        """CREATE TABLE of a managed table, from columns or AS SELECT."""
        schema, name = split_path(statement.name, self._catalog.current)
        flags = decisions.Creation(statement.if_not_exists, statement.or_replace)
        database = self._storage.of(temporary=statement.temporary)
        replaced: frozenset[int] = frozenset()
        while True:
            with self._storage.begin(database, replaced, catalog=True) as transaction:
                permanent = self._storage.pin().schemas if statement.temporary else transaction.state.schemas
                found = decisions.schema_of(permanent, schema)
                existing = self._catalog.own(schema, name) if statement.temporary else found.permanent.get(name.lower())
                wanted = TableEntry(name, temporary=statement.temporary, table=transaction.state.next_table)
                if not decisions.may_create(existing, wanted, flags):
                    return defined(statement, "table", statement.name, "exists already")
                old = existing.table if isinstance(existing, TableEntry) else None
                if old is not None and old not in replaced:
                    if not statement.temporary:
                        self._keeper.check_unread({old: name}, "replaced", self._catalog.current)
                    replaced = frozenset({old})
                    continue
                table = transaction.create(found.name, name, statement.description)
                rows = self._fill(statement, table, transaction, script)
                transaction.commit(ChangeKind.CREATE)
            if not statement.temporary:
                self.end_jobs(replaced)
            else:
                self._catalog.create(
                    (found.name, name),
                    TableEntry(name, temporary=True, table=table),
                    if_not_exists=False,
                    or_replace=True,
                )
            what = "created" if rows is None else f"created with {rows:,} row{'' if rows == 1 else 's'}"
            return defined(statement, "table", statement.name, what, rows or 0)

    def _fill(self, statement: sql.CreateManagedTable, table: int, transaction: Transaction, script: str) -> int | None:
        query = statement.query
        if query is None:
            return None
        writing = Writing.of_creation(statement, query)
        return self._writer.rows(writing, False, table, transaction, None, script).rows  # noqa: FBT003 - without RETURNING

    def drop(self, statement: sql.Drop) -> Outcome:
        """DROP TABLE or VIEW."""
        is_table = statement.kind is sql.ObjectKind.TABLE
        drop = self._catalog.drop_table if is_table else self._catalog.drop_view
        temporary = {}
        for name in statement.names:
            entry = self._catalog.find(name)
            if isinstance(entry, TableEntry) and entry.temporary and entry.table is not None:
                temporary[entry.table] = (entry, name)
        done = drop(*statement.names, if_exists=statement.if_exists, places=statement.names_at)
        for entry, name in temporary.values():
            self._drop_temporary(entry, name)
        return defined(statement, statement.kind.value, statement.names[-1], "dropped" if done else "does not exist")

    def _drop_temporary(self, entry: TableEntry, path: Sequence[str]) -> None:
        schema, _ = split_path(path, self._catalog.current)
        database = self._storage.of(temporary=True)
        with self._storage.begin(database, frozenset({entry.table or 0}), catalog=True) as transaction:
            transaction.change_catalog(RemoveEntry(schema, entry.name))
            transaction.commit(ChangeKind.ALTER)

    def create_schema(self, statement: sql.CreateSchema) -> Outcome:
        """CREATE SCHEMA."""
        done = self._catalog.create_schema(statement.schema, if_not_exists=statement.if_not_exists)
        return defined(statement, "schema", (statement.schema,), "created" if done else "exists already")

    def drop_schema(self, statement: sql.DropSchema) -> Outcome:
        """DROP SCHEMA."""
        done = self._catalog.drop_schema(
            *statement.schemas, if_exists=statement.if_exists, cascade=statement.cascade, places=statement.names_at
        )
        return defined(statement, "schema", (statement.schemas[-1],), "dropped" if done else "does not exist")


def defined(statement: sql.Base, kind: str, name: Sequence[str], what: str, rows: int = 0) -> Outcome:
    """A message about an object."""
    warnings = tuple(notice.message for notice in statement.warnings)
    return Outcome(message=f"{kind} {'.'.join(name)} {what}", rowcount=rows, warnings=warnings)
