"""Connections and cursors as PEP 249 and the README promise them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pyarrow as pa
import pytest

import tableflow
from tableflow import dbapi


@pytest.fixture
def con() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        yield connection


LETTERS = "(VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e')) t(n, s)"


def test_module_globals():
    assert (dbapi.apilevel, dbapi.threadsafety, dbapi.paramstyle) == ("2.0", 1, "qmark")
    assert (tableflow.apilevel, tableflow.threadsafety, tableflow.paramstyle) == ("2.0", 1, "qmark")
    assert all(hasattr(tableflow, name) for name in tableflow.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tableflow.nothing


def test_exceptions_are_those_of_pep_249(con):
    assert issubclass(tableflow.Warning, Exception)
    assert issubclass(tableflow.InterfaceError, tableflow.Error)
    assert issubclass(tableflow.DatabaseError, tableflow.Error)
    for name in (
        "DataError",
        "OperationalError",
        "IntegrityError",
        "InternalError",
        "ProgrammingError",
        "NotSupportedError",
    ):
        assert issubclass(getattr(tableflow, name), tableflow.DatabaseError)
        assert getattr(con, name) is getattr(tableflow, name)
    for sql, expected in {
        "SELEC 1": tableflow.ProgrammingError,
        "SELECT nosuch": tableflow.ProgrammingError,
        "SELECT * FROM nosuch": tableflow.ProgrammingError,
        "SET nosuch = 1": tableflow.ProgrammingError,
        "SELECT * FROM 'nosuch.parquet'": tableflow.OperationalError,
        "BEGIN": tableflow.NotSupportedError,
    }.items():
        with pytest.raises(expected):
            con.execute(sql)
    with pytest.raises(tableflow.DataError):
        con.execute("SELECT 1 / 0").fetchall()


def test_parameters_by_position_and_by_name(con):
    assert con.execute("SELECT ? + 1, ?", [41, "x"]).fetchall() == [(42, "x")]
    assert con.execute("SELECT :a, :b, :a", {"a": 1, "b": None}).fetchall() == [(1, None, 1)]
    assert con.execute(f"SELECT s FROM {LETTERS} WHERE n BETWEEN ? AND ? ORDER BY 1", (2, 3)).fetchall() == [
        ("b",),
        ("c",),
    ]
    assert con.execute(f"SELECT count(*) FROM {LETTERS} LIMIT ?", [1]).fetchone() == (5,)
    assert con.execute("SELECT '?', ':x' -- ? :x\n").fetchall() == [("?", ":x")]
    assert con.execute("SELECT 1", None).fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("sql", "parameters", "error", "message"),
    [
        ("SELECT ?, ?", [1], tableflow.ProgrammingError, "no value was given for parameter 2"),
        ("SELECT ?", [1, 2], tableflow.ProgrammingError, "2 parameters were given to a statement with 1"),
        ("SELECT ?", [], tableflow.ProgrammingError, "no value was given for parameter 1"),
        ("SELECT 1", [1], tableflow.ProgrammingError, "1 parameters were given to a statement with 0"),
        ("SELECT :a", {"b": 1}, tableflow.ProgrammingError, "no value was given for parameter :a"),
        ("SELECT :a", {"a": 1, "b": 1}, tableflow.ProgrammingError, "no parameter is named 'b'"),
        ("SELECT :a", [1], tableflow.ProgrammingError, "parameter :a needs a value by name"),
        ("SELECT ?", {"a": 1}, tableflow.ProgrammingError, r"parameter \? needs a value by position"),
        ("SELECT ?", [object()], tableflow.ProgrammingError, "a Python object has no SQL type"),
        ("SELECT ?", ["\ud800"], tableflow.ProgrammingError, "is not Unicode"),
        ("SELECT '\ud800'", [], tableflow.ProgrammingError, "the text is not Unicode"),
        ("SELECT ?", "x", tableflow.InterfaceError, "not a str"),
        ("SELECT ?", 5, tableflow.InterfaceError, "not a int"),
        (5, [], tableflow.InterfaceError, "a statement is a str, not a int"),
        ("", [], tableflow.ProgrammingError, "one statement is expected, not 0"),
        ("SELECT 1; SELECT 2", [], tableflow.ProgrammingError, "one statement is expected, not 2"),
    ],
)
def test_wrong_parameters_are_refused(con, sql, parameters, error, message):
    with pytest.raises(error, match=message):
        con.execute(sql, parameters)


def test_fetching(con):
    cur = con.execute(f"SELECT n, s FROM {LETTERS} ORDER BY n")
    assert cur.fetchone() == (1, "a")
    assert cur.fetchmany() == [(2, "b")]
    cur.arraysize = 2
    assert cur.fetchmany() == [(3, "c"), (4, "d")]
    assert cur.fetchmany(0) == []
    assert cur.fetchmany(10) == [(5, "e")]
    assert cur.fetchone() is None
    assert cur.fetchmany(3) == []
    assert cur.fetchall() == []
    assert list(con.execute(f"SELECT n FROM {LETTERS} ORDER BY n")) == [(1,), (2,), (3,), (4,), (5,)]
    cur = con.execute(f"SELECT n FROM {LETTERS} ORDER BY n")
    assert next(cur) == (1,)
    assert cur.fetchall() == [(2,), (3,), (4,), (5,)]


def test_description_and_rowcount(con):
    cur = con.cursor()
    assert cur.description is None
    assert cur.rowcount == -1
    cur.execute("SELECT CAST(1 AS DECIMAL(7, 2)) AS d, 'x' AS s, NULLIF(1, 1) AS n, TRUE, DATE '2020-01-01', X'00'")
    assert [item[0] for item in cur.description[:3]] == ["d", "s", "n"]
    assert cur.description[0][1:] == ("DECIMAL(7,2)", None, None, 7, 2, False)
    assert cur.description[2][6] is True
    codes = [item[1] for item in cur.description]
    assert codes[0] == dbapi.NUMBER
    assert codes[1] == dbapi.STRING
    assert codes[4] == dbapi.DATETIME
    assert codes[5] == dbapi.BINARY
    assert codes[0] != dbapi.STRING
    assert cur.rowcount == -1
    cur.execute("CREATE VIEW v AS SELECT 1 AS x")
    assert cur.description is None
    assert cur.rowcount == 0


def test_constructors_of_pep_249(con):
    row = con.execute(
        "SELECT ?, ?, ?, ?",
        [dbapi.Date(2020, 2, 29), dbapi.Time(1, 2, 3), dbapi.Timestamp(2020, 1, 2), dbapi.Binary(b"x")],
    ).fetchone()
    assert row == (dbapi.Date(2020, 2, 29), dbapi.Time(1, 2, 3), dbapi.Timestamp(2020, 1, 2), b"x")
    moment = dbapi.TimestampFromTicks(1e9)
    assert (moment.date(), moment.time()) == (dbapi.DateFromTicks(1e9), dbapi.TimeFromTicks(1e9))


def test_executemany(con):
    cur = con.cursor()
    cur.executemany("DROP VIEW IF EXISTS nothing", [(), ()])
    with pytest.raises(tableflow.ProgrammingError, match="executemany is not for queries"):
        cur.executemany("SELECT ?", [[1], [2]])
    with pytest.raises(tableflow.InterfaceError, match="no result to fetch"):
        cur.fetchall()


def test_a_cursor_executes_again_before_its_result_is_read(con):
    cur = con.cursor()
    for number in range(5):
        cur.execute(f"SELECT n + {number} FROM {LETTERS} ORDER BY 1")
        assert cur.fetchone() == (1 + number,)
    cur.execute("CREATE VIEW v AS SELECT 1 AS x")
    with pytest.raises(tableflow.InterfaceError, match="no result to fetch"):
        cur.fetchone()
    with pytest.raises(tableflow.ProgrammingError):
        cur.execute("SELECT nosuch")
    assert cur.execute("SELECT x FROM v").fetchall() == [(1,)]


def test_two_cursors_at_once(con):
    con.register("numbers", pa.table({"n": pa.array(range(500_000))}))
    one = con.execute("SELECT n FROM numbers")
    two = con.execute("SELECT n + 1 FROM numbers")
    three = con.execute("SELECT count(*), sum(n) FROM numbers")
    pairs = [(one.fetchone(), two.fetchone()) for _ in range(10)]
    assert len(pairs) == 10
    assert three.fetchall() == [(500_000, 500_000 * 499_999 // 2)]
    assert sum(row[0] for row in one.fetchall()) + sum(pair[0][0] for pair in pairs) == 500_000 * 499_999 // 2
    assert len(two.fetchall()) == 499_990


def test_after_close(con):
    cur = con.execute("SELECT 1")
    cur.close()
    cur.close()
    for use in (cur.fetchone, cur.fetchall, cur.fetch_arrow_table, lambda: cur.execute("SELECT 1"), lambda: next(cur)):
        with pytest.raises(tableflow.InterfaceError, match="the cursor is closed"):
            use()
    with con.execute("SELECT 1") as other:
        assert other.fetchone() == (1,)
    with pytest.raises(tableflow.InterfaceError, match="the cursor is closed"):
        other.fetchone()


def test_after_the_connection_is_closed():
    con = tableflow.connect()
    started, fresh = con.execute(f"SELECT n FROM {LETTERS}"), con.cursor()
    assert started.fetchone() is not None
    con.close()
    con.close()
    for use in (
        con.cursor,
        con.commit,
        con.rollback,
        lambda: con.execute("SELECT 1"),
        lambda: con.register("t", {"a": [1]}),
    ):
        with pytest.raises(tableflow.InterfaceError, match="the connection is closed"):
            use()
    for use in (started.fetchone, started.fetchall, lambda: fresh.execute("SELECT 1")):
        with pytest.raises(tableflow.InterfaceError, match="the connection is closed"):
            use()
    started.close()


def test_transactions_are_statements(con):
    assert con.autocommit is True
    con.autocommit = True
    with pytest.raises(tableflow.NotSupportedError, match="autocommit is always on"):
        con.autocommit = False
    assert con.autocommit is True
    con.commit()
    with pytest.raises(tableflow.NotSupportedError, match="nothing to roll back"):
        con.rollback()


def test_a_failed_result_does_not_look_finished(con):
    cur = con.execute("SELECT 10 / (n - 3) FROM (VALUES (1), (2), (3)) t(n)")
    for _ in range(2):
        with pytest.raises(tableflow.DataError, match="division by zero"):
            cur.fetchall()
    assert con.execute("SELECT 1").fetchall() == [(1,)]


def test_arrow_results(con):
    con.register("numbers", pa.table({"n": pa.array(range(200_000))}))
    cur = con.execute("SELECT n, n * 2 AS twice FROM numbers")
    batches = list(iter(cur.fetch_record_batch, None))
    assert len(batches) > 1
    assert all(batch.schema.names == ["n", "twice"] and batch.num_rows for batch in batches)
    assert sum(batch.num_rows for batch in batches) == 200_000
    table = con.execute("SELECT n, n * 2 AS twice FROM numbers").fetch_arrow_table()
    assert table.schema == batches[0].schema
    assert table.num_rows == 200_000
    cur = con.execute("SELECT n FROM numbers")
    cur.fetchone()
    with pytest.raises(tableflow.InterfaceError, match="either rows or Arrow"):
        cur.fetch_record_batch()


def test_no_rows_keep_their_schema(con):
    cur = con.execute("SELECT n, s, CAST(n AS DECIMAL(9, 2)) AS d FROM " + LETTERS + " WHERE n > 100")
    table = cur.fetch_arrow_table()
    assert table.num_rows == 0
    assert table.schema.equals(pa.schema([("n", pa.int32()), ("s", pa.string()), ("d", pa.decimal128(9, 2))]))
    cur = con.execute("SELECT 1 AS a LIMIT 0")
    assert (cur.fetchone(), cur.fetchmany(3), cur.fetchall(), list(cur)) == (None, [], [], [])
    assert [item[0] for item in cur.description] == ["a"]


def test_columns_may_share_a_name(con):
    cur = con.execute('SELECT 1 AS a, 2 AS a, 3 AS "A"')
    assert [item[0] for item in cur.description] == ["a", "a", "A"]
    assert cur.fetchall() == [(1, 2, 3)]
    table = con.execute("SELECT 1 AS a, 2 AS a").fetch_arrow_table()
    assert table.column_names == ["a", "a"]
    assert [column.to_pylist() for column in table.columns] == [[1], [2]]


def test_settings_of_a_connection():
    with tableflow.connect(settings={"execution.batch-rows": "10", "parallelism.default": "1"}) as con:
        con.register("numbers", {"n": list(range(100))})
        cur = con.execute("SELECT n FROM numbers")
        assert max(batch.num_rows for batch in iter(cur.fetch_record_batch, None)) <= 10
        assert ("execution.batch-rows", "10") in {row[:2] for row in con.execute("SET").fetchall()}
    with pytest.raises(tableflow.ProgrammingError, match="unknown setting 'nosuch'"):
        tableflow.connect(settings={"nosuch": "1"})


def _workers() -> int:
    return sum(thread.name.startswith("tableflow-") for thread in threading.enumerate())


def test_what_nobody_holds_is_given_back():
    gc.collect()
    before = _workers()
    con = tableflow.connect(settings={"parallelism.default": "2"})
    con.register("numbers", {"n": list(range(1000))})
    session = con.session
    assert con.execute("SELECT a.n FROM numbers a, numbers b, numbers c").fetchone() is not None
    assert session.jobs._running == []
    assert _workers() == before + 3  # two workers, and the one that keeps the storage in order
    del con, session
    gc.collect()
    assert _workers() == before
