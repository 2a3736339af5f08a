"""What a session does for statements about streams: it makes streaming tables, waits for them, shows and ends their jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from tableflow.errors import UnsupportedError
from tableflow.physical.text import explain_physical
from tableflow.session.background import BackgroundJob, JobKeeper
from tableflow.session.explain import plan_with_counters
from tableflow.session.fixed_result import FixedResult
from tableflow.session.outcome import Outcome
from tableflow.session.streaming_tables import StreamingTables
from tableflow.session.watermark_text import idle_warning, late_warning, watermark_rows
from tableflow.sql import statements as sql

StreamStatement: TypeAlias = (
    sql.CreateStreamingTable | sql.Flush | sql.ShowJobs | sql.ShowWatermarks | sql.EndJob | sql.ExplainJob
)


class StreamStatements:
    """Carries them out; ``interrupted`` says whether the statement that waits is to give up."""

    def __init__(self, tables: StreamingTables, keeper: JobKeeper, interrupted: Callable[[], bool]) -> None:
        self._tables = tables
        self._keeper = keeper
        self._interrupted = interrupted
        self._changed = False

    def changed(self) -> None:
        """Something has changed that streaming tables may be made of."""
        self._changed = True

    def settle(self) -> None:
        """Waits until streaming tables show what this session has changed."""
        if self._changed:
            self._changed = False
            self._keeper.flush(self._interrupted)

    def carry_out(self, statement: StreamStatement) -> Outcome:
        """One statement."""
        match statement:
            case sql.CreateStreamingTable():
                return self._tables.create(statement)
            case sql.Flush():
                self._keeper.flush(self._interrupted)
                return Outcome(message="all changes are in effect")
            case sql.ShowJobs():
                names = ["id", "target", "state", "began", "error", "query"]
                return Outcome(FixedResult(names, [_job_row(job) for job in self._keeper.jobs]))
            case sql.ShowWatermarks():
                rows = [[str(job.id), *row] for job in self._keeper.running for row in watermark_rows(job)]
                warnings = tuple([f"job {job.id}: {text}" for job in self._keeper.running for text in _warnings(job)])
                return Outcome(
                    FixedResult(["job", "operator", "watermark", "idle", "late rows"], rows), warnings=warnings
                )
            case sql.EndJob():
                return self._end(statement)
            case sql.ExplainJob():
                return self._explain(statement)

    def _end(self, statement: sql.EndJob) -> Outcome:
        job = self._keeper.find(statement.job)
        if not job.running:
            return Outcome(
                message=f"job {job.id} was {job.state.value} already{f'; {job.advice}' if job.advice else ''}"
            )
        if statement.action is sql.JobAction.STOP:
            job.stop()
        else:
            job.cancel()
        return Outcome(message=f"job {job.id} {job.state.value}")

    def _explain(self, statement: sql.ExplainJob) -> Outcome:
        job = self._keeper.find(statement.job)
        counters = job.counters()
        if job.planned is None or counters is None:
            raise UnsupportedError(
                f"job {job.id} has not run", detail=None if job.error is None else str(job.error), hint=job.advice
            )
        if statement.view is sql.JobView.WATERMARK:
            names = ["operator", "watermark", "idle", "late rows"]
            return Outcome(FixedResult(names, watermark_rows(job)), warnings=_warnings(job))
        if statement.view is sql.JobView.ANALYZE:
            text = plan_with_counters(job.planned, counters)
        else:
            text = explain_physical(job.planned.root)
        return Outcome(FixedResult(["plan"], [[line] for line in text.splitlines()]))


def _warnings(job: BackgroundJob) -> tuple[str, ...]:
    """Why windows of a job wait, if it is because of idle sources, and what came too late for them."""
    counters = job.counters()
    if job.planned is None or counters is None:
        return ()
    found = (idle_warning(job.planned, counters), late_warning(job.planned, counters))
    return tuple([warning for warning in found if warning is not None])


def _job_row(job: BackgroundJob) -> list[str | None]:
    began = datetime.fromtimestamp(job.began, UTC).isoformat(" ", "milliseconds")
    error = None if job.error is None else f"{job.error.message}; {job.advice}"
    return [str(job.id), job.description.target, job.state.value, began, error, " ".join(job.description.text.split())]
