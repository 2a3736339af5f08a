"""INSERT INTO a managed table from rows without end: a job that makes a version of each epoch."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.catalog.entry import TableKind
from tableflow.config import Settings
from tableflow.connectors.managed import epoch_sink
from tableflow.connectors.managed.epoch_sink import KeptTable
from tableflow.connectors.registry import Sources
from tableflow.connectors.sink_control import SinkControl
from tableflow.errors import UnsupportedError
from tableflow.planner.logical.nodes import Node, Scan
from tableflow.planner.logical.traversal import walk_plan
from tableflow.runtime.graph import SinkSpec
from tableflow.session.background import JobDescription, JobKeeper
from tableflow.session.late_sinks import with_late_sinks, written_tables
from tableflow.session.outcome import Outcome
from tableflow.session.stream_plan import StreamTarget, finish_write, plan_changes
from tableflow.session.writing import provider_of
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind


def is_endless(root: Node) -> bool:
    """Whether a query reads something that has no end."""
    return any(isinstance(node, Scan) and not node.provider.bounded for node in walk_plan(root))


class StreamInserts:
    """Starts such jobs; they end with their input, or with the last connection to the database."""

    def __init__(self, keeper: JobKeeper, sources: Sources, settings: Callable[[], Settings]) -> None:
        self._keeper = keeper
        self._sources = sources
        self._settings = settings

    def start(self, statement: sql.Write, script: str) -> Outcome:
        """Begins to write; returns at once."""
        plain = statement.row_id is None and statement.action is None and statement.returning is None
        if statement.kind is not ChangeKind.INSERT or not plain or statement.checks or statement.conflict is not None:
            raise UnsupportedError(
                "only a plain INSERT takes rows without end",
                hint="write INSERT INTO a table without CHECK constraints, or CREATE STREAMING TABLE ... AS",
                span=statement.span,
            )
        table = provider_of(statement)
        control = SinkControl()
        query = with_late_sinks(statement.query, self._sources.objects, self._settings(), control)
        plan = plan_changes(query, self._settings())
        name = ".".join(statement.target)
        if plan.kind is not TableKind.APPEND:
            raise UnsupportedError(
                f"the query takes rows back that it has given; INSERT INTO {name!r} could not",
                hint="CREATE STREAMING TABLE ... AS keeps the result of such a query",
                span=statement.span,
            )
        columns = table.description.columns
        kept = KeptTable(table.database, table.table_id, name, appends=True)
        target = StreamTarget(
            name,
            SinkSpec(epoch_sink.KIND, {"object": self._sources.objects.add(kept)}),
            tuple(column.name for column in columns),
            statement.values,
            tuple(i for i, column in enumerate(columns) if not column.nullable),
        )
        planned = finish_write(plan, target, self._settings())
        description = JobDescription(
            name, script.strip(), control=control, reads=plan.reads, late_rows=written_tables(query)
        )
        job = self._keeper.start(description, planned, self._sources, self._settings())
        return Outcome(message=f"job {job.id} writes to {name}", warnings=planned.warnings)
