"""The session's time zone, through the whole engine: the same texts as DuckDB's, datetimes and Arrow in the zone."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

import tableflow
from tableflow.errors import DataError
from tests.front.command import tableflow as command

pytestmark = pytest.mark.slow

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC")
INSTANTS = (
    "'2020-03-28 12:00:00'", "'2020-03-29 12:34:56.789'", "'2020-10-24 23:15:00'", "'2020-07-01 00:00:00Z'",
    "'2020-12-31 23:59:59.999999-05'", "'1969-12-31 23:59:59.5'", "'1910-06-01 12:00:00'", "'2060-07-01 12:00:00'",
    "'2020-11-01 06:30:00Z'",
)  # fmt: skip
QUERIES = (
    "CAST(x AS VARCHAR)", "CAST(CAST(x AS TIMESTAMP) AS VARCHAR)", "CAST(CAST(x AS DATE) AS VARCHAR)",
    "CAST(CAST(CAST(x AS TIMESTAMP) AS TIME) AS VARCHAR)", "extract(hour FROM x)", "extract(minute FROM x)", "extract(doy FROM x)", "year(x)",
    "extract(epoch FROM x)", "CAST(date_trunc('day', x) AS VARCHAR)", "CAST(date_trunc('month', x) AS VARCHAR)",
    "CAST(date_trunc('hour', x) AS VARCHAR)", "CAST(x + INTERVAL '1' DAY AS VARCHAR)",
    "CAST(x - INTERVAL '1' MONTH AS VARCHAR)",
    "CAST(x + INTERVAL '1 day 2 hours' AS VARCHAR)", "CAST(x AT TIME ZONE 'Asia/Tokyo' AS VARCHAR)",
    "CAST(CAST(x AS TIMESTAMP) AT TIME ZONE 'Asia/Tokyo' AS VARCHAR)", "dayname(x)", "last_day(CAST(x AS DATE)) - CAST(x AS DATE)",
    "CAST(CAST(CAST(x AS DATE) AS TIMESTAMP WITH TIME ZONE) AS VARCHAR)", "x > TIMESTAMP '2020-07-01 02:00:00'",
    "x > '2020-07-01'", "date_diff('day', TIMESTAMP WITH TIME ZONE '2020-01-01 00:00:00', x)",
)  # fmt: skip


@pytest.mark.parametrize("fusion", ["on", "off"])
@pytest.mark.parametrize("zone", ZONES)
def test_an_instant_in_a_zone_is_what_duckdb_makes_of_it(zone, fusion):
    values = ", ".join(f"(TIMESTAMP WITH TIME ZONE {text})" for text in INSTANTS)
    sql = f"SELECT {', '.join(QUERIES)} FROM (VALUES {values}) v(x)"
    theirs = duckdb.connect()
    theirs.execute(f"SET TimeZone = '{zone}'")
    connection = tableflow.connect()
    connection.execute(f"SET 'table.local-time-zone' = '{zone}'")
    connection.execute(f"SET 'execution.fusion' = '{fusion}'")
    found = connection.execute(sql).fetchall()
    expected = theirs.execute(sql).fetchall()
    wrong = [
        (text, query, a, b)
        for text, row, other in zip(INSTANTS, found, expected, strict=True)
        for query, a, b in zip(QUERIES, row, other, strict=True)
        if a != b
    ]
    assert not wrong


def test_rows_are_aware_and_arrow_has_the_zone():
    connection = tableflow.connect()
    connection.execute("SET 'table.local-time-zone' = 'Europe/Berlin'")
    sql = "SELECT x, ARRAY[x] AS list FROM (VALUES (TIMESTAMP_LTZ '2020-07-01 12:00:00'), (NULL)) v(x)"
    rows = connection.execute(sql).fetchall()
    assert rows[0][0] == dt.datetime(2020, 7, 1, 12, tzinfo=BERLIN)
    assert rows[0][0].utcoffset() == dt.timedelta(hours=2)
    assert rows[0][1] == [rows[0][0]]
    assert rows[1] == (None, [None])
    table = connection.execute(sql).fetch_arrow_table()
    assert table.schema.field("x").type == pa.timestamp("us", "Europe/Berlin")
    assert table.schema.field("list").type == pa.list_(pa.timestamp("us", "Europe/Berlin"))
    assert table.column("x").to_pylist() == [rows[0][0], None]


def test_a_day_is_of_the_calendar_and_hours_elapse():
    connection = tableflow.connect()
    connection.execute("SET 'table.local-time-zone' = 'Europe/Berlin'")
    sql = """SELECT CAST(x + INTERVAL '1' DAY AS STRING), CAST(x + INTERVAL '24' HOUR AS STRING), CAST(x + INTERVAL '1 day 1 hour' AS STRING)
             FROM (VALUES (TIMESTAMP_LTZ '2020-03-28 12:00:00'), (TIMESTAMP_LTZ '2020-10-24 12:00:00')) v(x)"""
    assert connection.execute(sql).fetchall() == [
        ("2020-03-29 12:00:00+02", "2020-03-29 13:00:00+02", "2020-03-29 13:00:00+02"),
        ("2020-10-25 12:00:00+01", "2020-10-25 11:00:00+01", "2020-10-25 13:00:00+01"),
    ]


def test_gaps_and_overlaps_are_decided_as_java_does():
    connection = tableflow.connect()
    connection.execute("SET 'table.local-time-zone' = 'Europe/Berlin'")
    sql = "SELECT CAST(CAST(x AS TIMESTAMP_LTZ) AS STRING) FROM (VALUES (TIMESTAMP '2020-03-29 02:30:00'), (TIMESTAMP '2020-10-25 02:30:00')) v(x)"
    assert connection.execute(sql).fetchall() == [("2020-03-29 03:30:00+02",), ("2020-10-25 02:30:00+02",)]
    later = "SELECT CAST(x + INTERVAL '0' DAY AS STRING), CAST(date_trunc('hour', x) AS STRING) FROM (VALUES (TIMESTAMP_LTZ '2020-10-25 01:30:00Z')) v(x)"
    assert connection.execute(later).fetchall() == [("2020-10-25 02:30:00+01", "2020-10-25 02:00:00+01")]


def test_what_the_wall_clock_shows_outside_of_the_calendar_is_an_error():
    connection = tableflow.connect()
    connection.execute("SET 'table.local-time-zone' = 'Europe/Berlin'")
    for sql in (
        "SELECT CAST(x AS TIMESTAMP) FROM (VALUES (TIMESTAMP_LTZ '9999-12-31 23:30:00Z')) v(x)",
        "SELECT CAST(x AS TIMESTAMP_LTZ) FROM (VALUES (TIMESTAMP '0001-01-01 00:30:00')) v(x)",
        "SELECT x + INTERVAL '1' DAY FROM (VALUES (TIMESTAMP_LTZ '9999-12-31 12:00:00')) v(x)",
    ):
        with pytest.raises(DataError):
            connection.execute(sql).fetchall()


@pytest.mark.parametrize(("kind", "expected"), [
    ("table", "x\n----------------------\n2020-07-01 12:00:00+02\n(1 row)\n"),
    ("csv", "x\n2020-07-01 12:00:00+02\n"),
    ("json", '{"x": "2020-07-01 12:00:00+02"}\n'),
])  # fmt: skip
def test_the_shell_shows_the_zone(kind, expected):
    script = "SET 'table.local-time-zone' = 'Europe/Berlin'; SELECT TIMESTAMP_LTZ '2020-07-01 10:00:00Z' AS x"
    assert command("run", "-c", script, "--format", kind).stdout.endswith(expected)
