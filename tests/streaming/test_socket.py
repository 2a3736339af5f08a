"""Lines over TCP as rows: the three formats, the end of the connection, a query that is slower than the server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

import tableflow


@contextmanager
def _server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server of one connection; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(20)

        def work() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.settimeout(20)
                    serve(connection)
            except OSError:
                pass  # the other side has gone

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(20)


def _declare(connection: tableflow.Connection, port: int, columns: str, options: str) -> None:
    connection.execute(f"CREATE TABLE s ({columns}) WITH ('connector' = 'socket', 'hostname' = '127.0.0.1', "
                       f"'port' = '{port}'{options})")  # fmt: skip


@pytest.fixture(params=["threads", "seed"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2"}
    if request.param == "seed":
        settings["execution.scheduler-seed"] = "5"
    with tableflow.connect(settings=settings) as opened:
        yield opened


@pytest.mark.parametrize(
    ("columns", "options", "data", "rows"),
    [
        ("a INT, b STRING, at TIMESTAMP(3)", "", b'1,"x, y",2024-01-01 00:00:00\n2,,\n3,z,', [(1, "x, y"), (2, None), (3, "z")]),
        ("a INT, b STRING", ", 'format' = 'json'", b'{"b": "x", "a": 1}\n\n{"a": 2}\r\n', [(1, "x"), (2, None)]),
        ("b STRING", ", 'format' = 'raw'", b"one, two\n\nthree\r\n", [("one, two",), ("",), ("three",)]),
        ("a INT, b STRING", ", 'csv.field-delimiter' = ';', 'ignore-parse-errors' = 'true'", b"x;y\n1;2\n", [(1, "2")]),
    ],
)  # fmt: skip
def test_formats(
    connection: tableflow.Connection, columns: str, options: str, data: bytes, rows: list[tuple[object, ...]]
) -> None:
    def serve(to: socket.socket) -> None:
        for i in range(len(data)):
            to.sendall(data[i : i + 1])  # lines are put together again

    with _server(serve) as port:
        _declare(connection, port, columns, options)
        names = "a, b" if columns.startswith("a") else "b"
        assert connection.execute(f"SELECT {names} FROM s").fetchall() == rows


def test_what_is_wrong_is_named(connection: tableflow.Connection) -> None:
    with _server(lambda to: to.sendall(b"1\n2\nthree\n")) as port:
        _declare(connection, port, "a INT", "")
        with pytest.raises(tableflow.Error, match=f"line 3 of socket 127.0.0.1:{port} could not be read"):
            connection.execute("SELECT a FROM s").fetchall()
    with pytest.raises(tableflow.Error, match=r"could not be connected to(.|\n)*a server has to listen there"):
        connection.execute("SELECT a FROM s").fetchall()
    with pytest.raises(tableflow.Error, match="one column of type STRING"):
        connection.execute("CREATE TABLE r (a INT) WITH ('connector' = 'socket', 'port' = '1', 'format' = 'raw')")
        connection.execute("SELECT * FROM r")
    with pytest.raises(tableflow.Error, match="a number from 1 to 65535 is expected"):
        connection.execute("CREATE TABLE r (a INT) WITH ('connector' = 'socket', 'port' = '0')")


def test_a_table_of_lines_that_are_gone_keeps_its_rows(tmp_path: Path) -> None:
    """A job that began again would see other lines than those that its table was made of."""
    with _server(lambda to: to.sendall(b"1\n2\n")) as port, tableflow.connect(tmp_path / "db") as connection:
        _declare(connection, port, "a INT, b AS a + 1", "")
        connection.execute("CREATE STREAMING TABLE kept AS SELECT b, count(*) AS n FROM s GROUP BY b")
        connection.execute("CREATE STREAMING TABLE further AS SELECT sum(b) AS b FROM kept")
        connection.execute(
            "CREATE TABLE made (k INT, at TIMESTAMP(3), WATERMARK FOR at AS at) WITH ('connector' = 'datagen')"
        )
        connection.execute("CREATE STREAMING TABLE counts AS SELECT count(*) AS n FROM made")
        assert connection.session.storage.shared.keeper.jobs[0].wait(20)
    with tableflow.connect(tmp_path / "db") as connection:
        lost, further, made = connection.execute("SHOW JOBS").fetchall()
        assert (lost[2], further[2], made[2]) == ("lost", "running", "running")
        assert "table 's' cannot be read again from its start" in lost[4]
        assert lost[4].endswith("CREATE OR REPLACE STREAMING TABLE kept AS ... begins anew")
        assert sorted(connection.execute("SELECT * FROM kept").fetchall()) == [(2, 1), (3, 1)]
        connection.execute("FLUSH")
        assert connection.execute("SELECT * FROM further").fetchall() == [(5,)]


def test_a_table_is_replaced_only_if_its_server_can_be_reached() -> None:
    """The server takes one connection: that which was made to see whether it is there."""
    replaced = "CREATE OR REPLACE STREAMING TABLE kept AS SELECT a + 10 AS a FROM s"
    with tableflow.connect() as connection:
        with _server(lambda to: to.sendall(b"1\n2\n")) as port:
            _declare(connection, port, "a INT", "")
            connection.execute("CREATE STREAMING TABLE kept AS SELECT a FROM s")
            assert connection.session.await_jobs(20)
        with pytest.raises(tableflow.OperationalError, match=f"socket 127.0.0.1:{port} could not be connected to"):
            connection.execute(replaced)
        assert sorted(connection.execute("SELECT * FROM kept").fetchall()) == [(1,), (2,)]
        with _server(lambda to: to.sendall(b"3\n")) as port:
            connection.execute("DROP TABLE s")
            _declare(connection, port, "a INT, b AS a + 1", "")
            connection.execute(replaced)
            assert connection.session.await_jobs(20)
        assert connection.execute("SELECT * FROM kept").fetchall() == [(13,)]


@pytest.mark.slow
def test_a_slow_query_holds_back_the_server() -> None:
    """While the sink stalls the server cannot send; when it goes on all rows arrive."""
    sent, goes_on, stalled = 0, threading.Event(), threading.Event()
    lines = b"".join(b"%07d\n" % i for i in range(4096))
    rows = 0

    def serve(to: socket.socket) -> None:
        nonlocal sent
        for _ in range(1600):  # 52 MB
            to.sendall(lines)
            sent += 1

    def stall(batch: pa.RecordBatch) -> None:
        nonlocal rows
        stalled.set()
        assert goes_on.wait(30)
        rows += batch.num_rows

    with _server(serve) as port, tableflow.connect() as connection:
        connection.register_sink("slow", {"a": "INT"}, stall)
        _declare(connection, port, "a INT", "")
        connection.execute("INSERT INTO slow SELECT a FROM s")
        assert stalled.wait(20)
        before = -1
        while before != sent:  # until nothing moves any more
            before = sent
            threading.Event().wait(0.2)
        assert sent < 1000
        goes_on.set()
        assert connection.session.await_jobs(30)
    assert rows == 1600 * 4096


def test_a_table_is_made_only_if_its_server_can_be_reached() -> None:
    with tableflow.connect() as connection:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            port = listening.getsockname()[1]
        _declare(connection, port, "a INT", "")
        for word in ("CREATE STREAMING TABLE", "CREATE OR REPLACE STREAMING TABLE"):
            with pytest.raises(tableflow.OperationalError, match="could not be connected to") as caught:
                connection.execute(f"{word} kept AS SELECT a FROM s")
            assert "^" in str(caught.value)
        connection.execute("EXPLAIN CREATE STREAMING TABLE kept AS SELECT a FROM s")
        assert [row[0] for row in connection.execute("SHOW TABLES").fetchall()] == ["s"]
        assert connection.execute("SHOW JOBS").fetchall() == []


@pytest.mark.slow
def test_a_server_that_comes_again_is_read_on() -> None:
    with tableflow.connect() as connection:
        connection.execute("CREATE TABLE kept (a INT)")
        connection.execute("CREATE STREAMING TABLE total AS SELECT sum(a) AS a FROM kept")
        for number, expected in enumerate((3, 10), 1):
            lines = b"1\n2\n" if number == 1 else b"3\n4\n"
            with _server(lambda to, lines=lines: to.sendall(lines)) as port:  # type: ignore[misc]
                connection.execute("DROP TABLE IF EXISTS s")
                _declare(connection, port, "a INT", "")
                connection.execute("INSERT INTO kept SELECT a FROM s")
                assert connection.session.storage.shared.keeper.jobs[number].wait(20)
            assert connection.execute("SELECT a FROM total").fetchall() == [(expected,)]
