"""Made-up rows keep what their options say: types, bounds, lengths, NULLs, sequences, rate."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

import tableflow
from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import Accepted, ColumnDefinition, ScanRequest
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.datagen.connector import DatagenTable, open_source
from tableflow.connectors.generated import GeneratedSource, Pace
from tableflow.connectors.option import read_options
from tableflow.connectors.registry import CONNECTORS
from tableflow.runtime.source import Later, Split
from tableflow.types import BIGINT

ROWS = 2000


@pytest.fixture
def con():
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        yield connection


def table(con, columns: str, **options: str) -> list[tuple]:
    given = {"number-of-rows": str(ROWS), "rows-per-second": "0", **options}
    text = ", ".join(f"'{name}' = '{value}'" for name, value in given.items())
    con.execute(f"CREATE TABLE t ({columns}) WITH ('connector' = 'datagen', {text})")
    return con.execute("SELECT * FROM t").fetchall()


def test_every_type(con):
    rows = table(
        con,
        "a BOOLEAN, b TINYINT, c SMALLINT, d INT, e BIGINT, f FLOAT, g DOUBLE, h DECIMAL(10, 2), i DECIMAL(38, 5), j CHAR(3), "
        "k VARCHAR(7), l STRING, m BYTES, n DATE, o TIME(0), p TIMESTAMP(3), q TIMESTAMP_LTZ(9), r ARRAY<INT>, "
        "s MAP<STRING, BIGINT>, u ROW<x INT, y ROW<z STRING>>",
    )
    assert len(rows) == ROWS
    kinds = (
        bool, int, int, int, int, float, float, Decimal, Decimal, str, str, str, bytes, dt.date, dt.time,
        dt.datetime, dt.datetime, list, (dict, list), dict,
    )  # fmt: skip
    for row in rows:
        assert all(isinstance(value, kind) for value, kind in zip(row, kinds, strict=True)), row
    assert {row[0] for row in rows} == {True, False}
    assert len({row[1] for row in rows}) == 256
    assert len({row[4] for row in rows}) == ROWS
    assert all(0 <= row[6] <= 1 for row in rows)
    assert {len(row[9]) for row in rows} == {3}
    assert {len(row[10]) for row in rows} == {7}
    assert {len(row[11]) for row in rows} == {100}
    assert {len(row[17]) for row in rows} == {3}


def test_bounds_lengths_and_nulls(con):
    rows = table(
        con,
        "a INT, b DECIMAL(6, 2), c DOUBLE, d STRING, e ARRAY<TINYINT>, f ROW<g SMALLINT>",
        **{
            "fields.a.min": "-3", "fields.a.max": "3", "fields.b.min": "-1.5", "fields.b.max": "2.25", "fields.c.min": "-10",
            "fields.c.max": "10", "fields.d.length": "5", "fields.d.var-len": "true", "fields.a.null-rate": "0.25",
            "fields.e.length": "2", "fields.e.element.min": "0", "fields.e.element.max": "1", "fields.f.g.max": "-5",
        },
    )  # fmt: skip
    assert {row[0] for row in rows} == {None, *range(-3, 4)}
    assert 0.2 * ROWS < sum(row[0] is None for row in rows) < 0.3 * ROWS
    assert (min(row[1] for row in rows), max(row[1] for row in rows)) == (Decimal("-1.50"), Decimal("2.25"))
    assert -10 <= min(row[2] for row in rows) < -9.5
    assert {len(row[3]) for row in rows} == {1, 2, 3, 4, 5}
    assert {value for row in rows for value in row[4]} == {0, 1}
    assert max(row[5]["g"] for row in rows) <= -5


def test_sequences_end_the_table_and_are_spread_over_tasks(con):
    options = {"fields.a.kind": "sequence", "fields.a.start": "-5", "fields.a.end": "994"}
    rows = table(con, "a BIGINT, b INT", **options)
    assert sorted(row[0] for row in rows) == list(range(-5, 995))


def test_the_same_rows_each_time_and_others_under_another_seed(con):
    rows = table(con, "a BIGINT, b STRING")
    assert sorted(con.execute("SELECT * FROM t").fetchall()) == sorted(rows)
    con.execute("DROP TABLE t")
    assert not {row[0] for row in table(con, "a BIGINT, b STRING", seed="1")} & {row[0] for row in rows}


def test_timestamps_are_now_or_so_long_before(con):
    query = "SELECT min(now() - a), max(now() - a), min(now() - b), max(now() - b) FROM t"
    table(con, "a TIMESTAMP_LTZ(3), b TIMESTAMP_LTZ(3)", **{"fields.b.max-past": "1 h"})
    newest, oldest, newer, older = (str(value) for value in con.execute(query).fetchone())
    assert newest != newer
    bounds = con.execute(
        "SELECT min(epoch(now()) - epoch(a)) > -60, max(epoch(now()) - epoch(a)) < 60, "
        "max(epoch(now()) - epoch(b)) BETWEEN 3400 AND 3700 FROM t"
    ).fetchone()
    assert bounds == (True, True, True), (oldest, older)


def test_rows_come_at_their_rate():
    definition = TableDefinition("t", "datagen", (ColumnDefinition("a", BIGINT),))
    provider = DatagenTable(
        definition, read_options("datagen", CONNECTORS["datagen"].options, {"rows-per-second": "100"})
    )
    assert not provider.bounded
    _, scan = provider.source(Accepted(ScanRequest(("a",))))
    assert scan.per_second == 100
    now = [0]
    made = open_source(scan, OpenContext())
    source = GeneratedSource(made._make, Pace(None, scan.per_second, 1, lambda: now[0]), 2)
    readers = [source.reader(Split(str(i), [i, 2]), 1000) for i in range(2)]
    assert [reader.poll().rows for reader in readers] == [1, 1]
    assert isinstance(readers[0].poll(), Later)
    now[0] = 500_000_000
    assert [reader.poll().rows for reader in readers] == [25, 25]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ("a INT", {"fields.b.min": "1"}, "is of no column of the table"),
        ("a INT", {"fields.a.minimum": "1"}, "has no option 'fields.a.minimum'"),
        ("a INT", {"fields.a.min": "x"}, "cannot be 'x'"),
        ("a TINYINT", {"fields.a.max": "128"}, "from -128 to 127"),
        ("a INT", {"fields.a.min": "2", "fields.a.max": "1"}, "no value is at least 2"),
        ("a STRING", {"fields.a.min": "1"}, "means nothing"),
        ("a INT", {"fields.a.kind": "sequence"}, "without start"),
        ("a DATE", {"fields.a.kind": "sequence", "fields.a.start": "1", "fields.a.end": "2"}, "whole numbers"),
        ("a VARCHAR(3)", {"fields.a.length": "4"}, "cannot be 4"),
        ("a INT", {"fields.a.null-rate": "2"}, "from 0 to 1"),
        ("a JSON", {}, "no values of JSON"),
    ],
)
def test_wrong_options(con, columns, options, message):
    with pytest.raises(tableflow.Error, match=message):
        table(con, columns, **options)
