"""A session: statements in, outcomes out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import pyarrow as pa

from tableflow.catalog.entry import TableEntry
from tableflow.catalog.store import CatalogStore
from tableflow.config import Settings
from tableflow.connectors.managed.sink import KIND
from tableflow.connectors.registry import Sources, create_provider, file_provider
from tableflow.errors import BindError, Error, InternalError, Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.expressions.functions.statement import StatementClock
from tableflow.planner.logical.nodes import Query
from tableflow.runtime.graph import SinkSpec
from tableflow.session import introspection
from tableflow.session.appending import append
from tableflow.session.collection import collection_held
from tableflow.session.copying import copy_to
from tableflow.session.databases import open_database
from tableflow.session.definitions import Definitions
from tableflow.session.explain import explain, explain_analyzed, plan_with_counters
from tableflow.session.fixed_result import FixedResult
from tableflow.session.job_result import JobResult
from tableflow.session.jobs import Jobs
from tableflow.session.live_tables import LiveDescription, live_table
from tableflow.session.many_rows import ManyRows
from tableflow.session.outcome import Outcome
from tableflow.session.planned import plan
from tableflow.session.point_query import answer, is_point_query
from tableflow.session.prepared import PreparedInserts
from tableflow.session.restarting_result import RestartingResult
from tableflow.session.session_storage import PinnedStates, SessionStorage
from tableflow.session.stream_inserts import StreamInserts, is_endless
from tableflow.session.stream_plan import as_streams, batch, streaming
from tableflow.session.stream_statements import StreamStatements
from tableflow.session.streaming_tables import StreamingTables, check_not_kept
from tableflow.session.verification import Leg, Verification
from tableflow.session.write_plan import Writing, plan_write
from tableflow.session.writing import Rebind, Writer
from tableflow.sql import statements as sql
from tableflow.sql.binder import bind
from tableflow.sql.splitter import split
from tableflow.storage.failure import StaleStateError
from tableflow.storage.maintenance import describe_error

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]
T = TypeVar("T")
_ATTEMPTS = 5
"""How often a query begins again because files that it reads were removed."""


class Session:
    """Catalog, settings, database and worker threads of one connection; used from one thread at a time."""

    def __init__(
        self,
        settings: Mapping[str, str] | None = None,
        database: str | Path | None = None,
        *,
        read_only: bool = False,
    ) -> None:
        self.settings = Settings()
        for name, text in (settings or {}).items():
            self.settings = self.settings.with_value(name, text)
        sources = Sources(self.settings)
        shared = open_database(database, self.settings, read_only=read_only)
        self.storage = SessionStorage(shared, sources.objects, lambda: self.settings)
        self.catalog = CatalogStore(file_provider, create_provider, self.storage)
        self.jobs = Jobs(sources)
        self.storage.interrupted = lambda: self.jobs.interrupted
        self.writer = Writer(self.storage, self.jobs, lambda: batch(self.settings))
        self._told: str | None = None
        self._prepared = PreparedInserts(self._bind_prepared, self.catalog, self.storage, lambda: self.settings)
        self._many = ManyRows(self._prepared, self.writer, self.storage, self.jobs)
        self._definitions = Definitions(self.catalog, self.storage, self.writer, self._has_row)
        self._streaming = StreamingTables(self.storage, self.catalog, sources, lambda: self.settings)
        self._streams = StreamStatements(self._streaming, shared.keeper, lambda: self.jobs.interrupted)
        self._inserts = StreamInserts(shared.keeper, sources, lambda: self.settings)
        if shared.first and shared.writable:
            self._streaming.restart(self._bind_query)

    def execute(self, text: str, parameters: Parameters = ()) -> Outcome:
        """Runs one statement."""
        self.jobs.begin_statement()
        if parameters:
            outcome = self._guarded(text, lambda: self._prepared.execute(text, parameters))
            if outcome is not None:
                self._streams.changed()
                return self._with_news(outcome)
        parts = split(_unicode(text))
        if len(parts) != 1:
            raise BindError(
                f"one statement is expected, not {len(parts)}", hint="run a script with `tableflow run FILE.sql`"
            )
        return self._run(parts[0].text, parts[0].start, text, parameters)

    def execute_many(self, text: str, rows: Sequence[Parameters]) -> Outcome | None:
        """Runs one statement for many rows of parameters: as one transaction, if it is one that writes; None without rows."""
        self.jobs.begin_statement()
        parts = split(_unicode(text))
        if len(parts) != 1:
            raise BindError(f"one statement is expected, not {len(parts)}")
        body, start = parts[0].text, parts[0].start

        def bound(pinned: PinnedStates, parameters: Parameters) -> sql.Statement:
            with collection_held():
                statement = bind(body, start, self.catalog.snapshot(pinned), self.settings, parameters)
            if isinstance(statement, sql.Write):
                self._check_not_kept(statement.target, pinned, "written to")
            return statement

        def run(parameters: Parameters) -> Outcome:
            return self._run(body, start, text, parameters)

        self._streams.changed()
        return self._guarded(text, lambda: self._many.execute(text, rows, bound, run))

    def _guarded(self, script: str, run: Callable[[], T]) -> T:
        """What ``run`` gives; its errors point into the script, and are for people."""
        try:
            return run()
        except TableFlowError as error:
            error.script = error.script or script
            raise
        except Error:
            raise
        except Exception as error:
            raise InternalError(
                "the statement could not be carried out",
                detail=f"{type(error).__name__}: {error}",
                hint="this is a bug in TableFlow; please report it with the statement",
            ) from error

    def _bind_prepared(
        self, text: str, pinned: PinnedStates, parameters: Parameters, clock: StatementClock
    ) -> sql.Statement:
        parts = split(_unicode(text))
        if len(parts) != 1:
            raise BindError("one statement is expected")
        catalog = self.catalog.snapshot(pinned)
        with collection_held():
            statement = bind(parts[0].text, parts[0].start, catalog, self.settings, parameters, clock)
        if isinstance(statement, sql.Write):
            self._check_not_kept(statement.target, pinned, "written to")
        return statement

    def script(self, text: str) -> Iterator[Outcome]:
        """Runs a script's statements one after the other, each when the one before has been taken."""
        for part in split(_unicode(text)):
            self.jobs.begin_statement()
            yield self._run(part.text, part.start, text, ())

    def register(self, name: str, table: pa.Table, split_rows: int | None = None) -> None:
        """Makes an Arrow table readable under a name, in place of one registered before; its splits have ``split_rows``."""
        from tableflow.connectors.memory import SPLIT_ROWS, MemoryTable

        provider = MemoryTable(table, self.storage.objects, split_rows=split_rows or SPLIT_ROWS)
        self.catalog.create_table((name,), provider=provider, or_replace=True, temporary=True)

    def register_stream(self, name: str, description: LiveDescription, source: Any) -> None:
        """Makes rows that a program goes on giving readable under a name, in place of what was registered before."""
        provider = self._guarded(name, lambda: live_table(description, source, self.storage.objects))
        self.catalog.create_table((name,), provider=provider, or_replace=True, temporary=True)

    def append(self, name: tuple[str, ...], data: Any) -> Outcome:
        """Appends Arrow data (anything with an Arrow stream) to a managed table, column by name, in one transaction."""
        self.jobs.begin_statement()
        self._streams.changed()

        def bound(text: str, catalog: Any) -> sql.Statement:
            return bind(text, 0, catalog, self.settings)

        return self._guarded(
            "append",
            lambda: append(
                name, data, self.storage.objects, bound, self.catalog.snapshot, self.storage.pin, self.writer
            ),
        )

    def verify(self, text: str) -> Iterator[Leg]:
        """Runs a query over finished data as batch and as streams; what came of each, one after the other."""
        self.jobs.begin_statement()
        statement = bind(text, 0, self.catalog.snapshot(), self.settings, ())
        if not isinstance(statement, sql.QueryStatement):
            raise UnsupportedError(
                "only a query can be verified", hint="make a SELECT the last statement of the script"
            )

        def run(query: Query, settings: Settings) -> tuple[list[pa.RecordBatch], pa.Schema]:
            result = self.jobs.start(plan(query, settings), text, settings)
            try:
                return list(iter(result.next_batch, None)), result.schema
            finally:
                result.close()

        return Verification(statement.query, self.settings, self.storage.objects, run).legs()

    def subscribe(self, name: tuple[str, ...]) -> Outcome:
        """The rows of a table and then all its changes, without end."""
        self.jobs.begin_statement()

        def run() -> Outcome:
            self._streams.settle()
            text = f"SELECT * FROM {_quoted(name)}"
            query = as_streams(
                self._bind_query(text, self.catalog.current), self.storage.objects, self._streaming.appends
            )
            settings = streaming(self.settings)

            def start() -> JobResult:
                return self.jobs.start(plan(query, settings), text, settings)

            return Outcome(RestartingResult(start(), start))

        return self._guarded("subscribe", run)

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

    def close(self) -> None:
        """Cancels what runs, ends the worker threads and lets the database go."""
        self.jobs.close()
        self.catalog.drop_temporary()
        self.storage.close()

    def _run(self, text: str, start: int, script: str, parameters: Parameters) -> Outcome:
        def bound(pinned: PinnedStates) -> sql.Statement:
            with collection_held():
                return bind(text, start, self.catalog.snapshot(pinned), self.settings, parameters)

        def run() -> Outcome:
            self._streams.settle()
            for _ in range(_ATTEMPTS):
                pinned = self.storage.pin()
                try:
                    return self._carry_out(bound(pinned), pinned, bound, script)
                except StaleStateError:
                    if self.storage.pin().state is pinned.state:
                        raise  # the newest state names the file: it is lost
            pinned = self.storage.pin()
            return self._carry_out(bound(pinned), pinned, bound, script)

        return self._with_news(self._guarded(script, run))

    def _with_news(self, outcome: Outcome) -> Outcome:
        """The outcome with a warning if what the database does behind has failed, once for each way in which it does."""
        maintenance = self.storage.shared.database.maintenance
        error = None if maintenance is None else maintenance.error
        text = None if error is None else describe_error(error)
        if text == self._told:
            return outcome
        self._told = text
        if text is None:
            return outcome
        news = f"the database's log could not be written into files (nothing is lost, it grows): {text}"
        return replace(outcome, warnings=(*outcome.warnings, news))

    def _carry_out(self, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        match statement:
            case sql.QueryStatement():
                return self._query(statement, rebind, script)
            case sql.Write():
                self._check_not_kept(statement.target, pinned, "written to")
                self._streams.changed()
                if is_endless(statement.query.root):
                    return self._inserts.start(statement, script)
                return self.writer.write(statement, pinned, rebind, script)
            case sql.Explain():
                return self._explain(statement, pinned, rebind, script)
            case sql.Show():
                return Outcome(introspection.show(statement, self.catalog.snapshot(pinned), self.settings))
            case sql.ShowVersions():
                return Outcome(introspection.versions(statement, self.catalog.snapshot(pinned), self.settings))
            case sql.Describe():
                return Outcome(self._describe(statement))
            case sql.SetStatement() | sql.ResetStatement() | sql.Use():
                return self._set(statement)
            case sql.CopyTo():
                return self._copy(statement, rebind, script)
            case (
                sql.CreateStreamingTable()
                | sql.Flush()
                | sql.ShowJobs()
                | sql.ShowWatermarks()
                | sql.EndJob()
                | sql.ExplainJob()
            ):
                self._streams.changed()
                return self._streams.carry_out(statement)
            case _:
                return self._define(statement, pinned, rebind, script)

    def _query(self, statement: sql.QueryStatement, rebind: Rebind, script: str) -> Outcome:
        for _ in range(_ATTEMPTS):
            if not is_point_query(statement.query, self.settings):
                break
            try:
                return Outcome(answer(statement.query, self.settings), warnings=_texts(statement))
            except StaleStateError:
                newer = rebind(self.storage.pin())
                assert isinstance(newer, sql.QueryStatement)
                statement = newer
        planned = plan(statement.query, self.settings)

        def again() -> JobResult:
            rebound = rebind(self.storage.pin())
            assert isinstance(rebound, sql.QueryStatement)
            return self.jobs.start(plan(rebound.query, self.settings), script, self.settings)

        result = RestartingResult(self.jobs.start(planned, script, self.settings), again)
        return Outcome(result, warnings=(*_texts(statement), *planned.warnings))

    def _explain(self, statement: sql.Explain, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        if statement.kind is sql.ExplainKind.ANALYZE and statement.statement is not None:
            return self._analyze_change(statement, statement.statement, pinned, rebind, script)
        match statement.statement:
            case sql.Write() as write:
                planned = plan_write(Writing.of(write), SinkSpec(KIND, {}), self.settings)
            case sql.CreateManagedTable(query=Query() as query) as create:
                planned = plan_write(Writing.of_creation(create, query), SinkSpec(KIND, {}), self.settings)
            case _:
                changelog = statement.kind is sql.ExplainKind.CHANGELOG
                planned = plan(statement.query, streaming(self.settings) if changelog else self.settings)
        if statement.kind is sql.ExplainKind.ANALYZE:
            text = explain_analyzed(planned, self.jobs.start(planned, script, self.settings))
        else:
            text = explain(statement, planned)
        return Outcome(FixedResult(["plan"], [[line] for line in text.splitlines()]), warnings=_texts(statement))

    def _analyze_change(
        self, explained: sql.Explain, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str
    ) -> Outcome:
        """Carries the statement out, and tells what its job did."""

        def again(states: PinnedStates) -> sql.Statement:
            rebound = rebind(states)
            assert isinstance(rebound, sql.Explain)
            assert rebound.statement is not None
            return rebound.statement

        with self.jobs.observing() as seen:
            outcome = self._carry_out(statement, pinned, again, script)
        lines = [outcome.message]
        if seen:  # the last attempt
            planned, result = seen[-1]
            lines = [*plan_with_counters(planned, result.counters()).splitlines(), *lines]
        warnings = (*_texts(explained), *outcome.warnings)
        return Outcome(FixedResult(["plan"], [[line] for line in lines]), warnings=warnings)

    def _copy(self, statement: sql.CopyTo, rebind: Rebind, script: str) -> Outcome:
        settings = batch(self.settings)  # a file is finished, and so is what it is made of
        planned = plan(statement.query, settings)

        def again() -> JobResult:
            rebound = rebind(self.storage.pin())
            assert isinstance(rebound, sql.CopyTo)
            return self.jobs.start(plan(rebound.query, settings), script, settings)

        result = RestartingResult(self.jobs.start(planned, script, settings), again)
        try:
            rows = copy_to(result, statement.path, statement.format, dict(statement.options))
        finally:
            result.close()
        warnings = (*_texts(statement), *planned.warnings)
        return Outcome(message=f"{rows:,} row{'' if rows == 1 else 's'} copied", rowcount=rows, warnings=warnings)

    def _describe(self, statement: sql.Describe) -> FixedResult:
        if statement.query is not None:
            return introspection.describe_columns(statement.query.columns)
        catalog = self.catalog.snapshot()
        table = catalog.table(statement.name)
        if table is not None:
            entry = self.catalog.find(statement.name)
            return introspection.describe(table, entry.streaming if isinstance(entry, TableEntry) else None)
        view = bind(f"DESCRIBE SELECT * FROM {_quoted(statement.name)}", 0, catalog, self.settings, ())
        assert isinstance(view, sql.Describe)
        return self._describe(view)

    def _set(self, statement: sql.SetStatement | sql.ResetStatement | sql.Use) -> Outcome:
        match statement:
            case sql.SetStatement(key=None):
                return Outcome(introspection.show_settings(self.settings))
            case sql.SetStatement(key=str(key), value=value):
                self.settings = self.settings.with_value(key, value or "")
                return Outcome(message=f"{key} = {value}")
            case sql.ResetStatement(key=key):
                self.settings = self.settings.without(key)
                return Outcome(message="settings are back at their defaults" if key is None else f"{key} is reset")
            case sql.Use(schema=schema):
                self.catalog.use(schema)
                return Outcome(message=f"using {schema}")
        return Outcome()

    def _bind_query(self, text: str, schema: str) -> Query:
        """A query that a streaming table is kept by."""
        catalog = replace(self.catalog.snapshot(), current_schema=schema)
        statement = bind(text, 0, catalog, self.settings, ())
        if not isinstance(statement, sql.QueryStatement):
            raise InternalError("a streaming table is kept by something that is no query")
        return statement.query

    def _check_not_kept(self, name: Sequence[str], pinned: PinnedStates, doing: str) -> None:
        entry = self.catalog.find(name, pinned)
        if isinstance(entry, TableEntry):
            check_not_kept(entry, doing)

    def _define(self, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        define = self._definitions
        self._streams.changed()
        match statement:
            case sql.CreateTable():
                return define.create_connector_table(statement)
            case sql.CreateView():
                return define.create_view(statement)
            case sql.CreateManagedTable():
                return define.create_table(statement, script)
            case sql.Drop():
                self._end_jobs(statement, pinned)
                return define.drop(statement)
            case sql.CreateSchema():
                return define.create_schema(statement)
            case sql.DropSchema():
                return define.drop_schema(statement)
            case sql.AlterTable():
                self._check_not_kept(statement.name, pinned, "altered")
                return define.alter(statement, pinned, rebind, script)
            case sql.Truncate():
                self._check_not_kept(statement.name, pinned, "truncated")
                return define.truncate(statement)
            case sql.Vacuum():
                return define.vacuum(statement)
        raise InternalError(f"a {type(statement).__name__} is not carried out")

    def _end_jobs(self, statement: sql.Drop, pinned: PinnedStates) -> None:
        """The jobs of streaming tables that go."""
        for name in statement.names:
            entry = self.catalog.find(name, pinned)
            if isinstance(entry, TableEntry) and entry.streaming is not None and entry.table is not None:
                self.storage.shared.keeper.forget(entry.table)

    def _has_row(self, query: Query, script: str) -> bool:
        """Whether a query gives a row."""
        settings = batch(self.settings)
        result = self.jobs.start(plan(query, settings), script, settings)
        try:
            return result.next_batch() is not None
        finally:
            result.close()


def _texts(statement: sql.Base) -> tuple[str, ...]:
    return tuple(notice.message for notice in statement.warnings)


def _unicode(text: str) -> str:
    """The text itself; halves of surrogate pairs, which bytes that are not UTF-8 leave behind, are refused."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        refusal = SqlSyntaxError("the text is not Unicode", span=Span(error.start, error.end))
        refusal.script = text
        raise refusal from None
    return text


def _quoted(name: Sequence[str]) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)
