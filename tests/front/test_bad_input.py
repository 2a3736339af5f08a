"""Bad files, bad rows, bad expressions: one paragraph that names file, row or expression, and where it stands."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tableflow
from tableflow.errors import BindError, ConnectorError, DataError, InternalError, Span, TableFlowError, render

ROWS = 100_000


@pytest.fixture
def con():
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        yield connection


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("good") / "good.parquet"
    table = pa.table({"a": list(range(ROWS)), "s": [f"text {i}" for i in range(ROWS)]})
    pq.write_table(table, path, row_group_size=20_000, compression="snappy")
    return path.read_bytes()


def failure(con: tableflow.Connection, sql: str) -> str:
    """The whole text of the error, which must not be a bug of ours."""
    with pytest.raises(TableFlowError) as caught:
        con.execute(sql).fetchall()
    assert not isinstance(caught.value, InternalError), caught.value
    return str(caught.value)


def marked(text: str) -> str:
    """What an error underlines."""
    lines = text.splitlines()
    under = next(i for i, line in enumerate(lines) if set(line.partition("|")[2].strip()) == {"^"})
    marks = lines[under].partition("| ")[2]
    start = len(marks) - len(marks.lstrip())
    return lines[under - 1].partition("| ")[2][start : len(marks)]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: b"", "is not a Parquet file"),
        (lambda raw: b"hello, this is no Parquet file", "is not a Parquet file"),
        (lambda raw: raw[: len(raw) // 2], "is damaged or incomplete"),
        (lambda raw: raw[:-1], "is damaged or incomplete"),
        (lambda raw: raw[:4] + raw[-200:], "is damaged or incomplete"),
        (lambda raw: b"PAR1" + bytes(100) + b"\xff\xff\xff\x7fPAR1", "is damaged or incomplete"),
        (
            lambda raw: raw[: len(raw) // 2] + bytes(b ^ 0xA5 for b in raw[len(raw) // 2 : -20_000]) + raw[-20_000:],
            "is damaged or incomplete",
        ),
    ],
    ids=["empty", "text", "half", "last byte", "no pages", "absurd footer", "pages in the middle"],
)
def test_damaged_parquet(con, tmp_path, good, damage, message):
    path = tmp_path / "bad.parquet"
    path.write_bytes(damage(good))
    text = failure(con, f"SELECT max(a), max(s) FROM '{path}' WHERE s LIKE '%9%'")
    assert message in text
    assert str(path) in text
    assert con.execute("SELECT 1").fetchall() == [(1,)]


def test_damage_in_the_middle_names_row_group_and_column(con, tmp_path, good):
    half = len(good) // 2
    path = tmp_path / "bad.parquet"
    path.write_bytes(good[:half] + bytes(b ^ 0xA5 for b in good[half : half + 2000]) + good[half + 2000 :])
    assert "row group 2, column 's'" in failure(con, f"SELECT s FROM '{path}' WHERE s LIKE '%99%'")
    assert con.execute(f"SELECT count(*) FROM '{path}'").fetchall() == [(ROWS,)]


def test_a_file_that_shrinks_while_it_is_read(con, tmp_path):
    path = tmp_path / "t.parquet"
    # More rows than tasks may read ahead of a reader that waits.
    pq.write_table(pa.table({"a": np.arange(12_000_000)}), path, row_group_size=100_000, use_dictionary=False)
    cursor = con.execute(f"SELECT a FROM '{path}'")
    assert cursor.fetchone() is not None
    os.truncate(path, 1000)
    with pytest.raises(ConnectorError, match=r"t\.parquet' (is damaged or incomplete|was changed while)"):
        cursor.fetchall()


def test_missing_files(con, tmp_path):
    text = failure(con, f"SELECT *\nFROM '{tmp_path}/nosuch.parquet'")
    assert f"error: file '{tmp_path}/nosuch.parquet' does not exist\n --> line 2, column 6\n" in "error: " + text
    assert marked(text) == f"'{tmp_path}/nosuch.parquet'"
    assert "no file matches" in failure(con, f"SELECT * FROM '{tmp_path}/*.csv'")
    assert "has no files to read" in failure(con, f"SELECT * FROM '{tmp_path}'")
    (tmp_path / "t.xyz").write_text("x")
    assert "no ending that tells its format" in failure(con, f"SELECT * FROM '{tmp_path}/t.xyz'")
    (tmp_path / "sales.csv").write_text("a\n1\n")
    assert "did you mean" in failure(con, f"SELECT * FROM '{tmp_path}/sale.csv'")
    assert "s3 is not a local file system" in failure(con, "SELECT * FROM 's3://bucket/t.parquet'")


def test_a_file_that_vanishes_under_a_view(con, tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    con.execute(f"CREATE VIEW v AS\nSELECT * FROM '{path}'")
    path.unlink()
    text = failure(con, "SELECT count(*) FROM v")
    assert f"file '{path}' does not exist" in text
    assert "in view 'v'" in text
    assert marked(text) == "v"


def _declared(con: tableflow.Connection, path: Path, columns: str) -> None:
    con.execute(f"CREATE TABLE t ({columns}) WITH ('connector' = 'filesystem', 'path' = '{path}')")


def test_bad_rows_of_csv(con, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{i},x\n" for i in range(50_000)) + "oops,z\n")
    _declared(con, path, "a INT, b STRING")
    text = failure(con, "SELECT sum(a) FROM t")
    assert f"file '{path}', line 50002, could not be read" in text
    assert "invalid value 'oops'" in text
    path.write_text("a,b\n1,x\n2,y,z\n")
    text = failure(con, "SELECT sum(a) FROM t")
    assert "line 3, could not be read" in text
    assert "Expected 2 columns, got 3" in text
    path.write_text("")
    assert con.execute("SELECT count(*) FROM t").fetchall() == [(0,)]


def test_bad_rows_of_json(con, tmp_path):
    path = tmp_path / "t.json"
    path.write_text("".join(f'{{"a": {i}}}\n' for i in range(50_000)) + '{"a": "text"}\n')
    _declared(con, path, "a INT")
    text = failure(con, "SELECT sum(a) FROM t")
    assert f"file '{path}', line 50001, could not be read" in text
    assert "field 'a' is not INT: \"text\" is no number" in text
    path.write_text('{"a": 1}\n{"a": 2\n')
    assert "line 2, could not be read" in failure(con, "SELECT sum(a) FROM t")


def test_declared_columns_that_the_file_does_not_have(con, tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1]}), path)
    _declared(con, path, "a STRING")
    assert "column 'a' of file" in failure(con, "SELECT a FROM t")
    con.execute("DROP TABLE t")
    _declared(con, path, "a BIGINT, b INT")
    assert "'b'" in failure(con, "SELECT b FROM t")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("'connector' = 'kafka'", "unknown connector 'kafka'"),
        ("'format' = 'csv'", "names no connector"),
        ("'connector' = 'filesystem', 'pth' = 'x.csv'", "did you mean 'path'"),
        ("'connector' = 'filesystem', 'path' = 'x.csv', 'format' = 'xml'", "cannot be 'xml'"),
    ],
)
def test_tables_that_are_declared_wrongly(con, options, message):
    assert message in failure(con, f"CREATE TABLE t (a INT) WITH ({options})")


@pytest.mark.parametrize(
    ("sql", "message", "place", "underlined", "detail"),
    [
        ("SELECT 1,\n  2 + 1 / 0", "division by zero", "line 2, column 7", "1 / 0", "in 1 / 0"),
        ("SELECT 1 / (x - 1) FROM (VALUES (1)) t(x)", "division by zero", "line 1, column 8", "1 / (x - 1)", "where x = 1"),
        ("SELECT x % 0 FROM (VALUES (7)) t(x)", "division by zero", "line 1, column 8", "x % 0", "where x = 7"),
        (
            "SELECT 9223372036854775807 + x FROM (VALUES (1)) t(x)",
            "out of range for BIGINT", "line 1, column 8", "9223372036854775807 + x", "where x = 1",
        ),
        ("SELECT CAST(s AS INT) FROM (VALUES ('abc')) t(s)", "cannot cast 'abc' to INT", "line 1, column 13", "s", "where s = 'abc'"),
        ("SELECT CAST(300 + x AS TINYINT) FROM (VALUES (1)) t(x)", "cannot cast 301 to TINYINT", "line 1, column 13", "300 + x", "x = 1"),
        ("SELECT CAST(s AS DATE) FROM (VALUES ('2020-02-30')) t(s)", "cannot cast '2020-02-30' to DATE", "line 1, column 13", "s", ""),
        ("SELECT s::DECIMAL(4, 2) FROM (VALUES ('123.4')) t(s)", "cannot cast '123.4' to DECIMAL(4,2)", "line 1, column 8", "s", ""),
        ("SELECT x FROM (VALUES (1)) t(x) WHERE 10 / (x - 1) > 1", "division by zero", "line 1, column 39", "10 / (x - 1)", ""),
        ("SELECT x FROM (VALUES (1)) t(x) ORDER BY 10 / (x - 1)", "division by zero", "line 1, column 42", "10 / (x - 1)", ""),
        ("SELECT 1 / (x - 1), count(*) FROM (VALUES (1)) t(x) GROUP BY 1", "division by zero", "line 1, column 8", "1 / (x - 1)", ""),
        ("SELECT sum(1 / (x - 1)) FROM (VALUES (1)) t(x)", "division by zero", "line 1, column 12", "1 / (x - 1)", ""),
        (
            "SELECT a.x FROM (VALUES (1)) a(x) JOIN (VALUES (1)) b(x) ON 1 / (a.x - b.x) = 1",
            "division by zero", "line 1, column 61", "1 / (a.x - b.x)", "",
        ),
        ("SELECT '😀' || CAST(1 / (x - 1) AS STRING) FROM (VALUES (1)) t(x)", "division by zero", "line 1, column 20", "1 / (x - 1)", ""),
    ],
)  # fmt: skip
def test_errors_of_data_point_at_the_expression(con, sql, message, place, underlined, detail):
    text = failure(con, sql)
    assert message in text
    assert f"--> {place}\n" in text
    assert marked(text) == underlined
    assert detail in text


def test_the_same_whatever_runs_it():
    for fusion in ("on", "off"):
        for parallelism in ("1", "3"):
            with tableflow.connect(settings={"execution.fusion": fusion, "parallelism.default": parallelism}) as con:
                con.register("t", {"x": [5, 4, 3, 2, 1]})
                text = failure(con, "SELECT 6 / (x - 3) FROM t WHERE x < 100")
                assert text.startswith("division by zero\n --> line 1, column 8\n")
                assert "where x = 3" in text


def test_names_point_at_themselves(con):
    text = failure(con, "SELECT a.x,\n\tb.y + 1\nFROM (VALUES (1)) a(x)")
    assert "line 2, column 2" in text
    assert marked(text).startswith("b")


def test_spans_inside_views_point_at_the_view(con):
    con.execute("CREATE VIEW ratios AS\nSELECT\n\n   x, 1 / (x - 1) AS ratio FROM (VALUES (1), (2)) t(x)")
    text = failure(con, "SELECT max(ratio)\nFROM ratios")
    assert "--> line 2, column 6\n" in text
    assert marked(text) == "ratios"
    assert "in 1 / (x - 1) where x = 1" in text
    con.execute("CREATE VIEW outer_ratios AS SELECT ratio + 1 AS more FROM ratios")
    assert marked(failure(con, "SELECT more FROM outer_ratios")) == "outer_ratios"
    con.execute("DROP VIEW ratios")
    text = failure(con, "SELECT * FROM outer_ratios")
    assert "table 'ratios' does not exist" in text
    assert "in view 'outer_ratios'" in text
    assert marked(text) == "outer_ratios"


def test_spans_of_later_statements_point_into_the_script():
    from tableflow.session import Session

    script = "SELECT 1;\n-- comment; with ;\nSELECT 'a;b';\n  SELECT nosuch"
    session = Session()
    try:
        with pytest.raises(BindError) as caught:
            for outcome in session.script(script):
                assert outcome.result is not None
                outcome.result.close()
    finally:
        session.close()
    assert caught.value.span == Span(script.index("nosuch"), len(script))
    assert "line 4, column 10" in str(caught.value)


def test_rendering():
    error = DataError("it is wrong", detail="so", hint="do this", span=Span(10, 13))
    assert render(error, "line one\n\tabc def\r\nend") == (
        "error: it is wrong\n --> line 2, column 2\n  |\n2 |  abc def\n  |  ^^^\ndetail: so\nhint: do this"
    )
    assert render(error) == "error: it is wrong\ndetail: so\nhint: do this"
    assert "line 1, column 4\n  |\n1 | abc\n  |    ^" in render(DataError("x", span=Span(3, 3)), "abc")
    assert "line 2, column 1\n  |\n2 | cd\n  | ^^" in render(DataError("x", span=Span(3, 99)), "ab\ncd\nef")
    assert "line 2, column 3\n  |\n2 |   x\n  |   ^" in render(
        DataError("x", span=Span(7, 8)), "a\u2028b\x0c\n\u2029 x"
    )
    assert render(DataError("x", span=Span(500, 501)), "abc") == "error: x"


@pytest.mark.parametrize(
    "text",
    ["'", '"', "/*", "$$", "(", ")", "SELECT (", "SELECT 1 +", "SELECT * FROM", "\\", "SELECT 'x", ",", "SELECT 1 WHERE", "SELECT CASE",
     "SELECT " + "(" * 1500 + "1" + ")" * 1500, "SELECT " + "NOT " * 2000 + "TRUE", "SELECT " + "-" * 3000 + "1", "WITH a AS", "\0", "SELECT 1 FROM t t t",
     "EXPLAIN", "EXPLAIN EXPLAIN SELECT 1", "SET =", "SHOW", "SHOW NOTHING", "DESCRIBE", "CREATE", "CREATE VIEW", "CREATE TABLE t", "DROP", "USE", "RESET ="],
)  # fmt: skip
def test_no_text_ends_in_a_bug(con, text):
    failure(con, text)
