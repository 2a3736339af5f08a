"""What a session does for statements about streams: it makes streaming tables, waits for them, shows and ends their jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from tableflow.errors import CancelledError, JobError
from tableflow.records import replace
from tableflow.session.awaiting import Awaiting, tables_read, tables_shown
from tableflow.session.failed_jobs import Stale, insert_warning, read_warnings, stale
from tableflow.session.job_description import JobState
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.jobs import Jobs
from tableflow.session.outcome import Outcome
from tableflow.session.streaming_tables import StreamingTables
from tableflow.sql import statements as sql
from tableflow.storage.lease import Life, last_holder

if TYPE_CHECKING:
    from tableflow.session.apart_statements import ApartStatements
    from tableflow.session.background_job import BackgroundJob
    from tableflow.session.job_statements import JobStatement

StreamStatement: TypeAlias = (
    sql.CreateStreamingTable | sql.Flush | sql.ShowJobs | sql.ShowWatermarks | sql.EndJob | sql.ExplainJob
)


_PATIENCE_SECONDS = 5.0
_OPEN_SECONDS = 5.0
_AT_ONCE_SECONDS = 0.05
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
        self._apart: ApartStatements | None = None
        self._told: set[int] = set()
        """Failed jobs that FLUSH, or the INSERT itself, has told of and that no statement mends."""
        self._warned: set[int] = set()
        """Failed INSERTs that a warning has told of."""
        self._inserts: list[BackgroundJob] = []
        """Jobs of INSERTs of this session that may still fail."""

    @property
    def told(self) -> frozenset[int]:
        """Failed jobs that somebody knows of."""
        return frozenset(self._told | self._warned)

    def begun_insert(self, job: BackgroundJob) -> None:
        """An INSERT has begun a job; one that fails at once, or cannot open what it reads and writes, is an error of the statement."""
        self._inserts.append(job)
        job.await_begin(_OPEN_SECONDS, _AT_ONCE_SECONDS)
        if job.error is not None:
            self._told.add(job.id)
            raise job.error

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
            case _:
                return self._about_jobs(statement)

    def _about_jobs(self, statement: JobStatement) -> Outcome:
        """Loaded when first asked for, here as in the other process."""
        flushed = self._keeper.running if isinstance(statement, sql.Flush) else ()
        try:
            outcome = self._told_of_jobs(statement)
        except JobError:  # those that could have had their effect have
            self._awaiting.flushed(flushed)
            raise
        self._awaiting.flushed(flushed)
        return outcome

    def _told_of_jobs(self, statement: JobStatement) -> Outcome:
        if self._tables.apart:
            return self._elsewhere().carry_out(statement, self._schema(), self._jobs.endless)
        from tableflow.session.job_statements import JobStatements

        here = JobStatements(self._keeper, self._schema(), lambda: self._jobs.interrupted, self._told)
        database = self._tables.database if self._tables.durable else None
        return here.carry_out(statement, database, self._jobs.endless)

    def stale(self, tables: Set[int]) -> list[Stale]:
        """Which of the database's tables, by id, show old rows because a job has failed or is lost."""
        return stale(self._keeper, tables, self._schema())

    def warned(self, statement: sql.Statement, outcome: Outcome) -> Outcome:
        """The outcome of a statement, with a warning for each table that it read and that shows old rows."""
        jobs, apart = self._keeper.jobs, self._tables.apart
        if not apart and all(job.running or job.state is JobState.FINISHED for job in jobs):
            return outcome
        tables, schema = tables_shown(statement, self._tables.database), self._schema()
        told = read_warnings(self._keeper, tables, schema)
        told += self._failed_inserts([job for job in jobs if job.description.inserts & tables])
        if apart and tables and self._answers():
            told += self._elsewhere().told_of_tables(tables, schema)
        return replace(outcome, warnings=(*outcome.warnings, *told)) if told else outcome

    def _answers(self) -> bool:
        """Whether some process has said where it can be asked about jobs."""
        database = self._tables.database
        try:
            life, holder = last_holder(database.disk, database.clock())
        except OSError:
            return False
        return life is Life.WRITING and holder is not None and bool(holder.address)

    def _elsewhere(self) -> ApartStatements:
        """What asks the process that has the jobs; loaded when it is first wanted."""
        if self._apart is None:
            from tableflow.session.apart_statements import ApartStatements

            self._apart = ApartStatements(self._tables.database, self._keeper, lambda: self._jobs.interrupted)
        return self._apart

    def told_with(self, outcome: Outcome) -> Outcome:
        """The outcome of a statement, with a warning for each INSERT of this session whose job has failed meanwhile."""
        if not self._inserts:
            return outcome
        ended = [job for job in self._inserts if not job.running]
        self._inserts = [job for job in self._inserts if job not in ended]
        told = self._failed_inserts(ended)
        return replace(outcome, warnings=(*outcome.warnings, *told)) if told else outcome

    def untold(self) -> list[str]:
        """A warning for each INSERT of this session that has failed and of which nobody knows: no statement comes any more."""
        return self._failed_inserts(self._inserts)

    def _failed_inserts(self, jobs: Sequence[BackgroundJob]) -> list[str]:
        """A warning for each of these that has failed, unless somebody knows of it."""
        failed = [job for job in jobs if job.state is JobState.FAILED and job.id not in self.told]
        self._warned.update(job.id for job in failed)
        return [insert_warning(job, self._schema()) for job in failed]

    def _check_interrupted(self) -> None:
        if self._jobs.interrupted:
            raise CancelledError("the statement was cancelled")
