"""INSERT ... VALUES with parameters: bound once, then evaluated for as many rows of parameters as there are.

A statement is kept by its text and the types of its parameters, and holds as long as all that it was bound to is what it was:
catalog, table description, settings.  A thousand rows cost one transaction and no binding; one row costs a fraction of a
millisecond besides its sync.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

from tableflow.catalog.change import Schemas
from tableflow.catalog.store import CatalogStore
from tableflow.config import TIME_ZONE, Settings
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.managed.sink import removed_rows
from tableflow.errors import TableFlowError
from tableflow.expressions.functions.statement import PreparedClock, StatementClock
from tableflow.records import dataclass
from tableflow.session.committing import commit
from tableflow.session.direct import DirectWrite
from tableflow.session.direct_rows import begins_with_constants, is_direct, tables_read
from tableflow.session.outcome import Outcome
from tableflow.session.parameters import ParameterRun, Parameters, parameter_columns
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.write_plan import Writing
from tableflow.session.writing import message_of, remove, returned
from tableflow.sql import statements as sql
from tableflow.storage.description import TableDescription
from tableflow.storage.transaction import Transaction

BindPrepared: TypeAlias = Callable[[str, PinnedStates, Parameters, StatementClock], sql.Statement]
"""Binds a text that holds one statement."""

_MOST = 200


@dataclass(frozen=True, slots=True)
class Prepared:
    """A bound statement, and what it was bound to; ``write`` is None if its rows need a job."""

    statement: sql.Write | None
    write: DirectWrite | None
    schemas: Schemas
    own_changes: int
    settings: Settings
    table: int = 0
    database: Any = None
    description: TableDescription | None = None


class PreparedInserts:
    """Keeps the last :data:`_MOST` statements."""

    def __init__(
        self, bind: BindPrepared, catalog: CatalogStore, storage: SessionStorage, settings: Callable[[], Settings]
    ) -> None:
        self._bind = bind
        self._catalog = catalog
        self._storage = storage
        self._settings = settings
        self._kept: OrderedDict[Any, Prepared] = OrderedDict()

    def execute(self, text: str, parameters: Parameters) -> Outcome | None:
        """The statement for one row of parameters; None if it is to be carried out in the usual way."""
        if not is_insert(text):
            return None
        columns = parameter_columns([parameters])
        return None if columns is None else self._run(text, ParameterRun(0, (parameters,), columns))

    def check(self, text: str, parameters: Parameters) -> None:
        """Raises what is wrong with the statement for one row of parameters, in terms of its values."""
        clock = StatementClock.now(self._settings().get(TIME_ZONE))
        self._bind(text, self._storage.pin(), parameters, PreparedClock(clock.instant, clock.zone))

    def _run(self, text: str, rows: ParameterRun) -> Outcome | None:
        prepared = self.find(text, rows)
        if prepared.write is None or prepared.statement is None:
            return None
        clock = StatementClock.now(prepared.settings.get(TIME_ZONE))
        with self._storage.begin(prepared.database, frozenset({prepared.table})) as transaction:
            if not self.holds(prepared, transaction):
                self._kept.clear()
                return None  # something changed just now: the usual way sees it
            view = transaction.state.table(prepared.table).at()
            run = prepared.write.begin(prepared.settings, transaction, prepared.table)
            try:
                batches = run.write(*rows.batch(clock, prepared.write.reads), lambda _: view)
                count = run.prepare()
            finally:
                run.close()
            remove(transaction, prepared.table, removed_rows(run.tokens), view, run.table, prepared.statement.span)
            if count:
                commit(transaction, prepared.statement, numbered=True)
        result = None
        if prepared.statement.returning is not None:
            result = returned(prepared.write.writing, batches, prepared.settings.get(TIME_ZONE))
        return Outcome(result, message_of(prepared.statement.kind, count), count)

    def find(self, text: str, rows: ParameterRun) -> Prepared:
        """The statement bound to parameters of these types; to literals it is bound anew."""
        pinned = self._storage.pin()
        columns = rows.columns
        if columns is None:
            return self._made(text, rows, pinned)
        key = (text, columns.types, columns.names)
        kept = self._kept.get(key)
        if kept is not None and self._current(kept, pinned):
            self._kept.move_to_end(key)
            return kept
        kept = self._kept[key] = self._made(text, rows, pinned)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return kept

    def _made(self, text: str, rows: ParameterRun, pinned: PinnedStates) -> Prepared:
        settings = self._settings()
        nothing = Prepared(None, None, pinned.schemas, self._catalog.changes, settings)
        clock = StatementClock.now(settings.get(TIME_ZONE))
        try:
            statement = self._bind(text, pinned, rows.references(), PreparedClock(clock.instant, clock.zone))
        except TableFlowError:
            return nothing  # the usual way tells what is wrong, with the values
        if not isinstance(statement, sql.Write) or not is_direct(statement.query.root, settings) or statement.warnings:
            return nothing
        table = statement.table
        if not isinstance(table, ManagedProvider):
            return nothing
        root = statement.query.root
        # What is kept is made of parameters, and reads the newest version of the table it writes to, and no other table.
        if not begins_with_constants(root) or any(read is not table for read in tables_read(root)):
            return nothing
        return Prepared(
            statement, DirectWrite(Writing.of(statement)), pinned.schemas, self._catalog.changes, settings,
            table.table_id, table.database, table.description,
        )  # fmt: skip

    def _current(self, kept: Prepared, pinned: PinnedStates) -> bool:
        return (
            kept.schemas is pinned.schemas
            and kept.own_changes == self._catalog.changes
            and kept.settings is self._settings()
        )

    def holds(self, prepared: Prepared, transaction: Transaction) -> bool:
        """Whether the table is what it was when the statement was bound."""
        state = transaction.state
        if prepared.database is self._storage.shared.database and state.schemas is not prepared.schemas:
            return False
        return prepared.table in state.tables and state.table(prepared.table).description == prepared.description


def is_insert(text: str) -> bool:
    """Whether it may be an INSERT, at a glance."""
    return text.lstrip()[:6].upper() == "INSERT"
