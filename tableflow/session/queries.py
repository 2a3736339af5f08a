"""Statements that read: queries, their plans, files made of them, and their proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa

from tableflow.catalog.entry import TableEntry
from tableflow.catalog.store import CatalogStore
from tableflow.config import Settings
from tableflow.errors import TableFlowError, UnsupportedError
from tableflow.planner.logical.nodes import Query
from tableflow.session.fixed_result import FixedResult
from tableflow.session.guard import notices
from tableflow.session.job_result import JobResult
from tableflow.session.jobs import Jobs
from tableflow.session.late_sinks import with_late_sinks, without_late_rows
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned, plan
from tableflow.session.point_query import answer, is_point_query
from tableflow.session.restarting_result import RestartingResult
from tableflow.session.session_storage import SessionStorage
from tableflow.session.stream_plan import batch
from tableflow.session.writing import Rebind
from tableflow.sql import statements as sql
from tableflow.sql.binder import bind
from tableflow.storage.failure import StaleStateError

if TYPE_CHECKING:
    from tableflow.session.verification import Leg

ATTEMPTS = 5
"""How often a query begins again because files that it reads were removed."""


class Queries:
    """What a session does for statements that change nothing."""

    def __init__(
        self, catalog: CatalogStore, storage: SessionStorage, jobs: Jobs, settings: Callable[[], Settings]
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._jobs = jobs
        self._settings = settings

    def run(self, statement: sql.QueryStatement, rebind: Rebind, script: str) -> Outcome:
        """Starts the query; its rows come as they are fetched."""
        for _ in range(ATTEMPTS):
            if not is_point_query(statement.query, self._settings()):
                break
            try:
                return Outcome(answer(statement.query, self._settings()), warnings=notices(statement))
            except StaleStateError:
                newer = rebind(self._storage.pin())
                assert isinstance(newer, sql.QueryStatement)
                statement = newer
        settings = self._settings()

        def planned_of(query: Query) -> Planned:
            return plan(with_late_sinks(query, self._storage.objects, settings), settings)

        def again() -> JobResult:
            rebound = rebind(self._storage.pin())
            assert isinstance(rebound, sql.QueryStatement)
            return self._jobs.start(planned_of(rebound.query), script, settings)

        planned = planned_of(statement.query)

        result = RestartingResult(self._jobs.start(planned, script, settings), again)
        return Outcome(result, warnings=(*notices(statement), *planned.warnings))

    def copy(self, statement: sql.CopyTo, rebind: Rebind, script: str) -> Outcome:
        """Writes the rows of a query into a file."""
        from tableflow.session.copying import copy_to  # it draws in all formats

        settings = batch(self._settings())  # a file is finished, and so is what it is made of
        planned = plan(statement.query, settings)

        def again() -> JobResult:
            rebound = rebind(self._storage.pin())
            assert isinstance(rebound, sql.CopyTo)
            return self._jobs.start(plan(rebound.query, settings), script, settings)

        result = RestartingResult(self._jobs.start(planned, script, settings), again)
        try:
            rows = copy_to(result, statement.path, statement.format, dict(statement.options), statement.place)
        finally:
            result.close()
        warnings = (*notices(statement), *planned.warnings)
        return Outcome(message=f"{rows:,} row{'' if rows == 1 else 's'} copied", rowcount=rows, warnings=warnings)

    def describe(self, statement: sql.Describe) -> FixedResult:
        """The columns of a table, view or query."""
        from tableflow.session import introspection

        if statement.query is not None:
            return introspection.describe_columns(statement.query.columns)
        catalog = self._catalog.snapshot()
        table = catalog.table(statement.name)
        if table is not None:
            entry = self._catalog.find(statement.name)
            return introspection.describe(table, entry.streaming if isinstance(entry, TableEntry) else None)
        try:
            view = bind(f"DESCRIBE SELECT * FROM {quoted(statement.name)}", 0, catalog, self._settings(), ())
        except TableFlowError as error:
            error.span = statement.place  # it points into a text that nobody wrote
            raise
        assert isinstance(view, sql.Describe)
        return self.describe(view)

    def verify(self, text: str, *, late: bool) -> Iterator[Leg]:
        """Runs a query over finished data as batch and as streams; what came of each, one after the other."""
        from tableflow.session.verification import Verification  # it draws in all that feeds streams

        statement = bind(text, 0, self._catalog.snapshot(), self._settings(), ())
        if not isinstance(statement, sql.QueryStatement):
            raise UnsupportedError(
                "only a query can be verified", hint="make a SELECT the last statement of the script"
            )

        def run(query: Query, settings: Settings) -> tuple[list[pa.RecordBatch], pa.Schema, int]:
            result = self._jobs.start(plan(query, settings), text, settings)
            try:
                found = list(iter(result.next_batch, None))
            finally:
                result.close()
            operators = [each for stage in result.counters().stages for each in stage.operators]
            late = sum(count for each in operators for name, count in each.named if name == "late_rows")
            return found, result.schema, late

        query = without_late_rows(statement.query)
        return Verification(query, self._settings(), self._storage.objects, run).legs(late=late)

    def has_row(self, query: Query, script: str) -> bool:
        """Whether a query gives a row."""
        settings = batch(self._settings())
        result = self._jobs.start(plan(query, settings), script, settings)
        try:
            return result.next_batch() is not None
        finally:
            result.close()


def quoted(name: Sequence[str]) -> str:
    """A name as SQL text."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)
