"""Fields of structs come to the fields of their names."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow


@pytest.fixture
def con():
    with tableflow.connect() as connection:
        connection.execute("CREATE TABLE t (id INT, r ROW<a INT, b INT, c ROW<x STRING, y STRING>>)")
        yield connection


SWAPPED = pa.struct([("C", pa.struct([("y", pa.string()), ("x", pa.string())])), ("B", pa.int64()), ("a", pa.int64())])
VALUES = [{"C": {"y": "why", "x": "ex"}, "B": 2, "a": 1}, None, {"C": None, "B": None, "a": 3}]
WANTED = [(1, 1, 2, "ex", "why"), (2, None, None, None, None), (3, 3, None, None, None)]
QUERY = "SELECT id, r.a, r.b, r.c.x, r.c.y FROM t ORDER BY id"


def table(of: pa.DataType, values: list) -> pa.Table:
    return pa.table({"id": list(range(1, len(values) + 1)), "r": pa.array(values, of)})


def test_append_and_copy_match_by_name(con, tmp_path):
    data = table(SWAPPED, VALUES)
    con.append("t", data)
    assert con.execute(QUERY).fetchall() == WANTED
    assert con.execute("SELECT count(*) FROM t WHERE r IS NULL").fetchall() == [(1,)]
    con.execute("TRUNCATE t")
    pq.write_table(data, tmp_path / "f.parquet")
    con.execute(f"COPY t FROM '{tmp_path / 'f.parquet'}'")
    assert con.execute(QUERY).fetchall() == WANTED


def test_a_field_too_many_or_too_few_is_named(con, tmp_path):
    wrong = {
        "has no field 'd'": pa.struct([("a", pa.int32()), ("b", pa.int32()), ("d", pa.int32())]),
        "has a field 'c', which the value lacks": pa.struct([("a", pa.int32()), ("b", pa.int32())]),
    }
    for message, of in wrong.items():
        data = table(of, [None])
        with pytest.raises(tableflow.ProgrammingError, match=f"column 'r' {message}"):
            con.append("t", data)
        pq.write_table(data, tmp_path / "f.parquet")
        with pytest.raises(tableflow.ProgrammingError, match=f"column 'r' {message}"):
            con.execute(f"COPY t FROM '{tmp_path / 'f.parquet'}'")
    con.execute("INSERT INTO t BY NAME SELECT ROW(1, 2, ROW('x', 'y')) AS r, 7 AS id")
    assert con.execute(QUERY).fetchall() == [(7, 1, 2, "x", "y")]


def test_a_swapped_row_in_an_array_is_refused(con):
    con.execute("CREATE TABLE many (r ARRAY<ROW<a INT, b INT>>)")
    of = pa.list_(pa.struct([("b", pa.int32()), ("a", pa.int32())]))
    with pytest.raises(tableflow.ProgrammingError, match="column 'r' is ARRAY") as error:
        con.append("many", pa.table({"r": pa.array([[{"b": 2, "a": 1}]], of)}))
    assert "one order" in error.value.detail


@pytest.mark.parametrize("of", [pa.list_view(pa.int64()), pa.large_list_view(pa.int64())])
def test_list_views(con, of):
    con.execute("CREATE TABLE lists (v ARRAY<BIGINT>)")
    con.append("lists", pa.table({"v": pa.array([[1, 2], None, [], [3]], of)}))
    assert con.execute("SELECT v FROM lists").fetchall() == [([1, 2],), (None,), ([],), ([3],)]
    con.register("seen", pa.table({"v": pa.array([[9], [1, 2], None, [], [3], [4]], of).slice(1, 4)}))
    assert con.execute("SELECT v FROM seen").fetchall() == [([1, 2],), (None,), ([],), ([3],)]
