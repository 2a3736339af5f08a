"""FLUSH returns when all that was given before has had its effect, in all tables that follow, wherever it was given."""

from __future__ import annotations

import fcntl
import queue
import socket
import struct
import termios
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.script import Delay, Script

SETTINGS = {"parallelism.default": "2"}
NEVER = "'1 h'"


@pytest.fixture(params=["threads", "seed"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    settings = dict(SETTINGS)
    if request.param == "seed":
        settings["execution.scheduler-seed"] = "5"
    with tableflow.connect(settings=settings) as opened:
        yield opened


@pytest.fixture
def threads() -> Iterator[tableflow.Connection]:
    """Whatever may block belongs to real threads."""
    with tableflow.connect(settings=SETTINGS) as opened:
        yield opened


def _flushed(connection: tableflow.Connection, table: str) -> list[tuple[Any, ...]]:
    """What a table shows right after a FLUSH; the query itself waits for nothing."""
    connection.execute("FLUSH")
    return sorted(connection.execute(f"SELECT * FROM {table}").fetchall())


def _write(path: Path, content: str) -> None:
    hidden = path.with_name("." + path.name)
    hidden.write_text(content)
    hidden.rename(path)


@pytest.mark.parametrize("bounded", [False, True])
def test_items_of_a_queue_are_given_when_put_returns(connection: tableflow.Connection, bounded: bool) -> None:
    source: Any = queue.Queue(1000) if bounded else queue.SimpleQueue()
    connection.register_stream("s", {"k": "INT"}, source)
    connection.execute("CREATE STREAMING TABLE t AS SELECT count(*) AS n, sum(k) AS total FROM s")
    connection.execute("CREATE STREAMING TABLE u AS SELECT n * 2 AS twice FROM t")
    for number in range(40):
        source.put((1,))
        source.put(pa.record_batch({"k": pa.array([2, 3], pa.int32())}))
        assert _flushed(connection, "u") == [(6 * (number + 1),)]
    source.put(None)
    connection.execute("FLUSH")
    assert connection.execute("SELECT * FROM t").fetchall() == [(120, 240)]
    assert {row[2] for row in connection.execute("SHOW JOBS").fetchall()[:1]} == {"finished"}
    if bounded:
        assert source.unfinished_tasks == 0


def test_a_queue_is_read_by_one_job(threads: tableflow.Connection) -> None:
    source: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threads.register_stream("s", {"k": "INT"}, source)
    threads.execute("CREATE STREAMING TABLE t AS SELECT k FROM s")
    threads.execute("FLUSH")
    threads.execute("CREATE STREAMING TABLE u AS SELECT k FROM s")
    with pytest.raises(tableflow.OperationalError, match="job 2, which writes to 'u', has failed"):
        threads.execute("FLUSH")
    [failed] = [row for row in threads.execute("SHOW JOBS").fetchall() if row[2] == "failed"]
    assert "rows of a queue can be read once" in failed[4]
    threads.execute("DROP TABLE u")
    source.put((1,))
    assert _flushed(threads, "t") == [(1,)]


def test_items_of_a_queue_that_are_no_rows_are_named(threads: tableflow.Connection) -> None:
    source: queue.Queue[Any] = queue.Queue()
    threads.register_stream("s", {"k": "INT"}, source)
    source.put((1,))
    source.put(7)
    cursor = threads.execute("SELECT k FROM s")
    with pytest.raises(tableflow.Error, match="stream 's'"):
        while True:
            cursor.fetchmany(1, timeout=5)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_rows_of_an_iterator_are_given_when_the_next_is_asked_for(
    threads: tableflow.Connection, asynchronous: bool
) -> None:
    ours: queue.SimpleQueue[int] = queue.SimpleQueue()
    asked = threading.Semaphore(0)

    def rows() -> Iterator[tuple[int]]:
        while True:
            asked.release()
            yield (ours.get(),)

    async def rows_async() -> AsyncIterator[tuple[int]]:
        for row in rows():
            yield row

    threads.register_stream("s", {"k": "INT"}, rows_async if asynchronous else rows)
    threads.execute("CREATE STREAMING TABLE t AS SELECT count(*) AS n FROM s")
    asked.acquire()
    for number in range(100):
        ours.put(number)
        asked.acquire()
        assert _flushed(threads, "t") == [(number + 1,)]


def test_bytes_that_a_server_has_sent_are_given_when_they_are_here(threads: tableflow.Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)
        threads.execute(
            "CREATE TABLE s (k INT) WITH ('connector' = 'socket', 'hostname' = '127.0.0.1', "
            f"'port' = '{listening.getsockname()[1]}')"
        )
        threads.execute("CREATE STREAMING TABLE t AS SELECT count(*) AS n FROM s")
        server, _ = listening.accept()
        with server:
            for number in range(50):
                _send(server, b"1\n2\n3")  # the third line is not complete
                assert _flushed(threads, "t") == [(3 * number + 2,)]
                _send(server, b"\n")


def _send(server: socket.socket, data: bytes) -> None:
    """Returns when the other side has the bytes."""
    server.sendall(data)
    while struct.unpack("i", fcntl.ioctl(server, termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
        time.sleep(0.0005)


def test_files_are_given_when_they_have_their_name(connection: tableflow.Connection, tmp_path: Path) -> None:
    """Nobody waits until the directory would be looked at again."""
    connection.execute(
        f"CREATE TABLE f (k INT) WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'csv', "
        f"'csv.header' = 'false', 'source.monitor-interval' = {NEVER})"
    )
    connection.execute("CREATE STREAMING TABLE t AS SELECT count(*) AS n FROM f")
    for number in range(4):
        _write(tmp_path / f"{number}.csv", "1\n" * 30_000)
        _write(tmp_path / f"{number}b.csv", "1\n" * 10)
        assert _flushed(connection, "t") == [(30_010 * (number + 1),)]


def test_lines_are_given_when_they_are_written(connection: tableflow.Connection, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("1\n")
    connection.execute(
        f"CREATE TABLE f (k INT) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv', "
        f"'csv.header' = 'false', 'source.follow' = 'true', 'source.monitor-interval' = {NEVER})"
    )
    connection.execute("CREATE STREAMING TABLE t AS SELECT count(*) AS n FROM f")
    for number in range(1, 5):
        with path.open("a") as opened:
            opened.write("1\n" * 9_999)
            opened.write("2")  # not complete
        assert _flushed(connection, "t") == [(10_000 * (number - 1) + 10_000,)]
        with path.open("a") as opened:
            opened.write("\n")


def test_a_table_with_an_end_is_given_as_a_whole(connection: tableflow.Connection, tmp_path: Path) -> None:
    for number in range(8):
        _write(tmp_path / f"{number}.csv", "k\n" + "1\n" * 40_000)
    connection.execute(f"CREATE STREAMING TABLE t AS SELECT count(*) AS n FROM '{tmp_path}/*.csv'")
    connection.execute(
        "CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'fields.k.kind' = 'sequence', 'fields.k.start' = '1', "
        "'fields.k.end' = '300000', 'rows-per-second' = '0')"
    )
    connection.execute("CREATE STREAMING TABLE u AS SELECT count(*) AS n FROM g")
    assert _flushed(connection, "t") == [(320_000,)]
    assert connection.execute("SELECT * FROM u").fetchall() == [(300_000,)]


@pytest.mark.parametrize(
    "options", ["", ", 'rows-per-second' = '10'", ", 'number-of-rows' = '50', 'rows-per-second' = '1'"]
)
def test_rows_that_are_made_up_are_not_waited_for(connection: tableflow.Connection, options: str) -> None:
    connection.execute(f"CREATE TABLE g (k INT) WITH ('connector' = 'datagen', 'fields.k.min' = '0'{options})")
    connection.execute("CREATE STREAMING TABLE t AS SELECT k FROM g WHERE k < 0")
    began = time.monotonic()
    assert _flushed(connection, "t") == []
    assert time.monotonic() - began < 15


def test_what_was_told_is_given(connection: tableflow.Connection) -> None:
    told = Script()
    connection.register_stream("s", {"k": "INT"}, told)
    connection.execute("CREATE STREAMING TABLE t AS SELECT k FROM s")
    told.rows((1,), (2,))
    told.rows((3,))
    assert _flushed(connection, "t") == [(1,), (2,), (3,)]


def test_what_comes_later_is_not_waited_for(threads: tableflow.Connection) -> None:
    told = Script()
    threads.register_stream("s", {"k": "INT"}, told)
    threads.execute("CREATE STREAMING TABLE t AS SELECT k FROM s")
    told.rows((1,))
    told.tell(Delay(3_600_000_000))
    told.rows((2,))
    assert _flushed(threads, "t") == [(1,)]


def test_rows_go_through_all_tables_that_follow(connection: tableflow.Connection) -> None:
    source: queue.SimpleQueue[Any] = queue.SimpleQueue()
    connection.register_stream("s", {"k": "INT", "v": "INT"}, source)
    execute = connection.execute
    execute("CREATE TABLE plain (k INT, v INT)")
    execute("CREATE STREAMING TABLE d AS SELECT k, count(*) AS n FROM plain GROUP BY k")
    execute("CREATE STREAMING TABLE a AS SELECT k, sum(v) AS v FROM s GROUP BY k")
    execute("CREATE STREAMING TABLE b AS SELECT a.k, a.v, d.n FROM a JOIN d ON a.k = d.k")
    execute("CREATE STREAMING TABLE c AS SELECT count(*) AS n, sum(n) AS m FROM b")
    for number in range(1, 30):
        source.put((number, 1))
        execute("INSERT INTO plain VALUES (?, 1)", (number,))
        assert _flushed(connection, "c") == [(number, number)]


def test_an_insert_without_end_comes_before_what_follows_from_its_table(threads: tableflow.Connection) -> None:
    source: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threads.register_stream("s", {"k": "INT"}, source)
    threads.execute("CREATE TABLE plain (k INT)")
    threads.execute("CREATE STREAMING TABLE t AS SELECT count(*) AS n FROM plain")
    threads.execute("INSERT INTO plain SELECT k FROM s")
    for number in range(1, 30):
        source.put((number,))
        assert _flushed(threads, "t") == [(number,)]


def test_a_slow_row_is_waited_for_until_somebody_interrupts(threads: tableflow.Connection) -> None:
    """A flush is not over while an operator is at work on what was given before."""
    source: queue.SimpleQueue[Any] = queue.SimpleQueue()
    going_on = threading.Event()

    def fetch(keys: Any) -> list[Any]:
        going_on.wait(20)
        return [(key[0], key[0] * 10) for key in keys]

    threads.register_stream("s", {"k": "INT"}, source)
    threads.register_lookup("slow", {"k": "INT", "v": "INT"}, fetch)
    threads.execute(
        "CREATE STREAMING TABLE t AS SELECT s.k, slow.v FROM (SELECT k, PROCTIME() AS p FROM s) AS s "
        "JOIN slow FOR SYSTEM_TIME AS OF s.p ON s.k = slow.k"
    )
    source.put((1,))
    cursor = threads.cursor()
    threading.Timer(0.3, cursor.cancel).start()
    began = time.monotonic()
    with pytest.raises(tableflow.Error, match="cancelled"):
        cursor.execute("FLUSH")
    assert 0.2 < time.monotonic() - began < 10
    going_on.set()
    assert _flushed(threads, "t") == [(1, 10)]
