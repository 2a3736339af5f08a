"""Python's own tables under a name."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import tableflow


@pytest.fixture
def con():
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        yield connection


class Frame:
    """A data frame of another library: all that is known of it is its Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


TABLE = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})


@pytest.mark.parametrize(
    "given",
    [
        TABLE,
        TABLE.to_batches()[0],
        Frame(TABLE),
        pl.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]}),
        {"a": [1, 2, 3], "b": ["x", None, "z"]},
        {"a": np.array([1, 2, 3]), "b": ["x", None, "z"]},
        pa.table({"a": pa.chunked_array([[1], [], [2, 3]]), "b": pa.chunked_array([["x", None], ["z"]])}),
        pa.table({"a": pa.array([0, 1, 2, 3])[1:], "b": pa.array(["x", None, "z"]).dictionary_encode()}),
    ],
    ids=["table", "batch", "stream", "polars", "dict", "numpy", "chunks", "dictionary"],
)
def test_frames(con, given):
    con.register("t", given)
    assert con.execute("SELECT a, b FROM t ORDER BY a").fetchall() == [(1, "x"), (2, None), (3, "z")]
    assert con.execute("SELECT sum(a), count(b) FROM t WHERE a > 1").fetchall() == [(5, 1)]


def test_a_name_is_registered_again(con):
    con.register("t", {"a": [1]})
    assert con.execute("SELECT * FROM t").fetchall() == [(1,)]
    con.register("t", {"b": ["x", "y"]})
    assert con.execute("SELECT b FROM t ORDER BY b").fetchall() == [("x",), ("y",)]
    con.execute("DROP TABLE t")
    with pytest.raises(tableflow.ProgrammingError, match="'t' does not exist"):
        con.execute("SELECT * FROM t")


def test_names_that_need_quotes(con):
    con.register("My Table", {"a b": [1], "SELECT": [2]})
    assert con.execute('SELECT "a b", "select" FROM "my table"').fetchall() == [(1, 2)]


def test_columns_that_differ_only_in_case(con):
    con.register("t", pa.table([[1], [2]], names=["a", "A"]))
    assert con.execute("SELECT * FROM t").description[1][0] == "A_1"


def test_no_rows_and_no_columns(con):
    con.register("t", pa.table({"a": pa.array([], pa.int32())}))
    assert con.execute("SELECT count(*), sum(a) FROM t").fetchall() == [(0, None)]
    con.register("u", pa.table({}))
    assert con.execute("SELECT count(*) FROM u").fetchall() == [(0,)]


@pytest.mark.parametrize("given", [5, "text", [1, 2], None, object()])
def test_what_is_no_table(con, given):
    with pytest.raises(tableflow.InterfaceError, match="is no table"):
        con.register("t", given)


def test_types_without_a_counterpart(con):
    con.register("t", pa.table({"a": pa.array([1], pa.uint64()), "b": pa.array([1], pa.duration("s"))}).select(["a"]))
    assert con.execute("SELECT a FROM t").fetchall() == [(1,)]
    with pytest.raises(tableflow.NotSupportedError, match="has no SQL type"):
        con.register("t", pa.table({"b": pa.array([1], pa.duration("s"))}))
