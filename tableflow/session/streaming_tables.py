"""CREATE STREAMING TABLE: a managed table, the job that keeps it, and both again when the database is opened.

The table, its entry and its definition are made in one transaction; then the job begins.  A job that is started again reads its
inputs from the start and replaces the table's rows in one transaction with the first epoch in which it has passed where it was
(:mod:`tableflow.session.reading`); until then the table shows what it showed before.  One whose inputs cannot be read again is lost, its table stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tableflow.catalog import decisions
from tableflow.catalog.change import PutEntry
from tableflow.catalog.entry import StreamingDefinition, TableEntry, TableKind
from tableflow.catalog.provider import assure, given_once
from tableflow.catalog.snapshot import shown_path, split_path
from tableflow.catalog.store import CatalogStore
from tableflow.config import Settings
from tableflow.connectors.managed import epoch_sink
from tableflow.connectors.managed.epoch_sink import KeptTable
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.registry import Sources
from tableflow.connectors.sink_control import SinkControl
from tableflow.errors import ConnectorError, TableFlowError, UnsupportedError
from tableflow.planner.logical.nodes import Query, Scan
from tableflow.planner.logical.traversal import walk_plan
from tableflow.records import dataclass, replace
from tableflow.runtime.graph import SinkSpec
from tableflow.session.definitions import defined
from tableflow.session.job_description import JobDescription
from tableflow.session.job_keeper import JobKeeper
from tableflow.session.late_sinks import late_tables, with_late_sinks
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned
from tableflow.session.reading import JobReading
from tableflow.session.session_storage import SessionStorage
from tableflow.session.stream_plan import StreamPlan, StreamTarget, as_streams, finish_write, plan_changes
from tableflow.sql import statements as sql
from tableflow.storage.database import Database
from tableflow.storage.description import ChangeKind, KeyConstraint, TableDescription

if TYPE_CHECKING:
    from tableflow.session.background_job import BackgroundJob

Bind = Callable[[str, str], Query]
"""Binds the text of a query in a schema, to what there is now."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A streaming table: where it is, what it is, what it is kept by."""

    path: tuple[str, str]
    table: int
    description: TableDescription
    definition: StreamingDefinition


class StreamingTables:
    """Makes streaming tables and starts their jobs."""

    def __init__(
        self, storage: SessionStorage, catalog: CatalogStore, sources: Sources, settings: Callable[[], Settings]
    ) -> None:
        self._storage = storage
        self._catalog = catalog
        self._sources = sources
        self._settings = settings

    @property
    def database(self) -> Database:
        """Where they are."""
        return self._storage.shared.database

    @property
    def durable(self) -> bool:
        """Whether they outlive this process."""
        return self._storage.shared.durable

    @property
    def apart(self) -> bool:
        """Whether their jobs run, if at all, in another process."""
        return self._storage.shared.apart

    @property
    def _keeper(self) -> JobKeeper:
        return self._storage.shared.keeper

    def create(self, statement: sql.CreateStreamingTable, script: str) -> Outcome:
        """CREATE STREAMING TABLE."""
        schema, name = split_path(statement.name, self._catalog.current)
        self._refuse_temporary(statement.query)
        control = SinkControl()
        plan = self._planned(statement.query, control)
        definition = _definition(statement, plan, self._catalog.current)
        description = _described(statement.description, definition)
        flags = decisions.Creation(statement.if_not_exists, statement.or_replace)
        database = self._storage.of(temporary=False)
        replaced: frozenset[int] = frozenset()
        while True:
            with self._storage.begin(database, replaced, catalog=True) as transaction:
                found = decisions.schema_of(transaction.state.schemas, schema)
                existing = found.permanent.get(name.lower())
                wanted = TableEntry(name, table=transaction.state.next_table, streaming=definition)
                if not decisions.may_create(existing, wanted, flags):
                    return defined(statement, "streaming table", statement.name, "exists already")
                old = existing.table if isinstance(existing, TableEntry) else None
                if old is None:
                    _assure(statement.query)
                else:
                    _refuse_itself(statement.query, old, name)
                    _refuse_gone(statement.query, self._keeper.of_table(old), name)
                    if old not in replaced:
                        self._keeper.check_unread({old: name}, "replaced", self._catalog.current)
                        _assure(statement.query)
                        self._keeper.forget(old)
                        replaced = frozenset({old})
                        continue  # with a transaction that waits for the old table as well
                table = transaction.create(found.name, name, description)
                transaction.change_catalog(PutEntry(found.name, replace(wanted, table=table)))
                transaction.commit(ChangeKind.CREATE)
            break
        self._start(Kept((found.name, name), table, description, definition), plan, control, script, replaces=False)
        outcome = defined(statement, "streaming table", statement.name, "created")
        return replace(outcome, warnings=(*outcome.warnings, *plan.computed.warnings))

    def plan(self, statement: sql.CreateStreamingTable) -> Planned:
        """The plan of the job that would keep the table, which is only shown."""
        plan = plan_changes(as_streams(statement.query, self._storage.objects, self.appends), self._settings())
        target = _target(".".join(statement.name), statement.description, SinkSpec(epoch_sink.KIND, {}))
        return finish_write(plan, target, self._settings())

    def restart(self, bind: Bind) -> None:
        """Starts the jobs of all streaming tables, which this process did not have open before."""
        for kept in kept_tables(self.database):
            again = True
            try:
                control = SinkControl()
                plan = self._planned(bind(kept.definition.text, kept.definition.schema), control)
                again = not plan.gone
                if plan.gone:
                    raise UnsupportedError(
                        f"table {plan.gone[0]!r} cannot be read again from its start: rows that it gave before are gone"
                    )
                self._start(kept, plan, control, kept.definition.text, replaces=True)
            except TableFlowError as error:
                description = JobDescription((kept.path,), kept.definition.text, kept.table, replayable=again)
                self._keeper.lose(description, error)

    def appends(self, table: ManagedProvider) -> bool:
        """Whether rows of a table are never taken back."""
        kept = next((one for one in kept_tables(self.database) if one.table == table.table_id), None)
        job = None if kept is None else self._keeper.of_table(kept.table)
        # A job that was started again replaces all rows once.
        return kept is not None and kept.definition.kind is TableKind.APPEND and job is not None and not job.replaces

    def _planned(self, query: Query, control: SinkControl) -> StreamPlan:
        objects, settings = self._storage.objects, self._settings()
        query = with_late_sinks(query, objects, settings, control)
        return plan_changes(as_streams(query, objects, self.appends), settings)

    def _start(
        self, kept: Kept, plan: StreamPlan, control: SinkControl, script: str, *, replaces: bool
    ) -> BackgroundJob:
        database = self._storage.shared.database
        name = shown_path(kept.path, kept.definition.schema)
        appends = kept.definition.kind is TableKind.APPEND
        sink = KeptTable(database, kept.table, name, appends, replaces)
        key = self._storage.objects.add(sink)
        target = _target(name, kept.description, SinkSpec(epoch_sink.KIND, {"object": key}))
        planned = finish_write(plan, target, self._settings())
        description = JobDescription(
            (kept.path,),
            kept.definition.text,
            kept.table,
            replaces,
            not plan.gone,
            JobReading(sink, plan.made, kept.definition.read),
            control,
            reads=plan.reads,
            late_rows=plan.late_rows,
            sources=plan.sources,
            script=script,
        )
        return self._keeper.start(description, planned, self._sources, self._settings())

    def _refuse_temporary(self, query: Query) -> None:
        """A table that outlives the session cannot be kept by what does not."""
        if self._storage.shared.durable:
            temporary = {entry.provider for entry in self._catalog.temporary_entries() if entry.provider is not None}
            used = [(node.table, node.provider, node.span) for node in walk_plan(query.root) if isinstance(node, Scan)]
            used += [(late.name, late.provider, late.span) for late in late_tables(query) if late.provider is not None]
            for name, provider, span in used:
                if any(provider is one for one in temporary):
                    raise UnsupportedError(
                        f"table {name!r} lives in this session only, the streaming table would outlive it",
                        hint="declare a table with a connector, or use a database in memory",
                        span=span,
                    )


def kept_tables(database: Database) -> Sequence[Kept]:
    """All streaming tables of a database, those first that others may read."""
    found = []
    state = database.state()
    for schema in state.schemas.values():
        for entry in schema.permanent.values():
            if isinstance(entry, TableEntry) and entry.streaming is not None and entry.table is not None:
                description = state.table(entry.table).at().description
                found.append(Kept((schema.name, entry.name), entry.table, description, entry.streaming))
    return sorted(found, key=lambda kept: kept.table)


def _refuse_itself(query: Query, table: int, name: str) -> None:
    """A table that is replaced is gone before the new one could read it."""
    for node in walk_plan(query.root):
        if isinstance(node, Scan) and isinstance(node.provider, ManagedProvider) and node.provider.table_id == table:
            raise UnsupportedError(
                f"table {name!r} cannot be replaced by a query that reads it",
                hint="create a streaming table of another name, or write what it was made of instead of its name",
                span=node.span,
            )


def _refuse_gone(query: Query, job: BackgroundJob | None, name: str) -> None:
    """Rows that can be read once, and that the table's ``job`` or another reader has: the new job would fail, the old rows be lost."""
    for node in walk_plan(query.root):
        if isinstance(node, Scan):
            once, taken = given_once(node.provider)
            if once is not None and (taken or (job is not None and node.origin in job.description.sources)):
                raise ConnectorError(
                    f"table {name!r} cannot be replaced: its query reads {node.table!r}, and the rows of {once} can be read once",
                    hint=f"the table is as it was; register {node.table!r} anew, or create a streaming table that reads {name!r}",
                    span=node.span,
                )


def _assure(query: Query) -> None:
    """What the query reads can be read: the old rows go before the new job begins, and a new table would never have any."""
    scans = {node.origin or node.table: node for node in walk_plan(query.root) if isinstance(node, Scan)}
    for node in scans.values():
        try:
            assure(node.provider)
        except TableFlowError as error:
            error.at(node.span)
            raise


def _target(name: str, description: TableDescription, sink: SinkSpec) -> StreamTarget:
    columns = description.columns
    return StreamTarget(
        name,
        sink,
        tuple(column.name for column in columns),
        tuple(range(len(columns))),
        tuple(i for i, column in enumerate(columns) if not column.nullable),
    )


def _definition(statement: sql.CreateStreamingTable, plan: StreamPlan, schema: str) -> StreamingDefinition:
    columns = statement.description.columns
    declared = statement.description.primary_key
    if declared is not None:
        names = {column.id: column.name for column in columns}
        return StreamingDefinition(
            statement.text, TableKind.KEYED, tuple(names[column] for column in declared.columns), schema
        )
    key = () if plan.key is None else tuple(columns[i].name for i in plan.key)
    return StreamingDefinition(statement.text, plan.kind, key, schema)


def _described(description: TableDescription, definition: StreamingDefinition) -> TableDescription:
    """With the key that follows from the query, where its columns hold no NULL: others find rows by it."""
    if description.primary_key is not None or definition.kind is not TableKind.KEYED or not definition.key:
        return description
    columns = [column for column in description.columns if column.name in definition.key]
    if any(column.nullable for column in columns):
        return description
    key = KeyConstraint("primary_key", tuple(column.id for column in columns), primary=True)
    return replace(description, keys=(key, *description.keys))
