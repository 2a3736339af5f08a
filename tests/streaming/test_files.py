"""Files that keep coming and files that grow: every row once, whole records only, a reader that goes on where another stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import Accepted, ColumnDefinition, ScanRequest
from tableflow.columnar.batch import Batch
from tableflow.config import Settings
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.filesystem.connector import CONNECTOR, create
from tableflow.connectors.option import read_options
from tableflow.runtime.source import Done, Later, Split
from tableflow.types import BIGINT, STRING


@pytest.fixture
def con() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        yield connection


def rows(cursor: tableflow.Cursor, count: int) -> list[tuple[object, ...]]:
    """So many rows, waiting for them."""
    found: list[tuple[object, ...]] = []
    end = time.monotonic() + 20
    while len(found) < count and time.monotonic() < end:
        found += cursor.fetchmany(count - len(found), timeout=1)
    return sorted(found, key=str)


def watch(
    con: tableflow.Connection, path: Path, format: str, columns: str = "(a BIGINT, b STRING)", **more: str
) -> None:
    options = {
        "connector": "filesystem",
        "path": str(path),
        "format": format,
        "source.monitor-interval": "5 ms",
        **more,
    }
    con.execute(f"CREATE TABLE t {columns} WITH ({', '.join(f'{k!r} = {v!r}' for k, v in options.items())})")


def put(path: Path, content: bytes) -> None:
    """A file that is complete when it is seen."""
    hidden = path.with_name("." + path.name)
    hidden.write_bytes(content)
    hidden.rename(path)


def test_a_directory_that_comes_later_is_waited_for(con: tableflow.Connection, tmp_path: Path) -> None:
    watch(con, tmp_path / "later", "json")
    with con.execute("SELECT a, b FROM t") as cursor:
        assert cursor.fetchmany(1, timeout=0.05) == []
        (tmp_path / "later").mkdir()
        put(tmp_path / "later" / "1.json", b'{"a": 1, "b": "x"}\n')
        assert rows(cursor, 1) == [(1, "x")]


@pytest.mark.parametrize("format", ["csv", "json", "parquet"])
def test_files_that_come_are_read_once(con: tableflow.Connection, tmp_path: Path, format: str) -> None:
    def write(number: int) -> None:
        if format == "parquet":
            pq.write_table(pa.table({"a": [number], "b": [f"f{number}"]}), tmp_path / ".new")
            (tmp_path / ".new").rename(tmp_path / f"{number}.{format}")
        elif format == "csv":
            put(tmp_path / f"{number}.csv", f"a,b\n{number},f{number}\n".encode())
        else:
            put(tmp_path / f"{number}.json", f'{{"a": {number}, "b": "f{number}"}}\n'.encode())

    write(1)
    watch(con, tmp_path, format)
    with con.execute("SELECT a, b FROM t WHERE a < 100") as cursor:
        assert rows(cursor, 1) == [(1, "f1")]
        write(3)
        write(2)
        assert rows(cursor, 2) == [(2, "f2"), (3, "f3")]
        (tmp_path / "below").mkdir()
        write(100)
        write(4)
        assert rows(cursor, 1) == [(4, "f4")]


@pytest.mark.parametrize("tasks", [1, 2, 4])
@pytest.mark.parametrize("there", [0, 1, 3])
def test_windows_close_whichever_tasks_read_the_files(tmp_path: Path, tasks: int, there: int) -> None:
    """Files come one at a time, so most tasks have none; when all are read, time is that of the last, and the source falls idle."""
    settings = {"parallelism.default": str(tasks), "table.exec.source.idle-timeout": "50 ms"}

    def come(number: int) -> None:
        lines = [f"2026-01-01 00:00:{number * 10 + second:02},{second}" for second in (0, 4, 9)]
        put(tmp_path / f"{number}.csv", "\n".join([*lines, ""]).encode())

    for number in range(there):
        come(number)
    with tableflow.connect(settings=settings) as connection:
        watch(connection, tmp_path, "csv", "(ts TIMESTAMP(3), v INT, WATERMARK FOR ts AS ts)")
        connection.execute(
            """CREATE STREAMING TABLE w AS SELECT window_start, count(*) AS n, sum(v) AS v
            FROM TUMBLE(t, ts, INTERVAL '5' SECOND) GROUP BY window_start, window_end"""
        )
        for number in range(there, 5):
            come(number)
            _until(lambda closed=2 * number + 1: len(_closed(connection)) >= closed)  # type: ignore[misc]
        assert [row[1:] for row in _closed(connection)] == [(2, 4), (1, 9)] * 4 + [(2, 4)]
        _until(lambda: any(row[3] == "yes" for row in connection.execute("SHOW WATERMARKS").fetchall()))


def _closed(connection: tableflow.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM w ORDER BY window_start").fetchall()


def _until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not found():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_directory_that_is_empty(con: tableflow.Connection, tmp_path: Path) -> None:
    watch(con, tmp_path, "csv")
    with con.execute("SELECT a FROM t") as cursor:
        assert cursor.fetchmany(1, timeout=0.05) == []
        put(tmp_path / "x.csv", b"1,a\n")
        assert rows(cursor, 1) == [(1,)]


@pytest.mark.parametrize("format", ["csv", "json"])
def test_a_file_that_grows(con: tableflow.Connection, tmp_path: Path, format: str) -> None:
    path = tmp_path / f"log.{format}"
    line = '{{"a": {0}, "b": "text {0}"}}\n' if format == "json" else '{0},"text {0}"\n'
    path.write_text(("" if format == "json" else "a,b\n") + line.format(1))
    watch(con, path, format, **{"source.follow": "true"})
    with con.execute("SELECT a, b FROM t") as cursor, path.open("a") as growing:
        assert rows(cursor, 1) == [(1, "text 1")]
        growing.write(line.format(2) + line.format(3)[:5])
        growing.flush()
        assert rows(cursor, 1) == [(2, "text 2")]
        assert cursor.fetchmany(1, timeout=0.05) == []
        growing.write(line.format(3)[5:] + "".join(line.format(i) for i in range(4, 1000)))
        growing.flush()
        assert [row[0] for row in rows(cursor, 997)] == sorted(range(3, 1000), key=lambda n: str((n, f"text {n}")))


def test_quoted_line_ends_do_not_end_a_record(con: tableflow.Connection, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text('1,"two\nlines"\n2,"not\n')
    watch(con, path, "csv", **{"source.follow": "true"})
    with con.execute("SELECT a, b FROM t") as cursor, path.open("a") as growing:
        assert rows(cursor, 1) == [(1, "two\nlines")]
        growing.write('yet"\n')
        growing.flush()
        assert rows(cursor, 1) == [(2, "not\nyet")]


def test_a_followed_file_that_shrinks_is_an_error(con: tableflow.Connection, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("1,a\n2,b\n")
    watch(con, path, "csv", **{"source.follow": "true"})
    with con.execute("SELECT a FROM t") as cursor:
        assert rows(cursor, 2) == [(1,), (2,)]
        path.write_text("1,a\n")
        with pytest.raises(tableflow.Error, match="become shorter"):
            rows(cursor, 1)


def _provider(path: Path, **options: str):
    definition = TableDefinition("t", "filesystem", (ColumnDefinition("a", BIGINT), ColumnDefinition("b", STRING)))
    given = {"path": str(path), "format": "csv", "source.monitor-interval": "1 ms", **options}
    return create(definition, read_options("filesystem", CONNECTOR.options, given))


@pytest.mark.parametrize("follow", ["true", "false"])
def test_a_reader_goes_on_where_another_stopped(tmp_path: Path, follow: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text("".join(f"{i},x\n" for i in range(100)))
    provider = _provider(path, **{"source.follow": follow})
    source = CONNECTOR.open(provider.source(Accepted(ScanRequest(("a",))))[1], OpenContext(Settings()))
    assigner = source.assigner()
    split = assigner.next(0)
    assert isinstance(split, Split)
    assert isinstance(assigner.next(0), Later)
    seen: list[int] = []
    offset = split.offset
    while len(seen) < 100:
        reader = source.reader(Split(split.id, split.definition, offset), 7)
        batch = reader.poll()
        assert isinstance(batch, Batch)
        seen += batch.columns[0].array.to_pylist()
        offset = reader.offset()
        reader.close()
    assert seen == list(range(100))
    last = source.reader(Split(split.id, split.definition, offset), 7).poll()
    assert isinstance(last, Later if follow == "true" else Done)


def test_a_followed_file_that_goes_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("1,x\n")
    source = CONNECTOR.open(
        _provider(path, **{"source.follow": "true"}).source(Accepted(ScanRequest(("a",))))[1], OpenContext(Settings())
    )
    reader = source.reader(source.assigner().next(0), 10)
    assert isinstance(reader.poll(), Batch)
    path.unlink()
    assert isinstance(reader.poll(), Done)


@pytest.mark.parametrize(
    ("format", "options", "message"),
    [
        ("parquet", {"source.follow": "true"}, "cannot grow while they are read"),
        ("csv", {"source.monitor-interval": "soon"}, "a duration is"),
        ("csv", {"source.monitor-interval": "0 s"}, "has to be above 0"),
    ],
)
def test_wrong_options(
    con: tableflow.Connection, tmp_path: Path, format: str, options: dict[str, str], message: str
) -> None:
    with pytest.raises(tableflow.Error, match=message):
        watch(con, tmp_path, format, **options)


def test_an_array_cannot_be_followed(con: tableflow.Connection, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"a": 1}]\n')
    watch(con, tmp_path / "a.json", "json", **{"source.follow": "true"})
    with con.execute("SELECT a FROM t") as cursor, pytest.raises(tableflow.Error, match="one object per line"):
        cursor.fetchone()


def partition(path: Path, day: int, name: str, content: str) -> None:
    directory = path / f"day={day}"
    directory.mkdir(parents=True, exist_ok=True)
    put(directory / name, content.encode())


def test_files_of_other_partitions_are_not_opened_as_they_come(con: tableflow.Connection, tmp_path: Path) -> None:
    partition(tmp_path, 1, "a.json", '{"a": 1}\n')
    partition(tmp_path, 2, "a.json", "nonsense\n")
    watch(con, tmp_path, "json", "(a BIGINT, day INT) PARTITIONED BY (day)")
    with con.execute("SELECT a, day FROM t WHERE day % 2 = 1 AND a < 9") as cursor:
        assert rows(cursor, 1) == [(1, 1)]
        partition(tmp_path, 4, "b.json", "nonsense\n")
        partition(tmp_path, 3, "c.json", '{"a": 3}\n{"a": 9}\n')
        assert rows(cursor, 1) == [(3, 3)]
    with pytest.raises(tableflow.Error, match="nonsense"), con.execute("SELECT a FROM t WHERE a < 9") as cursor:
        rows(cursor, 3)


TIMED = "(a BIGINT, ts TIMESTAMP(3), day INT, WATERMARK FOR ts AS ts) PARTITIONED BY (day)"
COUNTED = "SELECT window_start, count(*) FROM TUMBLE({}, ts, INTERVAL '1' DAY) GROUP BY window_start, window_end"


def test_partitions_of_finished_files_with_event_time_are_ruled_out(con: tableflow.Connection, tmp_path: Path) -> None:
    for part in range(3):
        partition(tmp_path, 1, f"{part}.json", f'{{"a": {part}, "ts": "2024-01-01 00:00:0{part}"}}\n')
    partition(tmp_path, 2, "a.json", "nonsense\n")
    con.execute(f"CREATE TABLE t {TIMED} WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'json')")
    con.execute("SET 'execution.runtime-mode' = 'streaming'")
    found = con.execute(COUNTED.format("(SELECT * FROM t WHERE day = 1 AND a < 2)")).fetchall()
    assert [row[-1] for row in found] == [2]


def test_files_of_other_partitions_move_the_time_of_those_that_keep_coming(
    con: tableflow.Connection, tmp_path: Path
) -> None:
    partition(tmp_path, 1, "a.json", '{"a": 1, "ts": "2024-01-01 12:00:00"}\n')
    watch(con, tmp_path, "json", TIMED)
    con.execute("SET 'parallelism.default' = '1'")  # a second task would have to be idle first
    with con.execute(COUNTED.format("(SELECT * FROM t WHERE day = 1)")) as cursor:
        partition(tmp_path, 2, "b.json", '{"a": 2, "ts": "2024-01-02 12:00:00"}\n')
        assert [row[-1] for row in rows(cursor, 1)] == [1]
