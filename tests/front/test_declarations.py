"""What can be known of a connector's table when it is declared is checked by CREATE TABLE, which points at the place."""

from __future__ import annotations

import pytest

import tableflow
from tests.front.test_bad_input import failure, marked

DATAGEN, SOCKET, FILES = (
    "'connector' = 'datagen', ",
    "'connector' = 'socket', 'port' = '99', ",
    "'connector' = 'filesystem', ",
)
CSV = FILES + "'path' = 'x', 'format' = 'csv', "


@pytest.fixture(scope="module")
def con():
    with tableflow.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    ("columns", "options", "underlined", "said"),
    [
        ("(a INT)", DATAGEN + "'fields.x.min' = '1'", "'fields.x.min'", "is of no column of the table"),
        ("(amount INT)", DATAGEN + "'fields.amuont.min' = '1'", "'fields.amuont.min'", "did you mean 'amount'?"),
        ("(a INT, b AS a + 1)", DATAGEN + "'fields.b.min' = '1'", "'fields.b.min'", "columns that are made: a"),
        ("(a ROW<x INT>)", DATAGEN + "'fields.a.y.min' = '1'", "'fields.a.y.min'", "has no part 'y'"),
        ("(a ROW<x INT>)", DATAGEN + "'fields.a.x.min' = 'q'", "'q'", "'a.x' is INT"),
        ("(a INT)", DATAGEN + "'fields.a.min' = '5', 'fields.a.max' = '1'", "'1'", "no value is at least 5 and at most 1"),
        ("(a INT)", DATAGEN + "'fields.a.min' = '1.5'", "'1.5'", "a whole number is expected"),
        ("(a DECIMAL(4,2))", DATAGEN + "'fields.a.max' = '0.005'", "'0.005'", "at most 2 digits after the point"),
        ("(a DECIMAL(4,2))", DATAGEN + "'fields.a.max' = '100'", "'100'", "values are from -99.99 to 99.99"),
        ("(a TINYINT)", DATAGEN + "'fields.a.max' = '128'", "'128'", "values are from -128 to 127"),
        ("(a DOUBLE)", DATAGEN + "'fields.a.max' = 'nan'", "'nan'", "a number is expected"),
        ("(a STRING)", DATAGEN + "'fields.a.min' = '1'", "'fields.a.min'", "'a' is STRING"),
        ("(a INT)", DATAGEN + "'fields.a.length' = '1'", "'fields.a.length'", "'a' is INT"),
        ("(a STRING)", DATAGEN + "'fields.a.length' = '-1'", "'-1'", "lengths are from 0 to 65536"),
        ("(a VARCHAR(3))", DATAGEN + "'fields.a.length' = '4'", "'4'", "lengths are from 0 to 3"),
        ("(a INT)", DATAGEN + "'fields.a.max-past' = '1 h'", "'fields.a.max-past'", "'a' is INT"),
        ("(a TIMESTAMP)", DATAGEN + "'fields.a.max-past' = '-1 h'", "'-1 h'", "cannot be negative"),
        ("(a INT NOT NULL)", DATAGEN + "'fields.a.null-rate' = '0.5'", "'fields.a.null-rate'", "NOT NULL"),
        ("(a INT)", DATAGEN + "'fields.a.kind' = 'sequnce'", "'sequnce'", "'fields.a.kind' of connector"),
        ("(a INT)", DATAGEN + "'fields.a.kind' = 'sequence', 'fields.a.start' = '1'", "'sequence'", "without end"),
        ("(a DATE)", DATAGEN + "'fields.a.kind' = 'sequence'", "'sequence'", "'a' is DATE"),
        ("(a INT)", DATAGEN + "'fields.a.start' = '1'", "'fields.a.start'", "'fields.a.kind' = 'sequence'"),
        ("(a INT)", DATAGEN + "'number-of-rows' = '-1'", "'-1'", "at least 0"),
        ("(k INT, a INTERVAL)", DATAGEN + "'seed' = '1'", "a", "makes no values of INTERVAL"),
        ("(k INT) PARTITIONED BY (k)", DATAGEN + "'seed' = '1'", "k", "are not partitioned"),
        ("(a STRING, b STRING)", SOCKET + "'format' = 'raw'", "b", "one column of type STRING"),
        ("(a INT)", SOCKET + "'format' = 'raw'", "a", "one column of type STRING"),
        ("(k INT, a ROW<x INT>)", SOCKET + "'format' = 'csv'", "a", "the CSV format has no such values"),
        ("(a INT)", SOCKET + "format = json, 'csv.null-literal' = 'x'", "'csv.null-literal'", "'format' = 'csv'"),
        ("(a INT)", SOCKET + "'hostname' = ''", "''", "a name or an address"),
        ("(nope INT)", "'connector' = 'nexmark', 'table' = 'bid'", "nope", "has no column 'nope'"),
        ("(bidder INT)", "'connector' = 'nexmark', 'table' = 'bid'", "bidder", "it is BIGINT"),
        ("", "'connector' = 'nexmark', 'preloaded' = 'true'", "'preloaded'", "'events' = '1000000'"),
        ("", "'connector' = 'print', 'standard-error' = 'true'", "t", "declares no columns"),
        ("(a INT)", "'connector' = 'blackhole', 'x' = '1'", "'x'", "it has none but 'connector'"),
        ("(a INT) PARTITIONED BY (a)", CSV + "'csv.header' = 'true'", "a", "no columns besides"),
        ("(k INT, a DOUBLE) PARTITIONED BY (a)", CSV + "'csv.header' = 'true'", "a", "it is DOUBLE"),
        ("(k INT, a AS k + 1) PARTITIONED BY (a)", CSV + "'csv.header' = 'true'", "a", "it is computed"),
        ("(a ARRAY<INT>)", CSV + "'csv.header' = 'true'", "a", "the CSV format has no such values"),
        ("(a INTERVAL)", FILES + "'path' = 'x', 'format' = 'parquet'", "a", "Parquet has no such values"),
        ("(a INTERVAL)", FILES + "'path' = 'x.jsonl'", "a", "JSON has no such values"),
        ("(a INT)", CSV + "'parquet.compression' = 'zstd'", "'parquet.compression'", "'format' = 'parquet'"),
        ("(a INT)", CSV + "'csv.field-delimiter' = '\"'", "'\"'", "enclosed in it"),
        ("(a INT)", CSV + "'csv.null-literal' = 'a,b'", "'a,b'", "looks like fields"),
        ("(a INT)", CSV + "'sink.rolling-policy.file-size' = '0'", "'0'", "above 0"),
        ("(a INT)", CSV + "'source.monitor-interval' = '0 s'", "'0 s'", "above 0"),
        ("(a INT)", FILES + "path = 'x', format = arrow, 'source.follow' = 'true'", "'source.follow'", "cannot grow"),
        ("(a INT)", FILES + "path = 's3://x', format = csv", "'s3://x'", "not a local file system"),
        ("(a INT)", FILES + "path = '', format = csv", "''", "not empty"),
        ("", FILES + "path = 'x', format = 'debezium-json'", "t", "declares no columns"),
        ("(a INT)", FILES + "path = 'x', format = 'changelog-json', 'source.follow' = 'true'", "'source.follow'", "written"),
        ("(WATERMARK FOR nope AS nope)", "connector = nexmark", "WATERMARK FOR nope AS nope", "is not declared"),
        ("(WATERMARK FOR \"dateTime\" AS nope)", "connector = nexmark", 'WATERMARK FOR "dateTime" AS nope', "nope"),
    ],
)  # fmt: skip
def test_the_place_is_underlined(con, columns, options, underlined, said):
    text = failure(con, f"CREATE TABLE t {columns}\nWITH ({options})")
    assert said in text
    assert marked(text) == underlined
    assert not con.execute("SHOW TABLES").fetchall()


def test_what_is_right_is_made_without_its_files(con):
    con.execute(
        "CREATE TABLE all_right (a INT, day DATE) PARTITIONED BY (day) WITH ('connector' = 'filesystem', 'path' = '/nowhere/at/all', "
        "'format' = 'debezium-json', 'json.ignore-parse-errors' = 'true', 'source.monitor-interval' = '1 s')"
    )
    con.execute("CREATE TABLE timed (WATERMARK FOR \"dateTime\" AS \"dateTime\") WITH ('connector' = 'nexmark')")
    con.execute(
        "CREATE TABLE later (WATERMARK FOR at AS at) WITH ('connector' = 'filesystem', 'path' = '/nowhere/x.csv')"
    )
    for name in ("all_right", "timed", "later"):
        con.execute(f"DROP TABLE {name}")
