"""INSERT INTO tables over files: whole files only, rolled by size and time, partitioned, with changes where the format has them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.filesystem.sink import settled

_FORMATS = ("parquet", "csv", "json", "arrow")


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as opened:
        yield opened


def _declare(connection: tableflow.Connection, path: Path, format: str, more: str = "", columns: str = "") -> None:
    declared = columns or "k INT, name STRING, price DECIMAL(8,2), at TIMESTAMP(3)"
    connection.execute(f"CREATE TABLE t ({declared}) {more} WITH ('connector' = 'filesystem', 'path' = '{path}', "
                       f"'format' = '{format}')")  # fmt: skip


def _files(path: Path) -> list[str]:
    return sorted(str(one.relative_to(path)) for one in path.rglob("*") if one.is_file())


def _lines(path: Path) -> list[Any]:
    return [json.loads(line) for file in sorted(path.iterdir()) for line in file.read_text().splitlines()]


def _finished(connection: tableflow.Connection) -> None:
    assert connection.session.await_jobs(20)


@pytest.mark.parametrize("format", _FORMATS)
def test_rows_come_back(connection: tableflow.Connection, tmp_path: Path, format: str) -> None:
    path = tmp_path / "new" / "directory"
    _declare(connection, path, format)
    with pytest.raises(tableflow.Error, match="does not exist"):
        connection.execute("SELECT * FROM t").fetchall()
    assert not path.exists()
    rows = "(1, 'a', 1.50, TIMESTAMP '2024-01-01 00:00:01.250'), (2, NULL, NULL, NULL), (3, '', -2, NULL)"
    assert connection.execute(f"INSERT INTO t VALUES {rows}").rowcount == 3
    assert connection.execute("INSERT INTO t (k) SELECT k + 10 FROM t").rowcount == 3
    found = connection.execute("SELECT k, name, CAST(price AS STRING), CAST(at AS STRING) FROM t ORDER BY k").fetchall()
    assert found[:3] == [(1, "a", "1.50", "2024-01-01 00:00:01.25"), (2, None, None, None), (3, "", "-2.00", None)]
    assert [row[0] for row in found[3:]] == [11, 12, 13]
    assert all(name.startswith("part-") and name.endswith(format) for name in _files(path))


def test_nothing_is_seen_of_a_statement_that_fails(connection: tableflow.Connection, tmp_path: Path) -> None:
    _declare(connection, tmp_path, "csv", columns="a INT")
    connection.execute("CREATE TABLE n (a INT)")
    connection.execute("INSERT INTO n VALUES (1), (2), (0)")
    with pytest.raises(tableflow.Error, match="division by zero"):
        connection.execute("INSERT INTO t SELECT 1 / a FROM n")
    assert _files(tmp_path) == []
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_partitions_are_directories(connection: tableflow.Connection, tmp_path: Path) -> None:
    columns = "day DATE, v INT, kind STRING"
    _declare(connection, tmp_path, "parquet", "PARTITIONED BY (day, kind)", columns)
    rows = [("2024-01-01", 1, "a/b"), ("2024-01-01", 2, None), ("2024-01-02", 3, "a/b")]
    connection.cursor().executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
    assert sorted(str(Path(name).parent) for name in _files(tmp_path)) == [
        "day=2024-01-01/kind=__HIVE_DEFAULT_PARTITION__", "day=2024-01-01/kind=a%2Fb", "day=2024-01-02/kind=a%2Fb",
    ]  # fmt: skip
    found = connection.execute("SELECT CAST(day AS STRING), v, kind FROM t ORDER BY v").fetchall()
    assert found == rows
    assert connection.execute("SELECT kind, count(*) FROM t GROUP BY kind ORDER BY kind").fetchall() == [("a/b", 2), (None, 1)]  # fmt: skip
    assert connection.execute("SELECT v FROM t WHERE day = DATE '2024-01-02' AND v > 1").fetchall() == [(3,)]
    with pytest.raises(tableflow.Error, match="cannot be partitioned by column 'v'"):
        connection.execute("CREATE TABLE u (k INT, v DOUBLE) PARTITIONED BY (v) "
                           f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'csv')")  # fmt: skip
        connection.execute("SELECT * FROM u")


@pytest.mark.parametrize("format", ["parquet", "csv", "json"])
def test_only_matching_partitions_are_opened(connection: tableflow.Connection, tmp_path: Path, format: str) -> None:
    """Files of other directories may be anything; what the names cannot tell is found out by reading."""
    _declare(connection, tmp_path, format, "PARTITIONED BY (day, kind)", "day DATE, v INT, kind STRING")
    rows = [f"('2024-01-0{1 + i % 3}', {i}, {('NULL', chr(39) + 'a/b' + chr(39))[i % 2 == 0]})" for i in range(12)]
    connection.execute(f"INSERT INTO t VALUES {', '.join(rows)}")
    assert len(_files(tmp_path)) == 6
    connection.register("d", pa.table({"day": pa.array([date(2024, 1, 3)]), "name": ["third"]}))
    for query, pruned, expected in [
        ("SELECT v FROM t WHERE day = DATE '2024-01-02'", 4, [(1,), (4,), (7,), (10,)]),
        ("SELECT v FROM t WHERE day > DATE '2024-01-02' AND kind IS NULL", 5, [(5,), (11,)]),
        ("SELECT v FROM t WHERE kind LIKE 'a%' AND v > 7 AND day <> DATE '2024-01-01'", 4, [(8,), (10,)]),
        ("SELECT v FROM t WHERE kind LIKE 'x%'", 6, []),
        ("SELECT v FROM t WHERE kind = 'a/b' OR v = 3", 0, [(0,), (2,), (3,), (4,), (6,), (8,), (10,)]),
        ("SELECT v, name FROM t JOIN d USING (day)", 4, [(v, "third") for v in (2, 5, 8, 11)]),
    ]:
        assert connection.execute(f"{query} ORDER BY v").fetchall() == expected
        analysed = "\n".join(row[0] for row in connection.execute(f"EXPLAIN ANALYZE {query}").fetchall())
        assert ("files_pruned" in analysed) == (pruned > 0), analysed
        assert not pruned or f"files_pruned {pruned}" in analysed, analysed
    for file in tmp_path.rglob("day=2024-01-01/**/*.*"):
        file.write_text("nonsense")
    if format != "parquet":  # its footers are read for statistics
        query = "SELECT v FROM t WHERE day = '2024-01-02' AND kind IS NOT NULL ORDER BY v"
        assert connection.execute(query).fetchall() == [(4,), (10,)]
    with pytest.raises(tableflow.Error):
        connection.execute("SELECT v FROM t WHERE day < DATE '2024-01-02'").fetchall()


def test_files_are_rolled_by_size(connection: tableflow.Connection, tmp_path: Path) -> None:
    connection.execute("CREATE TABLE t (a BIGINT) WITH ('connector' = 'filesystem', 'format' = 'csv', "
                       f"'path' = '{tmp_path}', 'sink.rolling-policy.file-size' = '1 kb')")  # fmt: skip
    connection.execute("SET 'execution.batch-rows' = '100'")
    connection.register_stream("s", {"a": "BIGINT"}, [(10**12 + i,) for i in range(1000)])
    connection.execute("INSERT INTO t SELECT a FROM s")
    _finished(connection)
    files = _files(tmp_path)
    assert 5 <= len(files) <= 15
    assert connection.execute("SELECT count(DISTINCT a) FROM t").fetchone() == (1000,)


class _Steps:
    """Rows that come when the test says so."""

    def __init__(self) -> None:
        self.allowed = [threading.Event() for _ in range(3)]

    def __call__(self) -> Iterator[tuple[int]]:
        for number, event in enumerate(self.allowed):
            event.wait(30)
            yield (number,)


def _until(condition: Any) -> None:
    waited = threading.Event()
    for _ in range(400):
        if condition():
            return
        waited.wait(0.02)
    raise AssertionError("it has not happened")


def test_files_without_end_are_seen_whole(connection: tableflow.Connection, tmp_path: Path) -> None:
    """Rolled by time at once: each epoch's rows are seen; without, they are seen when the job is stopped."""
    for name, interval in (("quick", "1 ms"), ("slow", "1 h")):
        connection.execute(f"CREATE TABLE {name} (a INT) WITH ('connector' = 'filesystem', 'format' = 'json', "
                           f"'path' = '{tmp_path / name}', 'sink.rolling-policy.rollover-interval' = '{interval}')")  # fmt: skip
        steps = _Steps()
        connection.register_stream("s", {"a": "INT"}, steps)
        connection.execute(f"INSERT INTO {name} SELECT a FROM s")
        job = connection.session.storage.shared.keeper.jobs[-1]
        path = tmp_path / name
        path.mkdir(exist_ok=True)
        steps.allowed[0].set()
        if interval == "1 ms":
            _until(lambda path=path: [f for f in _files(path) if not f.startswith(".")])
            steps.allowed[1].set()
            _until(lambda path=path: len([f for f in _files(path) if not f.startswith(".")]) == 2)
            assert connection.execute("SELECT a FROM quick ORDER BY a").fetchall() == [(0,), (1,)]
        else:
            _until(lambda path=path: _files(path))
            connection.execute("FLUSH")
            assert all(file.startswith(".") for file in _files(path))
            assert connection.execute("SELECT count(*) FROM slow").fetchone() == (0,)
        connection.execute(f"STOP JOB {job.id}")
        assert not [file for file in _files(path) if file.startswith(".")]
        for event in steps.allowed:
            event.set()
    assert connection.execute("SELECT a FROM slow").fetchall() == [(0,)]


def test_what_a_crash_leaves_hidden_is_removed_by_the_next_writer(
    connection: tableflow.Connection, tmp_path: Path
) -> None:
    """Only what belongs to nobody: not the files of a job that runs, not those of others."""
    path = tmp_path / "t"
    died = subprocess.run([sys.executable, "-c", _DIES, str(path)], check=False, timeout=60, capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    left = _files(path)
    assert len(left) > 1
    assert all(".part-" in name for name in left)
    foreign = path / "k=0" / ".part-other.csv.inprogress"
    foreign.write_text("x")
    steps = _Steps()
    connection.register_stream("s", {"k": "INT", "v": "INT"}, lambda: ((k, k) for (k,) in steps()))
    _declare(connection, path, "csv", "PARTITIONED BY (k)", "k INT, v INT")
    connection.execute("INSERT INTO t SELECT k, v FROM s")
    steps.allowed[0].set()
    _until(lambda: not set(left) & set(_files(path)) and len(_files(path)) > 1)
    running = set(_files(path)) - {str(foreign.relative_to(path))}
    assert connection.execute("INSERT INTO t VALUES (7, 7)").rowcount == 1
    assert running < set(_files(path))
    for event in steps.allowed:
        event.set()
    _finished(connection)
    assert [name for name in _files(path) if Path(name).name.startswith(".")] == [str(foreign.relative_to(path))]
    assert connection.execute("SELECT k FROM t ORDER BY k").fetchall() == [(0,), (1,), (2,), (7,)]


_DIES = """
import itertools, os, pathlib, signal, sys, time
import tableflow

def rows():
    yield (0, 0)
    while not any(pathlib.Path(sys.argv[1]).rglob("*.inprogress")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)

with tableflow.connect() as connection:
    connection.register_stream("s", {"k": "INT", "v": "INT"}, rows)
    connection.execute("CREATE TABLE t (k INT, v INT) PARTITIONED BY (k) WITH ('connector' = 'filesystem', "
                       f"'format' = 'csv', 'path' = '{sys.argv[1]}')")
    connection.execute("INSERT INTO t SELECT k, v FROM s")
    connection.session.await_jobs(60)
"""


def test_changes_in_files(connection: tableflow.Connection, tmp_path: Path) -> None:
    for form in ("changelog-json", "debezium-json"):
        connection.execute(f"CREATE TABLE {form[:4]} (k STRING, n BIGINT) WITH ('connector' = 'filesystem', "
                           f"'path' = '{tmp_path / form}', 'format' = '{form}')")  # fmt: skip
    go = threading.Event()

    def rows() -> Iterator[tuple[str]]:
        yield ("a",)
        go.wait(30)
        yield ("b",)
        yield ("a",)

    for table, form in (("chan", "changelog-json"), ("debe", "debezium-json")):
        go.clear()
        connection.register_stream("s", {"k": "STRING"}, rows)
        connection.execute(f"INSERT INTO {table} SELECT k, count(*) FROM s GROUP BY k")
        _until(lambda form=form: _files(tmp_path / form))  # the first epoch is written
        go.set()
        _finished(connection)
    lines = _lines(tmp_path / "changelog-json")
    assert lines[0] == ["+I", "a", 1]
    assert sorted(lines[1:]) == [["+I", "b", 1], ["+U", "a", 2], ["-U", "a", 1]]
    assert lines.index(["-U", "a", 1]) < lines.index(["+U", "a", 2])
    written = _lines(tmp_path / "debezium-json")
    assert written[0] == {"before": None, "after": {"k": "a", "n": 1}, "op": "c"}
    assert {"before": {"k": "a", "n": 1}, "after": {"k": "a", "n": 2}, "op": "u"} in written
    # What was written is read as changes, whatever the mode.
    for mode in ("auto", "batch", "streaming"):
        connection.execute(f"SET 'execution.runtime-mode' = '{mode}'")
        assert sorted(connection.execute("SELECT * FROM debe").fetchall()) == [("a", 2), ("b", 1)]
        assert connection.execute("SELECT sum(n), count(*) FROM debe WHERE n > 0").fetchall() == [(3, 2)]
    connection.execute("RESET 'execution.runtime-mode'")
    with pytest.raises(tableflow.Error, match="'changelog-json' is only written"):
        connection.execute("SELECT * FROM chan")
    connection.execute("CREATE TABLE kept AS SELECT * FROM debe")
    assert connection.execute("SELECT count(*) FROM kept").fetchone() == (2,)


@pytest.mark.parametrize("form", ["changelog-json", "debezium-json"])
def test_changes_are_paired_by_the_declared_key(connection: tableflow.Connection, tmp_path: Path, form: str) -> None:
    """The query's own key is not shown."""
    connection.execute("CREATE TABLE c (n BIGINT, name STRING, PRIMARY KEY (name) NOT ENFORCED) WITH ("
                       f"'connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = '{form}')")  # fmt: skip
    go = threading.Event()

    def rows() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"k": pa.array(range(20), pa.int32())})
        assert go.wait(60)
        yield pa.record_batch({"k": pa.array(range(0, 20, 2), pa.int32())})

    connection.register_stream("s", {"k": "INT"}, rows)
    connection.execute("INSERT INTO c SELECT n, name FROM (SELECT k, CAST(k AS STRING) AS name, count(*) AS n FROM s GROUP BY k) AS g")  # fmt: skip
    _until(lambda: _files(tmp_path))  # the first epoch is written
    go.set()
    _finished(connection)
    lines = _lines(tmp_path)
    names = {str(k) for k in range(0, 20, 2)}
    if form == "changelog-json":
        assert len(lines) == 40
        pairs = list(zip(lines[20::2], lines[21::2], strict=True))
        assert {old[2] for old, _ in pairs} == names
        assert all((old, new) == (["-U", 1, old[2]], ["+U", 2, old[2]]) for old, new in pairs)
    else:
        assert len(lines) == 30
        assert {line["before"]["name"] for line in lines[20:]} == names
        assert all((line["op"], line["after"]) == ("u", line["before"] | {"n": 2}) for line in lines[20:])
        counted = "SELECT n, count(*) FROM c GROUP BY n ORDER BY n"
        assert connection.execute(counted).fetchall() == [(1, 10), (2, 10)]


def test_updates_that_move_rows_between_directories_are_an_end_and_a_beginning(
    connection: tableflow.Connection, tmp_path: Path
) -> None:
    connection.execute("CREATE TABLE c (k INT, n BIGINT, place BIGINT, PRIMARY KEY (k) NOT ENFORCED) PARTITIONED BY (place) "
                       f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path}', 'format' = 'debezium-json')")  # fmt: skip
    go = threading.Event()

    def rows() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"k": pa.array(range(4), pa.int32())})
        assert go.wait(60)
        yield pa.record_batch({"k": pa.array([0, 1, 1], pa.int32())})

    connection.register_stream("s", {"k": "INT"}, rows)
    connection.execute("INSERT INTO c SELECT k, count(*), count(*) % 2 FROM s GROUP BY k")
    _until(lambda: _files(tmp_path))  # the first epoch is written
    go.set()
    _finished(connection)
    found = {
        place: sorted(line["op"] for line in _lines(tmp_path / f"place={place}"))
        for place in (0, 1)
        if (tmp_path / f"place={place}").exists()
    }
    assert found == {0: ["c"], 1: ["c"] * 4 + ["d", "u"]}
    assert sorted(connection.execute("SELECT * FROM c").fetchall()) == [(0, 2, 0), (1, 3, 1), (2, 1, 1), (3, 1, 1)]


def test_what_rows_do_in_their_directories() -> None:
    kinds = pa.array(["-U", "+U", "-U", "+U", "-U", "+U", "-D", "+I", "-U"])
    places = pa.array([0, 0, 0, 1, 1, 0, 0, 1, 0])
    assert settled(kinds, places).to_pylist() == ["-U", "+U", "-D", "+I", "-D", "+I", "-D", "+I", "-D"]


def test_debezium_messages(connection: tableflow.Connection, tmp_path: Path) -> None:
    """Updates in one message, messages with a schema, and lines that are no changes."""
    messages: list[Any] = [
        {"before": None, "after": {"id": 1, "v": "x"}, "op": "r", "ts_ms": 5},
        {"schema": {}, "payload": {"before": None, "after": {"id": 2, "v": "y"}, "op": "c"}},
        {"before": {"id": 1, "v": "x"}, "after": {"id": 1, "v": "z"}, "op": "u"},
        {"before": {"id": 2, "v": "y"}, "after": None, "op": "d"},
    ]
    file = tmp_path / "changes.json"
    file.write_text("".join(json.dumps(message) + "\n" for message in messages))
    connection.execute("CREATE TABLE c (id INT, v STRING) WITH ('connector' = 'filesystem', 'format' = 'debezium-json', "
                       f"'path' = '{file}')")  # fmt: skip
    assert connection.execute("SELECT * FROM c").fetchall() == [(1, "z")]
    assert connection.execute("SELECT count(*) FROM c").fetchone() == (1,)
    with file.open("a") as more:
        more.write('{"before": null, "after": {"id": 3}, "op": "u"}\n')
    with pytest.raises(tableflow.Error, match="line 5, is no change") as caught:
        connection.execute("SELECT * FROM c").fetchall()
    assert "REPLICA IDENTITY FULL" in str(caught.value)


def test_a_followed_file_of_changes(connection: tableflow.Connection, tmp_path: Path) -> None:
    file = tmp_path / "changes.json"
    file.write_text('{"before": null, "after": {"id": 1}, "op": "c"}\n')
    connection.execute("CREATE TABLE c (id INT) WITH ('connector' = 'filesystem', 'format' = 'debezium-json', "
                       f"'path' = '{file}', 'source.follow' = 'true')")  # fmt: skip
    cursor = connection.execute("SELECT id FROM c")
    assert [tuple(change) for change in cursor.fetch_changes(timeout=20)] == [("+I", (1,))]
    with file.open("a") as more:
        more.write('{"before": {"id": 1}, "after": {"id": 5}, "op": "u"}\n')
    assert sorted(tuple(change) for change in cursor.fetch_changes(timeout=20)) == [("+I", (5,)), ("-D", (1,))]
    cursor.close()


@pytest.mark.parametrize(
    ("options", "sql", "message", "hint"),
    [
        ("'path' = '{0}', 'format' = 'csv'", "SELECT k, count(*) FROM s GROUP BY k", "takes rows back", "changelog-json"),
        ("'path' = '{0}/f.csv', 'format' = 'csv'", "SELECT 1, 2", "cannot be written", "a directory"),
        ("'path' = '{0}/*.csv', 'format' = 'csv'", "SELECT 1, 2", "cannot be written", "a directory"),
        ("'path' = '{0}/none', 'format' = 'orc'", "SELECT 1, 2", "are only read", "parquet"),
    ],
)  # fmt: skip
def test_refused_when_planned(
    connection: tableflow.Connection, tmp_path: Path, options: str, sql: str, message: str, hint: str
) -> None:
    (tmp_path / "f.csv").write_text("k,n\n1,2\n")
    before = _files(tmp_path)
    connection.register_stream("s", {"k": "INT"}, lambda: iter([(1,)]))
    connection.execute(
        f"CREATE TABLE t (k INT, n BIGINT) WITH ('connector' = 'filesystem', {options.format(tmp_path)})"
    )
    with pytest.raises(tableflow.Error, match=message) as caught:
        connection.execute(f"INSERT INTO t {sql}")
    assert hint in str(caught.value)
    assert _files(tmp_path) == before
