"""INSERT with parameters: bound once, evaluated for all rows, and nothing about it shows but its speed."""

from __future__ import annotations

import datetime as dt
import random
import time
import uuid
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

import tableflow


@pytest.fixture
def con():
    with tableflow.connect() as connection:
        yield connection


def rows(con, sql, parameters=()):
    return con.execute(sql, parameters).fetchall()


def versions(con, table):
    return len(rows(con, f"SHOW VERSIONS {table}"))


VALUES = [
    (1, "a", 1.5, Decimal("1.10"), dt.date(2024, 2, 29), dt.datetime(2024, 1, 1, 12), True, b"x"),
    (2, None, None, Decimal("-22.5"), None, None, None, None),
    (3, "c" * 100, 2.0, None, dt.date(1900, 1, 1), dt.datetime(1969, 1, 1, 0, 0, 0, 5), False, b""),
]


def test_executemany_is_one_statement_and_means_what_single_ones_do(con):
    columns = "a INT PRIMARY KEY, b STRING, c DOUBLE, d DECIMAL(10,3), e DATE, f TIMESTAMP, g BOOLEAN, h BYTES"
    con.execute(f"CREATE TABLE one ({columns})")
    con.execute(f"CREATE TABLE many ({columns})")
    insert = "INSERT INTO {} VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    cursor = con.cursor()
    cursor.executemany(insert.format("many"), VALUES)
    assert cursor.rowcount == 3
    for row in VALUES:
        con.execute(insert.format("one"), row)
    assert rows(con, "SELECT * FROM one ORDER BY a") == rows(con, "SELECT * FROM many ORDER BY a")
    assert (versions(con, "many"), versions(con, "one")) == (2, 4)
    with pytest.raises(tableflow.IntegrityError, match="duplicate key"):
        cursor.executemany(insert.format("many"), [(7, *VALUES[0][1:]), VALUES[0]])
    assert rows(con, "SELECT count(*) FROM many") == [(3,)]


def test_named_parameters_expressions_several_rows_and_defaults(con):
    con.execute("CREATE TABLE t (a INT, b STRING DEFAULT 'd', c INT GENERATED ALWAYS AS (a + 1), CHECK (a < 1000))")
    con.cursor().executemany("INSERT INTO t (a) VALUES (:x), (:x + :y)", [{"x": 1, "y": 10}, {"x": 2, "y": 20}])
    assert rows(con, "SELECT * FROM t") == [(1, "d", 2), (11, "d", 12), (2, "d", 3), (22, "d", 23)]
    with pytest.raises(tableflow.IntegrityError, match="row 4 has a = 1001"):
        con.cursor().executemany("INSERT INTO t (a) VALUES (?), (? + 1)", [(1, 2), (3, 1000)])
    with pytest.raises(tableflow.ProgrammingError, match="no parameter is named 'z'"):
        con.cursor().executemany("INSERT INTO t (a) VALUES (:x)", [{"x": 1, "z": 10}])
    assert rows(con, "SELECT count(*) FROM t") == [(4,)]


def test_columns_of_several_types_are_one_transaction(con):
    con.execute("CREATE TABLE t (a DECIMAL(30,2), b STRING)")
    values = [(1, "x"), (Decimal("2.25"), None), (10**20, 5), (None, dt.date(2024, 1, 2)), (2.5, uuid.UUID(int=7)),
              (np.int64(7), dt.timedelta(days=1)), (3, dt.time(1, 2, 3)), (True, "y")]  # fmt: skip
    cursor = con.cursor()
    cursor.executemany("INSERT INTO t VALUES (?, ?)", [*values[:7], *values[:7]])
    assert cursor.rowcount == 14
    assert versions(con, "t") == 2
    for value in values[:7]:
        con.execute("INSERT INTO t VALUES (?, ?)", value)
    found = rows(con, "SELECT a, b FROM t")
    assert found[:7] == found[7:14] == found[14:]
    for wrong, match in [
        ((object(), "x"), "row 3 of the parameters"),
        ((1,), "row 3 of the parameters"),
        ((1, "x", 2), "row 3 of the parameters"),
        ({"a": 1}, "row 3 of the parameters"),
        ((10**31, "x"), "row 3 of the parameters"),
    ]:
        with pytest.raises(tableflow.Error, match=match):
            cursor.executemany("INSERT INTO t VALUES (?, ?)", [(1, "x"), (2, "x"), wrong, (4, "x")])
    assert rows(con, "SELECT count(*) FROM t") == [(21,)]


def test_an_error_names_the_row_of_many(con):
    con.execute("CREATE TABLE t (a TINYINT PRIMARY KEY, b VARCHAR(3))")
    many = [(i % 100, "abc") for i in range(100)]
    for number in (0, 1, 57, 99):
        wrong = [*many[:number], (1000, "abc"), *many[number + 1 :]]
        with pytest.raises(tableflow.Error, match=f"row {number + 1} of the parameters"):
            con.cursor().executemany("INSERT INTO t VALUES (?, ?)", wrong)
    con.cursor().executemany("INSERT INTO t VALUES (?, ?)", many)
    with pytest.raises(tableflow.Error, match="row 2 of the parameters"):
        con.cursor().executemany("UPDATE t SET a = ? WHERE a = ?", [(120, 1), (1000, 2), (110, 3)])
    with pytest.raises(tableflow.IntegrityError, match="row 2 of the parameters"):
        con.cursor().executemany("UPDATE t SET a = ? WHERE a = ?", [(120, 1), (120, 2), (110, 3)])
    assert rows(con, "SELECT count(*), sum(a) FROM t") == [(100, 4950)]


def test_errors_of_keys_name_the_row_of_parameters(con):
    con.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT UNIQUE)")

    def detail(sql, parameters):
        with pytest.raises(tableflow.IntegrityError) as error:
            con.cursor().executemany(sql, parameters)
        return error.value.detail

    one = "INSERT INTO t (a) VALUES (?)"
    assert detail(one, [(5,), (6,), (7,), (6,)]) == "row 4 of the parameters: (a) = (6) occurs twice"
    # several runs of types, several rows for each row of parameters
    assert detail(one, [(5,), (6.0,), ("7",), ("6",)]) == "row 4 of the parameters: (a) = (6) occurs twice"
    two = "INSERT INTO t (a) VALUES (?), (? + 10)"
    assert detail(two, [(1, 1), (2, 2), (3, 2), (4, 4)]) == "row 3 of the parameters: (a) = (12) occurs twice"
    both = "INSERT INTO t VALUES (?, ?)"
    assert detail(both, [(1, 1), (2, None), (3, None), (4, 1)]) == "row 4 of the parameters: (b) = (1) occurs twice"
    con.execute("INSERT INTO t VALUES (100, 100)")
    there = [(i, None) for i in range(99)]
    assert detail(both, [*there, (100, 1)]) == "row 100 of the parameters: (a) = (100) is in the table already"
    upsert = f"{both} ON CONFLICT (a) DO UPDATE SET b = excluded.b"
    found = detail(upsert, [*there, (100, 3), (5, 3), (6, 3), (100, 4)])
    assert found.startswith("row 101 of the parameters: (b) = (3)")
    skip = f"{both} ON CONFLICT (a) DO NOTHING"
    assert detail(skip, [(100, 7), (1, 7), (1, 8), (2, 8), (3, 7), (4, 9)]) == (
        "row 5 of the parameters: (b) = (7) occurs twice"
    )
    assert rows(con, "SELECT * FROM t") == [(100, 100)]


def test_other_statements_for_many_rows_are_one_transaction_and_count_their_rows(con):
    con.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT)")
    con.cursor().executemany("INSERT INTO t VALUES (?, ?)", [(i, 0) for i in range(10)])
    cursor = con.cursor()
    cursor.executemany("UPDATE t SET b = b + ? WHERE a < ?", [(1, 3), (2, 0), (2, 2)])
    assert cursor.rowcount == 5
    assert rows(con, "SELECT a, b FROM t WHERE b <> 0 ORDER BY a") == [(0, 3), (1, 3), (2, 1)]
    cursor.executemany("INSERT INTO t SELECT max(a) + ?, count(*) FROM t", [(1,), (2,), (3,)])
    assert rows(con, "SELECT * FROM t WHERE a > 9 ORDER BY a") == [(10, 10), (12, 11), (15, 12)]
    cursor.executemany("DELETE FROM t WHERE a = ?", [(15,), (15,), (500,)])
    assert cursor.rowcount == 1
    with pytest.raises(tableflow.ProgrammingError, match="not for queries"):
        cursor.executemany("INSERT INTO t VALUES (?, 1) RETURNING a", [(100,), (101,)])
    with pytest.raises(tableflow.ProgrammingError, match="not for queries"):
        cursor.executemany("SELECT ?", [(1,)])
    assert rows(con, "SELECT count(*) FROM t") == [(12,)]
    assert rows(con, "SELECT sum(_change_weight) FROM table_changes('t', 0)") == [(12,)]


@pytest.mark.slow
def test_upserts_of_many_rows_are_as_if_one_came_after_the_other(con):
    upsert = """INSERT INTO {} (k, v) VALUES (?, ?) ON CONFLICT (k)
        DO UPDATE SET v = t.v || excluded.v, n = t.n + 1 WHERE t.v NOT LIKE '%stop'"""
    columns = "k INT PRIMARY KEY, v STRING, n INT DEFAULT 1"
    generator = random.Random(4)
    con.execute(f"CREATE TABLE t ({columns})")
    con.execute(f"CREATE TABLE one ({columns})")
    many = [
        (generator.choice([1, 2, 3, 1.0, Decimal(generator.randrange(40))]), generator.choice(["a", "b", "stop", None]))
        for _ in range(120)
    ]
    con.cursor().executemany(upsert.format("t"), many)
    for row in many:
        con.execute(upsert.replace("t.", "one.").format("one"), row)
    assert rows(con, "SELECT * FROM t ORDER BY k") == rows(con, "SELECT * FROM one ORDER BY k")
    assert con.execute("SELECT sum(_change_weight) FROM table_changes('t', 0)").fetchall() == rows(
        con, "SELECT count(*) FROM one"
    )
    with pytest.raises(tableflow.IntegrityError, match="row 3 of the parameters"):
        con.cursor().executemany(
            "INSERT INTO t (k, v) VALUES (?, ?), (1, ?) ON CONFLICT (k) DO UPDATE SET v = 'x'",
            [(2, "a", "b"), (3, "a", "b"), (1, "x", "y"), (4, "x", "y")],
        )
    con.execute("CREATE TABLE u (k INT PRIMARY KEY, n INT UNIQUE)")
    con.cursor().executemany(
        "INSERT INTO u VALUES (?, ?) ON CONFLICT DO NOTHING", [(5, 5), (6, 5), (6, 7), (7, 7), (7, 8)]
    )
    assert rows(con, "SELECT * FROM u ORDER BY k") == [(5, 5), (6, 7), (7, 8)]


def test_upserts_of_many_rows_are_durable_together(tmp_path):
    with tableflow.connect(tmp_path / "db") as con:
        con.execute("CREATE TABLE t (k INT PRIMARY KEY, n INT)")
        con.execute("INSERT INTO t VALUES (1, 0)")
        upsert = "INSERT INTO t VALUES (?, 1) ON CONFLICT (k) DO UPDATE SET n = t.n + 1"
        con.cursor().executemany(upsert, [(i % 5,) for i in range(20)])
        with pytest.raises(tableflow.Error, match="row 8 of the parameters"):
            con.cursor().executemany(upsert, [(i % 5,) if i != 7 else ("no",) for i in range(20)])
        con.execute(upsert, (1,))
        expected = [(0, 4), (1, 5), (2, 4), (3, 4), (4, 4)]
        assert rows(con, "SELECT * FROM t ORDER BY k") == expected
        with tableflow.connect(tmp_path / "db", read_only=True) as reader:
            assert rows(reader, "SELECT * FROM t ORDER BY k") == expected
    with tableflow.connect(tmp_path / "db") as con:
        assert rows(con, "SELECT * FROM t ORDER BY k") == expected
        assert versions(con, "t") == 7


def test_returning_of_a_single_row(con):
    con.execute("CREATE TABLE t (a INT, b STRING DEFAULT 'x')")
    for i in range(3):
        assert rows(con, "INSERT INTO t (a) VALUES (?) RETURNING b, a, a", (i,)) == [("x", i, i)]


def test_the_clock_is_read_each_time(con):
    con.execute("CREATE TABLE t (a INT, at TIMESTAMP_LTZ DEFAULT current_timestamp, day DATE DEFAULT current_date)")
    for i in range(3):
        con.execute("INSERT INTO t (a) VALUES (?)", (i,))
        time.sleep(0.002)
    con.cursor().executemany("INSERT INTO t (a) VALUES (?)", [(10,), (11,)])
    times = [row[0] for row in rows(con, "SELECT at FROM t ORDER BY a")]
    assert times == sorted(times)
    assert len(set(times)) == 4
    assert rows(con, "SELECT count(*) FROM t WHERE day >= current_date - INTERVAL '1' DAY") == [(5,)]


def test_a_statement_is_bound_again_when_something_changed(con):
    con.execute("CREATE TABLE t (a INT)")
    insert = "INSERT INTO t VALUES (?)"
    con.execute(insert, (1,))
    con.execute("ALTER TABLE t ALTER COLUMN a SET DATA TYPE BIGINT")
    con.execute(insert, (2**40,))
    con.execute("ALTER TABLE t ADD COLUMN b INT DEFAULT 5")
    with pytest.raises(tableflow.ProgrammingError, match="1 value"):
        con.execute(insert, (3,))
    con.execute("INSERT INTO t (a) VALUES (?)", (4,))
    con.execute("CREATE OR REPLACE TABLE t (a STRING)")
    con.execute(insert, ("text",))
    con.execute("CREATE TEMPORARY TABLE t (a INT)")
    con.execute(insert, (9,))
    assert rows(con, "SELECT a FROM t") == [(9,)]
    con.execute("DROP TABLE t")
    assert rows(con, "SELECT a FROM t") == [("text",)]


def test_what_does_not_fit_is_an_error_of_the_row(con):
    con.execute("CREATE TABLE t (a TINYINT, b VARCHAR(3), c DATE)")
    insert = "INSERT INTO t (a, b) VALUES (?, ?)"
    with pytest.raises(tableflow.Error):
        con.execute(insert, (1000, "x"))
    with pytest.raises(tableflow.Error):
        con.cursor().executemany(insert, [(1, "abc"), (2, "abcd")])
    with pytest.raises(tableflow.Error):
        con.cursor().executemany(insert, [(1, "abc"), (200, "x")])
    assert rows(con, "SELECT count(*) FROM t") == [(0,)]


def test_append(con):
    con.execute("CREATE TABLE t (id INT PRIMARY KEY, name STRING DEFAULT 'none', q DECIMAL(9,2) CHECK (q >= 0))")
    table = pa.table({"ID": pa.array([1, 2], pa.int64()), "q": [1.5, None]})
    assert con.append("t", table) == 2
    assert con.append("default.t", table.slice(0, 0)) == 0
    batches = pa.RecordBatchReader.from_batches(
        table.schema, (pa.record_batch([[n], [n / 2]], schema=table.schema) for n in range(10, 1000))
    )
    assert con.append("t", batches) == 990
    assert rows(con, "SELECT * FROM t WHERE id < 12 ORDER BY id") == [
        (1, "none", Decimal("1.50")), (2, "none", None), (10, "none", 5), (11, "none", Decimal("5.50")),
    ]  # fmt: skip
    assert rows(con, "SHOW VERSIONS t")[0][2:4] == ("append", 990)
    with pytest.raises(tableflow.IntegrityError, match="duplicate key"):
        con.append("t", table)
    with pytest.raises(tableflow.IntegrityError, match="check"):
        con.append("t", {"id": [5000, 5001], "q": [1.0, -1.0]})
    with pytest.raises(tableflow.ProgrammingError, match="no column 'nosuch'"):
        con.append("t", {"nosuch": [1]})
    with pytest.raises(tableflow.InterfaceError, match="is no table"):
        con.append("t", 5)
    assert rows(con, "SELECT count(*) FROM t") == [(992,)]


def test_append_of_a_stream_that_fails_leaves_nothing(con):
    con.execute("CREATE TABLE t (a BIGINT)")
    schema = pa.schema([("a", pa.int64())])

    def batches():
        for _ in range(5):
            yield pa.record_batch([[1, 2, 3]], schema=schema)
        raise ValueError("the source has gone")

    with pytest.raises(tableflow.OperationalError, match="could not be read") as error:
        con.append("t", pa.RecordBatchReader.from_batches(schema, batches()))
    assert "the source has gone" in str(error.value)
    assert rows(con, "SELECT count(*) FROM t") == [(0,)]


def test_on_conflict_with_parameters(con):
    con.execute("CREATE TABLE t (k INT PRIMARY KEY, v STRING, n INT UNIQUE)")
    upsert = "INSERT INTO t (k, v) VALUES (?, ?) ON CONFLICT (k) DO UPDATE SET v = t.v || excluded.v WHERE t.v <> 'x'"
    for row in [(1, "a"), (1, "b"), (2, "x"), (2, "c")]:
        con.execute(upsert, row)
    con.cursor().executemany(upsert, [(1, "!"), (3, "new"), (2, "?")])
    assert rows(con, "SELECT k, v FROM t ORDER BY k") == [(1, "ab!"), (2, "x"), (3, "new")]
    skip = "INSERT INTO t VALUES (?, 'skip', ?) ON CONFLICT DO NOTHING"
    con.cursor().executemany(skip, [(1, 10), (5, 5), (6, 5), (5, 7), (8, None), (9, None)])
    assert rows(con, "SELECT k, n FROM t WHERE v = 'skip' ORDER BY k") == [(5, 5), (8, None), (9, None)]
    assert con.execute(skip, (5, 100)).rowcount == 0
    assert con.execute(skip, (100, 5)).rowcount == 0


def test_a_kept_statement_reads_the_version_it_names(con):
    con.execute("CREATE TABLE t (k INT PRIMARY KEY, n INT)")
    con.execute("INSERT INTO t VALUES (1, 10)")
    newest = "INSERT INTO t SELECT k + ?, n + 1 FROM t WHERE k = 1"
    old = "INSERT INTO t SELECT k + ?, n FROM t FOR VERSION AS OF 2 WHERE k = 1"
    con.execute(old, (100,))
    con.execute(newest, (200,))
    con.execute("UPDATE t SET n = 20 WHERE k = 1")
    con.execute(old, (101,))
    con.execute(newest, (201,))
    assert rows(con, "SELECT * FROM t ORDER BY k") == [(1, 20), (101, 10), (102, 10), (201, 11), (202, 21)]


def test_changes_by_key(con):
    con.execute("CREATE TABLE t (a INT, b STRING, v DECIMAL(9,2), PRIMARY KEY (a, b))")
    con.cursor().executemany("INSERT INTO t VALUES (?, ?, ?)", [(i % 3, f"b{i}", i) for i in range(30)])
    one = "a = ? AND b = ?"
    assert con.execute(f"UPDATE t SET v = v + 0.5 WHERE {one} AND v > 3 RETURNING v", (1, "b4")).fetchall() == [
        (Decimal("4.50"),)
    ]
    assert con.execute(f"UPDATE t SET v = 0 WHERE {one} AND v > 100", (1, "b4")).rowcount == 0
    assert con.execute(f"UPDATE t SET b = 'other' WHERE {one}", (1, "b4")).rowcount == 1
    assert rows(con, f"SELECT v FROM t WHERE {one}", (1, "b4")) == []
    assert rows(con, f"SELECT v, v * 2 FROM t WHERE {one}", (1, "other")) == [(Decimal("4.50"), 9)]
    assert con.execute(f"DELETE FROM t WHERE {one}", (1, "other")).rowcount == 1
    assert rows(con, "SELECT count(*) FROM t") == [(29,)]
    with pytest.raises(tableflow.IntegrityError, match="duplicate key"):
        con.execute(f"UPDATE t SET b = 'b1' WHERE {one}", (1, "b7"))
    with pytest.raises(tableflow.DataError):
        con.execute(f"SELECT 1 / (a - 1) FROM t WHERE {one}", (1, "b7")).fetchall()


def test_a_streaming_table_takes_no_rows_by_parameters(con):
    con.execute("CREATE TABLE t (a INT)")
    con.execute("CREATE STREAMING TABLE s AS SELECT a, a * 2 AS b FROM t")
    cursor = con.cursor()
    for refused in (
        lambda: con.execute("INSERT INTO s VALUES (?, ?)", (1, 2)),
        lambda: cursor.executemany("INSERT INTO s VALUES (?, ?)", [(1, 2), (3, 4)]),
        lambda: cursor.executemany("DELETE FROM s WHERE a = ?", [(1,)]),
        lambda: con.execute("EXPLAIN ANALYZE DELETE FROM s"),
    ):
        with pytest.raises(tableflow.ProgrammingError, match="streaming table 's' cannot be written to") as raised:
            refused()
        assert "^" in str(raised.value)
    cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (3,)])
    assert rows(con, "SELECT * FROM s ORDER BY a") == [(1, 2), (3, 6)]
