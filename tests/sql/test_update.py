"""UPDATE and DELETE: which rows, and what becomes of them."""

import pytest

from tableflow.errors import BindError, CatalogError, SqlSyntaxError, UnsupportedError
from tableflow.expressions.text import to_sql
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Project, Scan
from tableflow.sql.statements import Action
from tableflow.storage.description import ChangeKind
from tests.sql.binding import fails, nodes
from tests.sql.managed import CATALOG, written


def values(text: str) -> list[str]:
    """The written values as SQL, names of columns that stay as they are."""
    statement = written(text)
    computed = {}
    for node in nodes(statement.query.root):
        if isinstance(node, Project):
            computed |= {field.id: to_sql(value) for field, value in zip(node.fields, node.expressions, strict=True)}
    found = [statement.query.columns[i] for i in statement.values]
    return [computed.get(column.id, column.name) for column in found]


def test_update_gives_every_column():
    statement = written("UPDATE t SET a = a + 1 WHERE c > 2")
    assert values("UPDATE t SET a = a + 1 WHERE c > 2") == ["a + 1", "b", "c"]
    assert (statement.default_action, statement.kind, statement.action) == (Action.UPDATE, ChangeKind.UPDATE, None)
    assert statement.row_id is not None
    assert statement.query.columns[statement.row_id].name == "_row_id"
    assert [node for node in nodes(statement.query.root) if isinstance(node, Filter)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UPDATE t SET b = DEFAULT, c = 1", ["a", "'none'", "1.00"]),
        ("UPDATE t SET (b, a) = (a, c)", ["CAST(c AS INT)", "CAST(a AS STRING)", "c"]),
        ("UPDATE t SET (b, a) = ROW('x', DEFAULT)", ["NULL", "'x'", "c"]),
        ("UPDATE t SET (a) = (5)", ["5", "b", "c"]),
        ("UPDATE t AS x SET A = x.a * 2", ["x.a * 2", "b", "c"]),
        ("UPDATE g SET b = 5", ["a", "5", "a + b", "d"]),
        ("UPDATE k SET name = 'abcdef'", ["id", "CAST(fit('abcdef', 5) AS VARCHAR(5))", "n"]),
        ("UPDATE k SET name = n", ["id", "CAST(fit(CAST(n AS STRING), 5) AS VARCHAR(5))", "n"]),
    ],
)
def test_assignments(text, expected):
    assert [value.replace("x.a", "a") for value in values(text)] == [each.replace("x.a", "a") for each in expected]


def test_update_from():
    statement = written(
        "UPDATE t x SET a = o.a FROM outside o JOIN k ON k.id = o.a WHERE x.a = o.a RETURNING x.a, y, *"
    )
    assert statement.returning is not None
    names = [statement.query.columns[i].name for i in statement.returning]
    assert names == ["a", "y", "a", "b", "c"]
    assert sum(isinstance(node, Scan) for node in nodes(statement.query.root)) == 3


def test_subqueries_in_set_and_where():
    statement = written(
        "UPDATE t SET a = (SELECT max(id) FROM k WHERE k.name = t.b), (b, c) = (SELECT name, n FROM k WHERE k.id = t.a) "
        "WHERE a IN (SELECT id FROM k) AND c > (SELECT min(n) FROM k)"
    )
    kinds = [node.kind for node in nodes(statement.query.root) if isinstance(node, Join)]
    assert sorted(kind.name for kind in kinds) == ["SEMI", "SINGLE", "SINGLE", "SINGLE"]


def test_delete():
    statement = written("DELETE FROM t WHERE a = 1 RETURNING *, _row_id")
    assert (statement.default_action, statement.kind, statement.values) == (Action.DELETE, ChangeKind.DELETE, ())
    assert statement.returning is not None
    assert [statement.query.columns[i].name for i in statement.returning] == ["a", "b", "c", "_row_id"]
    assert written("DELETE FROM g").checks == ()


def test_delete_using_gives_each_row_once():
    plain = written("DELETE FROM t USING k, outside o WHERE t.a = k.id AND k.id = o.a")
    assert isinstance(plain.query.root, Aggregate)
    assert [key.name for key in plain.query.root.keys] == ["_row_id"]
    returned = written("DELETE FROM t USING k WHERE t.a = k.id RETURNING t.*")
    assert next(node.kind for node in nodes(returned.query.root) if isinstance(node, Join)) is JoinKind.SEMI


def test_with_before_the_statement():
    assert written("WITH d AS (SELECT 1 AS a) DELETE FROM t WHERE a IN (SELECT a FROM d)")
    assert written("WITH d(a) AS (SELECT 1), e AS (SELECT * FROM d) UPDATE t SET c = e.a FROM e")


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("UPDATE t SET z = 1", BindError, "table 't' has no column 'z'", "z"),
        ("UPDATE t SET a = 1, A = 2", BindError, "column 'A' is set twice", "A"),
        ("UPDATE g SET s = 1", BindError, "column 's' is generated", "s"),
        ("UPDATE t SET a = TRUE", BindError, "column 'a' is INT, the value is BOOLEAN", "TRUE"),
        ("UPDATE t SET (a, b) = (1, 2, 3)", BindError, "2 columns are set to 3 values", "(a, b) = (1, 2, 3)"),
        ("UPDATE t SET (a, b) = 1", BindError, "2 columns are set to 1 value", None),
        ("UPDATE t SET (a, b) = (SELECT 1)", BindError, "2 columns are set to a query of 1", None),
        ("UPDATE t SET a = count(*)", BindError, "aggregate 'count' cannot stand in SET", "count(*)"),
        ("UPDATE t SET a = z", BindError, "column 'z' does not exist", "z"),
        ("UPDATE t SET a = 1 WHERE a", BindError, "WHERE needs a BOOLEAN", "a"),
        ("UPDATE t SET t.a = 1", BindError, "SET names a column of the table, not t.a", "t.a"),
        ("UPDATE t SET a[1] = 1", UnsupportedError, "assigning to an element", "["),
        ("UPDATE t SET", SqlSyntaxError, "a column name is expected", ""),
        ("UPDATE t SET a 1", SqlSyntaxError, "'=' is expected", "1"),
        ("UPDATE t", SqlSyntaxError, "SET is expected", ""),
        ("UPDATE v SET a = 1", CatalogError, "'v' is a view", "v"),
        ("UPDATE t SET a = 1 FROM t WHERE t.a = 1", BindError, "'t' is used twice", None),
        ("UPDATE t SET a = 1 FROM outside o JOIN k ON k.id = t.a", BindError, "no table in FROM is named 't'", "t.a"),
        ("DELETE t", SqlSyntaxError, "FROM is expected", "t"),
        ("DELETE FROM t WHERE z = 1", BindError, "column 'z' does not exist", "z"),
        ("DELETE FROM outside", CatalogError, "table 'outside' cannot be changed", "outside"),
        ("DELETE FROM t USING k WHERE t.a = k.id RETURNING k.n", BindError, "no table in FROM is named 'k'", "k.n"),
        ("DELETE FROM t LIMIT 1", SqlSyntaxError, "syntax error at 'LIMIT'", "LIMIT"),
        ("WITH x AS (SELECT 1) DELETE FROM", SqlSyntaxError, "a table name is expected", ""),
    ],
)  # fmt: skip
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at, CATALOG)
