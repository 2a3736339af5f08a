"""Statements that write, define and copy, mangled: each ends in a statement whose plan is sound, or in an error of ours."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tableflow.config import Settings
from tableflow.errors import InternalError, TableFlowError, render
from tableflow.sql.binder import bind
from tableflow.sql.lexer import lex
from tableflow.sql.splitter import split
from tests.sql.managed import CATALOG, TABLES
from tests.sql.soundness import check

pytestmark = pytest.mark.slow

STATEMENTS = [
    *TABLES,
    "CREATE TABLE z (LIKE g EXCLUDING ALL INCLUDING DEFAULTS, e AS 1 + 2 COMMENT 'x', UNIQUE (e)) WITH (retention = '1 d')",
    "CREATE OR REPLACE TEMP TABLE IF NOT EXISTS z (x, y) AS WITH q AS (SELECT id FROM k) SELECT id, 1 FROM q WITH NO DATA",
    "INSERT INTO t VALUES (1, 'x', 2.5), (-2, NULL, 1e0), (DEFAULT, TRUE, ?) RETURNING *, a + 1 AS b, t.a",
    "WITH q(a) AS (SELECT 1) INSERT INTO t (a, c) SELECT a, sum(a) FROM q GROUP BY a ON CONFLICT DO NOTHING",
    (
        "INSERT INTO k (id, name) VALUES (1, (SELECT max(b) FROM t)) ON CONFLICT (id) DO UPDATE SET n = k.n + excluded.n, "
        "(name, n) = (SELECT b, a FROM t WHERE t.a = k.id) WHERE k.n < 3 RETURNING n"
    ),
    "INSERT INTO g BY NAME (SELECT 1 AS a, DATE '2024-01-01' AS d UNION ALL VALUES (2, NULL) ORDER BY 1 LIMIT 1)",
    (
        "UPDATE t AS x SET (a, b) = (x.c, DEFAULT), c = CASE WHEN a > 1 THEN 2 END FROM outside o JOIN k ON k.id = o.a "
        "WHERE x.a = o.a AND EXISTS (SELECT 1 FROM g WHERE g.a = x.a) RETURNING x.*, y"
    ),
    "DELETE FROM g USING k, (VALUES (1)) v(p) WHERE g.a = k.id AND v.p NOT IN (SELECT a FROM t) RETURNING g.s",
    (
        "MERGE INTO k AS m USING (SELECT a, b FROM t) s ON m.id = s.a WHEN MATCHED AND s.b = 'x' THEN UPDATE SET name = s.b "
        "WHEN NOT MATCHED BY TARGET THEN INSERT (id, name) VALUES (s.a, DEFAULT) WHEN NOT MATCHED BY SOURCE THEN DELETE "
        "RETURNING merge_action(), m.id"
    ),
    (
        "ALTER TABLE g ADD COLUMN IF NOT EXISTS x INT DEFAULT 3 NOT NULL CHECK (x > a), DROP COLUMN a CASCADE, "
        "ALTER d SET DATA TYPE DATE, RENAME b TO c, DROP CONSTRAINT small, SET (compression = 'lz4')"
    ),
    "COPY k (id, name) TO 'x.csv' (HEADER, DELIMITER ';', NULL 'nil')",
    "COPY t FROM 'x.csv' WITH (FORMAT csv, HEADER false)",
    "EXPLAIN LOGICAL WITH q AS (SELECT 1 AS a) DELETE FROM t WHERE a IN (SELECT a FROM q)",
    "SELECT _row_id, x.* FROM t FOR VERSION AS OF 1 + 1 AS x, table_changes('t', 1, 3) c, information_schema.columns",
    "SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 00:00:00'",
    "SHOW VERSIONS t",
    "VACUUM t",
    "TRUNCATE TABLE t",
    "DROP TABLE IF EXISTS t, k CASCADE",
    "CREATE SCHEMA IF NOT EXISTS s",
]
LEXEMES = sorted({lexeme.text for text in STATEMENTS for lexeme in lex(text) if lexeme.text.strip()})


def survives(text: str) -> None:
    for statement in split(text):
        for parameters in ((), (1,)):
            try:
                bound = bind(statement.text, statement.start, CATALOG, Settings(), parameters)
            except InternalError:
                raise
            except TableFlowError as error:
                assert error.message
                assert render(error, text)
                if error.span is not None:
                    assert 0 <= error.span.start <= error.span.end <= len(text)
                continue
            queries = [getattr(bound, "query", None), *(each.query for each in getattr(bound, "validations", ()))]
            for query in queries:
                if query is not None:
                    check(query)


@st.composite
def mangled(draw: st.DrawFn) -> str:
    """A statement with a few lexemes dropped, doubled, exchanged or put in."""
    pieces = [lexeme.text for lexeme in lex(draw(st.sampled_from(STATEMENTS)))]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(pieces) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                del pieces[at : at + draw(st.integers(1, 5))]
            case 1:
                pieces[at:at] = pieces[at : at + draw(st.integers(1, 5))]
            case 2:
                pieces[at] = draw(st.sampled_from(LEXEMES))
            case _:
                pieces.insert(at, f" {draw(st.sampled_from(LEXEMES))} ")
        pieces = pieces or ["INSERT"]
    return "".join(pieces)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=400)
@given(mangled())
def test_mangled_statements(text):
    survives(text)


def test_the_statements_themselves():
    for text in STATEMENTS:
        survives(text)
