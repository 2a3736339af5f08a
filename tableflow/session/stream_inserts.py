"""INSERT INTO a managed table from rows without end: a job that makes a version of each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tableflow.catalog.entry import TableKind
from tableflow.catalog.snapshot import folded_path, split_path
from tableflow.config import Settings
from tableflow.connectors.managed import epoch_sink
from tableflow.connectors.managed.epoch_sink import KeptTable
from tableflow.connectors.registry import Sources
from tableflow.connectors.sink_control import SinkControl
from tableflow.errors import UnsupportedError
from tableflow.records import replace
from tableflow.runtime.graph import SinkSpec
from tableflow.session.guard import notices, statement_text
from tableflow.session.job_description import JobDescription
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.late_sinks import with_late_sinks, written_tables
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned
from tableflow.session.stream_plan import StreamPlan, StreamTarget, finish_write, plan_changes
from tableflow.session.writing import provider_of
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind

if TYPE_CHECKING:
    from tableflow.session.background_job import BackgroundJob


def refuse_more(statement: sql.Write) -> None:
    """Refuses what a statement does besides adding rows: a job does that epoch by epoch, and looks at no other rows."""
    if statement.conflict_at is not None:
        order = "ts" if statement.conflict is None else "ts DESC"
        which = "first" if statement.conflict is None else "newest"
        raise UnsupportedError(
            "ON CONFLICT needs rows that end",
            detail="the query never ends, and its rows are added as they come",
            hint=f"CREATE STREAMING TABLE ... AS SELECT ... QUALIFY row_number() OVER (PARTITION BY key ORDER BY {order}) = 1 "
            f"keeps the {which} row of each key",
            span=statement.conflict_at,
        )
    if statement.returning is not None:
        raise UnsupportedError(
            "RETURNING needs rows that end",
            detail="the query never ends: INSERT begins a job, and returns at once",
            hint="leave RETURNING out; con.table(...).subscribe() gives rows as they are added",
            span=statement.returning_at,
        )
    if statement.checks:
        raise UnsupportedError(
            f"table {'.'.join(statement.target)!r} has CHECK constraints, and takes no rows without end",
            hint="INSERT INTO a table without them, with their conditions in WHERE; or CREATE STREAMING TABLE ... AS",
            span=statement.place,
        )
    if statement.kind is not ChangeKind.INSERT or statement.row_id is not None or statement.action is not None:
        raise UnsupportedError(
            "only INSERT takes rows without end",
            hint="CREATE STREAMING TABLE ... AS keeps the result of a query that never ends",
            span=statement.span,
        )


class StreamInserts:
    """Starts such jobs; they end with their input, or with the last connection to the database."""

    def __init__(
        self,
        keeper: JobKeeper,
        sources: Sources,
        settings: Callable[[], Settings],
        schema: Callable[[], str],
        begun: Callable[[BackgroundJob], None],
    ) -> None:
        """``begun`` is told of each job, and raises if it has failed already."""
        self._begun = begun
        self._schema = schema
        self._keeper = keeper
        self._sources = sources
        self._settings = settings

    def start(self, statement: sql.Write, script: str) -> Outcome:
        """Begins to write; returns at once."""
        objects, settings, control = self._sources.objects, self._settings(), SinkControl()
        query = with_late_sinks(statement.query, objects, settings, control)
        name, table = ".".join(statement.target), provider_of(statement)
        kept = objects.add(KeptTable(table.database, table.table_id, name, appends=True))
        plan, planned = self.plan(replace(statement, query=query), SinkSpec(epoch_sink.KIND, {"object": kept}))
        description = JobDescription(
            (split_path(statement.target, self._schema()),),
            statement_text(statement, script),
            script=script,
            control=control,
            reads=plan.reads,
            late_rows=written_tables(query),
            inserts=frozenset({table.table_id}),
            sources=plan.sources,
            targets=frozenset({folded_path(statement.target, self._schema())}),
        )
        job = self._keeper.start(description, planned, self._sources, settings)
        self._begun(job)
        return Outcome(message=f"job {job.id} writes to {name}", warnings=(*notices(statement), *planned.warnings))

    def plan(self, statement: sql.Write, sink: SinkSpec) -> tuple[StreamPlan, Planned]:
        """The plan of its job; an error for what such a job does not do."""
        refuse_more(statement)
        settings = self._settings()
        plan = plan_changes(statement.query, settings)
        name = ".".join(statement.target)
        if plan.kind is not TableKind.APPEND:
            raise UnsupportedError(
                f"the query takes rows back that it has given; INSERT INTO {name!r} could not",
                hint="CREATE STREAMING TABLE ... AS keeps the result of such a query",
                span=statement.span,
            )
        columns = statement.table.description.columns
        target = StreamTarget(
            name,
            sink,
            tuple(column.name for column in columns),
            statement.values,
            tuple(i for i, column in enumerate(columns) if not column.nullable),
        )
        return plan, finish_write(plan, target, settings)
