"""Syntax errors: where they point, what they expect, what they suggest."""

import pytest

from tableflow.errors import BindError, SqlSyntaxError, UnsupportedError, render
from tableflow.sql.dialect import parse_query
from tableflow.sql.expression_parser import ExpressionParser
from tests.sql.binding import bound, columns, fails, query


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("SELEC 1", "SELEC", "begins no statement", "SELECT"),
        ("SELECT a FORM t", "t", "syntax error at 't'", "FROM instead of 'FORM'"),
        ("SELECT a FROM t WERE a = 1", "a", "syntax error", "WHERE instead of 'WERE'"),
        ("SELECT a, FROM t", "FROM", "something is expected after ','", None),
        ("SELECT a FROM t WHERE", "", "an expression is expected", None),
        ("SELECT FROM t", "SELECT FROM t", "a select list is expected", None),
        ("SELECT", "SELECT", "a select list is expected", None),
        ("SELECT * FROM", "", "a table, subquery or file is expected", None),
        ("SELECT (1", "", "'\\)' is expected", None),
        ("SELECT * FROM t, (SELECT 1", "", "'\\)' is expected", None),
        ("SELECT CASE WHEN f 1 END FROM t", "1", "THEN is expected", None),
        ("SELECT CASE END", "END", "an expression is expected|WHEN is expected", None),
        ("SELECT a BETWEEN 1 FROM t", "FROM", "AND is expected in BETWEEN", None),
        ("SELECT CAST(a INT) FROM t", "INT", "AS is expected", None),
        ("SELECT 1abc", "1abc", "a number cannot be followed by letters", None),
        ("SELECT 'abc", "'abc", "string is not closed", None),
        ('SELECT "abc', '"abc', "quoted identifier is not closed", None),
        ("SELECT /* abc", "/* abc", "comment is not closed", None),
        ('SELECT ""', '""', "cannot be empty", None),
        ("SELECT x'0'", "x'0'", "pairs of hexadecimal digits", None),
        ("SELECT 1 \\ 2", "\\", "not part of the language", None),
        ("SELECT 1 AS 5", "5", "syntax error at '5'", None),
        ("SELECT a FROM t GROUP a", "GROUP", "syntax error", None),
        ("SELECT a FROM t GROUP BY", "", "an expression is expected after GROUP BY", None),
        ("SELECT a FROM t LIMIT", "", "an expression is expected", None),
        ("SELECT a FROM t LIMIT 1 ORDER BY a", "LIMIT", "LIMIT cannot stand before ORDER BY", "ORDER BY ... LIMIT"),
        (
            "SELECT a FROM t HAVING a > 1 GROUP BY a",
            "HAVING",
            "HAVING cannot stand before GROUP BY",
            "GROUP BY ... HAVING",
        ),
        (
            "SELECT count(*) FROM t EMIT ON UPDATE WHERE a = 1",
            "EMIT",
            "EMIT cannot stand before WHERE",
            "WHERE ... EMIT",
        ),
        ("SELECT 1 SELECT 2", "SELECT", "syntax error at 'SELECT'", "put ; before it"),
        ("SELECT 1\nSHOW JOBS", "JOBS", "syntax error at 'JOBS'", "begins with SHOW, put ;"),
        ("SHOW JOBS\nSELECT 1", "SELECT", "syntax error at 'SELECT'", "put ; before it"),
        ("CREATE TABLE u SELECT 1", "SELECT", "AS is expected", None),
        ("CREATE STREAMING TABLE u SELECT a FROM t", "SELECT", "AS is expected", None),
        (
            "CREATE TABLE u (at TIMESTAMP, WATERMARK FOR at) WITH ('connector' = 'blackhole')",
            ")",
            "AS is expected, and what time has come to: at AS at - INTERVAL",
            None,
        ),
        ("CREATE STREAM u AS SELECT a FROM t", "STREAM", "STREAMING TABLE name AS is expected", None),
        ("KILL JOB 1", "KILL", "'KILL' begins no statement", "CANCEL JOB"),
        ("HELP", "HELP", "'HELP' begins no statement", "SHOW FUNCTIONS"),
        ("XYZZY", "XYZZY", "'XYZZY' begins no statement", "SELECT, INSERT"),
        ("SELECT a FROM t UNION", "", "an expression is expected", None),
        ("SELECT * FROM t JOIN u", "JOIN u", "JOIN needs ON or USING", "CROSS JOIN"),
        ("SELECT * FROM t CROSS JOIN u ON true", "CROSS JOIN u ON true", "CROSS JOIN has no ON", None),
        ("SELECT * FROM t LEFT SEMI OUTER JOIN u ON true", "LEFT", "syntax error", None),
        ("SELECT 1 2", "2", "syntax error at '2'", None),
        ("SELECT (1 AS x)", "1 AS x", "an alias cannot stand inside", None),
        ("SELECT a IN () FROM t", "a IN ()", "IN needs at least one value", None),
        ("SELECT count(* FROM t", "FROM", "'\\)' is expected", None),
        ("SELECT a FROM t ORDER BY a UNION SELECT a FROM u", "a", "need parentheses", None),
        ("VALUES 1, 2", "1", "'\\(' is expected", None),
        ("SELECT * FROM t /*+ X */", "/*+ X */", None, None),
        ("SELECT a /*+ X */ FROM t", "/*+ X */", "a hint can only follow SELECT", None),
        ("", "", "empty", None),
    ],
)
def test_syntax_error(text, at, message, hint):
    if message is None:
        fails(text, UnsupportedError, "hint behind a table", at)
        return
    error = fails(text, SqlSyntaxError, message, at)
    if hint is not None:
        assert hint in error.hint
    assert "error: " in render(error, text)


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("SELECT f(x => 1)", "named argument", "=>"),
        ("SELECT transform(a, x -> x) FROM t", "lambda", "->"),
        (
            "SELECT sum(a) OVER (ORDER BY a ROWS 1 PRECEDING EXCLUDE TIES) FROM t",
            "EXCLUDE",
            "sum(a) OVER (ORDER BY a ROWS 1 PRECEDING EXCLUDE TIES)",
        ),
        ("SELECT * FROM t MATCH_RECOGNIZE (PATTERN (a))", "MATCH_RECOGNIZE", "MATCH_RECOGNIZE"),
        ("SELECT * FROM t TABLESAMPLE (10)", "TABLESAMPLE", "TABLESAMPLE"),
        ("SELECT * FROM t PIVOT (sum(a) FOR b IN (1))", "PIVOT", "PIVOT"),
        ("WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x) SELECT * FROM x", "recursive", "x"),
        ("WITH RECURSIVE x(a) USING KEY (a) AS (SELECT 1) SELECT * FROM x", "USING KEY", None),
        ("SELECT a FROM t UNION BY NAME SELECT a FROM u", "BY NAME", None),
        ("SELECT * FROM UNNEST(ARRAY[1])", "UNNEST|table function", None),
        ("SELECT array_agg(a LIMIT 1) FROM t", "LIMIT inside", None),
        ("SELECT a & b FROM t", "operator &", "a & b"),
        ("SELECT * EXCLUDE (a) RENAME (b AS c) FROM t", "RENAME", None),
        ("SELECT a INTO x FROM t", "INTO", "INTO"),
        ("SELECT c COLLATE x FROM t", "COLLATE", None),
        ("ANALYZE TABLE t COMPUTE STATISTICS", "ANALYZE", "ANALYZE"),
        ("CHECKPOINT JOB 5", "CHECKPOINT", "CHECKPOINT"),
        ("RESUME JOB 5", "RESUME JOB", "RESUME"),
    ],
)
def test_refused_by_name(text, what, at):
    error = fails(text, UnsupportedError, what, at)
    assert error.span is not None
    assert "not supported yet" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "SELECT emit, iterate, until FROM (SELECT 1 AS emit, 2 AS iterate, 3 AS until)",
        "SELECT date, key, comment, value, type FROM (VALUES (1, 2, 3, 4, 5)) AS q(date, key, comment, value, type)",
        "SELECT filter, rows, range, first, last FROM (VALUES (1, 2, 3, 4, 5)) AS q(filter, rows, range, first, last)",
        'SELECT "select", `from` FROM (SELECT 1 AS "select", 2 AS `from`)',
        "SELECT a AS end, b AS case FROM t",
        "select A from T where B = 1 /* c */ -- d",
        "FROM t",
        "FROM t SELECT a",
        "FROM t, u SELECT t.a WHERE x = 1",
        "(SELECT a FROM t)",
        "((SELECT a FROM t)) LIMIT 1",
        "SELECT a FROM t FETCH FIRST 3 ROWS ONLY",
        "SELECT a FROM t OFFSET 2 LIMIT 1",
        "SELECT 'a' 'b', $$x$$, x'00ff', .5, 1e3, 1_000",
        "SELECT left('abc', 1), right('abc', 1)",
        "SELECT ALL a FROM t",
        "SELECT a FROM t WHERE a IN ((1), (2))",
        "VALUES (1, 'a'), (2, NULL) ORDER BY 1 LIMIT 1",
    ],
)
def test_is_read(text):
    query(text)


def test_clauses_after_from_first():
    assert columns("FROM t SELECT a, count(*) AS n GROUP BY a HAVING count(*) > 1 ORDER BY n") == ["a INT", "n BIGINT"]


def test_spans_are_of_the_script():
    from tableflow.config import Settings
    from tableflow.sql.binder import bind
    from tests.sql.binding import CATALOG

    script = "SELECT 1;\n\nSELECT nope FROM t"
    with pytest.raises(BindError) as raised:
        bind(script[11:], 11, CATALOG, Settings())
    assert script[raised.value.span.start : raised.value.span.end] == "nope"
    assert "line 3, column 8" in render(raised.value, script)
    with pytest.raises(SqlSyntaxError) as raised:
        bind("SELECT 1 2", 11, CATALOG, Settings())
    assert (raised.value.span.start, raised.value.span.end) == (20, 21)


def test_statement_has_its_place():
    assert (bound("SELECT 1").span.start, bound("SELECT 1").span.end) == (0, 8)


@pytest.mark.parametrize(
    "listed",
    ["1", "1, 2, 3", "'a', 'b''c'", "1.5, 2e3, 'x'", "1, -2", "1, (2)", "1, 2 + 3", "'a' 'b', 'c'", "1, a", "SELECT 1", "1::BIGINT, 2", "'a', NULL"],
)  # fmt: skip
def test_lists_of_literals_are_read_as_expressions_are(monkeypatch, listed):
    text = f"SELECT a IN ({listed}), a NOT IN ({listed}) FROM t WHERE a IN ( {listed} ) AND b"
    short = parse_query(text).tree
    monkeypatch.setattr(ExpressionParser, "_literals", lambda self: None)
    long = parse_query(text).tree
    assert short == long
    places = [
        [(node.key, node.meta.get("start"), node.meta.get("end")) for node in tree.walk()] for tree in (short, long)
    ]
    assert places[0] == places[1]


@pytest.mark.parametrize("listed", ["", "1,", "1 2", ", 1", "1, 2"])
def test_lists_that_are_not_closed_are_errors(listed):
    with pytest.raises(SqlSyntaxError):
        parse_query(f"SELECT a IN ({listed}")
