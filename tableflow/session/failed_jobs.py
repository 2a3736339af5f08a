"""What people are told of jobs that have failed or are lost: the tables that these kept show their rows on, and the rows grow old.

Invariant: whoever reads such a table, or one that other jobs make of it, is told; FLUSH and a subscription, which promise what is
new, fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence, Set
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa

from tableflow.errors import JobError, TableFlowError
from tableflow.records import dataclass
from tableflow.session.awaiting import following
from tableflow.session.job_description import JobState
from tableflow.session.restarting_result import RestartingResult

if TYPE_CHECKING:
    from tableflow.session.background_job import BackgroundJob
    from tableflow.session.job_keeper import JobKeeper
    from tableflow.session.job_result import JobResult

_SLICE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Stale:
    """A table, as it is called, that shows old rows because of a job, which kept it or one that it is made of."""

    table: str
    job: BackgroundJob
    schema: str

    def warning(self) -> str:
        """One line."""
        job = self.job
        told = "" if job.error is None else f" ({told_of(job.error)})"
        return f"{self._message()}{told}; {job.advice(self.schema)}"

    def error(self) -> JobError:
        """Why nothing new comes of the table."""
        detail = None if self.job.error is None else told_of(self.job.error)
        return JobError(self._message(), detail=detail, hint=self.job.advice(self.schema))

    def _message(self) -> str:
        kept = self.job.called(self.schema)
        kept = "it" if kept == self.table else f"{kept!r}, which it is made of,"
        state = "is lost" if self.job.state is JobState.LOST else "has failed"
        return f"table {self.table!r} shows old rows: job {self.job.id}, which kept {kept} up to date, {state}"


def stale(keeper: JobKeeper, tables: Set[int], schema: str) -> list[Stale]:
    """Which of the tables, by id, show old rows; ``schema`` is the current one."""
    found = []
    jobs = keeper.jobs
    for job in jobs:
        if job.error is not None and job.description.table is not None:
            behind = [one for one in following(jobs, {job.description.table}) if one.error is None]
            found += [
                Stale(one.called(schema), job, schema) for one in (job, *behind) if one.description.table in tables
            ]
    return found


def ended_notices(jobs: Sequence[BackgroundJob], tables: Set[int], schema: str) -> list[str]:
    """Of tables, by id, that are as they were when somebody ended a job: a line each."""
    told = []
    for job in jobs:
        table = job.description.table
        if table is None or job.until is None or job.state not in {JobState.STOPPED, JobState.CANCELLED}:
            continue
        when = datetime.fromtimestamp(job.until, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for one in (job, *following(jobs, {table})):
            if one.description.table in tables and one.error is None:
                kept = "it" if one is job else f"{job.called(schema)!r}, which it is made of,"
                told.append(
                    f"table {one.called(schema)!r} is as of {when} UTC: job {job.id}, which kept {kept} up to date, was "
                    f"{job.state.value} then; {job.advice(schema)}"
                )
    return told


def read_warnings(keeper: JobKeeper, tables: Set[int], schema: str) -> list[str]:
    """What to say to somebody who reads these tables, by id: which show old rows."""
    told = [one.warning() for one in stale(keeper, tables, schema)]
    return told + ended_notices(keeper.jobs, tables, schema)


def insert_warning(job: BackgroundJob, schema: str) -> str:
    """What to say of an INSERT whose job has failed."""
    told = "" if job.error is None else f" ({told_of(job.error)})"
    return f"table {job.called(schema)!r} lacks rows: job {job.id}, an INSERT, has failed{told}; {job.advice(schema)}"


def flush_refusal(failed: Sequence[BackgroundJob], schema: str) -> JobError:
    """Why not all changes are in effect."""
    names = " and ".join(f"job {job.id}, which writes to {job.called(schema)!r}," for job in failed)
    told = [f"job {job.id}: {told_of(job.error)}" for job in failed if job.error is not None]
    return JobError(
        f"not all changes are in effect: {names} {'has' if len(failed) == 1 else 'have'} failed",
        detail="; ".join(told),
        hint="; ".join(job.advice(schema) for job in failed),
    )


class Subscription(RestartingResult):
    """Rows and changes of tables until a job has failed that they come from: then all that has come by then, and why no more does."""

    def __init__(
        self, result: JobResult, again: Callable[[], JobResult], failure: Callable[[], TableFlowError | None]
    ) -> None:
        super().__init__(result, again)
        self._failure = failure
        self._ended: TableFlowError | None = None
        self._rest: Iterator[pa.RecordBatch] = iter(())

    def next_batch(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """See :class:`~tableflow.session.outcome.Result`."""
        limit = None if timeout is None else time.monotonic() + timeout
        while self._ended is None:
            left = _SLICE_SECONDS if limit is None else min(_SLICE_SECONDS, max(0.0, limit - time.monotonic()))
            try:
                return super().next_batch(left)
            except TimeoutError:
                self._ended = self._failure()
                if self._ended is not None:
                    self._rest = self.running.settled()
                elif limit is not None and time.monotonic() >= limit:
                    raise
        batch = next(self._rest, None)
        if batch is None:
            self.close()
            raise self._ended
        return batch


def told_of(error: TableFlowError) -> str:
    """What failed, with its detail and what to do, on one line."""
    told = f"{error.message} ({error.detail})" if error.detail else error.message
    return on_one_line(f"{told}; {error.hint}" if error.hint else told)


def on_one_line(text: str) -> str:
    """Without the ends of lines."""
    return " ".join(text.split())
