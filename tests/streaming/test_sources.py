"""Rows that a program goes on giving: iterables, asynchronous ones, Arrow, and scripts, with threads and under a seed."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.script import Script

COLUMNS = {"id": "BIGINT", "name": "STRING"}


@pytest.fixture(params=["threads", "seed"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2"}
    if request.param == "seed":
        settings["execution.scheduler-seed"] = "3"
    with tableflow.connect(settings=settings) as opened:
        yield opened


def test_an_iterable_is_read_again_by_every_query(connection: tableflow.Connection) -> None:
    connection.register_stream("s", COLUMNS, [(i, f"n{i}") for i in range(5)])
    for _ in range(2):
        rows = connection.execute("SELECT id * 2, name FROM s WHERE id % 2 = 0").fetchall()
        assert sorted(rows) == [(0, "n0"), (4, "n2"), (8, "n4")]


def test_an_iterator_is_read_once(connection: tableflow.Connection) -> None:
    connection.register_stream("s", COLUMNS, iter([(1, "a")]))
    assert connection.execute("SELECT id FROM s").fetchall() == [(1,)]
    with pytest.raises(tableflow.Error, match="can be read once"):
        connection.execute("SELECT id FROM s").fetchall()


def test_arrow_and_dictionaries(connection: tableflow.Connection) -> None:
    batch = pa.record_batch({"name": ["x", "y"], "id": pa.array([1, 2], pa.int32())})
    connection.register_stream("s", pa.schema([("id", pa.int64()), ("name", pa.string())]), [batch, {"id": 3}])
    assert sorted(connection.execute("SELECT * FROM s").fetchall()) == [(1, "x"), (2, "y"), (3, None)]


def test_an_asynchronous_iterable(connection: tableflow.Connection) -> None:
    async def rows() -> AsyncIterator[tuple[int, str]]:
        for i in range(3):
            await asyncio.sleep(0.001)
            yield i, "a"

    connection.register_stream("s", COLUMNS, rows)
    assert sorted(connection.execute("SELECT id FROM s").fetchall()) == [(0,), (1,), (2,)]


def test_an_endless_iterable_gives_rows_as_they_come_and_closes() -> None:
    def rows() -> Iterator[tuple[int, str]]:
        for i in itertools.count():
            yield i, "a"
            time.sleep(0.001)

    with tableflow.connect() as connection:
        connection.register_stream("s", COLUMNS, rows)
        cursor = connection.execute("SELECT id FROM s")
        assert [row[0] for row in cursor.fetchmany(20)] == list(range(20))
        cursor.close()


def test_a_failing_iterable_is_the_query_s_error(connection: tableflow.Connection) -> None:
    def rows() -> Iterator[tuple[int, str]]:
        yield 1, "a"
        raise ValueError("no more")

    connection.register_stream("s", COLUMNS, rows)
    with pytest.raises(tableflow.Error, match=r"iterator of stream 's' failed[\s\S]*no more"):
        connection.execute("SELECT id FROM s").fetchall()
    connection.register_stream("s", COLUMNS, [(1,)])
    with pytest.raises(tableflow.Error, match="has 1 value instead of 2"):
        connection.execute("SELECT id FROM s").fetchall()
    connection.register_stream("s", COLUMNS, [("a", "b")])
    with pytest.raises(tableflow.Error, match=r"has 'a' \(str\) in column 'id', which is BIGINT"):
        connection.execute("SELECT id FROM s").fetchall()


def test_a_script_says_what_comes_when(connection: tableflow.Connection) -> None:
    script = Script([], [])
    connection.register_stream("s", COLUMNS, script)
    cursor = connection.execute("SELECT id FROM s")
    script.rows((1, "a"), (2, "b"))
    assert sorted(cursor.fetchmany(2)) == [(1,), (2,)]
    script.rows((3, "c"), part=1)
    assert cursor.fetchmany(1) == [(3,)]
    script.end()
    assert cursor.fetchall() == []
    assert len(connection.execute("SELECT id FROM s").fetchall()) == 3


def test_order_without_end_is_refused_in_batch_and_streaming(connection: tableflow.Connection) -> None:
    connection.register_stream("s", COLUMNS, [])
    with pytest.raises(tableflow.NotSupportedError, match="without end have no last one"):
        connection.execute("SELECT id FROM s ORDER BY id")
    connection.execute("SET 'execution.runtime-mode' = 'batch'")
    with pytest.raises(tableflow.NotSupportedError, match="has no end"):
        connection.execute("SELECT id FROM s")


def test_rows_for_async_for(connection: tableflow.Connection) -> None:
    connection.register_stream("s", COLUMNS, [(i, "x") for i in range(4)])

    async def collect() -> list[object]:
        return [row async for row in connection.execute("SELECT id FROM s")]

    assert sorted(asyncio.run(collect())) == [(0,), (1,), (2,), (3,)]  # type: ignore[type-var]


def test_a_timeout_gives_what_has_come() -> None:
    script = Script()
    with tableflow.connect() as connection:
        connection.register_stream("s", COLUMNS, script)
        cursor = connection.execute("SELECT id FROM s")
        assert cursor.fetchmany(3, timeout=0.02) == []
        script.rows((1, "a"))
        assert cursor.fetchmany(3, timeout=0.5) == [(1,)]


def test_rows_replace_each_other_by_key(connection: tableflow.Connection) -> None:
    """What is replaced is taken back, whatever stands above, and whether or not the key is asked for."""
    rows = [(1, "a"), (2, "b"), (1, "c"), (2, "b"), (None, "d"), (None, "e"), (3, "f"), (3, None)]
    connection.register_stream("s", COLUMNS, rows, key=["id"], changelog="upsert")
    connection.execute("SET 'execution.batch-rows' = '2'")
    connection.execute("SET 'execution.runtime-mode' = 'streaming'")
    expected = {(1, "c"), (2, "b"), (None, "e"), (3, None)}
    for query, result in [
        ("SELECT id, name FROM s", expected),
        ("SELECT name FROM s WHERE name <> 'a'", {("c",), ("b",), ("e",)}),
        ("SELECT id FROM s WHERE name = 'a'", set()),
        ("SELECT count(*), count(name), max(name) FROM s", {(4, 3, "e")}),
        ("SELECT a.id, b.name FROM s a JOIN s b ON a.id = b.id", {(1, "c"), (2, "b"), (3, None)}),
    ]:
        assert _sum(connection.execute(query).fetchall()) == dict.fromkeys(result, 1)


def _sum(changes: list[tuple[object, ...]]) -> dict[tuple[object, ...], int]:
    found: dict[tuple[object, ...], int] = {}
    for op, *row in changes:
        found[tuple(row)] = found.get(tuple(row), 0) + (1 if str(op).startswith("+") else -1)
    return {row: count for row, count in found.items() if count}


def test_what_is_wrong_with_a_description_is_said() -> None:
    columns = {"id": "BIGINT", "ts": "TIMESTAMP(3)"}
    with tableflow.connect() as connection:
        for schema, options, message in [
            ({"id": "BIGGINT"}, {}, "'BIGGINT' of column 'id'"),
            ({"id": 5}, {}, "column 'id': a int is no type"),
            (["id"], {}, "by column name"),
            ({}, {}, "by column name"),
            (columns, {"watermark": "ts"}, "pair of a column and a delay"),
            (columns, {"watermark": ("at", 0)}, "'at' is none of id, ts"),
            (columns, {"watermark": ("id", 0)}, "'id' is BIGINT"),
            (columns, {"watermark": ("ts", "5 s")}, "delay of a watermark"),
            (columns, {"watermark": ("ts", timedelta(seconds=-1))}, "not below zero"),
            (columns, {"key": ["k"]}, "'k' is none of id, ts"),
            (columns, {"changelog": "upsert"}, "by a key"),
            (columns, {"changelog": "retract"}, "'append' or 'upsert'"),
        ]:
            with pytest.raises(tableflow.InterfaceError, match=message):
                connection.register_stream("s", schema, [], **options)  # type: ignore[arg-type]
        connection.register_stream("s", columns, [{"id": 1, "tss": None}])
        with pytest.raises(tableflow.DataError, match="has a column 'tss', which was not declared"):
            connection.execute("SELECT id FROM s").fetchall()
