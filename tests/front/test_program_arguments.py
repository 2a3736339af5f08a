"""What a program gives besides SQL is checked when it is given; what its iterators do wrong fails the query, and is named."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pyarrow as pa
import pytest

import tableflow
from tableflow.errors import Error, InternalError

SCHEMA = {"id": "INT", "name": "STRING"}


@pytest.fixture
def con() -> Iterator[tableflow.Connection]:
    with tableflow.connect() as connection:
        yield connection


def rows() -> Iterator[tuple[int, str]]:
    yield from [(1, "a"), (2, "b")]


async def coroutine() -> int:
    return 5


@pytest.mark.parametrize("key", ["id", ["id"], ("id",), {"id": 1}.keys()])
def test_a_key_is_a_column_or_several(con: tableflow.Connection, key: Any) -> None:
    con.register_stream("s", SCHEMA, rows, key=key)
    assert con.execute("SELECT count(DISTINCT id) FROM s").fetchall()[-1][-1] == 2
    con.register_sink("out", SCHEMA, lambda batch: None, key=key)
    con.register_lookup("l", SCHEMA, lambda keys: [(k, "x") for (k,) in keys], key=key)
    joined = (
        "SELECT q.name FROM (SELECT *, PROCTIME() AS p FROM s) l JOIN l FOR SYSTEM_TIME AS OF l.p AS q ON l.id = q.id"
    )
    assert con.execute(joined).fetchall() == [("x",), ("x",)]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"key": 3}, "a list of names such as"),
        ({"key": [3]}, "a list of names such as"),
        ({"key": "nope"}, "key column 'nope' is none of id, name"),
        ({"schema": None}, "schema is an Arrow schema, or SQL types"),
        ({"schema": "id INT"}, "schema is an Arrow schema, or SQL types"),
        ({"schema": {}}, "schema is an Arrow schema, or SQL types"),
        ({"schema": {1: "INT"}}, "the name of a column is a text, not 1"),
        ({"schema": {"id": int}}, "Python's int is no type; 'BIGINT' is one"),
        ({"schema": {"id": "INTT"}}, "type 'INTT' is not known"),
        ({"schema": pa.schema([("a", pa.int8()), ("A", pa.int8())])}, "has column 'A' twice"),
        ({"source": None}, "a NoneType gives no rows"),
        ({"source": "abc"}, "a str gives no rows"),
        ({"source": coroutine}, "coroutine function 'coroutine' gives no rows; an asynchronous generator"),
        ({"watermark": "id"}, "watermark is a pair"),
        ({"name": 5}, "the name of a table is a text, not 5"),
        ({"name": ""}, "the name of a table is a text"),
    ],
)
def test_wrong_descriptions_of_streams(con: tableflow.Connection, given: dict[str, Any], said: str) -> None:
    with pytest.raises(tableflow.InterfaceError, match=said):
        con.register_stream(**{"name": "s", "schema": SCHEMA, "source": rows, **given})
    assert con.execute("SHOW TABLES").fetchall() == []


def test_other_wrong_arguments(con: tableflow.Connection) -> None:
    with pytest.raises(tableflow.InterfaceError, match="takes no rows"):
        con.register_sink("k", SCHEMA, None)  # type: ignore[arg-type]
    with pytest.raises(tableflow.InterfaceError, match="options are a dictionary such as"):
        con.register_lookup("l", SCHEMA, lambda keys: [], options="lookup.cache")  # type: ignore[arg-type]
    with pytest.raises(
        tableflow.ProgrammingError, match=r"option 'lookup\.batch-size' of connector 'lookup' cannot be '0'"
    ):
        con.register_lookup("l", SCHEMA, lambda keys: [], options={"lookup.batch-size": 0})  # type: ignore[dict-item]
    with pytest.raises(tableflow.InterfaceError, match="settings are a dictionary such as"):
        tableflow.connect(settings="parallelism.default")  # type: ignore[arg-type]
    with pytest.raises(tableflow.InterfaceError, match="not '3'; give"):
        con.execute("SELECT 1").fetchmany("3")  # type: ignore[arg-type]


async def _async(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        if isinstance(item, BaseException):
            raise item
        yield item


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([(1, "a"), ValueError("boom")], "the iterator of stream 's' failed\ndetail: ValueError: boom"),
        ([asyncio.CancelledError()], "the iterator of stream 's' failed\ndetail: CancelledError"),
        ([SystemExit(3)], "the iterator of stream 's' failed\ndetail: SystemExit: 3"),
        ([(1, "a"), 5], "row 2 of stream 's' is 5"),
        ([(1, "a"), (2, "b", 3)], "row 2 of stream 's' has 3 values instead of 2"),
        ([(1, 5)], "row 1 of stream 's' has 5"),
        ([None], "row 1 of stream 's' is None"),
        ([[(1, "a"), (2, "b"), (3, "c")]], "each item of the iterator is one row"),
        ([pa.table({"id": [1], "nam": ["x"]})], "did you mean 'name'?"),
    ],
)
def test_iterators_that_do_wrong(con: tableflow.Connection, items: list[Any], said: str, *, asynchronous: bool) -> None:
    def given() -> Iterator[Any]:
        for item in items:
            if isinstance(item, BaseException):
                raise item
            yield item

    con.register_stream("s", SCHEMA, (lambda: _async(*items)) if asynchronous else given)
    with pytest.raises(Error) as caught:
        con.execute("SELECT * FROM s").fetchall()
    assert not isinstance(caught.value, InternalError)
    assert said in str(caught.value)


def test_a_function_that_makes_no_rows(con: tableflow.Connection) -> None:
    con.register_stream("s", SCHEMA, lambda: None)
    with pytest.raises(tableflow.OperationalError, match="its function has returned None"):
        con.execute("SELECT * FROM s").fetchall()
