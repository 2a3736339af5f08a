"""Values of every type on their way in and out, for DB-API rows and at the Arrow boundary."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

import tableflow

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def con():
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        yield connection


@pytest.mark.parametrize(
    ("value", "type", "back"),
    [
        (1, "INT", 1),
        (-(2**31), "INT", -(2**31)),
        (2**40, "BIGINT", 2**40),
        (2**63 - 1, "BIGINT", 2**63 - 1),
        (2**70, "DECIMAL(22,0)", Decimal(2**70)),
        (True, "BOOLEAN", True),
        (None, "NULL", None),
        (1.5, "DOUBLE", 1.5),
        (math.inf, "DOUBLE", math.inf),
        ("it's ä 😀 \0", "STRING", "it's ä 😀 \0"),
        ("", "STRING", ""),
        (b"\x00\xff", "BYTES", b"\x00\xff"),
        (bytearray(b"x"), "BYTES", b"x"),
        pytest.param(memoryview(b"x"), "BYTES", b"x", id="memoryview"),  # its own name is its address
        (Decimal("1.50"), "DECIMAL(3,2)", Decimal("1.50")),
        (Decimal("-0.001"), "DECIMAL(3,3)", Decimal("-0.001")),
        (Decimal("1E+5"), "DECIMAL(6,0)", Decimal(100000)),
        (dt.date(1, 1, 1), "DATE", dt.date(1, 1, 1)),
        (dt.date(9999, 12, 31), "DATE", dt.date(9999, 12, 31)),
        (dt.datetime(2020, 1, 2, 3, 4, 5, 6), "TIMESTAMP(6)", dt.datetime(2020, 1, 2, 3, 4, 5, 6)),
        (dt.datetime.max, "TIMESTAMP(6)", dt.datetime.max),
        (
            dt.datetime(2020, 6, 2, 3, 4, tzinfo=BERLIN),
            "TIMESTAMP_LTZ(6)",
            dt.datetime(2020, 6, 2, 1, 4, tzinfo=dt.UTC),
        ),
        (dt.time(23, 59, 59, 999999), "TIME(6)", dt.time(23, 59, 59, 999999)),
        (dt.timedelta(days=1, seconds=3, microseconds=4), "INTERVAL", pa.MonthDayNano([0, 1, 3_000_004_000])),
        (dt.timedelta(days=-1), "INTERVAL", pa.MonthDayNano([0, -1, 0])),
        (uuid.UUID(int=1), "STRING", "00000000-0000-0000-0000-000000000001"),
        (np.int16(5), "INT", 5),
        (np.float64(0.1), "DOUBLE", 0.1),
        (np.bool_(True), "BOOLEAN", True),
    ],
    ids=repr,
)
def test_parameters(con, value, type, back):
    cur = con.execute("SELECT ?", [value])
    assert cur.description[0][1] == type
    (found,) = cur.fetchone()
    assert found == back
    assert found is None or isinstance(found, bool) == isinstance(back, bool)


def test_parameter_that_is_no_number(con):
    assert math.isnan(con.execute("SELECT ?", [math.nan]).fetchone()[0])


# SQL, its type, how Arrow gives it, what a row has.
VALUES = [
    ("TRUE", "BOOLEAN", pa.bool_(), True),
    ("CAST(-128 AS TINYINT)", "TINYINT", pa.int8(), -128),
    ("CAST(300 AS SMALLINT)", "SMALLINT", pa.int16(), 300),
    ("CAST(1 AS INT)", "INT", pa.int32(), 1),
    ("CAST(1 AS BIGINT)", "BIGINT", pa.int64(), 1),
    ("CAST(1.5 AS FLOAT)", "FLOAT", pa.float32(), 1.5),
    ("1e300 * 1e10", "DOUBLE", pa.float64(), math.inf),
    ("1.10", "DECIMAL(3,2)", pa.decimal128(3, 2), Decimal("1.10")),
    ("CAST(-1 AS DECIMAL(38, 37))", "DECIMAL(38,37)", pa.decimal128(38, 37), Decimal("-1." + "0" * 37)),
    ("'ä'", "STRING", pa.string(), "ä"),
    ("CAST('x' AS CHAR(3))", "CHAR(3)", pa.string(), "x  "),
    ("CAST('xyz' AS VARCHAR(2))", "VARCHAR(2)", pa.string(), "xy"),
    ("X'00ff'", "BYTES", pa.binary(), b"\x00\xff"),
    ("""JSON '{"a":1}'""", "JSON", pa.string(), '{"a":1}'),
    ("DATE '2020-02-29'", "DATE", pa.date32(), dt.date(2020, 2, 29)),
    ("CAST('01:02:03' AS TIME(0))", "TIME(0)", pa.time32("s"), dt.time(1, 2, 3)),
    ("CAST('01:02:03.5' AS TIME(3))", "TIME(3)", pa.time32("ms"), dt.time(1, 2, 3, 500000)),
    ("TIME '01:02:03.000001'", "TIME(6)", pa.time64("us"), dt.time(1, 2, 3, 1)),
    ("CAST('01:02:03.000001002' AS TIME(9))", "TIME(9)", pa.time64("ns"), dt.time(1, 2, 3, 1)),
    (
        "CAST('2020-01-01 01:02:03' AS TIMESTAMP(0))",
        "TIMESTAMP(0)",
        pa.timestamp("s"),
        dt.datetime(2020, 1, 1, 1, 2, 3),
    ),
    (
        "CAST(TIMESTAMP '2020-01-01 01:02:03.456' AS TIMESTAMP(3))",
        "TIMESTAMP(3)",
        pa.timestamp("ms"),
        dt.datetime(2020, 1, 1, 1, 2, 3, 456000),
    ),
    (
        "TIMESTAMP '1960-01-01 01:02:03.456789'",
        "TIMESTAMP(6)",
        pa.timestamp("us"),
        dt.datetime(1960, 1, 1, 1, 2, 3, 456789),
    ),
    (
        "CAST('2020-01-01 01:02:03.456789012' AS TIMESTAMP(9))",
        "TIMESTAMP(9)",
        pa.timestamp("ns"),
        dt.datetime(2020, 1, 1, 1, 2, 3, 456789),
    ),
    (
        "CAST('2020-01-01 01:02:03' AS TIMESTAMP_LTZ(3))",
        "TIMESTAMP_LTZ(3)",
        pa.timestamp("ms", "UTC"),
        dt.datetime(2020, 1, 1, 1, 2, 3, tzinfo=dt.UTC),
    ),
    ("INTERVAL '1-2' YEAR TO MONTH", "INTERVAL", pa.month_day_nano_interval(), pa.MonthDayNano([14, 0, 0])),
    ("INTERVAL '1' MONTH + INTERVAL '2' DAY", "INTERVAL", pa.month_day_nano_interval(), pa.MonthDayNano([1, 2, 0])),
    ("ARRAY[1, 2, NULL]", "ARRAY<INT>", pa.list_(pa.int32()), [1, 2, None]),
    ("ARRAY[ARRAY['a'], ARRAY[]]", "ARRAY<ARRAY<STRING>>", pa.list_(pa.list_(pa.string())), [["a"], []]),
    ("MAP['a', 1, 'b', NULL]", "MAP<STRING, INT>", pa.map_(pa.string(), pa.int32()), {"a": 1, "b": None}),
    (
        "CAST(ROW(1, 'x') AS ROW<a INT, b STRING>)",
        "ROW<a INT, b STRING>",
        pa.struct([("a", pa.int32()), ("b", pa.string())]),
        {"a": 1, "b": "x"},
    ),
    (
        "ARRAY[CAST(TIMESTAMP '2020-01-01 01:02:03.456' AS TIMESTAMP(3))]",
        "ARRAY<TIMESTAMP(3)>",
        pa.list_(pa.timestamp("ms")),
        [dt.datetime(2020, 1, 1, 1, 2, 3, 456000)],
    ),
]


@pytest.mark.parametrize(
    ("sql", "type", "arrow", "value"), VALUES, ids=[case[1] + " " + case[0][:20] for case in VALUES]
)
def test_values_come_out(con, sql, type, arrow, value):
    cur = con.execute(f"SELECT {sql} AS v")
    assert cur.description[0][:2] == ("v", type)
    assert cur.fetchall() == [(value,)]
    table = con.execute(f"SELECT {sql} AS v").fetch_arrow_table()
    assert table.schema.field("v").type == arrow
    assert table.num_rows == 1


@pytest.mark.parametrize(
    ("sql", "type", "arrow", "value"), VALUES, ids=[case[1] + " " + case[0][:20] for case in VALUES]
)
def test_values_go_round(con, sql, type, arrow, value):
    """What came out as Arrow comes out again the same after it was registered; NULLs too."""
    table = con.execute(f"SELECT {sql} AS v, 1 AS n UNION ALL SELECT NULL, 2").fetch_arrow_table()
    assert table.schema.field("v").type == arrow
    con.register("round", table)
    cur = con.execute("SELECT v FROM round ORDER BY n")
    kept = {"CHAR(3)": "STRING", "VARCHAR(2)": "STRING", "JSON": "STRING"}.get(type, type)
    assert cur.description[0][1] == kept
    assert cur.fetchall() == [(value,), (None,)]
    assert con.execute("SELECT v FROM round").fetch_arrow_table().schema.field("v").type == arrow


@pytest.mark.parametrize(
    ("sql", "type", "arrow", "value"), VALUES, ids=[case[1] + " " + case[0][:20] for case in VALUES]
)
def test_nulls_of_every_type(con, sql, type, arrow, value):
    cur = con.execute(f"SELECT CASE WHEN 1 = 2 THEN {sql} END AS v")
    assert cur.description[0][1] == type
    assert cur.fetchall() == [(None,)]
    table = con.execute(f"SELECT CASE WHEN 1 = 2 THEN {sql} END AS v").fetch_arrow_table()
    assert table.schema.field("v").type == arrow
    assert table.column("v").null_count == 1


def test_a_zone_less_null(con):
    cur = con.execute("SELECT NULL AS v")
    assert cur.description[0][1] == "NULL"
    assert cur.fetch_arrow_table().schema.field("v").type == pa.null()


def test_values_that_python_does_not_have(con):
    """Arrow carries dates that ``datetime`` does not; a row with one is refused, naming the column."""
    con.register("far", pa.table({"d": pa.array([10_000_000], pa.date32())}))
    with pytest.raises(tableflow.DataError, match="column 'd' cannot be a Python object"):
        con.execute("SELECT d FROM far").fetchall()
    assert con.execute("SELECT d FROM far").fetch_arrow_table().column("d").cast(pa.int32()).to_pylist() == [10_000_000]


def test_dictionaries_are_decoded(con):
    con.register("d", pa.table({"s": pa.array(["a", "b", None, "a"]).dictionary_encode()}))
    table = con.execute("SELECT s FROM d").fetch_arrow_table()
    assert table.schema.field("s").type == pa.string()
    assert table.column("s").to_pylist() == ["a", "b", None, "a"]


def test_narrowed_representations_come_out_as_declared(con):
    con.register(
        "n", pa.table({"a": pa.array([1, 2], pa.int64()), "d": pa.array([Decimal("1.25")] * 2, pa.decimal128(20, 2))})
    )
    table = con.execute("SELECT a + 1 AS a, d * 2 AS d FROM n ORDER BY 1").fetch_arrow_table()
    assert table.schema.field("a").type == pa.int64()
    assert table.column("d").to_pylist() == [Decimal("2.50"), Decimal("2.50")]
