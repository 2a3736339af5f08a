"""Streaming tables: kept by jobs, consistent, of their kind; statements about jobs; and the database opened again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import tableflow
from tableflow.connectors.script import Script


@pytest.fixture(params=["threads", "seed"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2"}
    if request.param == "seed":
        settings["execution.scheduler-seed"] = "5"
    with tableflow.connect(settings=settings) as opened:
        yield opened


def _rows(connection: tableflow.Connection, sql: str) -> list[tuple[Any, ...]]:
    return sorted(connection.execute(sql).fetchall())


def test_changes_of_a_table_are_seen_by_the_next_statement(connection: tableflow.Connection) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT, v INT)")
    execute("INSERT INTO t VALUES (0, 7)")
    execute("CREATE STREAMING TABLE s AS SELECT k, v * 2 AS w FROM t WHERE v > 1")
    assert _rows(connection, "SELECT * FROM s") == [(0, 14)]
    execute("INSERT INTO t VALUES (1, 1), (2, 2), (2, 2)")
    assert _rows(connection, "SELECT * FROM s") == [(0, 14), (2, 4), (2, 4)]
    execute("UPDATE t SET v = 10 WHERE k = 1")
    assert _rows(connection, "SELECT * FROM s") == [(0, 14), (1, 20), (2, 4), (2, 4)]
    execute("DELETE FROM t WHERE k = 2 AND _row_id IN (SELECT min(_row_id) FROM t WHERE k = 2)")
    assert _rows(connection, "SELECT * FROM s") == [(0, 14), (1, 20), (2, 4)]
    execute("TRUNCATE t")
    assert _rows(connection, "SELECT * FROM s") == []
    for value in (1, 2):
        execute("INSERT INTO t VALUES (?, 5)", (value,))
    assert _rows(connection, "SELECT * FROM s") == [(1, 10), (2, 10)]


def test_streaming_tables_read_each_other(connection: tableflow.Connection) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT NOT NULL, v INT)")
    execute("CREATE TABLE u (k INT PRIMARY KEY, n STRING)")
    execute("CREATE STREAMING TABLE a AS SELECT k, v FROM t WHERE v > 0")
    execute("CREATE STREAMING TABLE b AS SELECT a.k, a.v, u.n FROM a JOIN u ON a.k = u.k")
    execute("INSERT INTO t VALUES (1, 1), (2, 2), (3, -3)")
    execute("INSERT INTO u VALUES (1, 'one'), (3, 'three')")
    assert _rows(connection, "SELECT * FROM b") == [(1, 1, "one")]
    execute("UPDATE t SET v = 3 WHERE k = 3")
    execute("FLUSH")
    assert _rows(connection, "SELECT * FROM b") == [(1, 1, "one"), (3, 3, "three")]


def test_a_self_join_shows_one_prefix(connection: tableflow.Connection) -> None:
    """Both sides of the join are at the same version, or a row would have no partner."""
    execute = connection.execute
    execute("CREATE TABLE t (k INT, v INT)")
    execute("CREATE STREAMING TABLE s AS SELECT a.k, a.v AS x, b.v AS y FROM t AS a JOIN t AS b ON a.k = b.k")
    for value in range(8):
        execute("INSERT INTO t VALUES (1, ?)", (value,))
        rows = _rows(connection, "SELECT x, y FROM s")
        assert rows == [(x, y) for x in range(value + 1) for y in range(value + 1)]


def test_a_second_row_of_a_declared_key_fails_the_job() -> None:
    with tableflow.connect() as connection:
        execute = connection.execute
        execute("CREATE TABLE t (k INT NOT NULL, v INT)")
        execute("CREATE STREAMING TABLE s (PRIMARY KEY (k)) AS SELECT k, v FROM t")
        execute("INSERT INTO t VALUES (1, 1)")
        execute("UPDATE t SET v = 2")
        assert _rows(connection, "SELECT * FROM s") == [(1, 2)]
        execute("INSERT INTO t VALUES (1, 3)")
        assert _rows(connection, "SELECT * FROM s") == [(1, 2)]
        (job,) = execute("SHOW JOBS").fetchall()
        assert job[1:3] == ("s", "failed")
        assert "primary" in job[4].lower()


def test_a_streaming_table_has_one_writer(connection: tableflow.Connection) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT)")
    execute("CREATE MATERIALIZED VIEW s AS SELECT k FROM t")
    for statement in ("INSERT INTO s VALUES (1)", "DELETE FROM s", "TRUNCATE s", "ALTER TABLE s ADD COLUMN x INT"):
        with pytest.raises(tableflow.ProgrammingError, match="its rows are those of its query"):
            execute(statement)
    execute("CREATE STREAMING TABLE IF NOT EXISTS s AS SELECT 1 AS x")
    with pytest.raises(tableflow.ProgrammingError, match="exists already"):
        execute("CREATE STREAMING TABLE s AS SELECT 1 AS x")
    execute("CREATE OR REPLACE MATERIALIZED VIEW s AS SELECT k + 1 AS k FROM t")
    execute("INSERT INTO t VALUES (1)")
    assert _rows(connection, "SELECT * FROM s") == [(2,)]


def test_jobs_are_shown_stopped_cancelled_and_dropped(connection: tableflow.Connection) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT)")
    for name in "abc":
        execute(f"CREATE STREAMING TABLE {name} AS SELECT k FROM t")
    execute("INSERT INTO t VALUES (1)")
    execute("STOP JOB 1")
    execute("CANCEL JOB 2")
    execute("DROP TABLE c")
    states = [row[:3] for row in execute("SHOW JOBS").fetchall()]
    assert states == [(1, "a", "stopped"), (2, "b", "cancelled")]
    assert _rows(connection, "SELECT * FROM a") == [(1,)]
    with pytest.raises(tableflow.ProgrammingError, match="no job 9"):
        execute("STOP JOB 9")
    assert "StreamWrite a" in execute("EXPLAIN JOB 1").fetchall()[0][0]
    assert "actual rows" in execute("EXPLAIN ANALYZE JOB 1").fetchall()[0][0]


def test_a_stream_that_a_program_gives(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("e", {"k": "INT"}, script)
    connection.execute("CREATE STREAMING TABLE s AS SELECT k * 10 AS k FROM e")
    script.rows((1,), (2,))
    connection.execute("FLUSH")
    assert _rows(connection, "SELECT * FROM s") == [(10,), (20,)]
    script.rows((3,))
    script.end()
    connection.execute("FLUSH")
    assert _rows(connection, "SELECT * FROM s") == [(10,), (20,), (30,)]


def test_jobs_begin_again_with_their_database(tmp_path: Path) -> None:
    with tableflow.connect(tmp_path / "db") as connection:
        connection.execute("CREATE TABLE t (k INT, v INT)")
        connection.execute("CREATE STREAMING TABLE s AS SELECT v, k FROM t WHERE k > 0")
        connection.execute("CREATE STREAMING TABLE r AS SELECT s.k FROM s JOIN t ON s.k = t.k")
        connection.execute("INSERT INTO t VALUES (1, 1), (0, 0)")
        assert _rows(connection, "SELECT * FROM r") == [(1,)]
        connection.register_stream("e", {"k": "INT"}, [])
        with pytest.raises(tableflow.NotSupportedError, match="lives in this session only"):
            connection.execute("CREATE STREAMING TABLE x AS SELECT k FROM e")
    with tableflow.connect(tmp_path / "db") as connection:
        assert _rows(connection, "SELECT * FROM s") == [(1, 1)]
        connection.execute("INSERT INTO t VALUES (2, 2)")
        assert _rows(connection, "SELECT * FROM s") == [(1, 1), (2, 2)]
        assert _rows(connection, "SELECT * FROM r") == [(1,), (2,)]
        connection.execute("DELETE FROM t WHERE k = 1")
        assert _rows(connection, "SELECT * FROM r") == [(2,)]
        with pytest.raises(tableflow.ProgrammingError, match="while streaming table 's' reads it"):
            connection.execute("DROP TABLE t")
        connection.execute("STOP JOB 1")
        connection.execute("STOP JOB 2")
        connection.execute("DROP TABLE t")
    with tableflow.connect(tmp_path / "db") as connection:
        jobs = {row[1]: row for row in connection.execute("SHOW JOBS").fetchall()}
        number, _, state, _, error, _ = jobs["s"]
        assert state == "lost"
        assert "'t' does not exist; CREATE OR REPLACE STREAMING TABLE s AS ... begins anew" in error
        with pytest.raises(tableflow.NotSupportedError, match=f"job {number} has not run") as caught:
            connection.execute(f"EXPLAIN JOB {number}")
        assert "CREATE OR REPLACE STREAMING TABLE s" in str(caught.value)
        assert _rows(connection, "SELECT k FROM s") == [(2,)]
        connection.execute("CREATE TABLE t (k INT, v INT)")
        connection.execute("INSERT INTO t VALUES (5, 5)")
        connection.execute("CREATE OR REPLACE STREAMING TABLE s AS SELECT v, k FROM t WHERE k > 0")
        assert _rows(connection, "SELECT k FROM s") == [(5,)]
    with tableflow.connect(tmp_path / "db") as connection:
        assert {row[1]: row[2] for row in connection.execute("SHOW JOBS").fetchall()} == {
            "s": "running",
            "r": "running",
        }
        connection.execute("FLUSH")  # until a job has passed where it was, its table shows what it showed before
        assert _rows(connection, "SELECT k FROM r") == [(5,)]


def test_insert_from_rows_without_end_is_a_job(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("e", {"k": "INT", "v": "STRING"}, script)
    connection.execute("CREATE TABLE t (k INT NOT NULL, v STRING, d INT DEFAULT 7)")
    connection.execute("CREATE STREAMING TABLE s AS SELECT d, v FROM t WHERE k > 1")
    connection.execute("INSERT INTO t (v, k) SELECT v, k FROM e")
    script.rows((1, "a"), (2, "b"))
    connection.execute("FLUSH")
    assert _rows(connection, "SELECT * FROM t") == [(1, "a", 7), (2, "b", 7)]
    assert _rows(connection, "SELECT * FROM s") == [(7, "b")]
    versions = len(connection.execute("SHOW VERSIONS t").fetchall())
    connection.execute("FLUSH")
    assert len(connection.execute("SHOW VERSIONS t").fetchall()) == versions
    script.rows((None, "c"))
    with pytest.raises(tableflow.OperationalError, match="job 2, which writes to 't', has failed"):
        connection.execute("FLUSH")
    assert [row[2] for row in connection.execute("SHOW JOBS").fetchall()] == ["running", "failed"]
    with pytest.raises(tableflow.NotSupportedError, match="takes rows back"):
        connection.execute("INSERT INTO t (k) SELECT count(*) FROM e")
    with pytest.raises(tableflow.NotSupportedError, match="only INSERT takes rows"):
        connection.execute("UPDATE t SET v = 'x' FROM e WHERE t.k = e.k")


@pytest.mark.slow
def test_the_command_stays_while_jobs_run(tmp_path: Path) -> None:
    script = "CREATE TABLE t (k INT); INSERT INTO t VALUES (1); CREATE STREAMING TABLE s AS SELECT k FROM t;"
    command = [sys.executable, "-m", "tableflow.shell.main", "run", "--database", str(tmp_path / "db")]
    left = subprocess.run([*command, "--exit", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "streaming table s created" in left.stdout
    with subprocess.Popen([*command, "-c", "SELECT k FROM s"], stdout=-1, stderr=-1, text=True) as stays:
        assert stays.stderr is not None
        assert stays.stderr.readline() == "running: s; Ctrl-C stops\n"
        stays.send_signal(signal.SIGINT)
        output, errors = stays.communicate(timeout=30)
    assert "1" in output
    assert errors == "interrupted\n"
    assert stays.returncode == 130


@pytest.mark.parametrize(
    ("columns", "window", "kind"),
    [
        ("window_end", "TUMBLE(e, ts, INTERVAL '10' SECOND)", "keyed by window_end"),
        ("k, window_start", "TUMBLE(e, ts, INTERVAL '10' SECOND)", "keyed by k, window_start"),
        ("k, window_end", "HOP(e, ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)", "keyed by k, window_end"),
        ("k, window_end", "CUMULATE(e, ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)", "keyed by k, window_end"),
        ("k, window_start", "CUMULATE(e, ts, INTERVAL '5' SECOND, INTERVAL '10' SECOND)", "bag"),
        ("k, window_end", "SESSION(TABLE e PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND)", "bag"),
        ("window_end", "HOP(e, at, INTERVAL '1' HOUR, INTERVAL '2' HOUR)", "bag"),
    ],
)
def test_one_bound_of_a_window_that_tells_the_other_is_a_key(
    connection: tableflow.Connection, columns: str, window: str, kind: str
) -> None:
    """Where clocks leap, windows of a zone may share a bound; of sessions and windows of one start no single bound is known to tell."""
    connection.execute("SET 'table.local-time-zone' = 'Europe/Berlin'")
    script = Script()
    connection.register_stream(
        "e", {"k": "INT", "ts": "TIMESTAMP(3)", "at": "TIMESTAMP_LTZ(3)"}, script, watermark=("ts", timedelta(0))
    )
    groups = ", ".join(dict.fromkeys([*columns.split(", "), "window_start", "window_end"]))
    connection.execute(
        f"CREATE STREAMING TABLE s AS SELECT {columns}, count(*) AS n FROM {window} GROUP BY {groups} EMIT ON UPDATE"
    )
    assert connection.execute("DESCRIBE s").fetchall()[-1][1] == f"streaming table, {kind}"
    moment = datetime(2024, 1, 1)
    instants = [moment.replace(tzinfo=UTC) + timedelta(seconds=second) for second in range(30)]
    for rows in (instants[:7], instants[7:]):
        script.rows(*[(1, instant.replace(tzinfo=None), instant) for instant in rows])
        connection.execute("FLUSH")
    found = connection.execute("SELECT * FROM s").fetchall()
    assert (
        sum(row[-1] for row in found) == {"TUMBLE": 30, "HOP": 60, "CUMULATE": 45, "SESSION": 30}[window.split("(")[0]]
    )


def test_the_kind_of_a_table_follows_from_its_query(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("e", {"k": "INT", "v": "STRING"}, script)
    queries = {
        "append": "SELECT k FROM e",
        "keyed by k": "SELECT k, count(*) AS n FROM e GROUP BY k",
        "bag": "SELECT v FROM (SELECT k, max(v) AS v FROM e GROUP BY k) q",
    }
    for number, (kind, query) in enumerate(queries.items()):
        connection.execute(f"CREATE STREAMING TABLE s{number} AS {query}")
        described = connection.execute(f"DESCRIBE s{number}").fetchall()
        assert described[-1][1] == f"streaming table, {kind}"
    script.rows((1, "a"), (2, "b"), (1, "b"))
    connection.execute("FLUSH")
    assert _rows(connection, "SELECT * FROM s0") == [(1,), (1,), (2,)]
    assert _rows(connection, "SELECT * FROM s1") == [(1, 2), (2, 1)]
    assert _rows(connection, "SELECT * FROM s2") == [("b",), ("b",)]
    script.rows((1, "c"), (3, "b"))
    connection.execute("FLUSH")
    assert _rows(connection, "SELECT * FROM s2") == [("b",), ("b",), ("c",)]


def test_a_subscription_gives_rows_and_then_changes() -> None:
    with tableflow.connect(settings={"table.exec.epoch-interval": "5 ms"}) as connection:
        connection.execute("CREATE TABLE t (k INT PRIMARY KEY, v STRING)")
        connection.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')")
        cursor = connection.table("t").subscribe()
        assert sorted(cursor.fetch_changes(timeout=10)) == [("+I", (1, "a")), ("+I", (2, "b"))]
        connection.execute("UPDATE t SET v = 'c' WHERE k = 2")
        assert cursor.fetch_changes(timeout=10) == [("-U", (2, "b")), ("+U", (2, "c"))]
        connection.execute("DELETE FROM t WHERE k = 1")
        assert cursor.fetch_changes(timeout=10) == [("-D", (1, "a"))]
        cursor.close()
        with pytest.raises(tableflow.ProgrammingError, match="'nothing'"):
            connection.table("nothing").subscribe()


def test_what_a_streaming_table_reads_stays(connection: tableflow.Connection) -> None:
    """Nothing a running job reads goes or changes under it; together with the job, and after it, it may."""
    execute = connection.execute
    execute("CREATE SCHEMA w")
    execute("CREATE TABLE w.t (k INT, v INT, x INT)")
    execute("CREATE STREAMING TABLE w.s AS SELECT k, sum(v) AS v FROM w.t GROUP BY k")
    execute("CREATE STREAMING TABLE r AS SELECT v FROM w.s WHERE v > 1")
    for statement, reader in [
        ("DROP TABLE w.t", "w.s"), ("DROP TABLE w.s", "r"), ("DROP SCHEMA w CASCADE", "r"), ("CREATE OR REPLACE TABLE w.t (a INT)", "w.s"),
        ("CREATE OR REPLACE STREAMING TABLE w.s AS SELECT 1 AS a", "r"), ("ALTER TABLE w.t RENAME TO u", "w.s"),
        ("ALTER TABLE w.t DROP COLUMN x", "w.s"), ("ALTER TABLE w.t RENAME COLUMN v TO vv", "w.s"),
    ]:  # fmt: skip
        with pytest.raises(tableflow.ProgrammingError, match=f"while streaming table '{reader}' reads it"):
            execute(statement)
    execute("ALTER TABLE w.t ADD COLUMN y INT")
    execute("INSERT INTO w.t VALUES (1, 5, 0, 0)")
    assert _rows(connection, "SELECT * FROM r") == [(5,)]
    execute("DROP TABLE r, w.s")
    execute("ALTER TABLE w.t DROP COLUMN x")
    execute("CREATE STREAMING TABLE w.s AS SELECT k FROM w.t")
    execute("DROP SCHEMA w CASCADE")
    assert execute("SHOW JOBS").fetchall() == []  # jobs go with their tables


def test_a_version_that_is_asked_for_does_not_change(connection: tableflow.Connection) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT, v INT)")
    execute("INSERT INTO t VALUES (1, 1)")
    execute(
        "CREATE STREAMING TABLE s AS SELECT t.k, t.v - old.v AS more FROM t JOIN t FOR VERSION AS OF 2 AS old ON t.k = old.k"
    )
    execute("UPDATE t SET v = 5")
    execute("INSERT INTO t VALUES (2, 2)")
    assert _rows(connection, "SELECT * FROM s") == [(1, 4)]


def test_a_streaming_table_is_shown_as_it_is_made(connection: tableflow.Connection) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT NOT NULL, v INT)")
    execute("INSERT INTO t VALUES (1, 2), (1, 3)")
    execute('CREATE STREAMING TABLE s ("a key", total) AS SELECT k, sum(v) FROM t GROUP BY k')
    text = execute("SHOW CREATE TABLE s").fetchall()[0][0]
    assert text.startswith('CREATE STREAMING TABLE s ("a key", total, PRIMARY KEY ("a key")) AS\nSELECT k, sum(v)')
    execute("DROP TABLE s")
    execute(text)
    assert _rows(connection, 'SELECT "a key", total FROM s') == [(1, 5)]
    assert execute("SHOW CREATE TABLE s").fetchall()[0][0] == text


@pytest.mark.parametrize("reading", ["now()", "CURRENT_TIMESTAMP", "localtimestamp", "current_date"])
def test_rows_that_come_and_go_have_no_time_of_an_epoch(connection: tableflow.Connection, reading: str) -> None:
    connection.execute("CREATE TABLE t (ts TIMESTAMP)")
    connection.execute(f"CREATE VIEW v AS SELECT ts FROM t WHERE ts < {reading}")
    for query in (f"SELECT ts FROM t WHERE ts > {reading}", f"SELECT {reading} AS made FROM t", "SELECT * FROM v"):
        with pytest.raises(
            tableflow.NotSupportedError,
            match="the time of an epoch cannot be computed over rows that may be taken back",
        ):
            connection.execute(f"CREATE STREAMING TABLE s AS {query}")
    assert _rows(connection, "SELECT count(*) FROM v") == [(0,)]


@pytest.mark.parametrize(
    "refused",
    [
        "DROP TABLE s, nothing",
        "DROP TABLE s, s",
        "DROP TABLE s, v",
        "DROP VIEW s",
        "DROP SCHEMA default CASCADE",
        "DROP SCHEMA w, nothing CASCADE",
        "CREATE OR REPLACE STREAMING TABLE s AS SELECT k + 1 AS k FROM s",
        "CREATE OR REPLACE STREAMING TABLE s AS SELECT k FROM t WHERE k IN (SELECT k FROM s)",
        "CREATE OR REPLACE STREAMING TABLE s AS SELECT nothing FROM t",
        "CREATE STREAMING TABLE s AS SELECT k FROM t",
    ],
)
def test_what_is_refused_ends_no_job(connection: tableflow.Connection, refused: str) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT)")
    execute("CREATE SCHEMA w")
    execute("CREATE VIEW v AS SELECT 1 AS a")
    execute("CREATE STREAMING TABLE s AS SELECT k FROM t")
    execute("CREATE STREAMING TABLE w.s AS SELECT k FROM t")
    with pytest.raises(tableflow.Error):
        execute(refused)
    execute("INSERT INTO t VALUES (1)")
    assert _rows(connection, "SELECT * FROM s") == _rows(connection, "SELECT * FROM w.s") == [(1,)]
    assert [row[2] for row in execute("SHOW JOBS").fetchall()] == ["running", "running"]


def test_a_table_that_replaces_a_streaming_table_ends_its_job(connection: tableflow.Connection) -> None:
    execute = connection.execute
    execute("CREATE TABLE t (k INT)")
    execute("CREATE STREAMING TABLE s AS SELECT k FROM t")
    execute("CREATE OR REPLACE TABLE s AS SELECT 7 AS k")
    execute("INSERT INTO t VALUES (1)")
    execute("FLUSH")
    assert execute("SHOW JOBS").fetchall() == []
    assert _rows(connection, "SELECT * FROM s") == [(7,)]
    execute("CREATE OR REPLACE STREAMING TABLE s AS SELECT k + 1 AS k FROM t")
    execute("INSERT INTO t VALUES (5)")
    assert _rows(connection, "SELECT * FROM s") == [(2,), (6,)]
    execute("DROP SCHEMA IF EXISTS nothing CASCADE")
    execute("DROP TABLE s, t")
    assert execute("SHOW JOBS").fetchall() == []


def test_a_subscription_names_the_table_that_is_gone(connection: tableflow.Connection) -> None:
    connection.execute("CREATE TABLE fleeting (k INT)")
    connection.execute("INSERT INTO fleeting VALUES (1)")
    changes = connection.table("fleeting").subscribe()
    assert [change.row for change in changes.fetch_changes(timeout=5)] == [(1,)]
    connection.execute("DROP TABLE fleeting")
    with pytest.raises(tableflow.Error, match="table 'fleeting', whose changes were being read, is gone"):
        changes.fetch_changes(timeout=5)
