"""One statement for many rows of parameters: it means what its executions one after the other mean, and is one transaction.

INSERT ... VALUES is bound once for each run of rows whose values have the same types, and its rows are written together.  With ON
CONFLICT DO UPDATE a later row may find what an earlier one wrote: so a key that comes again begins the next statement of the
transaction.  Whatever else writes is bound and carried out row by row, each on top of those before.  All rows of
parameters are there, and INSERT ... VALUES is bound to all of them, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tableflow.config import TIME_ZONE
from tableflow.connectors.managed.sink import removed_rows
from tableflow.errors import CancelledError, DataError, ProgrammingError, TableFlowError
from tableflow.expressions.functions.statement import StatementClock
from tableflow.records import replace
from tableflow.session.committing import commit, end_statement, writes_its_rows
from tableflow.session.direct import DirectRun
from tableflow.session.direct_rows import is_constant, rows_of, runs_of_distinct_keys
from tableflow.session.jobs import Jobs
from tableflow.session.outcome import Outcome
from tableflow.session.parameters import ParameterRun, Parameters, naming_row, of_row, parameter_runs
from tableflow.session.prepared import Prepared, PreparedInserts, is_insert
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.writing import BindRow, Writer, message_of, remove
from tableflow.sql import statements as sql
from tableflow.storage.key_check import DuplicateKeyError
from tableflow.storage.table_view import TableView
from tableflow.storage.transaction import Transaction

Bound: TypeAlias = list[tuple[Prepared, ParameterRun]]
_MOST_TRIED = 10_000
"""Of more rows the one that breaks a key is not looked for by trying, halves after halves."""


class ManyRows:
    """Carries out ``executemany``."""

    def __init__(self, prepared: PreparedInserts, writer: Writer, storage: SessionStorage, jobs: Jobs) -> None:
        self._prepared = prepared
        self._writer = writer
        self._storage = storage
        self._jobs = jobs

    def execute(
        self, text: str, rows: Sequence[Parameters], bind: BindRow, run: Callable[[Parameters], Outcome]
    ) -> Outcome | None:
        """The statement for all rows, of which none counts if one fails; None without rows.

        A statement that is none of those that write is ``run`` for one row after the other.
        """
        if not rows:
            return None
        if is_insert(text):
            bound = self._bound(text, rows)
            outcome = None if bound is None else self._write(bound)
            if outcome is not None:
                return outcome
        pinned = self._storage.pin()
        with naming_row(0):
            first = bind(pinned, rows[0])
        if isinstance(first, (sql.QueryStatement, sql.Explain, sql.Show, sql.ShowVersions, sql.Describe)):
            raise _no_queries()
        if isinstance(first, sql.Write):
            return self._one_by_one(first, rows, pinned, bind, text)
        outcomes = [run(each) for each in rows]
        counts = [outcome.rowcount for outcome in outcomes]
        return replace(outcomes[-1], rowcount=sum(counts)) if min(counts) >= 0 else outcomes[-1]

    def _bound(self, text: str, rows: Sequence[Parameters]) -> Bound | None:
        """The statement for each run of rows; None if one of them needs a job."""
        bound: Bound = []
        for run in parameter_runs(rows):
            prepared = self._prepared.find(text, run)
            if prepared.write is None or prepared.statement is None:
                with naming_row(run.first):
                    self._prepared.check(text, run.rows[0])
                return None
            if prepared.statement.returning is not None:
                raise _no_queries()
            bound.append((prepared, run))
        return bound

    def _write(self, bound: Bound) -> Outcome | None:
        try:
            return self._attempt(bound)
        except DuplicateKeyError as error:
            number = self._row_of(error, bound)
            raise (error if number is None else of_row(error, number)) from None

    def _attempt(self, bound: Bound, *, only_try: bool = False) -> Outcome | None:
        """All of it; None if something changed.  ``only_try``: what is written is checked, and given up."""
        first = bound[0][0]
        assert first.statement is not None
        clock = StatementClock.now(first.settings.get(TIME_ZONE))
        with self._storage.begin(first.database, frozenset({first.table})) as transaction:
            if not all(
                prepared.table == first.table and self._prepared.holds(prepared, transaction) for prepared, _ in bound
            ):
                return None  # something changed just now: the usual way sees it
            write = self._together if first.statement.conflict is None else self._in_order
            total = write(bound, transaction, clock)
            if total:
                (end_statement if only_try else commit)(transaction, first.statement)
        return Outcome(None, message_of(first.statement.kind, total), total)

    def _row_of(self, error: DuplicateKeyError, bound: Bound) -> int | None:
        """The first row of parameters whose rows break a key; None if it would take too long to find."""
        statement, total = bound[0][0].statement, sum(len(run.rows) for _, run in bound)
        assert statement is not None
        if error.number is not None and writes_its_rows(statement) and error.rows % total == 0:
            return error.number // (error.rows // total)
        good, bad = 0, total if total <= _MOST_TRIED else 0
        try:
            while bad - good > 1:
                middle = (good + bad) // 2
                try:
                    if self._attempt(_beginning(bound, middle), only_try=True) is None:
                        return None
                    good = middle
                except DuplicateKeyError as same:
                    if same.values != error.values:
                        return None  # somebody else has written meanwhile
                    bad = middle
        except TableFlowError:
            return None
        return good if bad else None

    def _in_order(self, bound: Bound, transaction: Transaction, clock: StatementClock) -> int:
        """A statement of the transaction for each run of rows without a key that comes again."""
        total = written = 0
        for prepared, run in bound:
            assert prepared.write is not None
            assert prepared.statement is not None
            query = prepared.write.writing.query
            for start, stop in runs_of_distinct_keys(query, *run.batch(clock, prepared.write.reads)):
                if written:
                    end_statement(transaction, prepared.statement)
                part = run.part(start, stop)
                try:
                    written = self._together([(prepared, part)], transaction, clock)
                except TableFlowError as error:
                    raise (error if stop - start > 1 else of_row(error, part.first)) from None
                total += written
        return total

    def _together(self, bound: Bound, transaction: Transaction, clock: StatementClock) -> int:
        """All rows as one statement."""
        first = bound[0][0]
        assert first.write is not None
        assert first.statement is not None
        view = transaction.state.table(first.table).at()
        counted = is_constant(first.write.writing.query.root)
        running = first.write.begin(first.settings, transaction, first.table, counted=counted)
        try:
            for prepared, run in bound:
                if self._jobs.interrupted:
                    raise CancelledError("the statement was cancelled")
                _write_run(running, prepared, run, clock, view)
            rows = running.prepare()
        finally:
            running.close()
        remove(transaction, first.table, removed_rows(running.tokens), view, running.table, first.statement.span)
        return rows

    def _one_by_one(
        self, first: sql.Write, rows: Sequence[Parameters], pinned: PinnedStates, bind: BindRow, script: str
    ) -> Outcome:
        if first.returning is not None:
            raise _no_queries()

        return self._writer.write_all(first, pinned, bind, rows, script)


def _beginning(bound: Bound, rows: int) -> Bound:
    """The statements for the first rows of parameters."""
    found: Bound = []
    for prepared, run in bound:
        if rows > 0:
            found.append((prepared, run.part(0, min(rows, len(run.rows)))))
        rows -= len(run.rows)
    return found


def _write_run(run: DirectRun, prepared: Prepared, rows: ParameterRun, clock: StatementClock, view: TableView) -> None:
    """Writes the rows; an error of their values says which of them it is."""
    assert prepared.write is not None
    run.go_on(prepared.write)

    def evaluate(part: ParameterRun) -> None:
        assert prepared.write is not None
        rows_of(prepared.write.writing.query, *part.batch(clock, prepared.write.reads), lambda _: view)

    try:
        run.write(*rows.batch(clock, prepared.write.reads), lambda _: view)
    except DataError:
        with naming_row(rows.first + _first_that_fails(rows, evaluate)):
            raise


def _first_that_fails(rows: ParameterRun, evaluate: Callable[[ParameterRun], None]) -> int:
    """The first row without which the rows before it can be evaluated, by halves."""
    good, bad = 0, len(rows.rows)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            evaluate(rows.part(good, middle))
        except DataError:
            bad = middle
        else:
            good = middle
    return good


def _no_queries() -> ProgrammingError:
    return ProgrammingError("executemany is not for queries; execute them one by one")
