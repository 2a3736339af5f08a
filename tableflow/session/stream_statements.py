"""What a session does for statements about streams: it makes streaming tables, waits for them, shows and ends their jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeAlias

from tableflow.errors import CancelledError, CatalogError, UnsupportedError
from tableflow.physical.text import explain_physical
from tableflow.records import replace
from tableflow.runtime.counters import JobCounters
from tableflow.session.awaiting import Awaiting, tables_read, tables_shown
from tableflow.session.background import BackgroundJob, JobKeeper
from tableflow.session.explain import plan_with_counters
from tableflow.session.failed_jobs import Stale, flush_refusal, on_one_line, stale, told_of
from tableflow.session.fixed_result import FixedResult
from tableflow.session.job_description import JobState
from tableflow.session.jobs import Jobs
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned
from tableflow.session.streaming_tables import StreamingTables
from tableflow.session.watermark_text import COLUMNS, idle_warning, late_warning, watermark_rows
from tableflow.sql import statements as sql

StreamStatement: TypeAlias = (
    sql.CreateStreamingTable | sql.Flush | sql.ShowJobs | sql.ShowWatermarks | sql.EndJob | sql.ExplainJob
)


_PATIENCE_SECONDS = 5.0
_ABOUT_JOBS = (sql.ShowJobs, sql.ShowWatermarks, sql.EndJob, sql.ExplainJob)


class StreamStatements:
    """Carries them out; ``jobs`` are those of the session, which may interrupt what waits, ``schema`` the current one."""

    def __init__(self, tables: StreamingTables, keeper: JobKeeper, jobs: Jobs, schema: Callable[[], str]) -> None:
        self._schema = schema
        self._tables = tables
        self._keeper = keeper
        self._jobs = jobs
        self._awaiting = Awaiting(keeper)
        self._stuck = False
        self._told: set[int] = set()
        """Failed jobs that FLUSH has told of and that no statement mends."""

    def changed(self, tables: frozenset[int]) -> None:
        """The session writes to tables, by id, that streaming tables may be made of."""
        self._stuck = False
        self._awaiting.changed(tables)

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """What begins inside is waited for as well."""
        known = set(self._keeper.jobs)
        try:
            yield
        finally:
            self._stuck = False
            self._awaiting.begun(job for job in self._keeper.jobs if job not in known)

    def awaits(self, statement: sql.Statement | None) -> bool:
        """Whether a statement, or one of which nothing is known, has to wait for jobs before it sees what the session has changed."""
        return bool(self._awaiting.due(None if statement is None else tables_read(statement)))

    def settle(self, statement: sql.Statement | None) -> bool:
        """Waits until the tables that a statement reads show what this session has changed; whether there was anything to wait for.

        One that looks at jobs or ends one does not wait for long: a job may be stuck, and it is there to find out.
        """
        looks = isinstance(statement, _ABOUT_JOBS)
        jobs = self._awaiting.due(None if statement is None else tables_read(statement))
        if not jobs or (looks and self._stuck):
            return False
        limit = time.monotonic() + _PATIENCE_SECONDS if looks else math.inf
        self._keeper.flush(lambda: self._jobs.interrupted or time.monotonic() > limit, jobs)
        self._check_interrupted()
        self._stuck = time.monotonic() > limit
        if not self._stuck:
            self._awaiting.flushed(jobs)
        return True

    def carry_out(self, statement: StreamStatement, script: str) -> Outcome:
        """One statement of a script."""
        match statement:
            case sql.CreateStreamingTable():
                with self.beginning():
                    return self._tables.create(statement, script)
            case sql.Flush():
                return self._flush()
            case sql.ShowJobs():
                return self._show_jobs()
            case sql.ShowWatermarks():
                return self._show_watermarks()
            case sql.EndJob():
                return self._end(statement)
            case sql.ExplainJob():
                return self._explain(statement)

    def stale(self, tables: Set[int]) -> list[Stale]:
        """Which of the database's tables, by id, show old rows because a job has failed or is lost."""
        return stale(self._keeper, tables, self._schema())

    def warned(self, statement: sql.Statement, outcome: Outcome) -> Outcome:
        """The outcome of a statement, with a warning for each table that it read and that shows old rows."""
        if all(job.error is None for job in self._keeper.jobs):
            return outcome
        found = self.stale(tables_shown(statement, self._tables.database))
        return replace(outcome, warnings=(*outcome.warnings, *[one.warning() for one in found])) if found else outcome

    def _flush(self) -> Outcome:
        """FLUSH: an error where a job has failed.

        What a streaming table lacks it lacks until it is dropped or replaced; of an INSERT, which nothing takes off the list, it is told once.
        """
        running = self._keeper.running
        if not running and self._tables.apart:
            raise UnsupportedError(
                "FLUSH cannot wait for jobs of another process: this one only reads the database",
                hint="FLUSH in the process that writes to it; what has been committed there is read here without",
            )
        self._keeper.flush(lambda: self._jobs.interrupted, everything=True)
        self._check_interrupted()
        self._awaiting.flushed(running)
        failed = [job for job in self._keeper.jobs if job.state is JobState.FAILED and job.id not in self._told]
        if failed:
            self._told.update(job.id for job in failed if job.description.table is None)
            raise flush_refusal(failed, self._schema())
        lost = {job.description.table for job in self._keeper.jobs if job.error is not None}
        warnings = tuple([one.warning() for one in self.stale({table for table in lost if table is not None})])
        where = " in the jobs of this process, which only reads the database" if self._tables.apart else ""
        return Outcome(message=f"all changes are in effect{where}", warnings=warnings)

    def _check_interrupted(self) -> None:
        if self._jobs.interrupted:
            raise CancelledError("the statement was cancelled")

    def _show_jobs(self) -> Outcome:
        """All jobs of the process, and the streaming tables of a database that another process writes to."""
        rows = [_job_row(job, self._schema()) for job in self._keeper.jobs]
        elsewhere = self._tables.elsewhere()
        rows += [[None, name, "elsewhere", None, None, on_one_line(text)] for name, text in elsewhere]
        told = "jobs run in the process that writes to the database; what is recorded of them is shown as 'elsewhere'"
        return Outcome(
            FixedResult(["id", "target", "state", "began", "error", "query"], rows),
            warnings=(told,) if elsewhere else (),
        )

    def _show_watermarks(self) -> Outcome:
        """Time in all jobs, and in the queries without end whose rows the connection is fetching."""
        running = [(str(job.id), f"job {job.id}", job.planned, job.counters()) for job in self._keeper.running]
        for query in self._jobs.endless:
            name = f"query {query.number}"
            running.append((name, name, query.planned, query.counters()))
        rows: list[list[str | None]] = []
        warnings: list[str] = []
        for shown, name, planned, counters in running:
            rows += [[shown, *row] for row in watermark_rows(planned, counters)]
            warnings += [f"{name}: {text}" for text in _warnings(planned, counters)]
        return Outcome(FixedResult(["job", *COLUMNS], rows), warnings=tuple(warnings))

    def _find(self, statement: sql.EndJob | sql.ExplainJob) -> BackgroundJob:
        try:
            return self._keeper.find(statement.job)
        except CatalogError:
            if not self._tables.apart:
                raise
            raise CatalogError(
                f"job {statement.job} runs in another process, if it runs: this one only reads the database",
                hint="jobs are shown and ended in the process that writes to it; SHOW JOBS says here what is recorded of them",
            ) from None

    def _end(self, statement: sql.EndJob) -> Outcome:
        job = self._find(statement)
        if job.state in {JobState.FAILED, JobState.LOST}:
            state = "has failed" if job.state is JobState.FAILED else "is lost"
            raise CatalogError(
                f"job {job.id} {state} already: there is nothing to {statement.action.name.lower()}",
                detail=None if job.error is None else on_one_line(job.error.message),
                hint=job.advice(self._schema()),
            )
        if not job.running:
            advice = job.advice(self._schema())
            told = f"job {job.id} was {job.state.value} already{f'; {advice}' if advice else ''}"
            return Outcome(message=told, warnings=(told,))
        if statement.action is sql.JobAction.STOP:
            job.stop()
        else:
            job.cancel()
        return Outcome(message=f"job {job.id} {job.state.value}")

    def _explain(self, statement: sql.ExplainJob) -> Outcome:
        job = self._find(statement)
        counters = job.counters()
        if job.planned is None or counters is None:
            raise UnsupportedError(
                f"job {job.id} has not run",
                detail=None if job.error is None else on_one_line(job.error.message),
                hint=job.advice(self._schema()),
                span=statement.place,
            )
        if statement.view is sql.JobView.WATERMARK:
            rows = watermark_rows(job.planned, counters)
            return Outcome(FixedResult(list(COLUMNS), rows), warnings=_warnings(job.planned, counters))
        if statement.view is sql.JobView.ANALYZE:
            seconds = time.time() - job.began if job.running else None
            text = plan_with_counters(job.planned, counters, seconds, job.counters_before())
        else:
            text = explain_physical(job.planned.root)
        return Outcome(FixedResult(["plan"], [[line] for line in text.splitlines()]))


def job_warnings(keeper: JobKeeper) -> list[str]:
    """Of all running jobs: why windows wait, and what came too late."""
    return [f"job {job.id}: {text}" for job in keeper.running for text in _warnings(job.planned, job.counters())]


def _warnings(planned: Planned | None, counters: JobCounters | None) -> tuple[str, ...]:
    """Why windows of a job wait, if it is because of idle sources, and what came too late for them."""
    if planned is None or counters is None:
        return ()
    found = (idle_warning(planned, counters), late_warning(planned, counters))
    return tuple([warning for warning in found if warning is not None])


def _job_row(job: BackgroundJob, schema: str) -> list[str | None]:
    began = datetime.fromtimestamp(job.began, UTC).isoformat(" ", "milliseconds")
    error = None if job.error is None else f"{told_of(job.error)}; {job.advice(schema)}"
    return [str(job.id), job.called(schema), job.state.value, began, error, on_one_line(job.description.text)]
