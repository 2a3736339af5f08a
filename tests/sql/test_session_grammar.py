"""Session commands."""

import pytest

from tableflow.errors import BindError, SqlSyntaxError, UnsupportedError
from tableflow.sql.statements import (
    Describe,
    Explain,
    ExplainKind,
    ObjectKind,
    ResetStatement,
    SetStatement,
    Show,
    ShowKind,
    Use,
    Write,
)
from tests.sql.binding import bound, fails
from tests.sql.managed import CATALOG as MANAGED


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("SET", None, None),
        ("SET 'execution.fusion' = 'off'", "execution.fusion", "off"),
        ("set execution.runtime-mode = batch", "execution.runtime-mode", "batch"),
        ("SET parallelism.default=4", "parallelism.default", "4"),
        ("SET memory.limit = 10 gb", "memory.limit", "10 gb"),
        ("SET a = ''", "a", ""),
        ("SET a = 'it''s; -- so'", "a", "it's; -- so"),
        ("SET a TO b", "a", "b"),
        ("SET /* c */ a = -- d\n 1", "a", "1"),
        ("SET set = set", "set", "set"),
    ],
)
def test_set(text, key, value):
    statement = bound(text)
    assert isinstance(statement, SetStatement)
    assert (statement.key, statement.value) == (key, value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("RESET", ResetStatement()), ("RESET a.b-c", ResetStatement("a.b-c")), ("RESET 'x'", ResetStatement("x")),
        ("USE db", Use("db")), ('use schema "My Db"', Use("My Db")), ("USE schema", Use("schema")),
        ("SHOW TABLES", Show(ShowKind.TABLES)), ("show views", Show(ShowKind.VIEWS)),
        ("SHOW FUNCTIONS", Show(ShowKind.FUNCTIONS)), ("SHOW CONNECTORS", Show(ShowKind.CONNECTORS)),
        ("SHOW HINTS", Show(ShowKind.HINTS)), ("SHOW SETTINGS", Show(ShowKind.SETTINGS)),
        ("SHOW CREATE TABLE a.b", Show(ShowKind.CREATE, ("a", "b"), ObjectKind.TABLE)),
        ("SHOW CREATE VIEW `x y`", Show(ShowKind.CREATE, ("x y",), ObjectKind.VIEW)),
        ("DESCRIBE t", Describe(("t",))), ("DESC main.t", Describe(("main", "t"))),
        ("DESCRIBE TABLE t", Describe(("t",))), ("DESCRIBE table", Describe(("table",))),
    ],
)  # fmt: skip
def test_command(text, expected):
    statement = bound(text)
    assert type(statement) is type(expected)
    for name in expected.__dataclass_fields__:
        if name not in {"span", "names_at", "value_at"}:
            assert getattr(statement, name) == getattr(expected, name)


@pytest.mark.parametrize("kind", list(ExplainKind))
def test_explain(kind):
    word = "" if kind is ExplainKind.PLAIN else kind.name
    statement = bound(f"EXPLAIN {word} SELECT a FROM t")
    assert isinstance(statement, Explain)
    assert (statement.kind, statement.text) == (kind, "SELECT a FROM t")
    assert [column.name for column in statement.query.columns] == ["a"]


def test_embedded_queries():
    assert [c.name for c in bound("DESCRIBE SELECT a, 1 AS x FROM t").query.columns] == ["a", "x"]
    assert bound("EXPLAIN (SELECT 1)").text == "(SELECT 1)"
    assert bound("EXPLAIN /* JSON */ WITH x AS (SELECT 1 AS q) SELECT q FROM x").kind is ExplainKind.PLAIN
    text = "EXPLAIN COST\n SELECT nope FROM t"
    fails(text, BindError, "'nope' does not exist", "nope")
    fails("EXPLAIN SELECT 1 2", SqlSyntaxError, "syntax error at '2'", "2")
    fails("DESCRIBE SELECT nope FROM t", BindError, "does not exist", "nope")


@pytest.mark.parametrize(
    ("text", "message", "at", "hint"),
    [
        ("SHOW TABELS", "TABLES, VIEWS", "TABELS", "TABLES"),
        ("SHOW", "the end of the statement", "", None),
        ("SET a", "= or TO is expected", "", None),
        ("SET a =", "is expected", "", None),
        ("SET = 5", "a setting", "=", None),
        ("RESET 5", "is expected", "5", None),
        ("USE", "a name is expected", "", None),
        ("DESCRIBE", "is expected", "", None),
        ("DESCRIBE t u", "syntax error at 'u'", "u", None),
        ("EXPLAIN", "a query is expected", "", None),
        ("EXPLAIN COSTS SELECT 1", "a query is expected", "COSTS", "COST"),
        ("SHOW CREATE t", "TABLE or VIEW is expected", "t", None),
        ("SET a = 'b", "syntax error", None, None),
        ("STOP JOB", "named by its number", "JOB", "SHOW JOBS"),
        ("CANCEL JOB x", "named by its number", "JOB x", "CANCEL JOB 1"),
        ("EXPLAIN ANALYZE JOB x", "named by its number", "JOB x", "SHOW JOBS"),
        ("SHOW WATERMARK", "syntax error at 'WATERMARK'", "WATERMARK", "did you mean WATERMARKS"),
    ],
)
def test_misuse(text, message, at, hint):
    error = fails(text, SqlSyntaxError, message, at)
    if hint is not None:
        assert hint in error.hint


def test_later():
    assert fails("EXPLAIN COST JOB 5", UnsupportedError, "EXPLAIN COST JOB").span is not None


def test_explain_of_statements_that_write():
    for text in ("INSERT INTO t (a) SELECT 1", "WITH q AS (SELECT 1 AS a) DELETE FROM t WHERE a IN (SELECT a FROM q)"):
        statement = bound(f"EXPLAIN LOGICAL {text}", (), MANAGED)
        assert isinstance(statement, Explain)
        assert (statement.kind, statement.text) == (ExplainKind.LOGICAL, text)
        assert isinstance(statement.statement, Write)
        assert bound(f"EXPLAIN ANALYZE {text}", (), MANAGED).kind is ExplainKind.ANALYZE
    fails(
        "EXPLAIN CREATE TABLE u (a INT)", UnsupportedError, "EXPLAIN of a statement without", "CREATE TABLE u (a INT)"
    )
    fails("EXPLAIN UPDATE t SET q = 1", BindError, "no column 'q'", "q", MANAGED)
    fails(
        "DESCRIBE WITH q AS (SELECT 1) DELETE FROM t",
        UnsupportedError,
        "DESCRIBE of a statement that writes",
        None,
        MANAGED,
    )
