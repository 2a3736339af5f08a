"""A table whose job has failed keeps its rows; whoever reads it, waits for it or subscribes to it is told that they are old."""

from __future__ import annotations

import io
import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

import tableflow
from tableflow.connectors.script import Script
from tableflow.shell.run import Target, run_script

SCRIPT = """
CREATE TABLE m (k STRING, v INT);
CREATE STREAMING TABLE mk (PRIMARY KEY (k)) AS SELECT k, v FROM m;
CREATE STREAMING TABLE twice AS SELECT v * 2 AS v FROM mk;
CREATE STREAMING TABLE other AS SELECT v FROM m;
INSERT INTO m VALUES ('a', 1);
"""
SECOND = "INSERT INTO m VALUES ('a', 2)"


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect() as opened:
        for _ in opened.session.script(SCRIPT):
            pass
        yield opened


def _told(cursor: tableflow.Cursor) -> str:
    return "\n".join(str(warning) for _, warning in cursor.messages)


def test_a_reader_of_old_rows_is_told(connection: tableflow.Connection) -> None:
    assert connection.execute("SELECT * FROM mk").messages == []
    connection.execute(SECOND)
    cursor = connection.execute("SELECT * FROM mk")
    assert cursor.fetchall() == [("a", 1)]
    assert "table 'mk' shows old rows: job 1, which kept it up to date, has failed" in _told(cursor)
    assert "CREATE OR REPLACE STREAMING TABLE mk AS ... begins anew" in _told(cursor)
    told = _told(connection.execute("SELECT * FROM twice"))
    assert "table 'twice' shows old rows: job 1, which kept 'mk', which it is made of, up to date, has failed" in told
    connection.execute("CREATE TABLE plain (k STRING)")
    assert "table 'mk' shows old rows" in _told(connection.execute("INSERT INTO plain SELECT k FROM mk"))
    for silent in ("SELECT * FROM m", "SELECT * FROM other", "SELECT * FROM plain", "EXPLAIN SELECT * FROM mk"):
        assert connection.execute(silent).messages == []
    connection.execute("DROP TABLE twice")
    connection.execute("CREATE OR REPLACE STREAMING TABLE mk AS SELECT k, max(v) AS v FROM m GROUP BY k")
    cursor = connection.execute("SELECT * FROM mk")
    assert (cursor.fetchall(), cursor.messages) == ([("a", 2)], [])


def test_flush_does_not_promise_what_a_failed_job_cannot_keep(connection: tableflow.Connection) -> None:
    connection.execute("FLUSH")
    connection.execute(SECOND)
    for _ in range(2):
        with pytest.raises(tableflow.OperationalError) as raised:
            connection.execute("FLUSH")
        assert "not all changes are in effect: job 1, which writes to 'mk', has failed" in str(raised.value)
        assert "duplicate key" in str(raised.value)
        assert "hint: CREATE OR REPLACE STREAMING TABLE mk AS" in str(raised.value)
    assert sorted(connection.execute("SELECT * FROM other").fetchall()) == [(1,), (2,)]
    connection.execute("DROP TABLE twice")
    connection.execute("DROP TABLE mk")
    connection.execute("FLUSH")


@pytest.mark.parametrize("table", ["mk", "twice"])
def test_a_subscription_ends_with_the_error_of_the_job(connection: tableflow.Connection, table: str) -> None:
    cursor = connection.table(table).subscribe()
    assert len(cursor.fetch_changes(timeout=30)) == 1
    assert cursor.fetch_changes(timeout=0.3) == []
    connection.execute(SECOND)
    for _ in range(2):
        with pytest.raises(tableflow.OperationalError, match=f"table '{table}' shows old rows: .* has failed"):
            cursor.fetch_changes(timeout=30)
    with pytest.raises(tableflow.OperationalError, match="has failed") as raised:
        connection.table(table).subscribe()
    assert "duplicate key" in str(raised.value)


def test_what_came_before_the_failure_is_given_first() -> None:
    with tableflow.connect() as connection:
        script = Script()
        connection.register_stream("s", {"v": "STRING"}, script)
        connection.execute("CREATE STREAMING TABLE kept AS SELECT CAST(v AS INT) AS v FROM s")
        cursor = connection.table("kept").subscribe()
        script.rows(("1",))
        connection.execute("FLUSH")
        script.rows(("x",))
        with pytest.raises(tableflow.OperationalError, match="cannot cast 'x'"):
            connection.execute("FLUSH")
        assert cursor.fetchone()[-1] == 1
        with pytest.raises(tableflow.OperationalError, match="cannot cast 'x'"):
            cursor.fetchone()


def _run(script: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = run_script(script, Target(), "csv", timing=False, out=out, err=err, stay=False)
    return code, out.getvalue(), err.getvalue()


def test_the_command_tells_on_standard_error() -> None:
    code, out, err = _run(f"{SCRIPT}SELECT count(*) AS n FROM mk; {SECOND}; SELECT k, v FROM mk;")
    assert (code, out) == (1, "n\n1\nk,v\na,1\n")
    assert "warning: table 'mk' shows old rows: job 1" in err
    code, _, err = _run(f"{SCRIPT}{SECOND}; SHOW JOBS; SELECT nothing")
    assert code == 1
    assert err.count("warning: job 1, which writes to mk, has failed") == 1
    assert "column 'nothing' does not exist" in err
    code, out, err = _run(f"{SCRIPT}{SECOND}; FLUSH; SELECT k, v FROM mk;")
    assert (code, out) == (1, "")
    assert "error: not all changes are in effect: job 1, which writes to 'mk', has failed" in err


def test_rows_of_a_lost_job_are_old(tmp_path: Path) -> None:
    with tableflow.connect(tmp_path / "db") as connection:
        connection.execute("CREATE TABLE t (k INT)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.execute("CREATE STREAMING TABLE s AS SELECT k FROM t")
        connection.execute("FLUSH")
        connection.execute("STOP JOB 1")
        connection.execute("DROP TABLE t")
    with tableflow.connect(tmp_path / "db") as connection:
        for statement in ("SELECT * FROM s", "FLUSH"):
            told = _told(connection.execute(statement))
            assert "table 's' shows old rows: job 1, which kept it up to date, is lost" in told
            assert "'t' does not exist" in told


@pytest.mark.parametrize("read", [False, True])
@pytest.mark.parametrize("source", ["queue", "iterator"])
def test_a_table_is_not_replaced_by_one_whose_rows_are_gone(source: str, read: bool) -> None:
    given: queue.Queue[tuple[int]] = queue.Queue()
    given.put((1,))
    with tableflow.connect() as connection:
        connection.register_stream("s", {"k": "INT"}, given if source == "queue" else iter([(1,)]))
        connection.execute("CREATE STREAMING TABLE t AS SELECT k FROM s")
        if read:
            connection.execute("FLUSH")
        with pytest.raises(tableflow.OperationalError, match="can be read once") as raised:
            connection.execute("CREATE OR REPLACE STREAMING TABLE t AS SELECT k + 1 AS k FROM s")
        assert "table 't' cannot be replaced: its query reads 's'" in str(raised.value)
        connection.execute("FLUSH")
        assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]
        assert len(connection.execute("SHOW JOBS").fetchall()) == 1
        connection.register_stream("again", {"k": "INT"}, [(5,)])
        connection.execute("CREATE OR REPLACE STREAMING TABLE t AS SELECT k FROM again")
        connection.execute("FLUSH")
        assert connection.execute("SELECT * FROM t").fetchall() == [(5,)]


_SLOW = "CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '1')"


@pytest.mark.parametrize(
    ("into", "query"),
    [
        ("files", "SELECT k FROM made WHERE k = 0"),
        ("changes", "SELECT k, count(*) FROM made WHERE k = 0 GROUP BY k"),
    ],
)
def test_a_sink_that_cannot_be_opened_is_an_error_of_the_statement(tmp_path: Path, into: str, query: str) -> None:
    """Also where its first row never comes."""
    (tmp_path / "file").write_text("")
    place = f"'connector' = 'filesystem', 'path' = '{tmp_path / 'file' / 'folder'}'"
    with tableflow.connect(settings={"parallelism.default": "2"}) as opened:
        opened.execute(_SLOW)
        opened.execute(f"CREATE TABLE files (k INT) WITH ({place}, 'format' = 'csv')")
        opened.execute(f"CREATE TABLE changes (k INT, n BIGINT) WITH ({place}, 'format' = 'changelog-json')")
        for statement in (
            f"INSERT INTO {into} {query}",
            f"EXECUTE STATEMENT SET BEGIN INSERT INTO {into} {query}; END",
        ):
            with pytest.raises(tableflow.OperationalError, match=r"files in .* could not be written"):
                opened.execute(statement)
        assert [row[2] for row in opened.execute("SHOW JOBS").fetchall()] == ["failed", "failed"]


def test_closing_tells_of_an_insert_that_has_failed_since_the_last_statement() -> None:
    script = Script()
    opened = tableflow.connect()
    opened.register_stream("s", {"v": "STRING"}, script)
    opened.execute("CREATE TABLE numbers (v INT)")
    opened.execute("INSERT INTO numbers SELECT CAST(v AS INT) FROM s")
    script.rows(("x",))
    assert opened.session.storage.shared.keeper.find(1).wait(30)
    with pytest.warns(
        RuntimeWarning, match=r"table 'numbers' lacks rows: job 1, an INSERT, has failed \(cannot cast 'x'"
    ):
        opened.close()
    with tableflow.connect() as other:
        other.register_stream("s", {"v": "STRING"}, lambda: iter([("x",)]))
        other.execute("CREATE TABLE numbers (v INT)")
        with pytest.raises(tableflow.DataError, match="cannot cast 'x'"):
            other.execute("INSERT INTO numbers SELECT CAST(v AS INT) FROM s")
