"""Variances of DOUBLEs whose squares are beyond the greatest number: infinite, and nothing else, as of one value they are zero."""

from __future__ import annotations

from datetime import datetime, timedelta

import duckdb
import pytest

import tableflow

BEGIN = datetime(2026, 1, 1)
VALUES = [1e200, -1e200, 3e200, 1.0, 2.0, 1e200]
ROWS = [(i, value, BEGIN + timedelta(seconds=i)) for i, value in enumerate(VALUES)]
FUNCTIONS = ["var_pop", "var_samp", "stddev_pop", "stddev_samp"]


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("frame", ["", "ROWS 1 PRECEDING"])
def test_over(function: str, frame: str) -> None:
    query = f"SELECT i, {function}(d) OVER (ORDER BY ts {frame}) AS v FROM {{}}"
    settings = {"parallelism.default": "2", "execution.batch-rows": "1"}
    with tableflow.connect(settings=settings) as connection, duckdb.connect() as other:
        connection.execute("CREATE TABLE finished (i INT, d DOUBLE, ts TIMESTAMP(3))")
        connection.cursor().executemany("INSERT INTO finished VALUES (?, ?, ?)", ROWS)
        schema = {"i": "INT", "d": "DOUBLE", "ts": "TIMESTAMP(3)"}
        connection.register_stream("s", schema, lambda: iter(ROWS), watermark=("ts", timedelta(seconds=1)))
        other.execute("CREATE TABLE finished (i INT, d DOUBLE, ts TIMESTAMP)")
        other.executemany("INSERT INTO finished VALUES (?, ?, ?)", ROWS)
        expected = sorted(other.execute(query.format("finished")).fetchall())
        assert sorted(connection.execute(query.format("finished")).fetchall()) == expected
        assert sorted(connection.execute(query.format("s")).fetchall()) == expected
    assert expected[1][1] == float("inf")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_groups(function: str) -> None:
    with tableflow.connect(settings={"execution.batch-rows": "1"}) as connection:
        connection.execute("CREATE TABLE finished (i INT, d DOUBLE, ts TIMESTAMP(3))")
        connection.cursor().executemany("INSERT INTO finished VALUES (?, ?, ?)", ROWS)
        for mode in ("batch", "streaming"):
            connection.execute(f"SET 'execution.runtime-mode' = '{mode}'")
            assert connection.execute(f"SELECT {function}(d) FROM finished").fetchall() == [(float("inf"),)]
