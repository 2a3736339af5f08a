"""A random query over random tables gives one answer: optimised and not, fused and not, and DuckDB's."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.side_by_side.compare import difference
from tableflow.planner.driver import RULES
from tableflow.session import Session
from tests.random.queries import Table, query, tables

_ALL_RULES_OFF = ",".join(entry.name for entry in RULES if entry.switchable)
LEGS = {
    "optimised": {"parallelism.default": "2"},
    "not optimised": {"parallelism.default": "2", "optimizer.disabled-rules": _ALL_RULES_OFF},
    "not fused": {"parallelism.default": "2", "execution.fusion": "off"},
    "one task": {"parallelism.default": "1", "execution.batch-rows": "2"},
    "seeded": {"parallelism.default": "3", "execution.scheduler-seed": "7", "execution.batch-rows": "3"},
}


def _answer(sessions: dict[str, Session], leg: str, views: list[str], sql: str) -> pa.Table:
    session = sessions[leg]
    for view in views:
        session.execute(view.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))
    result = session.execute(sql).result
    assert result is not None
    return pa.Table.from_batches(list(iter(result.next_batch, None)), schema=result.schema)


def _check(sessions: dict[str, Session], data: tuple[Table, ...], sql: str) -> None:
    views = [table.view() for table in data]
    connection = duckdb.connect()
    for view in views:
        connection.execute(view)
    try:
        expected = connection.sql(sql).to_arrow_table()
    except duckdb.NotImplementedException:  # then all ways of running it have to agree among themselves
        expected = _answer(sessions, next(iter(LEGS)), views, sql)
    for leg in LEGS:
        problem = difference(_answer(sessions, leg, views, sql), expected, ordered=False)
        assert problem is None, f"{leg}: {problem}\n{sql}\n" + "\n".join(views)


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sessions() -> dict[str, Session]:
    return {leg: Session(texts) for leg, texts in LEGS.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=tables, sql=query())
def test_random_queries(sessions: dict[str, Session], data: tuple[Table, ...], sql: str) -> None:
    _check(sessions, data, sql)


@pytest.mark.thorough
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=tables, sql=query())
def test_many_random_queries(sessions: dict[str, Session], data: tuple[Table, ...], sql: str) -> None:
    _check(sessions, data, sql)
