"""INSERT INTO tables of connectors: a statement if the query has an end, a job if it has none.

A statement's rows count when all of them have been written, those of a job epoch by epoch.  Invariant: whatever the sink cannot
take (rows that are taken back) is refused before anything is opened.
"""

from __future__ import annotations

from collections.abc import Callable

from tableflow.catalog.written import SinkOffer, SinkRequest, Takes, sink_of
from tableflow.config import TIME_ZONE, Settings
from tableflow.connectors.registry import Sources, settle_sink
from tableflow.connectors.sink_control import SinkControl
from tableflow.errors import CancelledError, InternalError, Span, UnsupportedError
from tableflow.physical.changelog_result import ChangelogResult
from tableflow.physical.stream_write import StreamWrite
from tableflow.planner.logical.nodes import Query
from tableflow.runtime.graph import SinkSpec
from tableflow.session.background import JobDescription, JobKeeper
from tableflow.session.job_result import counts_at
from tableflow.session.jobs import Jobs
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Computed, Planned, compute, finish
from tableflow.session.stream_inserts import is_endless
from tableflow.session.write_plan import sort_last
from tableflow.sql import statements as sql

_ADVICE = (
    "EMIT ON WINDOW CLOSE gives final rows of windows, CREATE STREAMING TABLE ... AS keeps the result; "
    "a sink that takes changes: 'connector' = 'print' or 'blackhole', or files with 'format' = 'changelog-json' or "
    "'debezium-json'"
)


def plan_insert(statement: sql.InsertIntoSink, settings: Settings, control: str | None = None) -> Planned:
    """The job that writes the rows of a statement to its sink."""
    offer = sink_of(statement.table)
    if offer is None:
        raise InternalError("a statement was bound to a table that takes no rows")
    query = Query(sort_last(statement.query.root), statement.query.columns)
    computed = compute(query, settings, anywhere=True, changes=offer.takes is Takes.ANYTHING)
    node = sink_write(statement, computed, offer, settings, control)
    return finish(computed, node, (), settings)


def sink_write(
    statement: sql.InsertIntoSink, computed: Computed, offer: SinkOffer, settings: Settings, control: str | None
) -> StreamWrite:
    """The operator on top of a plan, which it may have to be refused."""
    root, name = computed.root, ".".join(statement.target)
    changes = isinstance(root, ChangelogResult)
    if changes and offer.takes is Takes.APPENDED:
        raise refused(name, offer, statement.span)
    # Before the result's columns there may be that of the kinds.
    values = [computed.columns[i + changes].id for i in statement.values]
    names = [column.name for column in statement.columns]
    if changes:
        values, names = [computed.columns[0].id, *values], [computed.columns[0].name, *names]
    endless = not root.facts.properties.bounded
    request = SinkRequest(name, statement.columns, changes, endless, settings.get(TIME_ZONE), control)
    return StreamWrite(
        fields=(),
        facts=root.facts,
        input=root,
        table=name,
        sink=SinkSpec(*offer.spec(request)),
        columns=tuple(names),
        values=tuple(values),
        required=tuple(i + changes for i, column in enumerate(statement.columns) if not column.nullable),
        appends=True,
        span=statement.span,
    )


def refused(name: str, offer: SinkOffer, span: Span | None) -> UnsupportedError:
    """The error for a query whose result changes and a sink that takes rows for good."""
    return UnsupportedError(
        f"the query takes rows back that it has given; table {name!r} could not",
        hint=offer.advice or _ADVICE,
        span=span,
    )


class SinkInserts:
    """Carries such statements out."""

    def __init__(self, jobs: Jobs, keeper: JobKeeper, sources: Sources, settings: Callable[[], Settings]) -> None:
        self._jobs = jobs
        self._keeper = keeper
        self._sources = sources
        self._settings = settings

    def insert(self, statement: sql.InsertIntoSink, script: str) -> Outcome:
        """Writes all rows; if they never end, begins to write and returns at once."""
        settings = self._settings()
        if is_endless(statement.query.root):
            return self._start(statement, script, settings)
        planned = plan_insert(statement, settings)
        rows = self._run(planned, script, settings)
        return Outcome(message=_inserted(rows), rowcount=rows, warnings=planned.warnings)

    def _start(self, statement: sql.InsertIntoSink, script: str, settings: Settings) -> Outcome:
        control = SinkControl()
        key = self._sources.objects.add(control)
        planned = plan_insert(statement, settings, key)
        name = ".".join(statement.target)
        description = JobDescription(name, script.strip(), control=control)
        job = self._keeper.start(description, planned, self._sources, settings)
        return Outcome(message=f"job {job.id} writes to {name}", warnings=planned.warnings)

    def _run(self, planned: Planned, script: str, settings: Settings) -> int:
        """Runs the plan to its end and commits; how many rows were written."""
        node = planned.root
        if not isinstance(node, StreamWrite):
            raise InternalError("a statement that writes was planned without writing")
        running = self._jobs.start(planned, script, settings)
        done = False
        try:
            while running.next_batch() is not None:
                pass
            running.close()
            if self._jobs.interrupted:
                raise CancelledError("the statement was cancelled")
            settle_sink(node.sink, running.tokens(), commit=True)
            done = True
        finally:
            running.close()
            if not done:
                settle_sink(node.sink, running.tokens(), commit=False)
        place = planned.lowered.places.get(id(node))
        counts = None if place is None else counts_at(running.counters(), place)
        return 0 if counts is None else sum(count for counter, count in counts.named if counter == "changes")


def _inserted(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'} inserted"
