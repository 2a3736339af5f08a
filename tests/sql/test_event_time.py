"""WATERMARK FOR, computed columns and metadata in CREATE TABLE, and what a scan of such a table is."""

from __future__ import annotations

import pytest

from tableflow.catalog.provider import WatermarkDefinition
from tableflow.errors import BindError, CatalogError, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.sql.statements import CreateTable
from tests.sql.binding import bound, fails

WITH = " WITH ('connector' = 'filesystem', 'path' = 'x/')"


def created(columns: str) -> CreateTable:
    statement = bound(f"CREATE TABLE x ({columns}){WITH}")
    assert isinstance(statement, CreateTable)
    return statement


def test_columns_keep_their_places() -> None:
    table = created(
        "twice AS once * 2, once AS CAST(a AS BIGINT) + 1, a INT, f STRING METADATA FROM 'path' VIRTUAL, "
        "offset_ BIGINT METADATA VIRTUAL, small SMALLINT AS (a), p AS PROCTIME()"
    )
    assert [(c.name, str(c.type), c.computed, c.metadata) for c in table.columns] == [
        ("twice", "BIGINT", "once * 2", ""),
        ("once", "BIGINT", "CAST(a AS BIGINT) + 1", ""),
        ("a", "INT", "", ""),
        ("f", "STRING", "", "path"),
        ("offset_", "BIGINT", "", "offset_"),
        ("small", "SMALLINT", "a", ""),
        ("p", "TIMESTAMP_LTZ(3)", "PROCTIME()", ""),
    ]
    assert table.watermark is None


def test_event_time() -> None:
    table = created(
        "t BIGINT, ts AS TIMESTAMP '1970-01-01 00:00:00' + t * INTERVAL '1' SECOND, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND"
    )
    assert table.watermark == WatermarkDefinition("ts", "ts - INTERVAL '5' SECOND")
    assert created("i AS INGESTION_TIME(), a INT, WATERMARK FOR i AS i").watermark == WatermarkDefinition("i", "i")
    inferred = bound("CREATE TABLE x (WATERMARK FOR ts AS ts)" + WITH)
    assert inferred.watermark == WatermarkDefinition("ts", "ts") and inferred.columns == ()


@pytest.mark.parametrize(
    ("columns", "kind", "message", "at"),
    [
        ("a INT, b AS c", BindError, "'c' does not exist", "c"),
        ("a AS b, b AS a, c INT", CatalogError, "'a' refers to itself", "b"),
        ("a AS a + 1, c INT", CatalogError, "'a' refers to itself", "a + 1"),
        ("a INT, b AS sum(a)", BindError, "cannot stand in a computed column", "sum(a)"),
        ("a INT, b AS (SELECT 1)", UnsupportedError, "subquery", "(SELECT 1)"),
        ("a INT, b AS ?", BindError, "parameters", "?"),
        ("a AS 1", CatalogError, "declares the others as well", "a"),
        ("a INT, WATERMARK FOR a AS a", BindError, "event time 'a' is INT", "WATERMARK FOR a AS a"),
        (
            "a INT, WATERMARK FOR ts AS ts",
            CatalogError,
            "'ts' of WATERMARK FOR is not declared",
            "WATERMARK FOR ts AS ts",
        ),
        ("ts TIMESTAMP(3), WATERMARK FOR ts AS 5", BindError, "the watermark of 'ts' is INT", "WATERMARK FOR ts AS 5"),
        (
            "ts TIMESTAMP(3), WATERMARK FOR ts AS CAST(ts AS TIMESTAMP_LTZ(3))",
            BindError,
            "is TIMESTAMP_LTZ",
            "WATERMARK FOR ts AS CAST(ts AS TIMESTAMP_LTZ(3))",
        ),
        (
            "ts TIMESTAMP(3), WATERMARK FOR ts AS ts, WATERMARK FOR ts AS ts",
            CatalogError,
            "one WATERMARK FOR",
            "WATERMARK FOR ts AS ts",
        ),
        (
            "ts TIMESTAMP(3), WATERMARK FOR ts AS CASE WHEN rand() < 1 THEN ts END",
            BindError,
            "same value",
            "WATERMARK FOR ts AS CASE WHEN rand() < 1 THEN ts END",
        ),
        ("f STRING METADATA FROM 'path', a INT", SqlSyntaxError, "VIRTUAL is expected", ","),
        ("f STRING METADATA FROM path VIRTUAL", SqlSyntaxError, "key is expected as a string", "path"),
        ("ts TIMESTAMP(3), WATERMARK FOR ts", SqlSyntaxError, "AS is expected", ")"),
    ],
)
def test_errors(columns: str, kind: type[TableFlowError], message: str, at: str) -> None:
    text = f"CREATE TABLE x ({columns}){WITH}"
    error = fails(text, kind, message)
    assert error.span is not None
    assert text[error.span.start : error.span.end] == at


@pytest.mark.parametrize("columns", ["ts TIMESTAMP(3), WATERMARK FOR ts AS ts", "f STRING METADATA VIRTUAL"])
def test_managed_tables_have_no_event_time(columns: str) -> None:
    fails(f"CREATE TABLE x ({columns})", UnsupportedError, "WATERMARK FOR|METADATA")
