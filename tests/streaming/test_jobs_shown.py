"""What an operator sees of jobs and queries: their errors, what stands in the way of ending or dropping them, their time."""

from __future__ import annotations

import io
import re
import threading
import time
from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.connectors.script import Script
from tableflow.shell.main import main
from tableflow.shell.run import Target, run_script
from tests.front.test_bad_input import failure, marked

MADE = "CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');\n"


def _jobs(connection):
    return connection.execute("SHOW JOBS").fetchall()


def test_a_failed_job_says_why_and_cannot_be_ended():
    script = Script()
    with tableflow.connect() as connection:
        connection.register_stream("s", {"v": "STRING"}, script)
        connection.register_sink("taken", {"v": "INT"}, lambda batch: None)
        connection.execute("-- first\nINSERT INTO taken SELECT CAST(v AS INT) FROM s")
        connection.execute("CREATE STREAMING TABLE kept AS SELECT v FROM s")
        script.rows(("x",))
        assert "not all changes are in effect: job 1, which writes to 'taken', has failed" in failure(
            connection, "FLUSH"
        )
        connection.execute("FLUSH")  # told once: nothing mends it
        failed, running = _jobs(connection)
        assert failed[:3] == (1, "taken", "failed")
        assert (
            failed[4]
            == "cannot cast 'x' to INT (in CAST(v AS INT) where v = 'x'); TRY_CAST gives NULL instead; the INSERT INTO taken has to be run again"
        )
        assert failed[5] == "INSERT INTO taken SELECT CAST(v AS INT) FROM s"
        for statement in ("STOP JOB 1", "CANCEL JOB 1"):
            error = failure(connection, statement)
            assert marked(error) == "1"
            assert f"job 1 has failed already: there is nothing to {statement.split()[0].lower()}" in error
            assert "cannot cast 'x' to INT" in error
            assert "has to be run again" in error
        connection.execute("STOP JOB 2")
        again = connection.execute("STOP JOB 2")
        assert "job 2 was stopped already" in str(again.messages[0][1])
        connection.execute("DROP TABLE kept")
        assert [row[1] for row in _jobs(connection)] == ["taken"]
        assert running[2] == "running"


def test_what_a_job_reads_cannot_be_dropped():
    with tableflow.connect() as connection:
        connection.execute("CREATE SCHEMA w")
        connection.execute(MADE.replace("made", "w.made"))
        connection.execute(MADE)
        connection.execute("CREATE TABLE out (k INT) WITH ('connector' = 'blackhole')")
        connection.execute("CREATE VIEW v AS SELECT k FROM w.made")
        connection.execute("CREATE STREAMING TABLE kept AS SELECT k FROM V WHERE k > 0")
        connection.execute("INSERT INTO out SELECT k FROM made")
        connection.execute("CREATE TABLE stored (k INT)")
        connection.execute("INSERT INTO stored SELECT k FROM w.made")
        for statement, place, job, hint in [
            ("DROP TABLE w.made", "w.made", 1, "STOP JOB 1 first, or DROP TABLE kept"),
            ("DROP SCHEMA w CASCADE", "w", 1, "STOP JOB 1 first, or DROP TABLE kept"),
            ("DROP TABLE IF EXISTS Made", "Made", 2, "hint: STOP JOB 2 first"),
            ("DROP TABLE out", "out", 2, "hint: STOP JOB 2 first"),
            ("DROP TABLE stored", "stored", 3, "hint: STOP JOB 3 first"),
        ]:
            error = failure(connection, statement)
            assert marked(error) == place
            doing = "writes to" if place in {"out", "stored"} else "reads"
            assert f"cannot be dropped while job {job} {doing} it" in error
            assert hint in error
        connection.execute("STOP JOB 2")
        connection.execute("STOP JOB 3")
        connection.execute("DROP TABLE made, stored, out")
        connection.execute("DROP TABLE w.made, kept")
        assert [row[2] for row in _jobs(connection)] == ["stopped", "stopped"]


def test_queries_without_end_are_in_show_watermarks():
    script = Script()
    at = datetime(2024, 1, 1, 0, 0, 10)
    with tableflow.connect() as connection:
        connection.register_stream(
            "s", {"k": "INT", "ts": "TIMESTAMP(3)"}, script, watermark=("ts", timedelta(seconds=5))
        )
        connection.execute("SELECT 1").fetchall()
        cursor = connection.execute(
            "SELECT window_end, count(*) FROM TUMBLE(s, ts, INTERVAL '5' SECOND) GROUP BY window_start, window_end"
        )
        script.rows((1, datetime(2024, 1, 1)), (1, at))
        assert cursor.fetchmany(1) == [(datetime(2024, 1, 1, 0, 0, 5), 1)]
        told = (1, datetime(2024, 1, 1, 0, 0, 5))
        limit = time.monotonic() + 30  # what a task counts is seen when its step is over
        while told not in (rows := {(row[-1], row[2]) for row in connection.execute("SHOW WATERMARKS").fetchall()}):
            assert time.monotonic() < limit, rows
        cursor.close()
        assert connection.execute("SHOW WATERMARKS").fetchall() == []


def test_a_job_at_work_is_shown_with_how_it_stands():
    """What its operators hold, how far their time is, what waits for them."""
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        fast, slow = Script(), Script()
        for name, script in (("fast", fast), ("slow", slow)):
            connection.register_stream(
                name, {"k": "INT", "at": "TIMESTAMP(3)"}, script, watermark=("at", timedelta(seconds=1))
            )
        connection.execute("""
            CREATE STREAMING TABLE kept AS SELECT k, window_end, count(*) AS n
            FROM TUMBLE((SELECT * FROM fast UNION ALL SELECT * FROM slow), at, INTERVAL '1' DAY) GROUP BY k, window_start, window_end
        """)
        fast.rows(*[(k, datetime(2024, 1, 1, 9, 2)) for k in range(1000)])
        slow.rows((1, datetime(2024, 1, 1, 9)))
        connection.execute("FLUSH")
        plan = [row[0] for row in connection.execute("EXPLAIN ANALYZE JOB 1").fetchall()]
        rows = {row[1]: row[2:] for row in connection.execute("SHOW WATERMARKS").fetchall()}
        connection.execute("CANCEL JOB 1")
        after = "".join(row[0] for row in connection.execute("EXPLAIN ANALYZE JOB 1").fetchall())
    (window,) = [line for line in plan if "WindowedAggregate" in line]
    assert re.search(
        r", [\d,]+ rows/s, state 1,000 rows, [1-9][\d,]+ bytes, watermark 2024-01-01 08:59:59.000, 2 min behind\)$",
        window,
    )
    (scan,) = [line for line in plan if "TableScan fast" in line]
    assert re.search(r"actual rows 1,000, .* rows/s, watermark 2024-01-01 09:01:59.000, 0 s behind\)$", scan)
    assert "rows/s" not in after
    sources = {name: row for name, row in rows.items() if name.startswith("source")}
    assert sorted(row[4] for row in sources.values()) == [0, 120_000]
    (held,) = [row for name, row in rows.items() if "WindowedAggregate" in name]
    assert held[2:7] == ("slow: part 0", 0, 120_000, 0, 1000)
    assert int(held[7]) > 1000


@pytest.mark.slow
def test_jobs_are_shown_and_cancelled_while_a_sink_is_stuck():
    """Other statements wait until streaming tables show what the connection has changed; these would never come."""
    with tableflow.connect() as connection:
        called, going = threading.Event(), threading.Event()

        def receive(batch):
            called.set()
            going.wait(60)

        connection.register_sink("outside", {"k": "INT"}, receive)
        connection.execute(MADE)
        connection.execute("INSERT INTO outside SELECT k FROM made")
        try:
            assert called.wait(30)
            connection.execute("CREATE TABLE other (k INT)")
            began = time.monotonic()
            for statement in ("SHOW JOBS", "show watermarks", "-- a\n /* b */ EXPLAIN ANALYZE JOB 1", "EXPLAIN JOB 1"):
                assert connection.execute(statement).fetchall()
            assert time.monotonic() - began < 30
            threading.Timer(0.2, going.set).start()
            connection.execute("CANCEL JOB 1")
            assert _jobs(connection)[0][2] == "cancelled"
        finally:
            going.set()


def test_jobs_of_another_process_are_shown_by_their_record(tmp_path):
    folder = str(tmp_path / "d")
    query = "SELECT k, count(*) AS n FROM t GROUP BY k"
    with tableflow.connect(folder) as connection:
        connection.execute("CREATE TABLE t (k INT)")
        connection.execute(f"CREATE STREAMING TABLE kept AS {query}")
    with tableflow.connect(folder, read_only=True) as connection:
        cursor = connection.execute("SHOW JOBS")
        assert cursor.fetchall() == [(None, "kept", "waiting", None, None, query)]
        assert "no process has the database open for writing: jobs begin when one does" in str(cursor.messages[0][1])
        for statement in ("STOP JOB 1", "CANCEL JOB 1", "EXPLAIN JOB 1", "EXPLAIN ANALYZE JOB 1"):
            error = failure(connection, statement)
            assert "job 1 does not run: no process has the database open for writing" in error
            assert "the jobs begin when a process opens the database for writing" in error
            assert marked(error) == "1"
        assert "FLUSH would wait for ever: no process has the database open for writing" in failure(connection, "FLUSH")
        connection.register_stream("s", {"k": "INT"}, Script())
        connection.register_sink("taken", {"k": "INT"}, lambda batch: None)
        connection.execute("INSERT INTO taken SELECT k FROM s")
        connection.execute("FLUSH")  # of its own job
    with tableflow.connect(folder) as writer, tableflow.connect(folder, read_only=True) as reader:
        reader.execute("FLUSH")
        assert writer.execute("SHOW JOBS").fetchall() == reader.execute("SHOW JOBS").fetchall()


def _run(script, **options):
    out, err = io.StringIO(), io.StringIO()
    code = run_script(script, Target(), "csv", timing=False, out=out, err=err, **options)
    return code, out.getvalue(), err.getvalue()


def test_exit_does_not_stay_for_rows_without_end():
    code, _, told = _run(f"{MADE}SELECT k FROM made; SELECT 2", stay=False)
    assert code == 1
    assert "--exit does not stay" in told
    assert marked(told) == "SELECT k FROM made"
    assert "add LIMIT" in told
    assert _run(f"{MADE}SELECT 1 AS a FROM made WHERE TRUE LIMIT 2", stay=False)[:2] == (0, "a\n1\n1\n")


def test_a_metrics_file_that_cannot_be_written_is_found_first(tmp_path, capsys):
    assert main(["run", "-c", "SELECT 1", "--metrics", str(tmp_path / "no" / "m.json")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "cannot be written: No such file or directory" in told.err


def test_a_declared_table_that_is_there_says_how_to_go_on():
    with tableflow.connect() as connection:
        connection.execute(MADE)
        error = failure(connection, MADE)
        assert "use CREATE TABLE IF NOT EXISTS to leave it as it is, or DROP TABLE first" in error
        with pytest.raises(tableflow.Error, match="CREATE OR REPLACE"):
            connection.execute("CREATE TABLE t (a INT)") and connection.execute("CREATE TABLE t (a INT)")


def test_what_a_streaming_table_would_outlive_is_shown_where_it_is_read(tmp_path):
    with tableflow.connect(str(tmp_path / "d")) as connection:
        connection.register_stream("s", {"k": "INT"}, [])
        error = failure(connection, "CREATE STREAMING TABLE kept AS SELECT k FROM s")
        assert "lives in this session only" in error
        assert marked(error) == "s"
        connection.execute("CREATE TABLE t (k INT)")
        connection.execute("CREATE STREAMING TABLE kept AS SELECT k FROM t")
    assert marked(failure(tableflow.connect(), "EXPLAIN JOB 7")) == "7"


def test_tables_are_called_as_they_are_written_where_one_is(tmp_path):
    with tableflow.connect(tmp_path / "db") as connection:

        def targets():
            return [row[1] for row in connection.execute("SHOW JOBS").fetchall()]

        for sql in (
            "CREATE SCHEMA w",
            "CREATE TABLE t (k INT)",
            "CREATE STREAMING TABLE S AS SELECT k FROM t",
            "CREATE STREAMING TABLE w.R AS SELECT k FROM t",
            "CREATE TABLE out (k INT) WITH ('connector' = 'blackhole')",
            "CREATE TABLE made (k INT) WITH ('connector' = 'datagen')",
            "INSERT INTO out SELECT k FROM made",
        ):
            connection.execute(sql)
        assert targets() == ["S", "w.R", "out"]
        assert "StreamWrite S [" in connection.execute("EXPLAIN JOB 1").fetchall()[0][0]
        with pytest.raises(tableflow.ProgrammingError, match="while streaming table 'S' reads it") as caught:
            connection.execute("DROP TABLE t")
        assert "DROP TABLE S first" in str(caught.value)
        connection.execute("USE w")
        assert targets() == ["default.S", "R", "default.out"]
        with pytest.raises(tableflow.ProgrammingError, match=r"while streaming table 'default\.S' reads it") as caught:
            connection.execute("DROP TABLE default.t")
        assert "DROP TABLE default.S first" in str(caught.value)
        connection.execute("DROP TABLE R")
        connection.execute("CANCEL JOB 1")
        again = connection.execute("CANCEL JOB 1").messages
        assert "CREATE OR REPLACE STREAMING TABLE default.S AS" in str(again)
    with tableflow.connect(tmp_path / "db") as connection:
        assert targets() == ["S"]
        assert "StreamWrite S [" in connection.execute("EXPLAIN JOB 1").fetchall()[0][0]
    with tableflow.connect(tmp_path / "db", read_only=True) as connection:
        connection.execute("USE w")
        assert targets() == ["default.S"]
