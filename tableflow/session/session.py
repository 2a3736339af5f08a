"""A session: statements in, outcomes out."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tableflow.catalog.store import CatalogStore
from tableflow.config import TIME_ZONE, Settings
from tableflow.connectors.registry import Sources, create_provider, file_provider
from tableflow.errors import CatalogError, InternalError, TableFlowError
from tableflow.expressions.functions.statement import JobClock, StatementClock
from tableflow.planner.logical.nodes import Query
from tableflow.planner.stream_facts import is_endless
from tableflow.records import replace
from tableflow.session.awaiting import tables_scanned
from tableflow.session.collection import collection_held
from tableflow.session.databases import open_database
from tableflow.session.definitions import Definitions
from tableflow.session.guard import guarded, only_statement, pointing, unicode_text
from tableflow.session.job_result import JobResult
from tableflow.session.jobs import Jobs
from tableflow.session.late_sinks import absent_tables, with_late_sinks, written_late
from tableflow.session.news import News
from tableflow.session.outcome import Outcome
from tableflow.session.planned import plan
from tableflow.session.queries import ATTEMPTS, Queries, quoted
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.stream_plan import as_streams, batch, streaming
from tableflow.session.stream_statements import StreamStatements
from tableflow.session.streaming_tables import StreamingTables
from tableflow.session.writing import Rebind, Writer
from tableflow.sql import statements as sql
from tableflow.sql.binder import bind
from tableflow.sql.splitter import ScriptStatement, split
from tableflow.storage.failure import StaleStateError

if TYPE_CHECKING:
    from tableflow.session.explaining import Explanations
    from tableflow.session.many_rows import ManyRows
    from tableflow.session.prepared import PreparedInserts
    from tableflow.session.registrations import Registrations
    from tableflow.session.sink_inserts import SinkInserts
    from tableflow.session.stream_inserts import StreamInserts
    from tableflow.session.verification import Leg

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]
T = TypeVar("T")


class Session:
    """Catalog, settings, database and worker threads of one connection; used from one thread at a time."""

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        database: str | Path | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.settings = Settings().with_values(settings or {})
        sources = Sources(self.settings)
        shared = open_database(database, self.settings, read_only=read_only)
        self.storage = SessionStorage(shared, sources.objects, lambda: self.settings)
        if not shared.first:
            self.storage.configure(lambda known: known.with_values(settings or {}))
        self.catalog = CatalogStore(file_provider, create_provider, self.storage)
        self._sources = sources
        self.jobs = Jobs(sources)
        self.storage.interrupted = lambda: self.jobs.interrupted
        self.writer = Writer(self.storage, self.jobs, lambda: batch(self.settings))
        self._news = News(shared.database)
        self._queries = Queries(self.catalog, self.storage, self.jobs, lambda: self.settings)
        self._definitions = Definitions(self.catalog, self.storage, self.writer, self._queries.has_row)
        self.storage.dropping = self._definitions.end_jobs
        self._streaming = StreamingTables(self.storage, self.catalog, sources, lambda: self.settings)
        self._streams = StreamStatements(self._streaming, shared.keeper, self.jobs, lambda: self.catalog.current)
        self.storage.changing = self._streams.changed
        if shared.first and shared.writable:
            self._streaming.restart(self._bind_query)

    # What few processes ask for is loaded when they do.

    @cached_property
    def registrations(self) -> Registrations:
        """Tables whose contents live in the program."""
        from tableflow.session.registrations import Registrations

        return Registrations(self.catalog, self._sources.objects)

    @cached_property
    def _prepared(self) -> PreparedInserts:
        from tableflow.session.prepared import PreparedInserts

        return PreparedInserts(self._bind_prepared, self.catalog, self.storage, lambda: self.settings)

    @cached_property
    def _many(self) -> ManyRows:
        from tableflow.session.many_rows import ManyRows

        return ManyRows(self._prepared, self.writer, self.storage, self.jobs)

    @cached_property
    def _inserts(self) -> StreamInserts:
        from tableflow.session.stream_inserts import StreamInserts

        return StreamInserts(
            self.storage.shared.keeper, self._sources, lambda: self.settings, lambda: self.catalog.current,
            self._streams.begun_insert,
        )  # fmt: skip

    @cached_property
    def _explanations(self) -> Explanations:
        from tableflow.session.explaining import Explanations

        return Explanations(self.jobs, lambda: self.settings, self._carry_out, self._streaming, self._inserts)

    @cached_property
    def _sink_inserts(self) -> SinkInserts:
        from tableflow.session.sink_inserts import SinkInserts

        return SinkInserts(
            self.jobs, self.storage.shared.keeper, self._sources, lambda: self.settings, lambda: self.catalog.current,
            self._streams.begun_insert,
        )  # fmt: skip

    def execute(self, text: str, parameters: Parameters = ()) -> Outcome:
        """Runs one statement."""
        self.jobs.begin_statement()
        if parameters:
            outcome = guarded(text, lambda: self._prepared.execute(text, parameters))
            if outcome is not None:
                return self._told_with(outcome)
        part = only_statement(text)
        return self._run(part.text, part.start, text, parameters)

    def execute_many(self, text: str, rows: Sequence[Parameters]) -> Outcome | None:
        """Runs one statement for many rows of parameters: as one transaction, if it is one that writes; None without rows."""
        self.jobs.begin_statement()
        only = only_statement(text)

        def bound(pinned: PinnedStates, parameters: Parameters) -> sql.Statement:
            return self._bind_writing(only, pinned, parameters)

        def run(parameters: Parameters) -> Outcome:
            return self._run(only.text, only.start, text, parameters)

        return guarded(text, lambda: self._many.execute(text, rows, bound, run))

    def _bind_prepared(
        self, text: str, pinned: PinnedStates, parameters: Parameters, clock: StatementClock
    ) -> sql.Statement:
        return self._bind_writing(only_statement(text), pinned, parameters, clock)

    def _bind_writing(
        self, part: ScriptStatement, pinned: PinnedStates, parameters: Parameters, clock: StatementClock | None = None
    ) -> sql.Statement:
        with collection_held():
            statement = bind(part.text, part.start, self.catalog.snapshot(pinned), self.settings, parameters, clock)
        if isinstance(statement, sql.Write):
            self._definitions.check_not_kept(statement.target, pinned, "written to", statement.place)
        return statement

    def script(self, text: str) -> Iterator[Outcome]:
        """Runs a script's statements one after the other, each when the one before has been taken."""
        for part in split(unicode_text(text)):
            self.jobs.begin_statement()
            yield self._run(part.text, part.start, text, ())

    def append(self, name: tuple[str, ...], data: Any) -> Outcome:
        """Appends Arrow data (anything with an Arrow stream) to a managed table, column by name, in one transaction."""
        from tableflow.session.appending import append

        self.jobs.begin_statement()

        def bound(text: str, catalog: Any) -> sql.Statement:
            return bind(text, 0, catalog, self.settings)

        return guarded(
            "append",
            lambda: append(
                name, data, self.storage.objects, bound, self.catalog.snapshot, self.storage.pin, self.writer
            ),
        )

    def verify(self, text: str, *, late: bool = False) -> Iterator[Leg]:
        """Runs a query over finished data as batch and as streams, ``late``: also with rows beyond what their watermark allows.

        Gives what came of each, one after the other.
        """
        self.jobs.begin_statement()
        return self._queries.verify(text, late=late)

    def subscribe(self, name: tuple[str, ...]) -> Outcome:
        """The rows of a table and then all its changes, without end."""
        from tableflow.session.failed_jobs import Subscription

        self.jobs.begin_statement()

        def run() -> Outcome:
            self._streams.settle(None)
            text = f"SELECT * FROM {quoted(name)}"
            bound = self._bind_query(text, self.catalog.current)
            tables = tables_scanned(bound, self.storage.shared.database)

            def failure() -> TableFlowError | None:
                return next((one.error() for one in self._streams.stale(tables)), None)

            if (failed := failure()) is not None:
                raise failed
            query = as_streams(bound, self.storage.objects, self._streaming.appends)
            settings = streaming(self.settings)

            def start() -> JobResult:
                written = with_late_sinks(query, self.storage.objects, settings)
                return self.jobs.start(plan(written, settings), text, settings)

            return Outcome(Subscription(start(), start, failure))

        return guarded("subscribe", run)

    def await_jobs(self, seconds: float) -> bool:
        """Whether all jobs behind the session have ended within so many seconds; an error of one is raised."""
        limit = time.monotonic() + seconds
        for job in self.storage.shared.keeper.jobs:
            if not job.wait(max(0.0, limit - time.monotonic())):
                return False
            if job.error is not None:
                raise job.error
        return True

    def cancel(self) -> None:
        """Stops what runs or waits, from any thread."""
        self.jobs.cancel()

    def close(self) -> Sequence[str]:
        """Cancels what runs, ends the worker threads and lets the database go; what nobody has been told of, a line each."""
        self.jobs.close()
        self.catalog.drop_temporary()
        self.storage.close()
        return self._streams.untold()

    def _run(self, text: str, start: int, script: str, parameters: Parameters) -> Outcome:
        def bound(pinned: PinnedStates) -> sql.Statement:
            with collection_held():
                return bind(text, start, self.catalog.snapshot(pinned), self.settings, parameters)

        def run() -> Outcome:
            for _ in range(ATTEMPTS):
                pinned = self.storage.pin()
                try:
                    with collection_held():  # once for all that is done until a query runs
                        statement, pinned = self._bound_in_time(bound, pinned, script)
                        if isinstance(statement, sql.QueryStatement) and not self._streams.awaits(statement):
                            return self._carry_out(statement, pinned, bound, script)
                    if self._streams.settle(statement):
                        continue  # it is there to see what has come meanwhile
                    return self._carry_out(statement, pinned, bound, script)
                except StaleStateError:
                    if self.storage.pin().state is pinned.state:
                        raise  # the newest state names the file: it is lost
            statement, pinned = self._with_late_tables(bound, self.storage.pin(), script)
            return self._carry_out(statement, pinned, bound, script)

        return self._told_with(guarded(script, run))

    def _told_with(self, outcome: Outcome) -> Outcome:
        """The outcome with what has happened behind the session."""
        return self._news.told_with(self._streams.told_with(outcome))

    @property
    def told_jobs(self) -> frozenset[int]:
        """Failed jobs, by id, that statements have told of."""
        return self._streams.told

    def _bound_in_time(self, bound: Rebind, pinned: PinnedStates, script: str) -> tuple[sql.Statement, PinnedStates]:
        """The statement; what it names may be a version that is still to come."""
        try:
            return self._with_late_tables(bound, pinned, script)
        except CatalogError:
            if not self._streams.settle(None):
                raise
            return self._with_late_tables(bound, self.storage.pin(), script)

    def _with_late_tables(self, bound: Rebind, pinned: PinnedStates, script: str) -> tuple[sql.Statement, PinnedStates]:
        """The statement over a state in which the tables that its late rows go to are there."""
        statement = bound(pinned)
        late = written_late(statement)
        for table in late:
            self._definitions.check_not_kept(table.path, pinned, "written to", table.span)
        absent = absent_tables(late)
        for creation in absent:
            self._definitions.create_table(creation, script)
        if absent:
            pinned = self.storage.pin()
            statement = bound(pinned)
        return statement, pinned

    def _carry_out(self, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        with pointing(statement):
            return self._streams.warned(statement, self._carried_out(statement, pinned, rebind, script))

    def _carried_out(self, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        if isinstance(statement, sql.QueryStatement):
            return self._queries.run(statement, rebind, script)
        from tableflow.session import introspection

        match statement:
            case sql.Write():
                self._definitions.check_not_kept(statement.target, pinned, "written to")
                if is_endless(statement.query.root):
                    with self._streams.beginning():
                        return self._inserts.start(statement, script)
                return self.writer.write(statement, pinned, rebind, script)
            case sql.InsertIntoSink():
                return self._sink_inserts.insert(statement, script)
            case sql.StatementSet():
                return self._sink_inserts.insert_all(statement, script)
            case sql.Explain():
                return self._explanations.explain(statement, pinned, rebind, script)
            case sql.Show():
                return Outcome(introspection.show(statement, self.catalog.snapshot(pinned), self.settings))
            case sql.ShowVersions():
                return Outcome(introspection.versions(statement, self.catalog.snapshot(pinned), self.settings))
            case sql.Describe():
                return Outcome(self._queries.describe(statement))
            case sql.SetStatement() | sql.ResetStatement() | sql.Use():
                return self._set(statement)
            case sql.CopyTo():
                return self._queries.copy(statement, rebind, script)
            case (
                sql.CreateStreamingTable()
                | sql.Flush()
                | sql.ShowJobs()
                | sql.ShowWatermarks()
                | sql.EndJob()
                | sql.ExplainJob()
            ):
                return self._streams.carry_out(statement, script)
            case _:
                return self._definitions.carry_out(statement, pinned, rebind, script)

    def _set(self, statement: sql.SetStatement | sql.ResetStatement | sql.Use) -> Outcome:
        match statement:
            case sql.SetStatement(key=None):
                from tableflow.session.introspection import show_settings

                return Outcome(show_settings(self.settings))
            case sql.SetStatement(key=str(key), value=value):
                given = {key: value or ""}
                self.settings = self.settings.with_values(given)
                self.storage.configure(lambda known: known.with_values(given))
                return Outcome(message=f"{key} = {value}")
            case sql.ResetStatement(key=key):
                self.settings = self.settings.without(key)
                self.storage.configure(lambda known: known.without(key))
                return Outcome(message="settings are back at their defaults" if key is None else f"{key} is reset")
            case sql.Use(schema=schema):
                self.catalog.use(schema)
                return Outcome(message=f"using {schema}")
        return Outcome()

    def _bind_query(self, text: str, schema: str) -> Query:
        """A query that a streaming table is kept by."""
        clock = JobClock.now(self.settings.get(TIME_ZONE))

        def bound(pinned: PinnedStates) -> sql.Statement:
            catalog = replace(self.catalog.snapshot(pinned), current_schema=schema)
            return bind(text, 0, catalog, self.settings, (), clock)

        statement, _ = self._with_late_tables(bound, self.storage.pin(), text)
        if not isinstance(statement, sql.QueryStatement):
            raise InternalError("a streaming table is kept by something that is no query")
        return statement.query
