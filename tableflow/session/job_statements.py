"""What statements about jobs give in the process in which the jobs run, whoever asks: a session there, or another process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from tableflow.catalog.snapshot import shown_path
from tableflow.errors import CancelledError, CatalogError, Span, UnsupportedError
from tableflow.physical.text import explain_physical
from tableflow.records import dataclass
from tableflow.runtime.counts import JobCounters
from tableflow.session.background_job import BackgroundJob
from tableflow.session.explain import plan_with_counters
from tableflow.session.failed_jobs import flush_refusal, insert_warning, on_one_line, read_warnings, stale, told_of
from tableflow.session.fixed_result import FixedResult
from tableflow.session.job_description import JobState
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.job_result import JobResult
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned
from tableflow.session.streaming_tables import kept_tables
from tableflow.session.watermark_text import COLUMNS, idle_warning, late_warning, watermark_rows
from tableflow.sql import statements as sql
from tableflow.storage.database import Database
from tableflow.types import BIGINT, STRING, SqlType, TimestampType


@dataclass(frozen=True, slots=True)
class TablesRead:
    """No statement that people write: somebody reads these tables, by id, and wants to know which show old rows."""

    tables: frozenset[int]
    place: Span | None = None


JobStatement: TypeAlias = sql.Flush | sql.ShowJobs | sql.ShowWatermarks | sql.EndJob | sql.ExplainJob | TablesRead
JOB_COLUMNS: Mapping[str, SqlType] = {
    "id": BIGINT, "target": STRING, "state": STRING, "began": TimestampType(3), "error": STRING, "query": STRING,
}  # fmt: skip
WATERMARK_COLUMNS: Mapping[str, SqlType] = {"job": BIGINT, **COLUMNS, "query": BIGINT}
WAITING = "waiting"
"""The state of a job that begins when the database is opened for writing."""


class JobStatements:
    """Carries them out; ``schema`` is the current one of who asks, ``interrupted`` whether they have given up."""

    def __init__(self, keeper: JobKeeper, schema: str, interrupted: Callable[[], bool], told: set[int]) -> None:
        self._keeper = keeper
        self._schema = schema
        self._interrupted = interrupted
        self._told = told
        """Failed jobs that FLUSH has told of and that no statement mends; FLUSH adds to them."""

    def carry_out(
        self, statement: JobStatement, database: Database | None, endless: Sequence[JobResult] = ()
    ) -> Outcome:
        """One statement; ``database``: where tables are that jobs keep or should, ``endless`` the queries without end of who asks."""
        match statement:
            case sql.Flush():
                return self.flush()
            case sql.ShowJobs():
                return self.show_jobs(database)
            case sql.ShowWatermarks():
                return self.show_watermarks(endless)
            case sql.EndJob():
                return self.end(statement)
            case sql.ExplainJob():
                return self.explain(statement)
            case TablesRead():
                return self.tell(statement.tables)

    def tell(self, tables: frozenset[int]) -> Outcome:
        """Warnings for who reads these tables elsewhere; of a failed INSERT once."""
        failed = [job for job in self._keeper.jobs if job.state is JobState.FAILED and job.description.inserts & tables]
        fresh = [job for job in failed if job.id not in self._told]
        self._told.update(job.id for job in fresh)
        told = read_warnings(self._keeper, tables, self._schema)
        return Outcome(warnings=(*told, *[insert_warning(job, self._schema) for job in fresh]))

    def flush(self) -> Outcome:
        """FLUSH: an error where a job has failed.

        What a streaming table lacks it lacks until it is dropped or replaced; of an INSERT, which nothing takes off the list, it is told once.
        """
        self._keeper.flush(self._interrupted, everything=True)
        if self._interrupted():
            raise CancelledError("the statement was cancelled")
        failed = [job for job in self._keeper.jobs if job.state is JobState.FAILED and job.id not in self._told]
        if failed:
            self._told.update(job.id for job in failed if job.description.table is None)
            raise flush_refusal(failed, self._schema)
        lost = {job.description.table for job in self._keeper.jobs if job.error is not None}
        tables = {table for table in lost if table is not None}
        warnings = tuple([one.warning() for one in stale(self._keeper, tables, self._schema)])
        return Outcome(message="all changes are in effect", warnings=warnings)

    def show_jobs(self, database: Database | None) -> Outcome:
        """All jobs of the process, and the streaming tables of its database that none keeps."""
        rows = [_job_row(job, self._schema) for job in self._keeper.jobs]
        if database is not None:
            rows += unkept_rows(database, self._keeper, self._schema, WAITING)
        unheard = self._keeper.unheard
        told = (
            ()
            if unheard is None
            else (f"other processes cannot ask about jobs: no socket could be made: {unheard.strerror}",)
        )
        return Outcome(FixedResult.of(JOB_COLUMNS, rows), warnings=told)

    def show_watermarks(self, endless: Sequence[JobResult] = ()) -> Outcome:
        """Time in all jobs, and in queries without end."""
        rows: list[list[Any]] = []
        warnings: list[str] = []
        for job in self._keeper.running:
            counters = job.counters()
            rows += [[job.id, *row, None] for row in watermark_rows(job.planned, counters)]
            warnings += [f"job {job.id}: {text}" for text in _warnings(job.planned, counters)]
        for query in endless:
            done = query.counters()
            rows += [[None, *row, query.number] for row in watermark_rows(query.planned, done)]
            warnings += [f"query {query.number}: {text}" for text in _warnings(query.planned, done)]
        return Outcome(FixedResult.of(WATERMARK_COLUMNS, rows), warnings=tuple(warnings))

    def end(self, statement: sql.EndJob) -> Outcome:
        """STOP JOB and CANCEL JOB."""
        job = self._keeper.find(statement.job)
        if job.state in {JobState.FAILED, JobState.LOST}:
            state = "has failed" if job.state is JobState.FAILED else "is lost"
            raise CatalogError(
                f"job {job.id} {state} already: there is nothing to {statement.action.name.lower()}",
                detail=None if job.error is None else on_one_line(job.error.message),
                hint=job.advice(self._schema),
            )
        if not job.running:
            advice = job.advice(self._schema)
            told = f"job {job.id} was {job.state.value} already{f'; {advice}' if advice else ''}"
            return Outcome(message=told, warnings=(told,))
        if statement.action is sql.JobAction.STOP:
            job.stop()
        else:
            job.cancel()
        return Outcome(message=f"job {job.id} {job.state.value}")

    def explain(self, statement: sql.ExplainJob) -> Outcome:
        """EXPLAIN [ANALYZE | WATERMARK] JOB."""
        job = self._keeper.find(statement.job)
        counters = job.counters()
        if job.planned is None or counters is None:
            raise UnsupportedError(
                f"job {job.id} has not run",
                detail=None if job.error is None else on_one_line(job.error.message),
                hint=job.advice(self._schema),
                span=statement.place,
            )
        if statement.view is sql.JobView.WATERMARK:
            rows = watermark_rows(job.planned, counters)
            return Outcome(FixedResult.of(COLUMNS, rows), warnings=_warnings(job.planned, counters))
        if statement.view is sql.JobView.ANALYZE:
            seconds = time.time() - job.began if job.running else None
            text = plan_with_counters(job.planned, counters, seconds, job.counters_before())
        else:
            text = explain_physical(job.planned.root)
        return Outcome(FixedResult(["plan"], [[line] for line in text.splitlines()]))


def unkept_rows(database: Database, keeper: JobKeeper, schema: str, state: str) -> list[list[Any]]:
    """Rows of SHOW JOBS for the streaming tables that no job of a process keeps."""
    kept = [one for one in kept_tables(database) if keeper.of_table(one.table) is None]
    return [[None, shown_path(one.path, schema), state, None, None, on_one_line(one.definition.text)] for one in kept]


def job_warnings(keeper: JobKeeper) -> list[str]:
    """Of all running jobs: why windows wait, and what came too late."""
    return [f"job {job.id}: {text}" for job in keeper.running for text in _warnings(job.planned, job.counters())]


def _warnings(planned: Planned | None, counters: JobCounters | None) -> tuple[str, ...]:
    """Why windows of a job wait, if it is because of idle sources, and what came too late for them."""
    if planned is None or counters is None:
        return ()
    found = (idle_warning(planned, counters), late_warning(planned, counters))
    return tuple([warning for warning in found if warning is not None])


def _job_row(job: BackgroundJob, schema: str) -> list[Any]:
    began = datetime.fromtimestamp(job.began, UTC).replace(tzinfo=None)
    began = began.replace(microsecond=began.microsecond // 1000 * 1000)
    error = None if job.error is None else f"{told_of(job.error)}; {job.advice(schema)}"
    return [job.id, job.called(schema), job.state.value, began, error, on_one_line(job.description.text)]
