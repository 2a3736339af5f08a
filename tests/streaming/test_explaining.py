"""EXPLAIN of statements that would start jobs, and of what waits for time; nothing is started, made, or written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

import tableflow
from tableflow.connectors.script import Script

COLUMNS = {"k": "BIGINT", "ts": "TIMESTAMP(3)"}
COUNTS = "SELECT k, count(*) AS n FROM TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY k, window_start, window_end"


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as opened:
        for name in ("s", "r"):
            opened.register_stream(name, COLUMNS, Script([]), watermark=("ts", timedelta(seconds=5)))
        opened.execute("CREATE TABLE nowhere (k BIGINT, n BIGINT) WITH ('connector' = 'blackhole')")
        opened.execute("CREATE TABLE t (k BIGINT, n BIGINT)")
        yield opened


def explained(connection: tableflow.Connection, sql: str) -> str:
    return "\n".join(row[0] for row in connection.execute(sql).fetchall())


SET = f"STATEMENT SET BEGIN INSERT INTO nowhere {COUNTS}; INSERT INTO nowhere SELECT k, k FROM s; END"


def test_a_query_without_end_is_not_analyzed(connection: tableflow.Connection) -> None:
    with pytest.raises(tableflow.NotSupportedError, match="no end") as raised:
        connection.execute(f"EXPLAIN ANALYZE {COUNTS}")
    assert "EXPLAIN ANALYZE JOB id" in str(raised.value)


@pytest.mark.parametrize(
    ("statement", "parts"),
    [
        (
            f"CREATE STREAMING TABLE made AS {COUNTS}",
            ["StreamWrite made", "WindowedAggregate TUMBLE INTERVAL '10' SECOND", "TableScan s"],
        ),
        (
            "CREATE MATERIALIZED VIEW made AS SELECT k, sum(n) AS n FROM t GROUP BY k",
            ["ChangelogAggregate", "TableScan t"],
        ),
        (f"CREATE STREAMING TABLE made AS {COUNTS} EMIT LATE INTO late", ["late into late", "StreamWrite made"]),
        (f"INSERT INTO nowhere {COUNTS}", ["StreamWrite nowhere", "WindowedAggregate"]),
        (f"INSERT INTO t {COUNTS}", ["StreamWrite t", "WindowedAggregate"]),
        (f"EXECUTE {SET}", ["RoutedWrite", "WindowedAggregate", "TableScan s"]),
        (SET, ["RoutedWrite", "WindowedAggregate", "TableScan s"]),
    ],
)
def test_the_plan_of_a_job_that_is_not_started(
    connection: tableflow.Connection, statement: str, parts: list[str]
) -> None:
    text = explained(connection, f"EXPLAIN {statement}")
    assert all(part in text for part in parts)
    assert "Scan" in explained(connection, f"EXPLAIN LOGICAL {statement}")
    with pytest.raises(tableflow.NotSupportedError, match="EXPLAIN ANALYZE JOB id"):
        connection.execute(f"EXPLAIN ANALYZE {statement}")
    assert connection.execute("SHOW JOBS").fetchall() == []
    assert connection.execute("SHOW TABLES").fetchall() == [("nowhere",), ("r",), ("s",), ("t",)]


def test_what_could_not_run_is_not_explained(connection: tableflow.Connection) -> None:
    with pytest.raises(tableflow.NotSupportedError, match="takes rows back"):
        connection.execute("EXPLAIN INSERT INTO t SELECT k, count(*) FROM s GROUP BY k")
    with pytest.raises(tableflow.ProgrammingError, match="STATEMENT is expected"):
        connection.execute("EXPLAIN EXECUTE SET BEGIN")


def test_what_waits_for_time(connection: tableflow.Connection) -> None:
    rows = connection.execute(
        f"EXPLAIN WATERMARK {COUNTS} EMIT WITH LATENESS INTERVAL '7' SECOND LATE INTO late"
    ).fetchall()
    assert [row[1:] for row in rows] == [
        (
            None,
            None,
            None,
            "the end of each window; late rows correct it for INTERVAL '7' SECOND more; later ones go to late",
        ),
        ("ts", "ts - INTERVAL '5' SECOND", "30 s", None),
    ]
    assert rows[-1][0] == "source s"
    connection.execute("SET 'table.exec.source.idle-timeout' = '2 s'")
    join = "SELECT s.k FROM s JOIN r ON s.k = r.k AND r.ts BETWEEN s.ts - INTERVAL '1' MINUTE AND s.ts"
    rows = connection.execute(f"EXPLAIN WATERMARK CREATE STREAMING TABLE made AS {join}").fetchall()
    assert [(row[0], row[3], row[4]) for row in rows[1:]] == [("source s", "2 s", None), ("source r", "2 s", None)]
    assert rows[0][4] == "nothing; rows are forgotten as time passes"
    asof = "SELECT s.k FROM s ASOF JOIN r ON s.k = r.k AND s.ts >= r.ts"
    first = connection.execute(f"EXPLAIN WATERMARK {asof}").fetchall()[0]
    assert first[4] is not None
    assert first[4].startswith(
        "the time of each left row; the newest version of each key is kept for ever: SET 'table.exec."
    )
    plain = connection.execute("EXPLAIN WATERMARK SELECT k FROM t").fetchall()
    assert plain == [("source t", None, None, None, None)]
    over = "SELECT sum(k) OVER (ORDER BY ts) FROM s"
    assert connection.execute(f"EXPLAIN WATERMARK {over}").fetchall()[0][4] == "the time of each row"
    over = "SELECT sum(k) OVER (ORDER BY ts RANGE BETWEEN CURRENT ROW AND INTERVAL '1' SECOND FOLLOWING) FROM s"
    assert connection.execute(f"EXPLAIN WATERMARK {over}").fetchall()[0][4] == "the end of each row's frame"
    closing = "SELECT * FROM TUMBLE(s, ts, INTERVAL '1' SECOND) QUALIFY row_number() OVER (PARTITION BY window_end ORDER BY k) = 1"
    assert connection.execute(f"EXPLAIN WATERMARK {closing}").fetchall()[0][4] == "the end of the window: window_end"
