"""Errors about what a statement names point at the name: line and column with the text underlined, and the nearest name."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.errors import TableFlowError
from tests.front.test_bad_input import failure, marked

SETUP = """
CREATE TABLE orders (a INT, d DECIMAL(10, 2)); CREATE TABLE m (a INT); CREATE VIEW bv AS SELECT 1 AS x;
CREATE SCHEMA s; CREATE TABLE s.q (a INT)
"""


@pytest.fixture(scope="module")
def con(tmp_path_factory):
    folder = tmp_path_factory.mktemp("places")
    (folder / "bad.csv").write_text("a\n1\nabc\n")
    pq.write_table(pa.table({"x": [1], "a": ["t"]}), folder / "p.parquet")
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        for statement in SETUP.split(";"):
            connection.execute(statement)
        connection.execute(f"CREATE TABLE fcsv (a INT) WITH ('connector' = 'filesystem', 'path' = '{folder}/bad.csv')")
        connection.execute(
            f"CREATE TABLE gone (a INT) WITH ('connector' = 'filesystem', 'path' = '{folder}/no.csv', 'format' = 'csv')"
        )
        yield connection


@pytest.mark.parametrize(
    ("sql", "underlined", "said"),
    [
        ("CREATE TABLE orders (a INT)", "orders", "table 'orders' exists already"),
        ("CREATE TEMP VIEW zz.x AS SELECT 1 AS x", "zz.x", "schema 'zz' does not exist"),
        ("CREATE TABLE bv (a INT)", "bv", "view 'bv' exists already"),
        ("CREATE VIEW bv AS SELECT 1 AS x", "bv", "view 'bv' exists already"),
        ("CREATE VIEW orders AS SELECT 1 AS x", "orders", "table 'orders' exists already"),
        ("CREATE STREAMING TABLE orders AS SELECT a FROM m", "orders", "table 'orders' exists already"),
        ("CREATE SCHEMA s", "s", "schema 's' exists already"),
        ("CREATE TABLE zz.x (a INT)", "zz.x", "schema 'zz' does not exist"),
        ("CREATE TABLE zz.x AS SELECT 1 AS a", "zz.x", "schema 'zz' does not exist"),
        ("DROP TABLE m, ordrs", "ordrs", "did you mean 'orders'?"),
        ("DROP VIEW orders", "orders", "use DROP TABLE"),
        ("DROP TABLE bv", "bv", "use DROP VIEW"),
        ("DROP SCHEMA s", "s", "schema 's' is not empty"),
        ("DROP SCHEMA IF EXISTS nope, s", "s", "schema 's' is not empty"),
        ("DROP TABLE information_schema.tables", "information_schema.tables", "is built in and cannot be dropped"),
        ("DROP TABLE IF EXISTS information_schema.tables", "information_schema.tables", "is built in"),
        ("DROP SCHEMA information_schema", "information_schema", "is built in and cannot be dropped"),
        ("DESCRIBE ordrs", "ordrs", "did you mean 'orders'?"),
        ("SHOW CREATE TABLE ordrs", "ordrs", "did you mean 'orders'?"),
        ("SHOW VERSIONS ordrs", "ordrs", "did you mean 'orders'?"),
        ("SHOW VERSIONS fcsv", "fcsv", "cannot be asked for its versions"),
        ("VACUUM ordrs", "ordrs", "did you mean 'orders'?"),
        ("VACUUM fcsv", "fcsv", "cannot be vacuumed"),
        ("TRUNCATE ordrs", "ordrs", "did you mean 'orders'?"),
        ("ALTER TABLE ordrs ADD COLUMN x INT", "ordrs", "did you mean 'orders'?"),
        ("ALTER TABLE orders RENAME TO m", "m", "table 'm' exists already"),
        ("COPY ordrs TO 'x.csv'", "ordrs", "did you mean 'orders'?"),
        ("COPY ordrs FROM 'x.csv'", "ordrs", "did you mean 'orders'?"),
        ("COPY m FROM 'missing.csv'", "'missing.csv'", "file 'missing.csv' does not exist"),
        ("COPY m TO '/nonexistent/dir/x.csv'", "'/nonexistent/dir/x.csv'", "there is no directory '/nonexistent/dir'"),
        ("COPY m TO 's3://b/x.parquet'", "'s3://b/x.parquet'", "s3 is not a local file system"),
        ("COPY m TO '/tmp' (FORMAT csv)", "'/tmp'", "is a directory"),
        ("USE nope", "nope", "schema 'nope' does not exist"),
        ("SET nope.x = 1", "nope.x", "unknown setting 'nope.x'"),
        ("RESET nope.x", "nope.x", "unknown setting 'nope.x'"),
        ("SELECT * FROM table_changes('orders', NULL)", "table_changes('orders', NULL)", "the number of a version"),
        ("SELECT * FROM bv CROSS JOIN fcsv", "fcsv", "bad.csv', line 3, could not be read"),
        ("INSERT INTO m SELECT a FROM fcsv", "fcsv", "bad.csv', line 3, could not be read"),
        ("SELECT count(*) FROM gone", "gone", "no.csv' does not exist"),
        ("SELECT 1; SELECT 2", "SELECT 2", "one statement is expected, not 2"),
    ],
)  # fmt: skip
def test_the_name_is_underlined(con, sql, underlined, said):
    text = failure(con, "  " + sql)
    assert said in text
    assert marked(text) == underlined
    assert f"column {sql.rindex(underlined) + 3}\n" in text


@pytest.mark.parametrize(
    ("options", "underlined", "said"),
    [
        ("'connector' = 'filesystm'", "'filesystm'", "did you mean 'filesystem'?"),
        ("'connector' = 'filesystem', 'pth' = 'x.csv'", "'pth'", "did you mean 'path'?"),
        ("'connector' = 'filesystem'", "WITH", "needs option 'path'"),
        ("'connector' = 'filesystem', 'path' = 'x', format = 'xml'", "'xml'", "cannot be 'xml'"),
        ("'compresion' = 'zstd'", "'compresion'", "did you mean 'compression'?"),
        ("compression = 'zip'", "'zip'", "unknown compression 'zip'"),
        ("'compression' = 'zstd', 'retention' = 'forever'", "'forever'", "retention 'forever' is no duration"),
    ],
)
def test_options_point_at_themselves(con, options, underlined, said):
    text = failure(con, f"CREATE TABLE t (a INT)\nWITH ({options})")
    assert said in text
    assert "line 2" in text
    assert marked(text) == underlined


def test_options_of_alter(con):
    assert marked(failure(con, "ALTER TABLE m SET ('retention' = 'forever')")) == "'forever'"
    assert marked(failure(con, "ALTER TABLE m SET ('compresion' = 'lz4')")) == "'compresion'"


def test_later_statements_of_a_script_point_into_the_script(con):
    from tableflow.session import Session

    script = "SELECT 1;\nDROP TABLE\n  nope"
    session = Session()
    try:
        with pytest.raises(TableFlowError) as caught:
            for outcome in session.script(script):
                assert outcome.result is not None
                outcome.result.close()
    finally:
        session.close()
    assert "line 3, column 3" in str(caught.value)
    assert marked(str(caught.value)) == "nope"


def test_a_view_that_no_longer_binds_is_described_with_its_place(con):
    con.execute("CREATE TEMP TABLE below (a INT)")
    con.execute("CREATE TEMP VIEW above AS SELECT a FROM below")
    con.execute("DROP TABLE below")
    text = failure(con, "DESCRIBE above")
    assert "in view 'above'" in text
    assert marked(text) == "above"
