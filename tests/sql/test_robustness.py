"""Whatever is typed ends in a statement or in an error of ours with a place: never a Python traceback."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tableflow.config import Settings
from tableflow.errors import InternalError, SqlSyntaxError, TableFlowError, render
from tableflow.sql.binder import bind
from tableflow.sql.lexer import lex
from tableflow.sql.splitter import split
from tableflow.sql.tokens import RESERVED, UNRESERVED
from tests.sql.binding import CATALOG, fails, query
from tests.sql.soundness import check

pytestmark = pytest.mark.slow

QUERIES = [path.read_text() for path in sorted((Path(__file__).parents[2] / "tpch" / "queries").glob("q*.sql"))]
STATEMENTS = [
    "SELECT a, sum(b) FILTER (WHERE f) AS s FROM t WHERE c LIKE 'x%' ESCAPE '!' GROUP BY a HAVING s > 1 ORDER BY ALL",
    "WITH RECURSIVE x(p) AS (SELECT a FROM t) SELECT * EXCLUDE (p) REPLACE (1 AS q) FROM x, LATERAL (VALUES (x.p)) v(q)",
    "SELECT /*+ BROADCAST(u), ROWS(t, 1e6) */ t.a FROM t FULL JOIN u USING (a) UNION ALL (SELECT 1 LIMIT 1) OFFSET 2",
    "SELECT CASE a WHEN 1 THEN ARRAY[1][1] ELSE CAST(d AS DECIMAL(10, 2))::INT END, INTERVAL '1' DAY, x'00' FROM t",
    "SELECT (a, b) NOT IN (SELECT a, x FROM u) OR a <= ALL (SELECT 1) AND NOT EXISTS (SELECT 1) FROM t NATURAL JOIN v",
    "CREATE TABLE x (a INT NOT NULL, b MAP<STRING, ROW<c INT>>, PRIMARY KEY (a) NOT ENFORCED) WITH (connector = 'x')",
    "CREATE OR REPLACE TEMPORARY VIEW w(a, b) AS SELECT a, b FROM t",
    "EXPLAIN ANALYZE SELECT EXTRACT(YEAR FROM ts), trim(BOTH 'x' FROM c), substring(c FROM 1 FOR 2) FROM t",
    "SET 'execution.fusion' = 'off'",
    "SHOW CREATE TABLE main.t",
    "DROP VIEW IF EXISTS w",
    'SELECT ? + :name, $$text$$ || \'it\'\'s\', "q""q", `b` FROM (SELECT 1 AS "q""q", 2 AS b)',
]
LEXEMES = sorted({lexeme.text for text in QUERIES + STATEMENTS for lexeme in lex(text) if lexeme.text.strip()})
WORDS = sorted({*RESERVED, *UNRESERVED, "GROUP BY", "ORDER BY", "EMIT", "JSON", "OPTIONS", "FETCH"})
SYMBOLS = [*"()[]{},;.:+-*/%<>=?&|^~@'\"`$\\#", "/*", "*/", "/*+", "--", "$$", "::", "||", "=>", "->", "1e999", "x'0"]


def survives(text: str) -> None:
    for statement in split(text):
        for parameters in ((), (1,), {"name": "x"}):
            try:
                bound = bind(statement.text, statement.start, CATALOG, Settings(), parameters)
                if getattr(bound, "query", None) is not None:
                    check(bound.query)
            except InternalError:
                raise
            except TableFlowError as error:
                assert error.message
                assert render(error, text)
                if error.span is not None:
                    assert 0 <= error.span.start <= error.span.end <= len(text)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A text of TPC-H or of this file with a few lexemes dropped, doubled, swapped or put in."""
    pieces = [lexeme.text for lexeme in lex(draw(st.sampled_from(QUERIES + STATEMENTS * 4)))]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(pieces) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del pieces[at : at + draw(st.integers(1, 6))]
            case 1:
                pieces[at:at] = pieces[at : at + draw(st.integers(1, 6))]
            case 2:
                other = draw(st.integers(0, len(pieces) - 1))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case 3:
                pieces[at] = draw(st.sampled_from(LEXEMES))
            case _:
                pieces.insert(at, f" {draw(st.sampled_from(LEXEMES + WORDS + SYMBOLS))} ")
        pieces = pieces or ["SELECT"]
    return "".join(pieces)


relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


@settings(relaxed, max_examples=250)
@given(mutated())
def test_mutated_statements(text):
    survives(text)


@settings(relaxed, max_examples=150)
@given(st.lists(st.sampled_from(WORDS + SYMBOLS + LEXEMES), max_size=25).map(" ".join))
@example("SELECT ? , :")
@example("SELECT EXTRACT(")
@example("SELECT CAST(a AS")
def test_lexemes_in_any_order(text):
    survives(text)
    survives("SELECT " + text)


@settings(relaxed, max_examples=150)
@given(st.text(alphabet=st.one_of(st.sampled_from(string.printable), st.characters()), max_size=80))
def test_any_text(text):
    survives(text)
    survives("SELECT " + text + " FROM t")


@pytest.mark.thorough
@settings(relaxed, max_examples=20_000)
@given(mutated())
def test_more_mutated_statements(text):
    survives(text)


DEEP = {
    "parentheses": "SELECT " + "(" * 3000 + "1" + ")" * 3000,
    "calls": "SELECT " + "abs(" * 3000 + "1" + ")" * 3000,
    "not": "SELECT " + "NOT " * 3000 + "true",
    "minus": "SELECT " + "- " * 3000 + "1",
    "case": "SELECT " + "CASE WHEN true THEN " * 3000 + "1" + " END" * 3000,
    "subqueries in FROM": "SELECT * FROM " + "(SELECT * FROM " * 1500 + "t" + ") q" * 1500,
    "scalar subqueries": "SELECT " + "(SELECT " * 1500 + "1" + ")" * 1500,
    "times": "SELECT TIMESTAMP '2000-01-01 00:00:00'" + " + INTERVAL '1' DAY" * 3000,
    "casts": "SELECT 1" + "::INT::BIGINT" * 1500,
    "indexes": "SELECT a" + "[1]" * 3000 + " FROM t",
    "fields": "SELECT a" + ".b" * 3000 + " FROM t",
    "comparisons": "SELECT a" + " = a" * 3000 + " FROM t",
    "with": "WITH a AS (" * 2000 + "SELECT 1" + ") SELECT * FROM a" * 2000,
    "aliases": "SELECT 1 AS a0" + "".join(f", a{i - 1} + a{i - 1} AS a{i}" for i in range(1, 80)),
    "a chain of aliases": "SELECT 1 AS a0" + "".join(f", a{i - 1} + 1 AS a{i}" for i in range(1, 1800)),
    "joined parentheses": "SELECT * FROM " + "(" * 2000 + "t" + ")" * 2000,
}


@pytest.mark.parametrize("name", DEEP)
def test_too_deep_is_an_error(name):
    error = fails(DEEP[name], SqlSyntaxError, "nested|too large")
    assert error.hint
    assert error.span is not None


LONG = {
    "or": "SELECT 1 FROM t WHERE " + " OR ".join(f"a = {i}" for i in range(3000)),
    "and": "SELECT 1 FROM t WHERE " + " AND ".join(f"(a <> {i} OR b = 1)" for i in range(1000)),
    "in": f"SELECT 1 FROM t WHERE a IN ({', '.join(map(str, range(5000)))})",
    "union": "SELECT 1" + " UNION ALL SELECT 1" * 1000,
    "except": "SELECT 1" + " EXCEPT SELECT 2" * 100,
    "values": f"SELECT * FROM (VALUES {', '.join(f'({i})' for i in range(3000))}) v(x)",
    "columns": f"SELECT {', '.join(f'a AS c{i}' for i in range(1000))} FROM t",
    "joins": "SELECT count(*) FROM " + " CROSS JOIN ".join(f"t t{i}" for i in range(60)),
    "commas": "SELECT count(*) FROM " + ", ".join(f"t t{i}" for i in range(60)),
    "when": f"SELECT CASE {' '.join(f'WHEN a = {i} THEN {i}' for i in range(1000))} END FROM t",
    "sum": "SELECT " + " + ".join("1" for _ in range(5000)),
    "terms": "SELECT a" + " + b * 2 - 1" * 3000 + " FROM t",
    "texts": "SELECT 'x'" + " || a" * 5000 + " FROM t",
    "nested 900": "SELECT " + "(" * 900 + "1" + ")" * 900,
    "nested sums 900": "SELECT " + "(1 + " * 900 + "1" + ")" * 900,
    "calls 900": "SELECT " + "abs(" * 900 + "1" + ")" * 900,
    "subqueries 300": "SELECT * FROM " + "(SELECT * FROM " * 300 + "t" + ") q" * 300,
}


@pytest.mark.parametrize("name", LONG)
def test_long_is_fine(name):
    query(LONG[name])
