"""All 43 answers are DuckDB's, as far as a query determines them, and an answer that it does not allow is told."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from benchmarks.clickbench.suite import NUMBERS, SUITE, query_text, reduced
from benchmarks.side_by_side.answers import difference, without_limit
from benchmarks.side_by_side.engines import DuckDB, Engine, TableFlow

OTHER_WAYS = {"one task": {"parallelism.default": "1"}, "unfused": {"execution.fusion": "off"}}


@pytest.fixture(scope="module")
def peer(hits: Path) -> Engine:
    return DuckDB(SUITE.files(hits), 2)


def check(hits: Path, peer: Engine, settings: dict[str, str]) -> None:
    """Offsets and least counts are reduced so that rows are left."""
    ours = TableFlow(SUITE.files(hits), 2, settings)
    found = {number: difference(reduced(query_text(number)), ours.run, peer.run) for number in NUMBERS}
    problems = [f"q{number}: {problem}" for number, problem in found.items() if problem]
    assert not problems, "\n".join(problems)


def test_answers(hits, peer):
    check(hits, peer, {})


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHER_WAYS)
def test_answers_in_other_ways(hits, peer, name):
    check(hits, peer, OTHER_WAYS[name])


def test_no_answer_is_empty(peer):
    """What has no rows at this scale shows nothing."""
    counts = {number: peer.run(reduced(query_text(number))).num_rows for number in NUMBERS}
    assert [number for number, count in counts.items() if count == 0] == []


def over(table: str) -> DuckDB:
    engine = DuckDB({}, 1)
    engine._connection.execute(f"CREATE TABLE t AS {table}")
    return engine


@pytest.mark.parametrize(
    ("sql", "answer", "problem"),
    [
        ("SELECT a FROM t ORDER BY k LIMIT 2", ["x", "y"], None),
        ("SELECT a FROM t ORDER BY k LIMIT 2", ["x", "z"], None),  # y and z tie
        ("SELECT a FROM t ORDER BY k LIMIT 2", ["y", "x"], "row 0"),
        ("SELECT a FROM t ORDER BY k LIMIT 2", ["x", "w"], "row 1"),
        ("SELECT a FROM t ORDER BY k LIMIT 3", ["x", "y", "y"], "row 2"),
        ("SELECT a FROM t ORDER BY k LIMIT 2", ["x"], "1 rows, expected 2"),
        ("SELECT a FROM t ORDER BY k DESC LIMIT 1 OFFSET 1", ["z"], None),
        ("SELECT a FROM t ORDER BY k DESC LIMIT 1 OFFSET 1", ["w"], "row 0"),
        ("SELECT a FROM t LIMIT 2", ["w", "y"], None),
        ("SELECT a FROM t LIMIT 2", ["w", "v"], "row 1"),
        ("SELECT a FROM t", ["z", "y", "x", "w"], None),
        ("SELECT a FROM t", ["z", "y", "x", "x"], "row 3"),
    ],
)
def test_what_a_query_determines(sql, answer, problem):
    rows = over("SELECT * FROM (VALUES ('x', 1), ('y', 2), ('z', 2), ('w', 3)) AS v(a, k)")
    found = difference(sql, lambda _: pa.table({"a": answer}), rows.run)
    assert found is None if problem is None else found is not None and found.startswith(problem)


def test_a_column_too_many():
    rows = over("SELECT 1 AS a, 2 AS k")
    found = difference("SELECT a FROM t ORDER BY k", lambda _: pa.table({"a": [1], "b": [2]}), rows.run)
    assert found == "2 columns, expected 1"


def test_keys_come_with_the_rows():
    whole = without_limit(query_text(42))
    assert (whole.keys, whole.offset, whole.limit) == (1, 1000, 10)
    assert "LIMIT" not in whole.sql
    assert duckdb.extract_statements(whole.sql)
