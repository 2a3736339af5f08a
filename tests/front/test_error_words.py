"""Errors speak the user's language: operators as they are written, our types, what there is, and what to do instead."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.errors import TableFlowError
from tests.front.test_bad_input import failure, marked

SETUP = """
CREATE TABLE one (a INT); CREATE TABLE three (a INT); INSERT INTO three VALUES (1); INSERT INTO three VALUES (2);
CREATE VIEW bv AS SELECT 1 AS x; CREATE TABLE p (r ROW<x INT>); CREATE TABLE prices (k INT, d DECIMAL(10, 2));
CREATE TABLE o2 (o_orderkey BIGINT, o_comment STRING)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("words")


@pytest.fixture(scope="module")
def con(folder):
    (folder / "bad.csv").write_text("k,d\n1,2.5\n2,abc\n")
    pq.write_table(pa.table({"x": [1], "a": ["t"]}), folder / "p.parquet")
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        for statement in SETUP.split(";"):
            connection.execute(statement)
        for name, columns in (("lost", "id BIGINT"), ("other", "a BIGINT")):
            connection.execute(
                f"CREATE TABLE {name} ({columns}) WITH ('connector' = 'filesystem', 'path' = '{folder}/p.parquet')"
            )
        yield connection


@pytest.mark.parametrize(
    ("sql", "underlined", "said"),
    [
        ("SELECT * FROM table_changes('one', 99)", "99", ["table 'one' has no version 99", "only version 1 is kept"]),
        ("SELECT * FROM table_changes('three', 1, 7)", "7", ["has no version 7", "versions 1 to 3 are kept"]),
        ("SELECT * FROM three FOR VERSION AS OF 99", "99", ["table 'three' has no version 99", "versions 1 to 3"]),
        ("SELECT * FROM table_changes('bv', 0)", "'bv'", ["'bv' is a view, which keeps no changes"]),
        ("SELECT * FROM one FOR SYSTEM_TIME AS OF '2026-13-45'", "'2026-13-45'", ["'2026-13-45' is no timestamp"]),
        ("SELECT * FROM one FOR SYSTEM_TIME AS OF DATE '2000-01-01'", "DATE '2000-01-01'",
         ["table 'one' has no version that old", "only version 1 is kept"]),
        ("COPY (SELECT INTERVAL '1' DAY AS i) TO 'never.parquet'", "'never.parquet'",
         ["column 'i' is an INTERVAL, which Parquet cannot hold", "CAST(i AS STRING)"]),
        ("COPY prices FROM '{folder}/bad.csv'", "'{folder}/bad.csv'",
         ["line 3, could not be read", "column 'd' is DECIMAL(10,2): invalid value 'abc'; the line is '2,abc'"]),
        ("SELECT * FROM lost", "lost", ["has no column 'id'", "it has columns x, a"]),
        ("SELECT * FROM other", "other", ["is STRING, not the BIGINT", "declare it as STRING, and CAST it"]),
        ("SET 'memory.limit' = 'abc'", "'abc'", ["a size such as '512 mb' is expected"]),
        ("SET 'memory.limit' = '1 mb kb'", "'1 mb kb'", ["a size such as '512 mb' is expected"]),
        ("SET parallelism.default = x", "x", ["a whole number of at least 1 is expected"]),
        ("SELECT * FROM ''", "''", ["a path or the name of a table is expected"]),
        ("UPDATE p SET r.x = 5", "r.x", ["fields of a ROW cannot be set one by one", "SET r = ROW(...)"]),
        ("EXPLAIN DROP TABLE p", "DROP", ["after EXPLAIN a query is expected", "EXPLAIN takes a query, INSERT"]),
        ("SELECT o_orderkey + o_comment FROM o2", "o_orderkey + o_comment",
         ["operator + does not take (BIGINT, STRING)"]),
        ("SELECT -o_comment FROM o2", "-o_comment", ["operator - does not take (STRING)"]),
        ("SELECT o_orderkey LIKE 'x' FROM o2", "o_orderkey LIKE 'x'", ["operator LIKE does not take (BIGINT, STRING)"]),
        ("SELECT o_orderkey % o_comment FROM o2", "o_orderkey % o_comment", ["operator % does not take"]),
        ("SELECT abs(o_comment) FROM o2", "abs(o_comment)", ["function 'abs' does not take (STRING)", "expected abs("]),
        ("SELECT x.o_orderkey FROM o2", "x.o_orderkey", ["no table in FROM is named 'x'", "in FROM there is o2"]),
        ("SELECT zzz.* FROM o2, p", "zzz.*", ["in FROM there are o2, p"]),
    ],
)  # fmt: skip
def test_what_is_said(con, folder, sql, underlined, said):
    text = failure(con, sql.format(folder=folder))
    for words in said:
        assert words in text
    assert marked(text) == underlined.format(folder=folder)


def test_a_list_as_a_parameter(con):
    with pytest.raises(TableFlowError, match=r"write one \? for each value"):
        con.execute("SELECT a FROM three WHERE a IN (?)", [[1, 2]])
    with pytest.raises(TableFlowError, match="use None, bool"):
        con.execute("SELECT a FROM three WHERE a = ?", [object()])


def test_settings_of_a_connection():
    with pytest.raises(TableFlowError, match="a whole number of at least 1 is expected"):
        tableflow.connect(settings={"parallelism.default": "x"})


def test_a_damaged_file_of_a_database_names_its_table(tmp_path):
    place = tmp_path / "shop"
    with tableflow.connect(place, settings={"storage.inline-rows": "0", "parallelism.default": "1"}) as con:
        con.execute("CREATE TABLE goods AS SELECT 1 AS a, 'text' AS b")
        file = next(path for path in place.rglob("*.arrow"))
        file.write_bytes(bytes(byte ^ 0xA5 for byte in file.read_bytes()))
    with tableflow.connect(place, read_only=True) as con:
        text = failure(con, "SELECT * FROM goods")
    assert "is damaged" in text
    assert f"it is a file of table 'goods' in the database '{place}'" in text
    assert marked(text) == "goods"


def test_what_is_no_database_is_named_once(tmp_path, capsys):
    from tableflow.shell.main import main

    (tmp_path / "other.txt").touch()
    assert main(["check-database", str(tmp_path)]) == 1
    assert capsys.readouterr().err.count(str(tmp_path)) == 1
