"""A session: statements in, outcomes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import pyarrow as pa

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.store import CatalogStore
from tableflow.config import PARALLELISM, Settings
from tableflow.connectors.registry import Sources, check_definition, create_provider, file_provider
from tableflow.errors import BindError, InternalError, Span, SqlSyntaxError, TableFlowError
from tableflow.physical.build import build_operator
from tableflow.runtime.job import Job
from tableflow.runtime.scheduler import WorkerPool
from tableflow.session import introspection
from tableflow.session.collection import collection_held
from tableflow.session.explain import explain, explain_analyzed
from tableflow.session.fixed_result import FixedResult
from tableflow.session.job_result import JobResult
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned, plan
from tableflow.sql import statements as sql
from tableflow.sql.binder import bind
from tableflow.sql.splitter import split

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]


class Session:
    """Catalog, settings and worker threads of one connection; used from one thread at a time."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.settings = Settings()
        for name, text in (settings or {}).items():
            self.settings = self.settings.with_value(name, text)
        self.catalog = CatalogStore(file_provider, create_provider)
        self._sources = Sources(self.settings)
        self._pool: WorkerPool | None = None
        self._running: list[JobResult] = []

    def execute(self, text: str, parameters: Parameters = ()) -> Outcome:
        """Runs one statement."""
        parts = split(_unicode(text))
        if len(parts) != 1:
            raise BindError(
                f"one statement is expected, not {len(parts)}", hint="run a script with `tableflow run FILE.sql`"
            )
        return self._run(parts[0].text, parts[0].start, text, parameters)

    def script(self, text: str) -> Iterator[Outcome]:
        """Runs a script's statements one after the other, each when the one before has been taken."""
        for part in split(_unicode(text)):
            yield self._run(part.text, part.start, text, ())

    def register(self, name: str, table: pa.Table, split_rows: int | None = None) -> None:
        """Makes an Arrow table readable under a name, in place of one registered before; its splits have ``split_rows``."""
        from tableflow.connectors.memory import SPLIT_ROWS, MemoryTable

        provider = MemoryTable(table, self._sources.objects, split_rows=split_rows or SPLIT_ROWS)
        self.catalog.create_table((name,), provider=provider, or_replace=True, temporary=True)

    def close(self) -> None:
        """Cancels what runs and ends the worker threads."""
        for result in list(self._running):
            result.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _run(self, text: str, start: int, script: str, parameters: Parameters) -> Outcome:
        try:
            with collection_held():
                statement = bind(text, start, self.catalog.snapshot(), self.settings, parameters)
            return self._carry_out(statement, script)
        except TableFlowError as error:
            error.script = error.script or script
            raise
        except Exception as error:
            raise InternalError(
                "the statement could not be carried out",
                detail=f"{type(error).__name__}: {error}",
                hint="this is a bug in TableFlow; please report it with the statement",
            ) from error

    def _carry_out(self, statement: sql.Statement, script: str) -> Outcome:
        warnings = tuple(notice.message for notice in statement.warnings)
        match statement:
            case sql.QueryStatement(query=query):
                planned = plan(query, self.settings)
                return Outcome(self._start(planned, script), warnings=(*warnings, *planned.warnings))
            case sql.Explain():
                return self._explain(statement, script, warnings)
            case sql.Show():
                return Outcome(introspection.show(statement, self.catalog.snapshot(), self.settings))
            case sql.Describe():
                return Outcome(self._describe(statement))
            case sql.SetStatement() | sql.ResetStatement() | sql.Use():
                return self._set(statement)
            case _:
                return self._define(statement, warnings)

    def _start(self, planned: Planned, script: str) -> JobResult:
        pool = self._worker_pool()
        sources = self._sources.with_settings(self.settings)
        job = Job(planned.lowered.graph, build_operator, sources.open, self.settings, pool)
        result = JobResult(job, planned, script, self._running.remove)
        self._running.append(result)
        job.start()
        return result

    def _worker_pool(self) -> WorkerPool:
        threads = self.settings.get(PARALLELISM)
        if self._pool is not None and self._pool.threads != threads and not self._running:
            self._pool.close()
            self._pool = None
        if self._pool is None:
            self._pool = WorkerPool(threads)
        return self._pool

    def _explain(self, statement: sql.Explain, script: str, warnings: tuple[str, ...]) -> Outcome:
        planned = plan(statement.query, self.settings)
        if statement.kind is sql.ExplainKind.ANALYZE:
            text = explain_analyzed(planned, self._start(planned, script))
        else:
            text = explain(statement, planned)
        return Outcome(FixedResult(["plan"], [[line] for line in text.splitlines()]), warnings=warnings)

    def _describe(self, statement: sql.Describe) -> FixedResult:
        if statement.query is not None:
            return introspection.describe_columns(statement.query.columns)
        catalog = self.catalog.snapshot()
        table = catalog.table(statement.name)
        if table is not None:
            return introspection.describe_columns(table.schema.columns)
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

    def _define(self, statement: sql.Statement, warnings: tuple[str, ...]) -> Outcome:
        match statement:
            case sql.CreateTable():
                options = dict(statement.options)
                definition = TableDefinition(
                    statement.name[-1],
                    options.get("connector", ""),
                    statement.columns,
                    statement.options,
                    statement.primary_key,
                    statement.partitioned_by,
                    statement.text,
                )
                check_definition(definition)
                done = self.catalog.create_table(
                    statement.name,
                    definition=definition,
                    if_not_exists=statement.if_not_exists,
                    temporary=statement.temporary,
                )
                return _defined("table", statement.name, "created" if done else "exists already", warnings)
            case sql.CreateView():
                done = self.catalog.create_view(
                    statement.name,
                    statement.text,
                    if_not_exists=statement.if_not_exists,
                    or_replace=statement.or_replace,
                    temporary=statement.temporary,
                )
                return _defined("view", statement.name, "created" if done else "exists already", warnings)
            case sql.Drop(kind=kind, names=names):
                drop = self.catalog.drop_table if kind is sql.ObjectKind.TABLE else self.catalog.drop_view
                dropped_all = [drop(name, if_exists=statement.if_exists) for name in names]
                return _defined(kind.value, names[-1], "dropped" if dropped_all[-1] else "does not exist", warnings)
        return Outcome()


def _unicode(text: str) -> str:
    """The text itself; halves of surrogate pairs, which bytes that are not UTF-8 leave behind, are refused."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        refusal = SqlSyntaxError("the text is not Unicode", span=Span(error.start, error.end))
        refusal.script = text
        raise refusal from None
    return text


def _defined(kind: str, name: Sequence[str], what: str, warnings: tuple[str, ...]) -> Outcome:
    return Outcome(message=f"{kind} {'.'.join(name)} {what}", rowcount=0, warnings=warnings)


def _quoted(name: Sequence[str]) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)
