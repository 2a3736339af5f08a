"""INSERT ... VALUES with parameters: bound once, then evaluated for as many rows of parameters as there are.

A statement is kept by its text and the types of its parameters, and holds as long as all that it was bound to is what it was:
catalog, table description, settings.  A thousand rows cost one transaction and no binding; one row costs a fraction of a
millisecond besides its sync.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from tableflow.catalog.change import Schemas
from tableflow.catalog.store import CatalogStore
from tableflow.config import TIME_ZONE, Settings
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.managed.sink import removed_rows
from tableflow.errors import ProgrammingError, TableFlowError
from tableflow.expressions.functions.statement import PreparedClock, StatementClock
from tableflow.session.direct import DirectWrite
from tableflow.session.direct_rows import begins_with_constants, is_direct, tables_read
from tableflow.session.jobs import Jobs
from tableflow.session.outcome import Outcome
from tableflow.session.parameters import ParameterColumns, parameter_columns
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.write_plan import Writing
from tableflow.session.writing import commit, message_of, open_sink, remove, returned
from tableflow.sql import statements as sql
from tableflow.storage.description import TableDescription
from tableflow.storage.transaction import Transaction

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]
BindPrepared: TypeAlias = Callable[[str, PinnedStates, Parameters, StatementClock], sql.Statement]
"""Binds a text that holds one statement."""

_MOST = 200
_ROWS_AT_ONCE = 50_000


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
        self, bind: BindPrepared, catalog: CatalogStore, storage: SessionStorage, jobs: Jobs,
        settings: Callable[[], Settings],
    ) -> None:  # fmt: skip
        self._bind = bind
        self._catalog = catalog
        self._storage = storage
        self._jobs = jobs
        self._settings = settings
        self._kept: OrderedDict[Any, Prepared] = OrderedDict()

    def execute(self, text: str, parameters: Parameters) -> Outcome | None:
        """The statement for one row of parameters; None if it is to be carried out in the usual way."""
        if not is_insert(text):
            return None
        columns = parameter_columns([parameters])
        return None if columns is None else self._run(text, columns, iter(()))

    def execute_many(self, text: str, many: Iterator[Parameters]) -> tuple[Outcome | None, Iterable[Parameters]]:
        """The statement for all rows, as one transaction; or None, and all rows, if each is to be carried out by itself."""
        chunk = list(islice(many, _ROWS_AT_ONCE))
        if not chunk or not is_insert(text):
            return None, _chained(chunk, many)
        columns = parameter_columns(chunk)
        if columns is not None and (kept := self._prepared(text, columns)).write is not None:
            if kept.statement is not None and kept.statement.returning is not None:
                raise ProgrammingError("executemany is not for queries; execute them one by one")
            more = list(_chunks(many))
            following = [parameter_columns(rows) for rows in more]
            if all(each is not None and self._prepared(text, each).write is not None for each in following):
                assert kept.statement is not None
                outcome = self._run(text, columns, (each for each in following if each is not None))
                if outcome is not None:
                    return outcome, ()
            return None, [row for rows in (chunk, *more) for row in rows]
        return None, _chained(chunk, many)

    def _run(self, text: str, columns: ParameterColumns, more: Iterator[ParameterColumns]) -> Outcome | None:
        prepared = self._prepared(text, columns)
        if prepared.write is None or prepared.statement is None:
            return None
        clock = StatementClock.now(prepared.settings.get(TIME_ZONE))
        with self._storage.begin(prepared.database, frozenset({prepared.table})) as transaction:
            if not self._holds(prepared, transaction):
                self._kept.clear()
                return None  # something changed just now: the usual way sees it
            view = transaction.state.table(prepared.table).at()
            with open_sink(self._storage.objects, transaction, prepared.table) as spec:
                run = prepared.write.begin(prepared.settings, spec, self._jobs.open_sink)
                try:
                    batches = run.write(*columns.batch(clock, prepared.write.reads), lambda _: view)
                    for each in more:
                        again = self._prepared(text, each)
                        if again.write is None:
                            return None
                        run.go_on(again.write)
                        batches += run.write(*each.batch(clock, again.write.reads), lambda _: view)
                    rows = run.prepare()
                finally:
                    run.close()
            remove(transaction, prepared.table, removed_rows(run.tokens), view, run.table, prepared.statement.span)
            if rows:
                commit(transaction, prepared.statement)
        result = None
        if prepared.statement.returning is not None:
            result = returned(prepared.write.writing, batches, prepared.settings.get(TIME_ZONE))
        return Outcome(result, message_of(prepared.statement.kind, rows), rows)

    def _prepared(self, text: str, columns: ParameterColumns) -> Prepared:
        key = (text, columns.types, columns.names)
        pinned = self._storage.pin()
        kept = self._kept.get(key)
        if kept is not None and self._current(kept, pinned):
            self._kept.move_to_end(key)
            return kept
        kept = self._kept[key] = self._made(text, columns, pinned)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return kept

    def _made(self, text: str, columns: ParameterColumns, pinned: PinnedStates) -> Prepared:
        settings = self._settings()
        nothing = Prepared(None, None, pinned.schemas, self._catalog.changes, settings)
        clock = StatementClock.now(settings.get(TIME_ZONE))
        try:
            statement = self._bind(text, pinned, columns.references(), PreparedClock(clock.instant, clock.zone))
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

    def _holds(self, prepared: Prepared, transaction: Transaction) -> bool:
        """Whether the table is what it was when the statement was bound."""
        state = transaction.state
        if prepared.database is self._storage.shared.database and state.schemas is not prepared.schemas:
            return False
        return prepared.table in state.tables and state.table(prepared.table).description == prepared.description


def is_insert(text: str) -> bool:
    """Whether it may be an INSERT, at a glance."""
    return text.lstrip()[:6].upper() == "INSERT"


def _chunks(many: Iterator[Parameters]) -> Iterator[list[Parameters]]:
    while chunk := list(islice(many, _ROWS_AT_ONCE)):
        yield chunk


def _chained(chunk: Sequence[Parameters], many: Iterator[Parameters]) -> Iterator[Parameters]:
    yield from chunk
    yield from many
