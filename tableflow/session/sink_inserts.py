"""INSERT INTO tables of connectors: a statement if the query has an end, a job if it has none.

A statement's rows count when all of them have been written, those of a job epoch by epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tableflow.catalog.snapshot import folded_path, split_path
from tableflow.config import Settings
from tableflow.connectors.registry import Sources, settle_sink
from tableflow.connectors.sink_control import SinkControl
from tableflow.errors import CancelledError
from tableflow.planner.logical.nodes import Query
from tableflow.planner.stream_facts import is_endless
from tableflow.records import replace
from tableflow.session.guard import notices, statement_text
from tableflow.session.job_description import JobDescription
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.job_result import JobResult, counts_at
from tableflow.session.jobs import Jobs
from tableflow.session.late_sinks import with_late_sinks, written_tables
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned
from tableflow.session.sink_plan import plan_insert
from tableflow.session.statement_sets import plan_statement_set
from tableflow.session.stream_plan import sources_of
from tableflow.sql import statements as sql

if TYPE_CHECKING:
    from tableflow.session.background_job import BackgroundJob


class SinkInserts:
    """Carries such statements out."""

    def __init__(
        self,
        jobs: Jobs,
        keeper: JobKeeper,
        sources: Sources,
        settings: Callable[[], Settings],
        schema: Callable[[], str],
        begun: Callable[[BackgroundJob], None],
    ) -> None:
        """``begun`` is told of each job, and raises if it has failed already."""
        self._begun = begun
        self._schema = schema
        self._jobs = jobs
        self._keeper = keeper
        self._sources = sources
        self._settings = settings

    def insert(self, statement: sql.InsertIntoSink, script: str) -> Outcome:
        """Writes all rows; if they never end, begins to write and returns at once."""
        settings = self._settings()
        if is_endless(statement.query.root):
            name = ".".join(statement.target)
            return self._start(
                statement, lambda query, key: plan_insert(replace(statement, query=query), settings, key), name, script
            )
        query = with_late_sinks(statement.query, self._sources.objects, settings)
        planned = plan_insert(replace(statement, query=query), settings)
        rows = self._run(planned, script, settings)
        return Outcome(message=_inserted(rows), rowcount=rows, warnings=(*notices(statement), *planned.warnings))

    def insert_all(self, statement: sql.StatementSet, script: str) -> Outcome:
        """The same for all statements of a set, together."""
        settings = self._settings()
        name = ", ".join(".".join(one.target) for one in statement.inserts)
        if is_endless(statement.query.root):
            return self._start(
                statement,
                lambda query, key: plan_statement_set(replace(statement, query=query), settings, key),
                name,
                script,
            )
        query = with_late_sinks(statement.query, self._sources.objects, settings)
        planned = plan_statement_set(replace(statement, query=query), settings)
        rows = self._run(planned, script, settings)
        return Outcome(message=_inserted(rows), rowcount=rows, warnings=(*notices(statement), *planned.warnings))

    def _start(
        self,
        statement: sql.InsertIntoSink | sql.StatementSet,
        plan: Callable[[Query, str], Planned],
        name: str,
        script: str,
    ) -> Outcome:
        """Begins a job; ``plan`` makes its plan from the query and the key of what tells the sinks that it will end."""
        settings, objects, control = self._settings(), self._sources.objects, SinkControl()
        query = with_late_sinks(statement.query, objects, settings, control)
        planned = plan(query, objects.add(control))
        inserts = statement.inserts if isinstance(statement, sql.StatementSet) else (statement,)
        targets = [insert.target for insert in inserts]
        description = JobDescription(
            tuple(split_path(target, self._schema()) for target in targets),
            statement_text(statement, script),
            script=script,
            control=control,
            late_rows=written_tables(statement.query),
            sources=sources_of(statement.query),
            targets=frozenset([folded_path(target, self._schema()) for target in targets]),
        )
        job = self._keeper.start(description, planned, self._sources, settings)
        self._begun(job)
        return Outcome(message=f"job {job.id} writes to {name}", warnings=(*notices(statement), *planned.warnings))

    def _run(self, planned: Planned, script: str, settings: Settings) -> int:
        """Runs the plan to its end and commits; how many rows were written."""
        running = self._jobs.start(planned, script, settings)
        done = False
        try:
            while running.next_batch() is not None:
                pass
            running.close()
            if self._jobs.interrupted:
                raise CancelledError("the statement was cancelled")
            _settle(running, commit=True)
            done = True
        finally:
            running.close()
            if not done:
                _settle(running, commit=False)
        place = planned.lowered.places.get(id(planned.root))
        counts = None if place is None else counts_at(running.counters(), place)
        return 0 if counts is None else sum(count for counter, count in counts.named if counter == "changes")


def _settle(running: JobResult, *, commit: bool) -> None:
    for prepared in running.prepared():
        settle_sink(prepared.spec, [prepared.token], commit=commit)


def _inserted(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'} inserted"
