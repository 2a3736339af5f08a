"""INSERT INTO tables of connectors: finished and unbounded queries, changes with their kinds, sinks that stall or fail."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

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


def _finished(connection: tableflow.Connection) -> None:
    assert connection.session.await_jobs(20)


def test_print(connection: tableflow.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    execute = connection.execute
    execute("CREATE TABLE p (a INT, b STRING) WITH ('connector' = 'print', 'print-identifier' = 'mine')")
    assert execute("INSERT INTO p VALUES (1, 'x'), (2, NULL)").rowcount == 2
    assert execute("INSERT INTO p (b) VALUES (?)", ("y",)).rowcount == 1
    assert connection.cursor().executemany("INSERT INTO p VALUES (?, ?)", [(3, "z"), (4, "q")]).rowcount == 2
    assert sorted(capsys.readouterr().out.splitlines()) == [
        "mine> +I[1, x]", "mine> +I[2, null]", "mine> +I[3, z]", "mine> +I[4, q]", "mine> +I[null, y]",
    ]  # fmt: skip
    execute("CREATE TABLE e (d DATE, n DECIMAL(5,2)) WITH ('connector' = 'print', 'standard-error' = 'true')")
    execute("INSERT INTO e SELECT n, d FROM (VALUES (1.5, DATE '2024-02-29')) AS t(d, n)")
    assert capsys.readouterr().err == "+I[2024-02-29, 1.50]\n"


def test_an_order_is_kept(connection: tableflow.Connection, capsys: pytest.CaptureFixture[str]) -> None:
    connection.register("t", pa.table({"a": list(range(100, 0, -1))}))
    connection.execute("CREATE TABLE p (a BIGINT) WITH ('connector' = 'print')")
    connection.execute("INSERT INTO p SELECT a FROM t ORDER BY a LIMIT 3")
    assert capsys.readouterr().out == "+I[1]\n+I[2]\n+I[3]\n"


def test_a_function_gets_changes_with_their_kinds(connection: tableflow.Connection) -> None:
    calls: list[pa.RecordBatch] = []
    connection.register_sink("counts", {"k": "INT", "n": "BIGINT"}, calls.append)
    rows = [(1, 1), (2, 1), (1, 5)]
    connection.register_stream("s", {"k": "INT", "v": "INT"}, rows)
    message = connection.execute("INSERT INTO counts SELECT k, count(*) FROM s GROUP BY k")
    assert message.rowcount == -1
    _finished(connection)
    assert all(batch.schema.names == ["op", "k", "n"] for batch in calls)
    state: dict[int, int] = {}
    for row in (row for batch in calls for row in batch.to_pylist()):
        if row["op"] in {"-U", "-D"}:
            assert state.pop(row["k"]) == row["n"]
        else:
            assert row["k"] not in state
            state[row["k"]] = row["n"]
    assert state == {1: 2, 2: 1}


@pytest.mark.parametrize("together", [False, True])
def test_a_function_with_a_key_gets_the_last_row_of_each(together: bool) -> None:
    """The query's own key, ``k``, is not shown; its second epoch changes what the first one said."""
    calls: list[tuple[object, ...]] = []
    seen = threading.Event()

    def receive(batch: pa.RecordBatch) -> None:
        calls.extend(tuple(row.values()) for row in batch.to_pylist())
        seen.set()

    def rows() -> Iterator[tuple[int, str] | pa.RecordBatch]:
        yield pa.record_batch({"k": pa.array([1, 2, 3, 2], pa.int32()), "name": ["a", "b", "c", "b"]})
        assert seen.wait(60)
        yield pa.record_batch({"k": pa.array([1, 1, 2], pa.int32()), "name": ["a", "a", "z"]})

    query = "SELECT name, n FROM (SELECT k, max(name) AS name, count(*) AS n FROM s GROUP BY k) AS g"
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.execute("CREATE TABLE other (k INT) WITH ('connector' = 'blackhole')")
        connection.register_stream("s", {"k": "INT", "name": "STRING"}, rows)
        connection.register_sink("t", {"name": "STRING", "n": "BIGINT"}, receive, key="name")
        insert = f"INSERT INTO t {query}"
        if together:
            insert = f"EXECUTE STATEMENT SET BEGIN INSERT INTO other SELECT k FROM s; {insert}; END"
        connection.execute(insert)
        _finished(connection)
    assert sorted(calls[:3]) == [("+I", "a", 1), ("+I", "b", 2), ("+I", "c", 1)]
    assert sorted(calls[3:]) == [("+I", "z", 3), ("+U", "a", 3), ("-D", "b", 2)]


def test_a_function_gets_finished_rows(connection: tableflow.Connection) -> None:
    calls: list[pa.RecordBatch] = []
    connection.register_sink("t", {"a": "BIGINT", "at": "TIMESTAMP(3)"}, calls.append)
    sql = "INSERT INTO t SELECT a, TIMESTAMP '2024-01-01 00:00:00' FROM (VALUES (1), (2)) AS v(a)"
    for mode in ("auto", "streaming"):
        connection.execute(f"SET 'execution.runtime-mode' = '{mode}'")
        assert connection.execute(sql).rowcount == 2
        found = pa.Table.from_batches(calls)
        assert found.schema.field("at").type == pa.timestamp("ms")
        assert sorted(found.select(["op", "a"]).to_pylist(), key=str) == [
            {"op": "+I", "a": 1},
            {"op": "+I", "a": 2},
        ]
        calls.clear()


def test_what_a_function_raises_fails_the_statement_and_the_job(connection: tableflow.Connection) -> None:
    def fail(batch: pa.RecordBatch) -> None:
        raise ValueError("no room")

    connection.register_sink("bad", {"a": "INT"}, fail)
    with pytest.raises(tableflow.Error, match="the function of sink 'bad' failed") as caught:
        connection.execute("INSERT INTO bad VALUES (1)")
    assert "no room" in str(caught.value)
    connection.register_stream("s", {"a": "INT"}, [(1,), (2,)])
    with pytest.raises(tableflow.Error, match="the function of sink 'bad' failed"):
        connection.execute("INSERT INTO bad SELECT a FROM s")  # which raises if it fails at once
        _finished(connection)


def test_blackhole_takes_anything(connection: tableflow.Connection) -> None:
    connection.execute("CREATE TABLE b (k INT, n BIGINT NOT NULL) WITH ('connector' = 'blackhole')")
    connection.register_stream("s", {"k": "INT", "v": "BIGINT"}, [(i % 3, i) for i in range(50)])
    connection.execute("INSERT INTO b SELECT k, count(*) FROM s GROUP BY k")
    _finished(connection)
    assert connection.execute("INSERT INTO b SELECT 1, 2").rowcount == 1
    with pytest.raises(tableflow.IntegrityError, match="column 'n' may not be NULL"):
        connection.execute("INSERT INTO b (k) VALUES (1)")


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM b", "table 'b' cannot be read"),
        ("INSERT INTO b VALUES (1) RETURNING k", "RETURNING needs a table that is stored by TableFlow"),
        ("INSERT INTO b VALUES (1) ON CONFLICT DO NOTHING", "ON CONFLICT needs a table that is stored"),
        ("DELETE FROM b", "table 'b' cannot be changed"),
        ("INSERT INTO b VALUES (1, 2)", "the row has 2 values, 1 is expected"),
        ("INSERT INTO b SELECT 'x' > 'y'", "column 'k' is INT, the value is BOOLEAN"),
    ],
)
def test_refusals(connection: tableflow.Connection, sql: str, message: str) -> None:
    connection.execute("CREATE TABLE b (k INT) WITH ('connector' = 'blackhole')")
    with pytest.raises(tableflow.Error, match=message):
        connection.execute(sql)


def test_explain(connection: tableflow.Connection) -> None:
    connection.execute("CREATE TABLE b (k INT) WITH ('connector' = 'blackhole')")
    assert connection.execute("EXPLAIN INSERT INTO b SELECT 1").fetchall()[0][0].startswith("StreamWrite b [")


def test_a_sink_that_stalls_holds_back_its_source() -> None:
    """The source is asked for no more than the buffers between hold; when the sink goes on, all rows arrive."""
    given = 0
    goes_on, stalled = threading.Event(), threading.Event()
    received: list[int] = []

    def rows() -> Iterator[pa.RecordBatch]:
        nonlocal given
        for number in range(600):
            given += 1
            yield pa.record_batch({"v": pa.array([number] * 1000, pa.int32())})

    def stall(batch: pa.RecordBatch) -> None:
        stalled.set()
        assert goes_on.wait(30)
        received.extend(batch.column("v").to_pylist())

    with tableflow.connect(settings={"parallelism.default": "2", "execution.batch-rows": "1000"}) as connection:
        connection.register_sink("slow", {"v": "INT"}, stall)
        connection.register_stream("s", {"v": "INT"}, rows)
        connection.execute("INSERT INTO slow SELECT v FROM s")
        assert stalled.wait(20)
        before = -1
        while before != given:  # until nothing moves any more
            before = given
            time.sleep(0.2)
        assert given < 100
        goes_on.set()
        _finished(connection)
    assert given == 600
    assert sorted(received) == sorted(itertools.chain.from_iterable([number] * 1000 for number in range(600)))


def test_a_stalled_sink_does_not_keep_a_job_from_being_cancelled() -> None:
    goes_on, stalled = threading.Event(), threading.Event()

    def stall(batch: Any) -> None:
        stalled.set()
        goes_on.wait(30)

    try:
        with tableflow.connect() as connection:
            connection.register_sink("slow", {"v": "INT"}, stall)
            connection.register_stream("s", {"v": "INT"}, lambda: ((i,) for i in itertools.count() if i < 1 << 30))
            connection.execute("INSERT INTO slow SELECT v FROM s")
            assert stalled.wait(20)
            begin = time.monotonic()
            connection.execute("CANCEL JOB 1")
            assert time.monotonic() - begin < 8
            assert connection.execute("SHOW JOBS").fetchall()[0][2] == "cancelled"
    finally:
        goes_on.set()
