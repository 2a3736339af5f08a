"""What is written wrongly, or is not there, says at its place what to write instead."""

from __future__ import annotations

import pytest

import tableflow
from tableflow.errors import BindError, CatalogError, SqlSyntaxError, UnsupportedError
from tests.sql.binding import fails

_TIMES = "CREATE TABLE e (k INT, ts TIMESTAMP(3), {}) WITH ('connector' = 'datagen')"


@pytest.mark.parametrize(
    ("text", "kind", "message", "at", "hint"),
    [
        (_TIMES.format("WATERMARK ts AS ts"), SqlSyntaxError, "WATERMARK FOR ts AS", "ts", None),
        (_TIMES.format("WATERMARK FOR ts AS ts - 5"), BindError, "operator -", None, "write ts - INTERVAL '5' SECOND"),
        (_TIMES.format("WATERMARK FOR ts AS ts - INTERVAL '5' SECNOD"), SqlSyntaxError, "a unit such as DAY", "SECNOD", "SECOND"),
        ("SELECT DATE '2020-01-01' + INTERVAL 5 DAYZ", SqlSyntaxError, "a unit such as DAY", "DAYZ", "did you mean DAY"),
        ("SELECT * FROM TUMBLE(TABLE t, ts, INTERVAL '5' MINUT)", SqlSyntaxError, "a unit", "MINUT", "did you mean MINUTE"),
        ("SELECT * FROM t TABLESAMPLE (10)", UnsupportedError, "TABLESAMPLE", "TABLESAMPLE", "rand() < 0.1"),
        ("SELECT * FROM t USING SAMPLE 10%", UnsupportedError, "USING SAMPLE", "USING SAMPLE", "rand() < 0.1"),
        ("ANALYZE t", UnsupportedError, "ANALYZE TABLE", "ANALYZE", "need not be gathered"),
        ("ANALYZE SELECT 1", UnsupportedError, "ANALYZE SELECT", "ANALYZE SELECT", "EXPLAIN ANALYZE"),
        ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT * FROM x", UnsupportedError, "recursive", "x",
         "UNION ALL"),
    ],
)  # fmt: skip
def test_what_to_write_instead(text, kind, message, at, hint):
    error = fails(text, kind, message, at)
    assert error.span is not None
    assert hint is None or hint in error.hint


def test_a_column_may_be_called_watermark():
    with tableflow.connect() as connection:
        connection.execute("CREATE TABLE t (watermark INT, k INT)")
        assert connection.execute("SELECT watermark FROM t").fetchall() == []


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_file_of_the_name_of_a_table_lies_here(ending, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"orders.{ending}").write_text("")
    with tableflow.connect() as connection:
        connection.execute("CREATE TABLE order_s (a INT)")
        with pytest.raises(CatalogError, match="table 'orders' does not exist") as caught:
            connection.execute("SELECT * FROM orders")
        assert caught.value.hint == f"a file of this name lies here: FROM 'orders.{ending}'"
        with pytest.raises(CatalogError) as caught:
            connection.execute("SELECT * FROM order_")
        assert caught.value.hint == "did you mean 'order_s'?"


def test_the_type_of_a_registered_column_is_suggested():
    with tableflow.connect() as connection, pytest.raises(tableflow.InterfaceError, match=r"did you mean BIGINT\?"):
        connection.register_stream("s", {"a": "BIGINTT"}, [])
