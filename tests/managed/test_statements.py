"""Statements that change managed tables, from SQL to rows and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.dbapi import Connection

MODES = {
    "default": {},
    "one task, one row": {"parallelism.default": "1", "execution.batch-rows": "1"},
    "four tasks, files at once": {
        "parallelism.default": "4", "storage.inline-rows": "0", "storage.chunk-rows": "64", "debug.serialize-plans": "true",
    },
    "unfused dictionaries": {"execution.fusion": "off", "debug.representation": "dictionary"},
}  # fmt: skip


@pytest.fixture(params=MODES.values(), ids=MODES)
def con(request):
    with tableflow.connect(settings=request.param) as connection:
        yield connection


def rows(con: Connection, sql: str, parameters=()):
    return con.execute(sql, parameters).fetchall()


def changed(con: Connection, sql: str, parameters=()) -> int:
    return con.execute(sql, parameters).rowcount


def test_insert_update_delete_with_returning(con):
    con.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name STRING DEFAULT 'none', q DECIMAL(8,2))")
    assert changed(con, "INSERT INTO t (id, q) VALUES (1, 1.5), (2, 2.5), (3, NULL)") == 3
    assert rows(con, "INSERT INTO t SELECT 4, 'four', 4 RETURNING id * 10, name, id") == [(40, "four", 4)]
    assert sorted(rows(con, "UPDATE t SET q = q * 2, name = name || '!' WHERE id < 3 RETURNING id, q")) == [
        (1, 3),
        (2, 5),
    ]
    assert changed(con, "UPDATE t SET q = 0 WHERE id > 100") == 0
    assert rows(con, "DELETE FROM t WHERE id = 3 RETURNING *") == [(3, "none", None)]
    assert rows(con, "SELECT * FROM t ORDER BY id") == [(1, "none!", 3), (2, "none!", 5), (4, "four", 4)]
    assert [row[2:] for row in rows(con, "SHOW VERSIONS t")][::-1] == [
        ("create", 0, 0, 0), ("insert", 3, 0, 3), ("insert", 1, 0, 4), ("update", 2, 2, 4),
        ("delete", 0, 1, 3),
    ]  # fmt: skip
    newest = con.execute("SHOW VERSIONS t").fetchone()
    assert newest[0] == 5
    assert abs(newest[1] - datetime.now(UTC)) < timedelta(minutes=5)


def test_on_conflict_do_nothing_keeps_the_first_in_order(con):
    con.execute("CREATE TABLE t (k INT PRIMARY KEY, v INT)")
    con.execute("INSERT INTO t VALUES (3, -1)")
    con.execute("CREATE TABLE s (k INT, v INT, other INT)")
    con.register("numbers", {"n": list(range(600))})
    con.execute("INSERT INTO s SELECT n % 50, n * 7919 % 10007, n FROM numbers")
    for order, value in [
        ("v", "min(v)"),
        ("v DESC", "max(v)"),
        ("other", "min_by(v, other)"),
        ("-other", "max_by(v, other)"),
    ]:
        con.execute("DELETE FROM t WHERE k <> 3")
        assert changed(con, f"INSERT INTO t SELECT k, v FROM s ORDER BY {order} ON CONFLICT DO NOTHING") == 49, order
        wanted = rows(con, f"SELECT k, {value} FROM s WHERE k <> 3 GROUP BY k")
        assert sorted(rows(con, "SELECT * FROM t")) == sorted([(3, -1), *wanted]), order
    con.execute("DELETE FROM t")
    con.execute(
        "INSERT INTO t (v, k) SELECT v, k + 1 FROM s WHERE k < 4 ORDER BY v DESC LIMIT 150 ON CONFLICT (k) DO NOTHING"
    )
    wanted = rows(con, "SELECT k + 1, max(v) FROM s WHERE k < 4 GROUP BY k")
    assert sorted(rows(con, "SELECT * FROM t")) == sorted(wanted)


@pytest.mark.slow
def test_many_rows_in_files_and_their_keys(con):
    con.execute("CREATE TABLE t (k INT PRIMARY KEY, v STRING, UNIQUE (v))")
    con.register("numbers", {"n": list(range(20_000))})
    assert changed(con, "INSERT INTO t SELECT n, 'v' || CAST(n AS STRING) FROM numbers") == 20_000
    assert rows(con, "SELECT v FROM t WHERE k = 12345") == [("v12345",)]
    assert rows(con, "SELECT k FROM t WHERE v = 'v777' AND k > 5") == [(777,)]
    assert rows(con, "SELECT k FROM t WHERE v = 'v777' AND k > 777") == []
    assert sorted(rows(con, "SELECT k FROM t WHERE k IN (5, 19999, 20000, 5)")) == [(5,), (19999,)]
    assert rows(con, "SELECT count(*), sum(k), min(v) FROM t WHERE k BETWEEN 10 AND 12") == [(3, 33, "v10")]
    assert changed(con, "DELETE FROM t WHERE k % 2 = 0") == 10_000
    assert rows(con, "SELECT k FROM t WHERE k = 12346") == []
    assert changed(con, "UPDATE t SET k = k + 1") == 10_000
    assert rows(con, "SELECT count(*), min(k), max(k), sum(k % 2) FROM t") == [(10_000, 2, 20_000, 0)]
    with pytest.raises(tableflow.IntegrityError, match="duplicate key in table 't'"):
        con.execute("UPDATE t SET k = 2 WHERE k = 4")


def test_what_fails_leaves_nothing(con):
    con.execute("CREATE TABLE t (id INT NOT NULL, q INT CHECK (q > 0), UNIQUE (id))")
    con.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
    con.register("many", {"id": [*list(range(10, 3000)), 7, 7]})
    for sql, message in {
        "INSERT INTO t VALUES (3, 3), (NULL, 1)": "column 'id' may not be NULL",
        "INSERT INTO t VALUES (3, 3), (4, 0)": "check 't_q_check' does not hold",
        "INSERT INTO t VALUES (3, 3), (1, 1)": "duplicate key",
        "INSERT INTO t SELECT id, 1 FROM many": "duplicate key",
        "INSERT INTO t SELECT id, 2990 - id FROM many": "check 't_q_check' does not hold",
        "UPDATE t SET q = q - 1": "check 't_q_check' does not hold",
        "UPDATE t SET id = NULL WHERE id = 2": "column 'id' may not be NULL",
        "UPDATE t SET q = m.id FROM many m WHERE t.id = 1 AND m.id = 7": "would be changed more than once",
        "MERGE INTO t USING many m ON t.id = 2 AND m.id < 12 WHEN MATCHED THEN DELETE": "changed more than once",
    }.items():
        with pytest.raises(tableflow.IntegrityError) as error:
            con.execute(sql)
        assert message in str(error.value), sql
    with pytest.raises(tableflow.DataError):
        con.execute("INSERT INTO t SELECT id, 1 + 0 / (id - 7) FROM many")
    assert rows(con, "SELECT * FROM t ORDER BY id") == [(1, 1), (2, 2)]
    assert len(rows(con, "SHOW VERSIONS t")) == 2


def test_an_error_names_table_constraint_row_and_values():
    with tableflow.connect() as con:
        con.execute("CREATE TABLE t (id INT PRIMARY KEY, name STRING, q INT, CONSTRAINT positive CHECK (q > 0))")
        con.execute("INSERT INTO t VALUES (1, 'it''s', 1)")
        with pytest.raises(tableflow.IntegrityError) as error:
            con.execute("INSERT INTO t VALUES (2, 'a', 1), (3, 'b', -1)")
        text = str(error.value)
        assert "table 't': check 'positive' does not hold" in text
        assert "row 2 has id = 3, name = 'b', q = -1" in text
        assert "line 1, column 1" in text
        with pytest.raises(tableflow.IntegrityError) as error:
            con.execute("UPDATE t SET q = s.q FROM (VALUES (1, 5), (1, 6)) s(id, q) WHERE t.id = s.id")
        assert "it is the row with id = 1; nothing was written" in str(error.value)


def test_swapped_keys_are_no_conflict(con):
    con.execute("CREATE TABLE t (a INT PRIMARY KEY, b STRING)")
    con.execute("INSERT INTO t VALUES (1, 'x'), (2, 'y')")
    assert changed(con, "UPDATE t SET a = 3 - a") == 2
    assert rows(con, "SELECT * FROM t ORDER BY a") == [(1, "y"), (2, "x")]


def test_on_conflict(con):
    con.execute("CREATE TABLE t (id INT PRIMARY KEY, v STRING)")
    con.execute("INSERT INTO t VALUES (1, 'old'), (2, 'old')")
    assert changed(con, "INSERT INTO t VALUES (2, 'new'), (3, 'a'), (3, 'b') ON CONFLICT DO NOTHING") == 1
    assert rows(con, "SELECT * FROM t ORDER BY id") == [(1, "old"), (2, "old"), (3, "a")]
    con.execute("INSERT INTO t VALUES (1, 'up'), (9, 'in') ON CONFLICT (id) DO UPDATE SET v = excluded.v || t.v")
    assert rows(con, "SELECT * FROM t WHERE id IN (1, 9) ORDER BY id") == [(1, "upold"), (9, "in")]
    with pytest.raises(tableflow.IntegrityError):
        con.execute("INSERT INTO t VALUES (1, 'x'), (1, 'y') ON CONFLICT (id) DO UPDATE SET v = excluded.v")


def test_merge(con):
    con.execute("CREATE TABLE t (id INT PRIMARY KEY, q INT)")
    con.execute("INSERT INTO t VALUES (1, 1), (2, 2), (3, 3)")
    found = rows(
        con,
        "MERGE INTO t USING (VALUES (1, 10), (2, -1), (7, 70)) s(id, q) ON t.id = s.id "
        "WHEN MATCHED AND s.q < 0 THEN DELETE WHEN MATCHED THEN UPDATE SET q = s.q "
        "WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.q) RETURNING t.id, merge_action()",
    )
    assert sorted(found) == [(1, "UPDATE"), (2, "DELETE"), (7, "INSERT")]
    assert rows(con, "SELECT * FROM t ORDER BY id") == [(1, 10), (3, 3), (7, 70)]


def test_create_as_and_or_replace(con):
    con.register("numbers", {"n": list(range(1000))})
    assert changed(con, "CREATE TABLE t AS SELECT n, n % 7 AS r FROM numbers ORDER BY n DESC") == 1000
    assert rows(con, "SELECT n FROM t LIMIT 1") == [(999,)]
    assert changed(con, "CREATE OR REPLACE TABLE t AS SELECT r, count(*) AS c FROM t GROUP BY r") == 7
    assert rows(con, "SELECT sum(c) FROM t") == [(1000,)]
    with pytest.raises(tableflow.ProgrammingError, match="exists already"):
        con.execute("CREATE TABLE t (a INT)")
    assert con.execute("CREATE TABLE IF NOT EXISTS t (a INT)").rowcount == 0
    with pytest.raises(tableflow.DataError):
        con.execute("CREATE TABLE u AS SELECT 1 / (n - 5) AS x FROM numbers")
    assert rows(con, "SHOW TABLES") == [("numbers",), ("t",)]


def test_versions_and_changes(con):
    con.execute("CREATE TABLE t (id INT PRIMARY KEY, q INT)")
    con.execute("INSERT INTO t VALUES (1, 1), (2, 2)")
    con.execute("UPDATE t SET q = 20 WHERE id = 2")
    con.execute("DELETE FROM t WHERE id = 1")
    con.execute("TRUNCATE TABLE t")
    at = [sorted(rows(con, f"SELECT * FROM t FOR VERSION AS OF {version}")) for version in range(1, 6)]
    assert at == [[], [(1, 1), (2, 2)], [(1, 1), (2, 20)], [(2, 20)], []]
    changes = rows(con, "SELECT id, q, _change_version, _change_weight FROM table_changes('t', 2, 5)")
    assert sorted(changes) == [(1, 1, 4, -1), (2, 2, 3, -1), (2, 20, 3, 1), (2, 20, 5, -1)]
    with pytest.raises(tableflow.ProgrammingError, match="version 9"):
        con.execute("SELECT * FROM t FOR VERSION AS OF 9")


def test_alter(con):
    con.execute("CREATE TABLE t (a INT, b STRING)")
    con.execute("INSERT INTO t VALUES (1, 'x'), (NULL, 'y')")
    con.execute("ALTER TABLE t ADD COLUMN c INT DEFAULT 7")
    con.execute("ALTER TABLE t RENAME COLUMN b TO name")
    with pytest.raises(tableflow.IntegrityError):
        con.execute("ALTER TABLE t ALTER COLUMN a SET NOT NULL")
    con.execute("DELETE FROM t WHERE a IS NULL")
    con.execute("ALTER TABLE t ALTER COLUMN a SET NOT NULL")
    con.execute("INSERT INTO t VALUES (2, 'z', 8)")
    assert rows(con, "SELECT * FROM t ORDER BY a") == [(1, "x", 7), (2, "z", 8)]
    with pytest.raises(tableflow.IntegrityError, match="may not be NULL"):
        con.execute("INSERT INTO t (name) VALUES ('w')")
    con.execute("ALTER TABLE t RENAME TO u")
    assert rows(con, "SHOW TABLES") == [("u",)]
    assert rows(con, "SELECT count(*) FROM u") == [(2,)]


def test_describe_and_show_create_make_the_same_table_again(con):
    con.execute(
        "CREATE TABLE t (id BIGINT PRIMARY KEY COMMENT 'it''s', a INT NOT NULL DEFAULT 1, b INT GENERATED ALWAYS AS (a * 2), "
        '"Odd name" STRING, "select" INT, "index" INT, "table" INT, "key" INT, value INT, UNIQUE (a, b), CONSTRAINT small CHECK (a < 100)) COMMENT \'about\''
    )
    described = rows(con, "DESCRIBE t")
    assert ("id", "BIGINT", "NO", "PRIMARY KEY", None, "it's") in described
    assert ("small", "CHECK (a < 100)", None, None, None, None) in described
    text = rows(con, "SHOW CREATE TABLE t")[0][0]
    con.execute("DROP TABLE t")
    con.execute(text)
    assert rows(con, "DESCRIBE t") == described
    assert rows(con, "SHOW CREATE TABLE t") == [(text,)]


def test_temporary_tables_are_the_sessions_own(con):
    con.execute("CREATE TABLE t (a INT)")
    con.execute("INSERT INTO t VALUES (1)")
    con.execute("CREATE TEMPORARY TABLE t (a INT PRIMARY KEY)")
    con.execute("INSERT INTO t VALUES (5), (6)")
    assert rows(con, "SELECT * FROM t ORDER BY a") == [(5,), (6,)]
    with pytest.raises(tableflow.IntegrityError, match="duplicate key in table 't'"):
        con.execute("INSERT INTO t VALUES (5)")
    con.execute("DROP TABLE t")
    assert rows(con, "SELECT * FROM t") == [(1,)]


def test_schemas(con):
    con.execute("CREATE SCHEMA s")
    con.execute("CREATE TABLE s.t (a INT)")
    con.execute("INSERT INTO s.t VALUES (1)")
    with pytest.raises(tableflow.ProgrammingError, match="not empty"):
        con.execute("DROP SCHEMA s")
    con.execute("USE s")
    assert rows(con, "SELECT * FROM t") == [(1,)]
    con.execute("USE default")
    con.execute("DROP SCHEMA s CASCADE")
    with pytest.raises(tableflow.ProgrammingError):
        con.execute("SELECT * FROM s.t")


@pytest.mark.parametrize("format", ["parquet", "csv", "json", "arrow"])
def test_copy_to_and_from(con, tmp_path, format):
    con.execute("CREATE TABLE t (a INT, b STRING, c DECIMAL(9,2), d DATE)")
    con.execute("INSERT INTO t VALUES (1, 'x, \"y\"', 1.50, DATE '2024-02-29'), (2, NULL, NULL, NULL)")
    path = tmp_path / f"out.{format}"
    assert changed(con, f"COPY t TO '{path}'") == 2
    con.execute("CREATE TABLE u (a INT, b STRING, c DECIMAL(9,2), d DATE)")
    assert changed(con, f"COPY u FROM '{path}'") == 2
    assert rows(con, "SELECT * FROM u ORDER BY a") == rows(con, "SELECT * FROM t ORDER BY a")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_bytes_through_json(con, tmp_path):
    con.execute("CREATE TABLE t (a INT, b BYTES, c ARRAY<BYTES>)")
    con.execute("INSERT INTO t VALUES (1, x'010203ff', ARRAY[x'00', x'']), (2, NULL, NULL), (3, x'', ARRAY[])")
    con.execute(f"COPY t TO '{tmp_path}/t.json'")
    with (tmp_path / "t.json").open("a") as file:
        file.write('{"a": 4, "b": "plain", "c": ["\\\\xyz"]}\n')
    con.execute("CREATE TABLE u (a INT, b BYTES, c ARRAY<BYTES>)")
    con.execute(f"COPY u FROM '{tmp_path}/t.json'")
    expected = [*rows(con, "SELECT * FROM t"), (4, b"plain", [b"\\xyz"])]
    assert sorted(rows(con, "SELECT * FROM u"), key=str) == sorted(expected, key=str)


@pytest.mark.parametrize("name", ["file.csv/x.csv", "x" * 300 + ".csv", "nothing/x.csv", "zero\0.csv"])
def test_copy_to_where_nothing_can_be_written(con, tmp_path, name):
    (tmp_path / "file.csv").touch()
    with pytest.raises(tableflow.OperationalError, match="could not be written"):
        con.execute(f"COPY (SELECT 1 AS a) TO '{tmp_path / name}'")
    assert [file.name for file in tmp_path.iterdir()] == ["file.csv"]


def test_copy_that_fails_leaves_the_old_file(con, tmp_path):
    path = tmp_path / "out.parquet"
    con.execute(f"COPY (SELECT 1 AS a) TO '{path}'")
    con.register("numbers", {"n": list(range(1000))})
    with pytest.raises(tableflow.DataError):
        con.execute(f"COPY (SELECT 1 / (n - 900) AS a FROM numbers) TO '{path}'")
    assert pq.read_table(path).to_pylist() == [{"a": 1}]
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(tableflow.OperationalError, match="could not be written"):
        con.execute(f"COPY (SELECT 1 AS a) TO '{tmp_path}/nowhere/out.csv'")


def test_null_is_many_times_in_a_unique_key_and_grouping_knows(con):
    con.execute("CREATE TABLE t (k INT UNIQUE)")
    con.execute("INSERT INTO t VALUES (NULL), (NULL), (1)")
    assert sorted(rows(con, "SELECT k, count(*) FROM t GROUP BY k"), key=str) == [(1, 1), (None, 2)]
    assert len(rows(con, "SELECT DISTINCT k FROM t")) == 2


def test_explain_of_a_statement_that_writes(con):
    con.execute("CREATE TABLE t (k INT PRIMARY KEY, v INT)")
    text = "\n".join(row[0] for row in rows(con, "EXPLAIN DELETE FROM t WHERE k = 1"))
    assert "TableWrite t" in text
    assert "TableScan t" in text
    text = "\n".join(row[0] for row in rows(con, "EXPLAIN INSERT INTO t SELECT v, k FROM t RETURNING k"))
    assert "TableWrite t [v]" in text  # what becomes the key
    assert rows(con, "SELECT count(*) FROM t") == [(0,)]


def test_information_schema(con):
    con.execute("CREATE TABLE t (k INT PRIMARY KEY, v STRING)")
    assert ("t",) in rows(con, "SELECT table_name FROM information_schema.tables")
    found = rows(
        con, "SELECT column_name FROM information_schema.columns WHERE table_name = 't' ORDER BY ordinal_position"
    )
    assert found == [("k",), ("v",)]


def test_explain_analyze_carries_out_what_it_explains(con, tmp_path):
    con.execute("CREATE TABLE t (a INT PRIMARY KEY, b INT)")

    def analyzed(sql, parameters=()):
        return "\n".join(row[0] for row in rows(con, f"EXPLAIN ANALYZE {sql}", parameters))

    text = analyzed("INSERT INTO t VALUES (1, 10), (2, 20) RETURNING a")
    assert "TableWrite" in text
    assert "inserted 2" in text
    assert text.endswith("2 rows inserted")
    assert analyzed("INSERT INTO t VALUES (?, 30)", (3,)).endswith("1 row inserted")
    assert analyzed("INSERT INTO t VALUES (3, 31) ON CONFLICT (a) DO UPDATE SET b = excluded.b").endswith(
        "1 row inserted"
    )
    assert "updated 1" in analyzed("UPDATE t SET b = 11 WHERE a = 1")
    assert analyzed("WITH gone AS (SELECT 2 AS a) DELETE FROM t USING gone WHERE t.a = gone.a").endswith(
        "1 row deleted"
    )
    merge = "MERGE INTO t USING (VALUES (1, 12), (4, 40)) s(a, b) ON t.a = s.a"
    text = analyzed(f"{merge} WHEN MATCHED THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b)")
    assert "inserted 1" in text
    assert text.endswith("2 rows merged")
    assert rows(con, "SELECT * FROM t ORDER BY a") == [(1, 12), (3, 31), (4, 40)]
    text = analyzed("CREATE TABLE u AS SELECT a FROM t")
    assert "inserted 3" in text
    assert "created with 3 rows" in text
    assert rows(con, "SELECT count(*) FROM u") == [(3,)]
    assert analyzed(f"COPY t TO '{tmp_path}/t.csv'").endswith("3 rows copied")
    con.execute("TRUNCATE t")
    text = analyzed(f"COPY t FROM '{tmp_path}/t.csv'")
    assert "inserted 3" in text
    assert rows(con, "SELECT count(*) FROM t") == [(3,)]
    with pytest.raises(tableflow.IntegrityError, match="duplicate key"):
        analyzed("INSERT INTO t VALUES (5, 5), (1, 1)")
    assert rows(con, "SELECT count(*) FROM t") == [(3,)]
    for plain in ("CREATE TABLE v AS SELECT a FROM t", f"COPY t TO '{tmp_path}/v.csv'", "DELETE FROM t"):
        assert rows(con, f"EXPLAIN {plain}")
    assert rows(con, "SELECT count(*) FROM t") == [(3,)]
    assert not (tmp_path / "v.csv").exists()
    for wrong in ("CREATE TABLE w (a INT)", "CREATE SCHEMA w", "CREATE VIEW w AS SELECT 1"):
        with pytest.raises(tableflow.NotSupportedError, match="EXPLAIN of a statement without a query"):
            con.execute(f"EXPLAIN {wrong}")


def test_drop_of_several_is_one_statement(con):
    for name in ("a", "b", "c"):
        con.execute(f"CREATE TABLE {name} (x INT)")
        con.execute(f"CREATE VIEW v{name} AS SELECT x FROM {name}")
        con.execute(f"CREATE SCHEMA s{name}")
    con.execute("CREATE TEMPORARY TABLE t (x INT)")
    con.execute("CREATE TABLE sb.x (x INT)")
    for wrong in (
        "DROP TABLE a, t, nosuch, b",
        "DROP VIEW va, vb, a",
        "DROP TABLE a, a",
        "DROP SCHEMA sa, sb, sc",
        "DROP SCHEMA sa, sa",
    ):
        with pytest.raises(tableflow.ProgrammingError):
            con.execute(wrong)
    assert [row[0] for row in rows(con, "SHOW TABLES")] == ["a", "b", "c", "t"]
    con.execute("DROP TABLE a, t, b")
    con.execute("DROP VIEW IF EXISTS va, nosuch, vc")
    con.execute("DROP SCHEMA sa, sb CASCADE")
    con.execute("DROP TABLE IF EXISTS nosuch, c, c")
    assert rows(con, "SHOW TABLES") == []
    assert rows(con, "SHOW VIEWS") == [("vb",)]
    assert ("sa",) not in rows(con, "SELECT schema_name FROM information_schema.schemata")


def test_a_renamed_column_in_a_check_and_a_generated_column(con):
    con.execute("CREATE TABLE renamed (a STRING, b STRING, g AS upper(a), CHECK (length(a) < 3))")
    con.execute("ALTER TABLE renamed RENAME a TO c, RENAME b TO a")
    con.execute("INSERT INTO renamed VALUES ('x', 'long enough')")
    with pytest.raises(tableflow.IntegrityError, match="renamed_a_check"):
        con.execute("INSERT INTO renamed VALUES ('too long', 'y')")
    with pytest.raises(tableflow.ProgrammingError, match="column 'c' cannot be dropped"):
        con.execute("ALTER TABLE renamed DROP COLUMN c")
    assert con.execute("SELECT c, a, g FROM renamed").fetchall() == [("x", "long enough", "X")]


TWO_KEYS = "CREATE TABLE t (k INT UNIQUE, a INT UNIQUE)"


def test_on_conflict_of_a_key_ignores_no_conflict_of_another(con):
    con.execute(TWO_KEYS)
    for target in ("(k)", "ON CONSTRAINT t_k_key"):
        with pytest.raises(tableflow.IntegrityError, match="'t_a_key'") as error:
            con.execute(f"INSERT INTO t VALUES (0, 7), (1, 7), (8, NULL) ON CONFLICT {target} DO NOTHING")
        assert "(a) = (7) occurs twice" in str(error.value)
        assert "choose other values: ON CONFLICT speaks of 't_k_key' alone" in str(error.value)
        assert rows(con, "SELECT * FROM t") == []
    with pytest.raises(tableflow.IntegrityError, match="'t_a_key'"):
        con.execute("INSERT INTO t SELECT * FROM (VALUES (0, 7), (1, 7)) v(k, a) ORDER BY k ON CONFLICT (k) DO NOTHING")
    # what is left out for the key it speaks of conflicts in no other
    assert changed(con, "INSERT INTO t VALUES (0, 7), (0, 7), (1, 8), (8, NULL) ON CONFLICT (k) DO NOTHING") == 3
    with pytest.raises(tableflow.IntegrityError, match="'t_a_key'") as error:
        con.execute("INSERT INTO t VALUES (5, 8) ON CONFLICT (k) DO NOTHING")
    assert "(a) = (8) is in the table already" in str(error.value)
    assert changed(con, "INSERT INTO t VALUES (9, 1), (9, 1), (0, 2), (11, 7) ON CONFLICT DO NOTHING") == 1
    assert rows(con, "SELECT * FROM t ORDER BY k") == [(0, 7), (1, 8), (8, None), (9, 1)]


def test_the_hint_of_a_conflict_in_another_key_than_the_target(con):
    con.execute(TWO_KEYS)
    for sql, key, hint in (
        ("INSERT INTO t VALUES (0, 7), (1, 7)", "t_a_key", "ON CONFLICT speaks of 't_k_key' alone"),
        ("INSERT INTO t VALUES (0, 7), (0, 8)", "t_k_key", "cannot affect a row twice: give each key once"),
    ):
        with pytest.raises(tableflow.IntegrityError, match=key) as error:
            con.execute(f"{sql} ON CONFLICT (k) DO UPDATE SET a = excluded.a")
        assert hint in error.value.hint
    con.execute("INSERT INTO t VALUES (5, 5)")
    with pytest.raises(tableflow.IntegrityError, match="t_a_key") as error:
        con.execute("INSERT INTO t VALUES (6, 5) ON CONFLICT (k) DO UPDATE SET a = 1")
    assert "ON CONFLICT speaks of 't_k_key' alone" in error.value.hint


def test_which_row_has_a_key_twice(con):
    con.execute("CREATE TABLE t (id BIGINT PRIMARY KEY, name STRING UNIQUE)")
    con.register("two", {"n": [1, 2]})
    for sql, detail in (
        ("VALUES (5, 'a'), (6, 'b'), (7, 'c'), (6, 'd'), (5, 'e')", "row 4 has (id) = (6), which occurs twice"),
        ("VALUES (5, 'a'), (6, 'b'), (7, 'a')", "row 3 has (name) = ('a'), which occurs twice"),
        ("SELECT n, 'x' FROM two", "(name) = ('x') occurs twice"),
    ):
        with pytest.raises(tableflow.IntegrityError) as error:
            con.execute(f"INSERT INTO t {sql}")
        assert error.value.detail == detail
    con.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    with pytest.raises(tableflow.IntegrityError) as error:
        con.execute("INSERT INTO t VALUES (?, 'q'), (?, 'r'), (?, 's')", (8, 2, 1))
    assert error.value.detail == "row 2 has (id) = (2), which is in the table already"
    with pytest.raises(tableflow.IntegrityError) as error:
        con.execute("INSERT INTO t VALUES (2, 'q')")
    assert error.value.detail == "(id) = (2) is in the table already"
    with pytest.raises(tableflow.IntegrityError) as error:
        con.append("t", {"id": [10, 11, 12, 11, 10], "name": list("abcde")})
    assert error.value.detail == "row 4 has (id) = (11), which occurs twice"
    with pytest.raises(tableflow.IntegrityError) as error:
        con.append("t", {"id": [*range(100, 1000), 500, 1], "name": [str(i) for i in range(902)]})
    assert error.value.detail in {
        "row 902 has (id) = (1), which is in the table already",
        "(id) = (1) is in the table already",  # many tasks
    }
    assert len(rows(con, "SELECT * FROM t")) == 2
