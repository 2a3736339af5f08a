"""EXECUTE STATEMENT SET: several INSERTs as one job that reads each stream once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import tableflow


@pytest.fixture(params=["threads", "seed"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2"}
    if request.param == "seed":
        settings["execution.scheduler-seed"] = "5"
    with tableflow.connect(settings=settings) as opened:
        yield opened


def _rows(calls: list[pa.RecordBatch]) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for batch in calls for row in batch.to_pylist()]


def test_streams_are_read_once(connection: tableflow.Connection) -> None:
    readings = 0

    def source() -> Iterator[tuple[int, int]]:
        nonlocal readings
        readings += 1
        yield from [(1, 10), (2, 20), (1, 30)]

    rows: list[pa.RecordBatch] = []
    counts: list[pa.RecordBatch] = []
    connection.register_stream("s", {"k": "INT", "v": "INT"}, source)
    connection.register_sink("rows", {"v": "BIGINT", "k": "INT"}, rows.append)
    connection.register_sink("counts", {"k": "INT", "n": "BIGINT"}, counts.append)
    connection.execute("CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole')")
    connection.execute("""EXECUTE STATEMENT SET BEGIN
        INSERT INTO rows SELECT v, k FROM s WHERE v > 10;
        INSERT INTO counts SELECT k, count(*) FROM s GROUP BY k;
        INSERT INTO b SELECT count(*) FROM s;
    END""")
    assert connection.session.await_jobs(20)
    assert readings == 1
    assert sorted(_rows(rows)) == [("+I", 20, 2), ("+I", 30, 1)]
    state: dict[object, object] = {}
    for op, k, n in _rows(counts):
        if op in {"-U", "-D"}:
            assert state.pop(k) == n
        else:
            assert k not in state
            state[k] = n
    assert state == {1: 2, 2: 1}
    assert [row[1:3] for row in connection.execute("SHOW JOBS").fetchall()] == [("rows, counts, b", "finished")]


@pytest.mark.parametrize("mode", ["auto", "streaming"])
def test_finished_data(connection: tableflow.Connection, tmp_path: Path, mode: str) -> None:
    connection.execute(f"SET 'execution.runtime-mode' = '{mode}'")
    connection.register("t", pa.table({"k": ["a", "b", "a"], "v": [1, 2, None]}))
    for name, columns in (("sums", "k STRING, v BIGINT"), ("all_rows", "v BIGINT, k STRING NOT NULL")):
        connection.execute(f"CREATE TABLE {name} ({columns}) WITH ('connector' = 'filesystem', 'format' = 'csv', "
                           f"'path' = '{tmp_path / name}')")  # fmt: skip
    done = connection.execute(
        "EXECUTE STATEMENT SET BEGIN INSERT INTO sums SELECT k, sum(v) FROM t GROUP BY k; "
        "INSERT INTO all_rows SELECT v, k FROM t; END"
    )
    assert done.rowcount == (5 if mode == "auto" else done.rowcount)
    assert sorted(connection.execute("SELECT * FROM sums").fetchall()) == [("a", 1), ("b", 2)]
    found = connection.execute("SELECT k, v FROM all_rows").fetchall()
    assert sorted(found, key=str) == [("a", 1), ("a", None), ("b", 2)]
    with pytest.raises(tableflow.IntegrityError, match="table 'all_rows': column 'k' may not be NULL"):
        connection.execute("EXECUTE STATEMENT SET BEGIN INSERT INTO sums SELECT k, v FROM t; "
                           "INSERT INTO all_rows SELECT v, NULL FROM t; END")  # fmt: skip
    assert connection.execute("SELECT count(*) FROM sums").fetchone() == (2,)  # all or nothing


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("EXECUTE STATEMENT SET BEGIN END", "the statement set is empty"),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO b SELECT 1", "END is expected"),
        ("EXECUTE STATEMENT BEGIN END", "SET is expected"),
        ("EXECUTE STATEMENT SET BEGIN SELECT 1; END", "a statement set has INSERTs only"),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO m SELECT 1; END", "writes to tables of connectors"),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO f SELECT count(*) FROM s; END", "takes rows back"),
    ],
)  # fmt: skip
def test_refusals(connection: tableflow.Connection, tmp_path: Path, sql: str, message: str) -> None:
    connection.execute("CREATE TABLE b (n BIGINT) WITH ('connector' = 'blackhole')")
    connection.execute("CREATE TABLE m (n BIGINT)")
    connection.execute(f"CREATE TABLE f (n BIGINT) WITH ('connector' = 'filesystem', 'format' = 'csv', 'path' = '{tmp_path}')")  # fmt: skip
    connection.register_stream("s", {"k": "INT"}, lambda: iter([(1,)]))
    with pytest.raises(tableflow.Error, match=message):
        connection.execute(sql)


def test_one_statement_and_constants(connection: tableflow.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    connection.execute("CREATE TABLE p (n BIGINT, s STRING) WITH ('connector' = 'print')")
    connection.execute("EXECUTE STATEMENT SET BEGIN INSERT INTO p VALUES (1, 'a;b'); END")
    connection.execute("EXECUTE STATEMENT SET BEGIN INSERT INTO p (s) VALUES ('c'); INSERT INTO p VALUES (2, 'd'); END")
    assert sorted(capsys.readouterr().out.splitlines()) == ["+I[1, a;b]", "+I[2, d]", "+I[null, c]"]
