"""EXPLAIN and EXPLAIN ANALYZE of queries and of statements that write."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tableflow.config import Settings
from tableflow.connectors.managed.sink import KIND
from tableflow.planner.logical.nodes import Query
from tableflow.runtime.graph import SinkSpec
from tableflow.session.explain import explain, explain_analyzed, plan_with_counters
from tableflow.session.fixed_result import FixedResult
from tableflow.session.jobs import Jobs
from tableflow.session.outcome import Outcome
from tableflow.session.planned import plan
from tableflow.session.queries import notices
from tableflow.session.session_storage import PinnedStates
from tableflow.session.sink_plan import plan_insert
from tableflow.session.stream_plan import streaming
from tableflow.session.write_plan import Writing, plan_write
from tableflow.session.writing import Rebind
from tableflow.sql import statements as sql

CarryOut: TypeAlias = Callable[[sql.Statement, PinnedStates, Rebind, str], Outcome]


class Explanations:
    """Plans as text; with ANALYZE, of what has been carried out (by ``carry_out``)."""

    def __init__(self, jobs: Jobs, settings: Callable[[], Settings], carry_out: CarryOut) -> None:
        self._jobs = jobs
        self._settings = settings
        self._carry_out = carry_out

    def explain(self, statement: sql.Explain, pinned: PinnedStates, rebind: Rebind, script: str) -> Outcome:
        """The plan, a line a row."""
        if statement.kind is sql.ExplainKind.ANALYZE and statement.statement is not None:
            return self._analyze_change(statement, statement.statement, pinned, rebind, script)
        match statement.statement:
            case sql.Write() as write:
                planned = plan_write(Writing.of(write), SinkSpec(KIND, {}), self._settings())
            case sql.InsertIntoSink() as insert:
                planned = plan_insert(insert, self._settings())
            case sql.CreateManagedTable(query=Query() as query) as create:
                planned = plan_write(Writing.of_creation(create, query), SinkSpec(KIND, {}), self._settings())
            case _:
                changelog = statement.kind is sql.ExplainKind.CHANGELOG
                planned = plan(statement.query, streaming(self._settings()) if changelog else self._settings())
        if statement.kind is sql.ExplainKind.ANALYZE:
            text = explain_analyzed(planned, self._jobs.start(planned, script, self._settings()))
        else:
            text = explain(statement, planned)
        return Outcome(FixedResult(["plan"], [[line] for line in text.splitlines()]), warnings=notices(statement))

    def _analyze_change(
        self, explained: sql.Explain, statement: sql.Statement, pinned: PinnedStates, rebind: Rebind, script: str
    ) -> Outcome:
        """Carries the statement out, and tells what its job did."""

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
