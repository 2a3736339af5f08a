"""A statement waits for the jobs that carry what its connection has changed to the tables that it reads, and for no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tableflow
from tableflow.catalog.entry import TableEntry

pytestmark = pytest.mark.slow


class Gate:
    """Somebody who writes to a table: its job waits for its turn until the gate is opened."""

    def __init__(self, connection: tableflow.Connection, table: str) -> None:
        shared = connection.session.storage.shared.database
        entry = connection.session.storage.pin().schemas["default"].permanent[table]
        assert isinstance(entry, TableEntry)
        assert entry.table is not None
        self._transaction = shared.transaction([entry.table])

    def open(self) -> None:
        """Lets the job go on."""
        self._transaction.abort()


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as opened:
        execute = opened.execute
        execute("CREATE TABLE t (k INT)")
        execute("CREATE TABLE other (k INT)")
        execute("CREATE STREAMING TABLE slow AS SELECT k, k * 10 AS v FROM t")
        execute("CREATE STREAMING TABLE slower AS SELECT count(*) AS n FROM slow")
        execute("CREATE STREAMING TABLE fast AS SELECT count(*) AS n FROM t")
        execute("CREATE STREAMING TABLE beside AS SELECT count(*) AS n FROM other")
        execute("CREATE VIEW seen AS SELECT v FROM slow")
        execute("FLUSH")
        yield opened


@pytest.fixture
def gate(connection: tableflow.Connection) -> Iterator[Gate]:
    """``slow`` and what reads it stand still; ``fast`` follows from the same table."""
    made = Gate(connection, "slow")
    yield made
    made.open()


def _rows(connection: tableflow.Connection, sql: str) -> list[tuple[Any, ...]]:
    return sorted(connection.execute(sql).fetchall())


def _waits(connection: tableflow.Connection, sql: str) -> bool:
    """Whether a statement has not come back after a while; it is given up then."""
    cursor = connection.cursor()
    timer = threading.Timer(0.4, cursor.cancel)
    timer.start()
    try:
        cursor.execute(sql)
    except tableflow.OperationalError as error:
        assert "cancelled" in str(error)
        return True
    finally:
        timer.cancel()
    return False


@pytest.mark.usefixtures("gate")
def test_others_do_not_wait_for_a_slow_job(connection: tableflow.Connection) -> None:
    for number in range(1, 4):
        connection.execute(f"INSERT INTO t VALUES ({number})")
        connection.execute(f"INSERT INTO other VALUES ({number})")
        assert _rows(connection, "SELECT n FROM fast") == [(number,)]
        assert _rows(connection, "SELECT n FROM beside") == [(number,)]
        assert len(_rows(connection, "SELECT k FROM t")) == number
    connection.execute("CREATE TABLE made AS SELECT n FROM fast")
    connection.execute("UPDATE other SET k = k + 1")
    connection.execute("DROP TABLE made")
    connection.execute("CREATE STREAMING TABLE more AS SELECT k FROM other")
    assert _rows(connection, "SELECT k FROM more") == [(2,), (3,), (4,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM slow",
        "SELECT * FROM slower",
        "SELECT * FROM seen",
        "SELECT n FROM fast WHERE n IN (SELECT v FROM slow)",
        "WITH q AS (SELECT max(v) AS v FROM slow) SELECT * FROM q",
        "INSERT INTO other SELECT v FROM slow",
        "DELETE FROM other WHERE k IN (SELECT v FROM slow)",
        "CREATE TABLE made AS SELECT * FROM slow",
        "EXPLAIN ANALYZE SELECT * FROM slow",
        "SELECT * FROM table_changes('slow', 0, 1)",
        "FLUSH",
    ],
)
def test_what_reads_a_slow_table_waits(connection: tableflow.Connection, gate: Gate, sql: str) -> None:
    connection.execute("INSERT INTO t VALUES (1), (2)")
    assert _waits(connection, sql)
    assert _waits(connection, sql), "what was given up is not forgotten"
    gate.open()
    assert not _waits(connection, sql)
    assert _rows(connection, "SELECT * FROM slow") == [(1, 10), (2, 20)]
    assert _rows(connection, "SELECT * FROM slower") == [(2,)]


def test_a_version_that_is_to_come_is_waited_for(connection: tableflow.Connection, gate: Gate) -> None:
    gate.open()
    connection.execute("FLUSH")
    before = len(_rows(connection, "SHOW VERSIONS slow"))
    connection.execute("INSERT INTO t VALUES (7)")
    assert _rows(connection, f"SELECT * FROM slow FOR VERSION AS OF {before + 1}") == [(7, 70)]


def test_a_slow_job_is_cancelled_and_dropped_at_once(connection: tableflow.Connection, gate: Gate) -> None:
    connection.execute("INSERT INTO t VALUES (1)")
    began = time.monotonic()
    assert connection.execute("CANCEL JOB 1").messages == []
    connection.execute("DROP TABLE slower")
    assert time.monotonic() - began < 4
    gate.open()
    connection.execute("DROP TABLE slow")


def test_only_what_the_connection_itself_has_changed_is_waited_for(tmp_path: Path) -> None:
    with tableflow.connect(tmp_path / "db") as ours, tableflow.connect(tmp_path / "db") as theirs:
        ours.execute("CREATE TABLE t (k INT)")
        ours.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM t")
        ours.execute("CREATE STREAMING TABLE r AS SELECT n + 1 AS m FROM s")
        for number in range(1, 20):
            ours.execute("INSERT INTO t VALUES (1)")
            assert _rows(ours, "SELECT m FROM r") == [(number + 1,)]
            assert _rows(ours, "SELECT n FROM s") == [(number,)]
        theirs.execute("CREATE STREAMING TABLE late AS SELECT count(*) AS n FROM t")
        assert _rows(ours, "SELECT n FROM late") == [(19,)], "it was begun by another, over what we have changed"
        theirs.execute("INSERT INTO t VALUES (1)")
        assert _rows(theirs, "SELECT m FROM r") == [(21,)]


def test_an_insert_without_end_is_awaited_by_what_follows_from_its_table() -> None:
    with tableflow.connect() as connection:
        connection.register_stream("e", {"k": "INT"}, [(1,), (2,)])
        connection.execute("CREATE TABLE t (k INT)")
        connection.execute("CREATE STREAMING TABLE s AS SELECT count(*) AS n FROM t")
        connection.execute("INSERT INTO t SELECT k FROM e")
        connection.execute("FLUSH")
        assert _rows(connection, "SELECT n FROM s") == [(2,)]


def test_what_an_insert_has_written_that_has_ended_is_awaited(connection: tableflow.Connection, gate: Gate) -> None:
    connection.register_stream("e", {"k": "INT"}, [(1,), (2,)])
    connection.execute("INSERT INTO t SELECT k FROM e")
    insert = connection.session.storage.shared.keeper.jobs[-1]
    assert insert.wait(20)
    assert _waits(connection, "SELECT k FROM slow")
    gate.open()
    assert _rows(connection, "SELECT k FROM slow") == [(1,), (2,)]
