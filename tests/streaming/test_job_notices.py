"""Who reads, or has begun, what a job wrote that runs no more is told: once of an INSERT that failed, always of a table that stands still."""

from __future__ import annotations

import io
import queue
import time
from collections.abc import Iterator

import pytest

import tableflow
from tableflow.shell.run import Target, run_script

SCHEMA = {"k": "INT"}


def _told(cursor: tableflow.Cursor) -> list[str]:
    return [str(message) for _, message in cursor.messages]


def _failing() -> Iterator[tuple[int]]:
    raise ValueError("boom")
    yield (1,)


@pytest.fixture
def con() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.execute("CREATE TABLE gone (k INT) WITH ('connector' = 'blackhole')")
        connection.execute("CREATE TABLE kept (k INT NOT NULL)")
        yield connection


def _until_failed(connection: tableflow.Connection) -> None:
    limit = time.monotonic() + 30
    while any(job.running for job in connection.session.storage.shared.keeper.jobs):
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("target", ["gone", "kept"])
def test_an_insert_that_fails_at_once_raises(con: tableflow.Connection, target: str) -> None:
    con.register_stream("s", SCHEMA, _failing)
    with pytest.raises(tableflow.OperationalError, match="the iterator of stream 's' failed"):
        con.execute(f"INSERT INTO {target} SELECT k FROM s")
    assert _told(con.execute("SELECT 1")) == []
    assert _told(con.execute("FLUSH")) == []
    assert [row[2] for row in con.execute("SHOW JOBS").fetchall()] == ["failed"]


@pytest.mark.parametrize("target", ["gone", "kept"])
@pytest.mark.parametrize("parameters", [(), (1,)])
def test_an_insert_that_fails_later_is_told_with_the_next_statement(
    con: tableflow.Connection, target: str, parameters: tuple[int, ...]
) -> None:
    rows: queue.Queue[object] = queue.Queue()
    con.register_stream("s", SCHEMA, rows)
    con.execute(f"INSERT INTO {target} SELECT k FROM s")
    assert _told(con.execute("SELECT 1")) == []
    rows.put("no row")
    _until_failed(con)
    (told,) = _told(con.execute("SELECT ?" if parameters else "SELECT 1", parameters))
    assert told.startswith(
        f"table '{target}' lacks rows: job 1, an INSERT, has failed (row 1 of stream 's' is 'no row'"
    )
    assert told.endswith(f"the INSERT INTO {target} has to be run again")
    assert _told(con.execute("SELECT 1")) == []
    assert _told(con.execute("SELECT * FROM kept")) == []
    with pytest.raises(tableflow.OperationalError, match="not all changes are in effect"):
        con.execute("FLUSH")


def test_readers_in_other_connections_are_told_once(tmp_path) -> None:
    rows: queue.Queue[object] = queue.Queue()
    with tableflow.connect(tmp_path / "db") as con, tableflow.connect(tmp_path / "db") as other:
        con.execute("CREATE TABLE kept (k INT)")
        con.register_stream("s", SCHEMA, rows)
        con.execute("INSERT INTO kept SELECT k FROM s")
        rows.put((1,))
        con.execute("FLUSH")
        rows.put("no row")
        _until_failed(con)
        assert _told(other.execute("SELECT 1")) == []
        cursor = other.execute("SELECT k FROM kept")
        assert "table 'kept' lacks rows: job 1" in _told(cursor)[0]
        assert cursor.fetchall() == [(1,)]
        assert _told(other.execute("SELECT k FROM kept")) == []
        assert "table 'kept' lacks rows: job 1" in _told(con.execute("SELECT 1"))[0]


@pytest.mark.parametrize(("word", "state"), [("STOP", "stopped"), ("CANCEL", "cancelled")])
def test_a_table_whose_job_was_ended_is_as_of_then(con: tableflow.Connection, word: str, state: str) -> None:
    con.execute("CREATE STREAMING TABLE s AS SELECT k FROM kept")
    con.execute("CREATE STREAMING TABLE further AS SELECT sum(k) AS k FROM s")
    con.execute("INSERT INTO kept VALUES (1)")
    assert _told(con.execute("SELECT * FROM further")) == []
    con.execute(f"{word} JOB 1")
    for _ in range(2):
        (told,) = _told(con.execute("SELECT * FROM s WHERE k > ?", (0,)))
        assert told.startswith("table 's' is as of 20")
        assert f"UTC: job 1, which kept it up to date, was {state} then; CREATE OR REPLACE STREAMING TABLE s AS" in told
    (told,) = _told(con.execute("SELECT * FROM further"))
    assert "job 1, which kept 's', which it is made of, up to date" in told
    assert _told(con.execute("SELECT * FROM kept")) == []


def test_a_table_whose_rows_have_ended_is_as_it_will_be(con: tableflow.Connection) -> None:
    con.register_stream("s", SCHEMA, [(1,), (2,)])
    con.execute("CREATE STREAMING TABLE done AS SELECT sum(k) AS k FROM s")
    con.execute("FLUSH")
    _until_failed(con)
    cursor = con.execute("SELECT * FROM done")
    assert (_told(cursor), cursor.fetchall()) == ([], [(3,)])


def test_the_command_tells_of_it_once() -> None:
    out, err = io.StringIO(), io.StringIO()
    script = """
        CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '100');
        CREATE TABLE gone (k INT) WITH ('connector' = 'blackhole');
        INSERT INTO gone SELECT 1 / (k - k) FROM made;
        SELECT 1 AS one;
    """
    assert run_script(script, Target(), "csv", timing=False, out=out, err=err, stay=True) == 1
    assert (out.getvalue() + err.getvalue()).count("division by zero") == 1
