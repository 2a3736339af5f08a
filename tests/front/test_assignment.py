"""What a table holds after values were assigned to its columns."""

import datetime as dt

import pytest

import tableflow


@pytest.fixture
def con():
    with tableflow.connect() as connection:
        yield connection


@pytest.mark.parametrize(
    "source",
    [
        "VALUES (1, '2024-07-01 12:00:00')",
        "VALUES (0, '2024-01-01 12:00:00Z'), (1, '2024-07-01 12:00:00')",
        "SELECT 1, '2024-07-01 12:00:00'",
        "SELECT 1, x FROM (VALUES ('2024-07-01 12:00:00')) v(x)",
        "SELECT 1, TIMESTAMP '2024-07-01 12:00:00'",
    ],
)
def test_text_of_an_instant_is_the_wall_clock_of_the_session(con, source):
    con.execute("CREATE TABLE t (a INT, ts TIMESTAMP_LTZ)")
    con.execute("SET 'table.local-time-zone' = 'Europe/Berlin'")
    con.execute(f"INSERT INTO t {source}")
    (found,) = con.execute("SELECT ts FROM t WHERE a = 1").fetchone()
    assert found == dt.datetime(2024, 7, 1, 10, tzinfo=dt.UTC)


def test_text_loses_only_blanks(con):
    con.execute("CREATE TABLE t (v VARCHAR(3), c CHAR(3))")
    con.execute("INSERT INTO t VALUES ('abc  ', 'a'), ('ab', 'abc ')")
    con.execute("INSERT INTO t SELECT v || '   ', NULL FROM t WHERE c = 'abc'")
    assert con.execute("SELECT v, c FROM t").fetchall() == [("abc", "a  "), ("ab", "abc"), ("ab ", None)]
    for text in (
        "INSERT INTO t (v) VALUES ('abcd')",
        "INSERT INTO t (v) SELECT 'abc' || 'd'",
        "UPDATE t SET v = 'abcd'",
    ):
        with pytest.raises(tableflow.DataError, match="text 'abcd' has 4 characters, 3 fit"):
            con.execute(text)
    assert con.execute("SELECT count(*) FROM t").fetchone() == (3,)


def test_renamed_columns_keep_their_expressions(con):
    con.execute("CREATE TABLE t (a INT, b AS a * 2, CHECK (a < 100))")
    con.execute("INSERT INTO t (a) VALUES (1)")
    con.execute('ALTER TABLE t RENAME a TO "the number"')
    con.execute('UPDATE t SET "the number" = 5')
    assert con.execute("SELECT * FROM t").fetchall() == [(5, 10)]
    with pytest.raises(tableflow.IntegrityError, match="check 't_a_check'"):
        con.execute("INSERT INTO t VALUES (100)")


def test_copy_reads_text_as_the_table_declares_it(con, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("code,n\n007,1\n,2\n")
    con.execute("CREATE TABLE t (n BIGINT, code VARCHAR(3) DEFAULT 'x', extra INT DEFAULT 9)")
    con.execute(f"COPY t (n, code) FROM '{path}' (HEADER)")
    assert con.execute("SELECT * FROM t ORDER BY n").fetchall() == [(1, "007", 9), (2, None, 9)]
    path.write_text("1|0123\n")
    with pytest.raises(tableflow.DataError, match="text '0123' has 4 characters"):
        con.execute(f"COPY t (n, code) FROM '{path}' (HEADER false, DELIMITER '|')")
    out = tmp_path / "out.parquet"
    con.execute(f"COPY t TO '{out}'")
    con.execute("TRUNCATE t")
    con.execute(f"COPY t FROM '{out}'")
    assert con.execute("SELECT count(*), sum(extra) FROM t").fetchone() == (2, 18)


def test_old_versions_have_the_columns_that_they_had(con):
    con.execute("CREATE TABLE t (a INT)")
    con.execute("INSERT INTO t VALUES (1)")
    con.execute("ALTER TABLE t ADD b INT DEFAULT 5")
    con.execute("UPDATE t SET b = 6")
    assert con.execute("SELECT * FROM t FOR VERSION AS OF 2").fetchall() == [(1,)]
    joined = con.execute("SELECT o.a, o.b, n.b FROM t FOR VERSION AS OF 3 o JOIN t n ON o.a = n.a").fetchall()
    assert joined == [(1, 5, 6)]
    changes = con.execute("SELECT * FROM table_changes('t', 3) ORDER BY _change_weight").fetchall()
    assert changes == [(1, 5, 4, -1), (1, 6, 4, 1)]


def test_on_conflict_cannot_affect_a_row_twice(con):
    con.execute("CREATE TABLE t (a INT PRIMARY KEY, n INT)")
    with pytest.raises(tableflow.IntegrityError, match="cannot affect a row twice"):
        con.execute("INSERT INTO t VALUES (1, 1), (1, 2) ON CONFLICT (a) DO UPDATE SET n = excluded.n")
    con.execute("INSERT INTO t VALUES (1, 1)")
    with pytest.raises(tableflow.IntegrityError, match="would be changed more than once"):
        con.execute("INSERT INTO t VALUES (1, 2), (1, 3) ON CONFLICT (a) DO UPDATE SET n = excluded.n")
    con.execute("INSERT INTO t VALUES (2, 1), (2, 2), (1, 5) ON CONFLICT (a) DO NOTHING")
    assert con.execute("SELECT * FROM t ORDER BY a").fetchall() == [(1, 1), (2, 1)]
