"""EXPLAIN and EXPLAIN ANALYZE of queries and of statements that write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tableflow.config import Settings
from tableflow.connectors.managed import epoch_sink
from tableflow.connectors.managed.sink import KIND
from tableflow.errors import UnsupportedError
from tableflow.planner.logical.nodes import Query
from tableflow.planner.stream_facts import is_endless
from tableflow.runtime.graph import SinkSpec
from tableflow.session.explain import explain, explain_analyzed, plan_with_counters
from tableflow.session.fixed_result import FixedResult
from tableflow.session.guard import notices
from tableflow.session.jobs import Jobs
from tableflow.session.late_sinks import begins_job, with_late_sinks
from tableflow.session.outcome import Outcome
from tableflow.session.planned import Planned, plan
from tableflow.session.session_storage import PinnedStates
from tableflow.session.sink_plan import plan_insert
from tableflow.session.statement_sets import plan_statement_set
from tableflow.session.stream_inserts import StreamInserts
from tableflow.session.stream_plan import streaming
from tableflow.session.streaming_tables import StreamingTables
from tableflow.session.watermark_plan import COLUMNS, watermark_plan
from tableflow.session.write_plan import Writing, plan_write
from tableflow.session.writing import Rebind
from tableflow.sql import statements as sql

CarryOut: TypeAlias = Callable[[sql.Statement, PinnedStates, Rebind, str], Outcome]


class Explanations:
    """Plans as text; with ANALYZE, of what has been carried out (by ``carry_out``)."""

    def __init__(
        self,
        jobs: Jobs,
        settings: Callable[[], Settings],
        carry_out: CarryOut,
        tables: StreamingTables,
        inserts: StreamInserts,
    ) -> None:
        self._jobs = jobs
        self._settings = settings
        self._carry_out = carry_out
        self._tables = tables
        self._inserts = inserts

    def explain(self, statement: sql.Explain, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        """The plan, a line a row."""
        if statement.kind is sql.ExplainKind.ANALYZE and statement.statement is not None:
            return self._analyze_change(statement, statement.statement, pinned, rebind, script)
        planned = self._planned(statement)
        warnings = (*notices(statement), *planned.warnings)
        if statement.kind is sql.ExplainKind.WATERMARK:
            return Outcome(FixedResult(COLUMNS, watermark_plan(planned, self._settings())), warnings=warnings)
        if statement.kind is sql.ExplainKind.ANALYZE:
            if planned.endless:
                raise UnsupportedError(
                    "EXPLAIN ANALYZE shows a query when it has ended, and this one reads a stream that has no end",
                    hint="CREATE STREAMING TABLE t AS the query, then EXPLAIN ANALYZE JOB id shows it at work; SHOW JOBS lists the ids",
                    span=statement.span,
                )
            text = explain_analyzed(planned, self._jobs.start(planned, script, self._settings()))
        else:
            text = explain(statement, planned)
        return Outcome(FixedResult(["plan"], [[line] for line in text.splitlines()]), warnings=warnings)

    def _planned(self, explained: sql.Explain) -> Planned:
        """The plan of what would run."""
        settings = self._settings()
        match explained.statement:
            case sql.CreateStreamingTable() as create:
                return self._tables.plan(create)
            case sql.Write(query=query) as write if is_endless(query.root):
                return self._inserts.plan(write, SinkSpec(epoch_sink.KIND, {}))[1]
            case sql.Write() as write:
                return plan_write(Writing.of(write), SinkSpec(KIND, {}), settings)
            case sql.InsertIntoSink() as insert:
                return plan_insert(insert, settings)
            case sql.StatementSet() as several:
                return plan_statement_set(several, settings)
            case sql.CreateManagedTable(query=Query() as query) as create:
                return plan_write(Writing.of_creation(create, query), SinkSpec(KIND, {}), settings)
            case _:
                # Whoever asks how rows change, or what waits for time, asks of a stream.
                asked = explained.kind in {sql.ExplainKind.CHANGELOG, sql.ExplainKind.WATERMARK}
                settings = streaming(settings) if asked else settings
                written = explained.kind is sql.ExplainKind.ANALYZE
                query = explained.query
                return plan(
                    with_late_sinks(query, self._jobs.sources.objects, settings) if written else query, settings
                )

    def _analyze_change(
        self, explained: sql.Explain, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str
    ) -> Outcome:
        """Carries the statement out, and tells what its job did."""
        if begins_job(explained):
            raise UnsupportedError(
                "EXPLAIN ANALYZE shows a statement when it has ended, and this one would start a job",
                hint="start it, then EXPLAIN ANALYZE JOB id shows it at work; SHOW JOBS lists the ids",
                span=explained.span,
            )

        def again(states: PinnedStates) -> sql.Statement:
            rebound = rebind(states)
            assert isinstance(rebound, sql.Explain)
            assert rebound.statement is not None
            return rebound.statement

        with self._jobs.observing() as seen:
            outcome = self._carry_out(statement, pinned, again, script)
        lines = [outcome.message]
        if seen:  # the last attempt
            planned, result = seen[-1]
            lines = [*plan_with_counters(planned, result.counters()).splitlines(), *lines]
        warnings = (*notices(explained), *outcome.warnings)
        return Outcome(FixedResult(["plan"], [[line] for line in lines]), warnings=warnings)
