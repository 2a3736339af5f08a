"""Rows of a program that do not fit their table are told by stream, row, column, value and type; nothing is cut or rounded."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

import tableflow

WRONG = [
    ({"a": "INT"}, [(1,), (1.5,)], ["row 2 of stream 's' has 1.5 (float) in column 'a', which is INT", "nothing is rounded"]),
    ({"a": "INT"}, [(Decimal("1.5"),)], ["has Decimal('1.5') (Decimal) in column 'a'", "nothing is rounded"]),
    ({"a": "INT"}, [("x",)], ["row 1 of stream 's' has 'x' (str) in column 'a', which is INT", "hint: give an int"]),
    ({"a": "TINYINT"}, [(300,)], ["has 300 (int)", "TINYINT holds whole numbers from -128 to 127"]),
    ({"a": "DATE"}, [(1.5,)], ["has 1.5 (float) in column 'a', which is DATE", "give a datetime.date"]),
    ({"a": "STRING"}, [(5,)], ["has 5 (int) in column 'a', which is STRING", "give a str"]),
    ({"a": "DECIMAL(5,2)"}, [(Decimal("1.555"),)], ["which is DECIMAL(5,2)", "3 digits before and 2 behind the point"]),
    ({"a": "VARCHAR(3)"}, [("abc",), ("abcd",)], ["row 2 of stream 's' has 'abcd' (str)", "it is 4 long"]),
    ({"a": "ARRAY<INT>"}, [([1],), ([1.5],)], ["row 2 of stream 's' has [1.5] (list)", "each element an int"]),
    ({"a": "ROW<x INT>"}, [({"x": 1, "y": 2},)], ["has {'x': 1, 'y': 2} (dict)", "give a dict with x INT"]),
    ({"a": "INT NOT NULL"}, [(1,), (None,)], ["row 2 of stream 's' has no value in column 'a', which is INT NOT NULL"]),
    ({"a": "INT not null", "b": "INT"}, [{"b": 1}], ["row 1 of stream 's' has no value in column 'a'"]),
    ({"a": "INT", "b": "INT"}, [(1, 2), (1,)], ["row 2 of stream 's' has 1 value instead of 2", "(1,)", "a INT, b INT"]),
    ({"amount": "INT"}, [{"amuont": 1}], ["row 1 of stream 's' has a column 'amuont'", "did you mean 'amount'?"]),
    ({"a": "INT"}, [5], ["row 1 of stream 's' is 5 (int), which is no row", "(5,)"]),
    ({"a": "INT"}, ["x"], ["row 1 of stream 's' is 'x' (str), which is no row"]),
    ({"a": "INT"}, [(1,), pa.record_batch({"a": [2.0, 2.5]})], ["row 3 of stream 's' has 2.5 (float)"]),
    ({"a": "INT"}, [pa.record_batch({"a": [1], "z": [1]})], ["Arrow data of stream 's' has a column 'z'"]),
    ({"a": "TIMESTAMP(3)"}, [(dt.datetime(2024, 1, 1, tzinfo=dt.UTC),)], ["row 1 of stream 's'", "without a zone", "TIMESTAMP_LTZ(3)"]),
    ({"a": "ARRAY<TIMESTAMP>"}, [([dt.datetime(2024, 1, 1, tzinfo=dt.UTC)],)], ["row 1 of stream 's'", "without a zone"]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "rows", "told"), WRONG)
def test_a_row_that_does_not_fit_is_told(schema, rows, told):
    with tableflow.connect() as connection:
        connection.register_stream("s", schema, rows)
        with pytest.raises(tableflow.DataError) as raised:
            connection.execute("SELECT * FROM s").fetchall()
    for part in told:
        assert part in str(raised.value)


def test_rows_that_fit_come_in_as_they_are():
    moment = dt.datetime(2024, 1, 1, 5, 0, 0, 1500)
    schema = {"a": "INT", "b": "CHAR(3)", "c": "TIMESTAMP(3)", "d": "DECIMAL(5,2)"}
    rows = [(2.0, "x", moment, Decimal("1.5")), {"a": True + 1, "b": None}]
    rows.append(pa.record_batch({"c": pa.array([moment], pa.timestamp("us"))}))
    with tableflow.connect() as connection:
        connection.register_stream("s", schema, rows)
        cut = moment.replace(microsecond=1000)
        assert connection.execute("SELECT a, b || '.', c, d FROM s").fetchall() == [
            (2, "x  .", cut, Decimal("1.50")),
            (2, None, None, None),
            (None, None, cut, None),
        ]


def test_an_answer_of_a_lookup_that_does_not_fit_names_its_row():
    with tableflow.connect() as connection:
        connection.register_lookup("found", {"k": "INT", "v": "INT"}, lambda keys: [(1, 10), (1, "x")])
        with pytest.raises(tableflow.Error) as raised:
            connection.execute(
                "SELECT v FROM (SELECT 1 AS k, PROCTIME() AS p) s JOIN found FOR SYSTEM_TIME AS OF s.p AS f ON s.k = f.k"
            ).fetchall()
    assert "lookup table 'found' gave no rows for k = 1" in str(raised.value)
    assert "row 2 of the answer has 'x' (str) in column 'v', which is INT" in str(raised.value)


@pytest.mark.parametrize("column", ["t", "l", "d", "v"])
def test_text_that_is_not_utf_8_is_told_by_row(column):
    bad = pa.array([b"ok"] * 50 + [b"\xff\xfe"], pa.binary()).view(pa.string())
    columns = {
        "x": list(range(51)),
        "t": bad,
        "l": pa.ListArray.from_arrays(list(range(52)), bad),
        "d": pa.DictionaryArray.from_arrays(list(range(51)), bad),
        "v": bad.cast(pa.binary()).cast(pa.binary_view()).view(pa.string_view()),
    }
    table = pa.table(columns)
    with tableflow.connect() as connection:
        connection.register("bad", table)
        connection.register_stream("s", table.schema, [table])
        assert connection.execute("SELECT max(x) FROM bad").fetchall() == [(50,)]
        for name, whose in (("bad", "table 'bad'"), ("s", "stream 's'")):
            with pytest.raises(
                tableflow.DataError, match=f"row 51 of {whose} has text in column '{column}' that is not UTF-8"
            ):
                connection.execute(f"SELECT {column} FROM {name}").fetchall()


def test_text_that_is_not_utf_8_is_not_appended():
    bad = pa.table({"t": pa.array([b"\xff"], pa.binary()).view(pa.string())})
    with tableflow.connect() as connection:
        connection.execute("CREATE TABLE kept (t STRING)")
        with pytest.raises(tableflow.DataError, match="column 't' that is not UTF-8"):
            connection.append("kept", bad)
        assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(0,)]


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (lambda: None, "its function has returned None"),
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda: ((1 // each,) for each in (1, 0)), "ZeroDivisionError"),
    ],
)
def test_a_function_that_makes_no_rows_is_no_bug_of_ours(source, told):
    with tableflow.connect() as connection:
        connection.register_stream("s", {"a": "INT"}, source)
        with pytest.raises(tableflow.OperationalError) as raised:
            connection.execute("SELECT * FROM s").fetchall()
    assert told in str(raised.value)


def test_an_iterator_is_read_once():
    with tableflow.connect() as connection:
        connection.register_stream("s", {"a": "INT"}, iter([(1,)]))
        assert connection.execute("SELECT * FROM s").fetchall() == [(1,)]
        with pytest.raises(
            tableflow.Error, match="stream 's' cannot be read: the rows of an iterator can be read once"
        ):
            connection.execute("SELECT * FROM s").fetchall()


@pytest.mark.parametrize("timeout", ["1 s", -1, True, float("nan")])
def test_a_timeout_is_a_number_of_seconds(timeout):
    with tableflow.connect() as connection:
        cursor = connection.execute("SELECT 1")
        for fetch in (cursor.fetchone, lambda timeout: cursor.fetchmany(1, timeout)):
            with pytest.raises(tableflow.InterfaceError, match="a timeout is a number of seconds"):
                fetch(timeout=timeout)
        assert cursor.fetchone(timeout=5) == (1,)
