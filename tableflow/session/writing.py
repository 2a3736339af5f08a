"""INSERT, UPDATE, DELETE, MERGE and the rows of CREATE TABLE AS: from a bound statement to a commit.

A statement waits for its table first and is bound (again, if something was committed meanwhile) to the state that its
transaction has found; so it sees everything that was committed before its own version.  Rows are written by tasks, or
directly if they are constant; then the transaction is committed, and only then anything is said to have happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.representation import boundary, declared
from tableflow.config import TIME_ZONE, Settings
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.managed import sink as managed_sink
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.managed.sink import OpenTransaction, removed_rows
from tableflow.errors import CancelledError, IntegrityError, InternalError, Span, TableFlowError
from tableflow.physical.row_constraints import describe_row
from tableflow.physical.table_write import COUNTERS, TableWrite
from tableflow.physical.value_rows import ONE_ROW
from tableflow.records import dataclass
from tableflow.runtime.graph import SinkSpec
from tableflow.session.committing import commit, end_statement
from tableflow.session.direct import DirectWrite
from tableflow.session.direct_rows import is_direct
from tableflow.session.fixed_result import BatchesResult
from tableflow.session.guard import notices
from tableflow.session.job_result import counts_at
from tableflow.session.jobs import Jobs
from tableflow.session.outcome import OperatorTime, Outcome, ResultColumn
from tableflow.session.parameters import Parameters, naming_row
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.write_plan import Writing, plan_write
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind
from tableflow.storage.table_view import TableView
from tableflow.storage.transaction import Transaction

Rebind = Callable[[PinnedStates], sql.Statement]
"""Binds the statement's text again, to other states."""
BindRow = Callable[[PinnedStates, Parameters], sql.Statement]
"""Binds it to one row of parameters."""


@dataclass(frozen=True, slots=True)
class Written:
    """What happened: rows by what was done, what RETURNING gives, warnings of planning."""

    rows: int
    result: BatchesResult | None = None
    warnings: tuple[str, ...] = ()


class Writer:
    """Carries out statements that write; ``settings`` gives those of the moment."""

    def __init__(self, storage: SessionStorage, jobs: Jobs, settings: Callable[[], Settings]) -> None:
        self._storage = storage
        self._jobs = jobs
        self._settings = settings

    def write(
        self, statement: sql.Write, pinned: PinnedStates, rebind: Rebind, script: str, *, again: bool = True
    ) -> Outcome:
        """Carries a statement out; its message says how many rows it changed.

        What failed because of others (a commit that was taken back, files that are gone) is tried once more if it may be
        carried out ``again``: nothing of it was kept.
        """

        def attempt(bound: sql.Write, state: PinnedStates) -> Outcome | None:
            return self._attempt(bound, state, rebind, script)

        return self._until_done(statement, pinned, attempt, rebind, again=again)

    def _until_done(
        self,
        statement: sql.Write,
        pinned: PinnedStates,
        attempt: Callable[[sql.Write, PinnedStates], Outcome | None],
        rebind: Rebind,
        *,
        again: bool = True,
    ) -> Outcome:
        """What an attempt gives; bound to what there is then another one follows if it gives nothing, or (``again``) after an error that may pass."""
        while True:
            try:
                outcome = attempt(statement, pinned)
            except TableFlowError as error:
                if not error.retryable or not again or self._jobs.interrupted:
                    raise
                again = False
                outcome = None
            if outcome is not None:
                return outcome
            pinned = self._storage.pin()
            bound = rebind(pinned)
            assert isinstance(bound, sql.Write)
            statement = bound

    def _attempt(self, statement: sql.Write, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome | None:
        """The statement, bound to what its transaction finds; None if its table was replaced by another of its name."""
        table = provider_of(statement)
        with self._storage.begin(table.database, frozenset({table.table_id})) as transaction:
            if transaction.state.sequence != pinned.sequence(table.database):
                bound = rebind(pinned.within(table.database, transaction.state))
                assert isinstance(bound, sql.Write)
                statement = bound
                if provider_of(statement).table_id != table.table_id:
                    return None
            returns, view = statement.returning is not None, provider_of(statement).view
            written = self.rows(Writing.of(statement), returns, table.table_id, transaction, view, script)
            if written.rows:
                commit(transaction, statement, numbered=True)
        warnings = (*notices(statement), *written.warnings)
        return Outcome(written.result, message_of(statement.kind, written.rows), written.rows, warnings)

    def write_all(
        self, first: sql.Write, pinned: PinnedStates, bind: BindRow, rows: Sequence[Parameters], script: str
    ) -> Outcome:
        """A statement for each row of parameters, one after the other, as one transaction.

        ``first`` is what the first of them was bound to; errors name the row.
        """

        def attempt(bound: sql.Write, state: PinnedStates) -> Outcome | None:
            return self._attempt_all(bound, state, bind, rows, script)

        return self._until_done(first, pinned, attempt, lambda state: bind(state, rows[0]))

    def _attempt_all(
        self, first: sql.Write, pinned: PinnedStates, bind: BindRow, rows: Sequence[Parameters], script: str
    ) -> Outcome | None:
        """The statements; None if their table was replaced by another of its name."""
        table, total = provider_of(first), 0
        warnings: dict[str, None] = {}
        with self._storage.begin(table.database, frozenset({table.table_id})) as transaction:
            for number, parameters in enumerate(rows):
                with naming_row(number):
                    statement = bind(pinned.within(table.database, transaction.state), parameters)
                    if not isinstance(statement, sql.Write) or provider_of(statement).table_id != table.table_id:
                        return None
                    if self._jobs.interrupted:
                        raise CancelledError("the statement was cancelled")
                    view = provider_of(statement).view
                    written = self.rows(Writing.of(statement), False, table.table_id, transaction, view, script)  # noqa: FBT003
                    if written.rows and number < len(rows) - 1:
                        end_statement(transaction, statement)
                    elif total + written.rows and number == len(rows) - 1:
                        commit(transaction, statement)
                total += written.rows
                warnings |= dict.fromkeys(written.warnings)
        return Outcome(None, message_of(first.kind, total), total, tuple(warnings))

    def rows(
        self, writing: Writing, returns: bool, table: int, transaction: Transaction, view: TableView | None, script: str
    ) -> Written:
        """Writes a query's rows into a transaction, and removes those it names."""
        if is_direct(writing.query.root, self._settings()) and not self._jobs.observed:
            written, tokens = self._directly(writing, returns, transaction, table)
        else:
            with open_sink(self._storage.objects, transaction, table) as spec:
                written, tokens = self._by_job(writing, returns, spec, script)
        remove(transaction, table, removed_rows(tokens), view, writing.table, writing.span)
        return written

    def _by_job(
        self, writing: Writing, returns: bool, spec: SinkSpec, script: str
    ) -> tuple[Written, Sequence[npt.NDArray[np.int64]]]:
        settings = self._settings()
        planned = plan_write(writing, spec, settings)
        running = self._jobs.start(planned, script, settings)
        try:
            batches = []
            kept = running.reserve("operator 'TableWrite' (rows of RETURNING)")
            while (batch := running.next_batch()) is not None:
                kept.resize(kept.bytes + batch.nbytes)
                batches.append(batch)
            kept.release()
            running.close()
            if self._jobs.interrupted:
                raise CancelledError("the statement was cancelled")
            node = planned.root
            place = planned.lowered.places.get(id(node))
            counts = None if place is None else counts_at(running.counters(), place)
            if not isinstance(node, TableWrite) or counts is None:
                raise InternalError("a statement that writes was planned without writing")
            rows = sum(count for name, count in counts.named if name in COUNTERS.values())
            times: Sequence[OperatorTime] = running.times()
            result = BatchesResult(running.columns, running.schema, batches, times) if returns else None
            return Written(rows, result, planned.warnings), running.tokens()
        finally:
            running.close()

    def _directly(
        self, writing: Writing, returns: bool, transaction: Transaction, table: int
    ) -> tuple[Written, Sequence[npt.NDArray[np.int64]]]:
        run = DirectWrite(writing).begin(self._settings(), transaction, table)
        try:
            batches = run.write(ONE_ROW)
            rows = run.prepare()
        finally:
            run.close()
        result = returned(writing, batches, self._settings().get(TIME_ZONE)) if returns else None
        return Written(rows, result), run.tokens


@contextmanager
def open_sink(objects: ObjectStore, transaction: Transaction, table: int) -> Iterator[SinkSpec]:
    """The spec of a sink into a table of a transaction, which can be opened inside the with block."""
    key = objects.add(OpenTransaction(transaction, table))
    try:
        yield SinkSpec(managed_sink.KIND, {"object": key})
    finally:
        objects.remove(key)


def remove(
    transaction: Transaction,
    table: int,
    row_ids: npt.NDArray[np.int64],
    view: TableView | None,
    name: str,
    span: Span | None,
) -> None:
    """Removes rows; if one is named twice, the :class:`IntegrityError` says which it is."""
    if not len(row_ids):
        return
    twice = np.flatnonzero(row_ids[1:] == row_ids[:-1])
    if len(twice) and view is not None:
        described = view.description
        shown = described.primary_key.columns if described.primary_key else [c.id for c in described.columns]
        values = view.fetch(row_ids[twice[:1]], list(shown))
        which = describe_row([described.column(column).name for column in shown], values)
        raise IntegrityError(
            f"a row of table {name!r} would be changed more than once",
            detail=f"it is the row with {which}; nothing was written",
            hint="make sure that the source of the statement has one row for each row that it changes",
            span=span,
        )
    try:
        transaction.delete(table, row_ids)
    except TableFlowError as error:
        raise error.at(span) from None


def returned(writing: Writing, batches: Sequence[Batch], zone: str) -> BatchesResult:
    """What RETURNING gives of rows that were written without a job."""
    fields = [writing.query.columns[i] for i in writing.returning]
    # The operator gives each column once, in the order of the query.
    given = {column: place for place, column in enumerate(sorted(set(writing.returning)))}
    schema = pa.schema([pa.field(f.name, declared(f.type, zone)) for f in fields])
    made = []
    for batch in batches:
        arrays = [boundary(batch.columns[given[i]], zone=zone) for i in writing.returning]
        made.append(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return BatchesResult([ResultColumn(f.name, f.type, f.nullable) for f in fields], schema, made)


def provider_of(statement: sql.Write | sql.AlterTable) -> ManagedProvider:
    """The provider that the statement was bound to."""
    table = statement.table
    if not isinstance(table, ManagedProvider):
        raise InternalError("a statement was bound to a table of another catalog")
    return table


def message_of(kind: ChangeKind, rows: int) -> str:
    """How many rows were changed, in words."""
    return f"{rows:,} row{'' if rows == 1 else 's'} {_DONE.get(kind.name, 'written')}"


_DONE = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted", "MERGE": "merged", "COPY": "copied"}
