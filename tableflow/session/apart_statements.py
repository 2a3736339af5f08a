"""Statements about jobs in a process that only reads a database: the jobs are those of the process that writes to it, and its own.

Invariant: nothing is said of a job that is not known: the process that has it says how it stands, and where there is none, what the catalog
records is shown as ``waiting``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from tableflow.errors import CancelledError, CatalogError, TableFlowError, UnsupportedError
from tableflow.records import replace
from tableflow.session.fixed_result import FixedResult
from tableflow.session.job_asker import JobAsker, UnaskedError
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.job_result import JobResult
from tableflow.session.job_statements import (
    JOB_COLUMNS,
    WAITING,
    WATERMARK_COLUMNS,
    JobStatement,
    JobStatements,
    TablesRead,
    unkept_rows,
)
from tableflow.session.outcome import Outcome
from tableflow.session.streaming_tables import kept_tables
from tableflow.sql import statements as sql
from tableflow.storage.database import Database
from tableflow.storage.lease import Life

_ELSEWHERE = "elsewhere"
"""The state of a job in a process that cannot be asked."""
_PATIENCE_SECONDS = 1.0
_KNOWN_SECONDS = 1.0
_QUIET_SECONDS = 30.0
"""A reader of tables waits so long for what the process with the jobs says of them, takes that as known for a while, and leaves one
that cannot be asked alone for longer."""
_BEGIN = "the jobs begin when a process opens the database for writing: tableflow run --database DIR"


class ApartStatements:
    """Carries them out, for one session."""

    def __init__(self, database: Database, keeper: JobKeeper, interrupted: Callable[[], bool]) -> None:
        self._database = database
        self._keeper = keeper
        self._interrupted = interrupted
        self._asker = JobAsker(database.disk, database.clock, interrupted)
        self._told: set[int] = set()
        self._known: dict[tuple[frozenset[int], str], tuple[float, tuple[str, ...]]] = {}
        self._quiet_until = 0.0

    def told_of_tables(self, tables: frozenset[int], schema: str) -> tuple[str, ...]:
        """Warnings of the process with the jobs for who reads these tables, by id; none if there is none or it cannot be asked."""
        now = time.monotonic()
        self._known = {each: known for each, known in self._known.items() if known[0] > now}
        known = self._known.get((tables, schema))
        if known is not None or now < self._quiet_until:
            return () if known is None else known[1]
        try:
            found = self._asker.ask(TablesRead(tables), schema, expected=False, patience=_PATIENCE_SECONDS)
        except CancelledError:
            raise
        except TableFlowError:  # the rows are what the reader wants
            self._quiet_until = now + _QUIET_SECONDS
            return ()
        told = () if found is None else found.warnings
        self._known[tables, schema] = (now + _KNOWN_SECONDS, told)
        return told

    def carry_out(self, statement: JobStatement, schema: str, endless: Sequence[JobResult]) -> Outcome:
        """See :meth:`JobStatements.carry_out`."""
        own = JobStatements(self._keeper, schema, self._interrupted, self._told)
        match statement:
            case sql.ShowJobs():
                return self._show_jobs(statement, schema, own)
            case sql.ShowWatermarks():
                there = self._ask(statement, schema)
                return _joined(there or self._no_watermarks(), own.show_watermarks(endless))
            case sql.Flush():
                return self._flush(statement, schema, own)
            case TablesRead():
                return Outcome(warnings=self.told_of_tables(statement.tables, schema))
            case sql.EndJob() | sql.ExplainJob():
                if any(job.id == statement.job for job in self._keeper.jobs):
                    return own.carry_out(statement, None)
                found = self._asker.ask(statement, schema)
                if found is None:
                    raise CatalogError(f"job {statement.job} does not run: {self._nobody()}", hint=_BEGIN)
                return found

    def _ask(self, statement: JobStatement, schema: str) -> Outcome | None:
        return self._asker.ask(statement, schema, expected=bool(kept_tables(self._database)))

    def _show_jobs(self, statement: sql.ShowJobs, schema: str, own: JobStatements) -> Outcome:
        try:
            there = self._ask(statement, schema)
        except UnaskedError as error:
            there = self._recorded(schema, _ELSEWHERE, f"{error.message} ({error.detail})")
        if there is None:
            there = self._recorded(schema, WAITING, f"{self._nobody()}: jobs begin when one does")
        return _joined(there, own.show_jobs(None))

    def _recorded(self, schema: str, state: str, told: str) -> Outcome:
        """What the catalog knows of jobs that nobody tells of."""
        rows = unkept_rows(self._database, self._keeper, schema, state)
        warnings = (f"{told}; what is recorded of them is shown as '{state}'",) if rows else ()
        return Outcome(FixedResult.of(JOB_COLUMNS, rows), warnings=warnings)

    def _no_watermarks(self) -> Outcome:
        warnings = (f"{self._nobody()}: no job runs",) if kept_tables(self._database) else ()
        return Outcome(FixedResult.of(WATERMARK_COLUMNS, []), warnings=warnings)

    def _flush(self, statement: sql.Flush, schema: str, own: JobStatements) -> Outcome:
        """First there, so that jobs of this process that read the tables see what it wrote."""
        there = self._ask(statement, schema)
        if there is None and kept_tables(self._database) and not self._keeper.running:
            raise UnsupportedError(f"FLUSH would wait for ever: {self._nobody()}, so no job runs", hint=_BEGIN)
        here = own.flush()
        if there is not None:
            return replace(there, warnings=(*there.warnings, *here.warnings))
        return replace(here, message=f"{here.message} in the jobs of this process, which only reads the database")

    def _nobody(self) -> str:
        """That no process writes, in words."""
        life, holder = self._asker.last_holder()
        if life is Life.ENDED and holder is not None:
            return f"no process has the database open for writing (process {holder.pid}, which had, has ended without closing it)"
        return "no process has the database open for writing"


def _joined(first: Outcome, second: Outcome) -> Outcome:
    """The rows of both, which have the same columns."""
    assert first.result is not None
    assert second.result is not None
    rows: list[Sequence[Any]] = []
    for result in (first.result, second.result):
        while (batch := result.next_batch()) is not None:
            rows += zip(*[column.to_pylist() for column in batch.columns], strict=True)
    columns = {column.name: column.type for column in first.result.columns}
    return Outcome(FixedResult.of(columns, rows), warnings=(*first.warnings, *second.warnings))
