"""Names: scopes, stars, aliases, CTEs, views, files."""

import pytest

from tableflow import types
from tableflow.catalog.provider import ColumnDefinition
from tableflow.errors import BindError, CatalogError, ConnectorError, UnsupportedError
from tableflow.planner.logical.nodes import Scan
from tests.sql.binding import CATALOG, bound, columns, fails, names, nodes, query
from tests.sql.tables import DeclaredCatalog, DeclaredTable, catalog


def test_names_ignore_case_and_keep_the_case_written():
    assert names('SELECT A, t.B, "c" AS Total FROM T') == ["A", "B", "Total"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM u", ["a", "x", "y"]),
        ("SELECT u.* FROM t, u", ["a", "x", "y"]),
        ("SELECT * EXCLUDE (x) FROM u", ["a", "y"]),
        ("SELECT * EXCEPT (X, y) FROM u", ["a"]),
        ("SELECT u.* EXCLUDE (a) FROM t, u", ["x", "y"]),
        ("SELECT * REPLACE (x + 1 AS x) FROM u", ["a", "x", "y"]),
        ("SELECT 1, a + 1, count(*) AS n FROM u GROUP BY a", ["1", "a + 1", "n"]),
        ("SELECT sum(x)   +\n 1 FROM u", ["sum(x) + 1"]),
        ("SELECT (a) FROM u", ["a"]),
        ("SELECT a IS NULL, a BETWEEN 1 AND 2 FROM u", ["a IS NULL", "a BETWEEN 1 AND 2"]),
    ],
)
def test_output_names(text, expected):
    assert names(text) == expected


def test_replace_takes_the_expression():
    assert columns("SELECT * REPLACE (y || '!' AS x) FROM u") == ["a INT", "x STRING", "y STRING"]


@pytest.mark.parametrize(
    ("text", "kind", "message", "at", "hint"),
    [
        ("SELECT nope FROM t", BindError, "column 'nope' does not exist", "nope", None),
        ("SELECT t.nope FROM t", BindError, "column 't.nope' does not exist", "t.nope", None),
        ("SELECT xs FROM u", BindError, "does not exist", "xs", "did you mean 'x'"),
        ("SELECT uu.a FROM u", BindError, "no table in FROM is named 'uu'", "uu.a", "'u'"),
        ("SELECT a FROM t, u", BindError, "'a' is ambiguous", "a", "t.a"),
        ("SELECT a FROM (SELECT a, b AS a FROM t)", BindError, "ambiguous", "a", "differently"),
        ("SELECT a", BindError, "does not exist", "a", "without FROM"),
        ("SELECT * FROM tt", CatalogError, "table 'tt' does not exist", "tt", "'t'"),
        ("SELECT * FROM a.b.nothing", CatalogError, "table 'a.b.nothing' does not exist", "a.b.nothing", None),
        ("SELECT *", BindError, "\\* needs a FROM", "*", None),
        ("SELECT x.* FROM t", BindError, "no table in FROM is named 'x'", "x.*", None),
        ("SELECT * EXCLUDE (nope) FROM t", BindError, "no column 'nope'", "nope", None),
        ("SELECT * REPLACE (1 AS nope) FROM t", BindError, "no column 'nope'", None, None),
        ("SELECT * EXCLUDE (a, x, y) FROM u", BindError, "leaves no column", None, None),
        ("SELECT * FROM t, t", BindError, "'t' is used twice", "t", "AS t_2"),
        ("SELECT * FROM t, u JOIN v ON t.a = v.a", BindError, "cannot be seen in this ON", "t.a", "CROSS JOIN"),
        ("SELECT a.b FROM t", BindError, "no table in FROM is named 'a'", "a.b", None),
        ("SELECT t.a.b FROM t", BindError, "INT has no field 'b'", "t.a.b", None),
        ("WITH x AS (SELECT 1), x AS (SELECT 2) SELECT * FROM x", BindError, "defines 'x' twice", None, None),
        ("SELECT * FROM (SELECT 1, 2) q(a, b, c)", BindError, "3 column names are given to 2", None, None),
        ("SELECT * FROM (SELECT 1, 2) q(a, A)", BindError, "'A' is given twice", None, None),
        ("SELECT foo(1)", BindError, "unknown function 'foo'", "foo(1)", None),
        ("SELECT coalesc(a, 1) FROM t", BindError, "unknown function", "coalesc(a, 1)", "coalesce"),
        ("SELECT * FROM 'x.csv'", ConnectorError, "does not exist", "'x.csv'", None),
    ],
)
def test_unknown(text, kind, message, at, hint):
    error = fails(text, kind, message, at)
    if hint is not None:
        assert hint in (error.hint or "")


def test_alias_of_an_earlier_item():
    assert columns("SELECT 1 AS x, x + 1 AS y, y * 2.5 AS z") == ["x INT", "y INT", "z DECIMAL(12,1)"]
    fails("SELECT y AS x, 1 AS y", BindError, "'y' does not exist", "y")


def test_input_column_is_preferred_to_an_alias():
    # b is the column, not the alias of a
    plan = query("SELECT a AS b, b AS c FROM t WHERE b = 1")
    assert plan.columns[0].id != plan.columns[1].id
    fails("SELECT c AS a FROM t WHERE a = 'x'", BindError, "cannot read 'x' as INT", "'x'")


def test_alias_in_where_group_and_having():
    assert columns("SELECT a + 1 AS k, count(*) AS n FROM t WHERE k > 1 GROUP BY k HAVING n > 1 AND k < 5") == [
        "k INT",
        "n BIGINT",
    ]


def test_the_same_column_under_two_names():
    plan = query("SELECT a AS x, a AS y FROM t")
    assert [column.name for column in plan.columns] == ["x", "y"]
    assert plan.columns[0].id == plan.columns[1].id


def test_cte_is_bound_afresh_at_each_reference():
    scans = [n for n in nodes(query("WITH x AS (SELECT a FROM t) SELECT * FROM x p, x q").root) if isinstance(n, Scan)]
    assert len(scans) == 2
    assert {field.id for field in scans[0].fields}.isdisjoint(field.id for field in scans[1].fields)


def test_ctes_see_earlier_ones_and_hide_tables():
    assert columns("WITH t AS (SELECT a AS q FROM t), u AS (SELECT q + 1 AS r FROM t) SELECT * FROM t, u") == [
        "q INT",
        "r INT",
    ]
    assert columns("WITH x(p, q) AS (SELECT 1, 'a') SELECT q FROM x") == ["q STRING"]
    assert columns("SELECT (WITH x AS (SELECT max(x) AS m FROM u WHERE u.a = t.a) SELECT m FROM x) AS m FROM t") == [
        "m BIGINT"
    ]
    assert columns("WITH RECURSIVE x AS (SELECT 1 AS n), y AS (SELECT n FROM x) SELECT * FROM y") == ["n INT"]


VIEWS = catalog(
    {
        "small": "SELECT a, b FROM t WHERE a > 1",
        "outer_view": "WITH s AS (SELECT * FROM small) SELECT s.a, x FROM s JOIN u USING (a)",
        "loop": "SELECT * FROM pool",
        "pool": "SELECT * FROM loop",
        "broken": "SELECT nope FROM t",
        "garbled": "SELECT a FROM t GROUP",
    }
)


def test_views():
    assert columns("SELECT * FROM outer_view", given=VIEWS) == ["a INT", "x BIGINT"]
    assert columns("SELECT v.a FROM small v, small w WHERE v.a = w.b", given=VIEWS) == ["a INT"]


def test_a_view_does_not_see_the_names_around_it():
    text = "WITH t AS (SELECT 'x' AS other) SELECT * FROM small"
    assert columns(text, given=VIEWS) == ["a INT", "b INT"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("loop", "refers to itself"), ("broken", "'nope' does not exist"), ("garbled", "syntax error")],
)
def test_errors_inside_a_view_point_at_its_reference(name, message):
    error = fails(f"SELECT * FROM {name}", Exception, message, name, given=VIEWS)
    assert "view" in error.detail


def test_view_chains_have_a_limit():
    chain = catalog({f"v{i}": f"SELECT * FROM v{i + 1}" for i in range(60)} | {"v60": "SELECT 1 AS x"})
    fails("SELECT * FROM v0", UnsupportedError, "nested more than", given=chain)
    assert columns("SELECT * FROM v40", given=chain) == ["x INT"]


def test_doubling_ctes_have_a_limit():
    text = "WITH c0 AS (SELECT 1 AS x)" + "".join(
        f", c{i} AS (SELECT p.x FROM c{i - 1} p, c{i - 1} q)" for i in range(1, 30)
    )
    fails(text + " SELECT * FROM c29", UnsupportedError, "more than 5000 relations")


def test_files_are_tables():
    (scan,) = [n for n in nodes(query("SELECT orders.a FROM 'data/orders.parquet'").root) if isinstance(n, Scan)]
    assert (scan.table, scan.alias) == ("data/orders.parquet", "orders")


def test_columns_that_differ_in_case_only():
    table = DeclaredTable([ColumnDefinition(name, types.INT) for name in ("A", "a", "A_1")])
    statement = bound("SELECT * FROM 'x.parquet'", (), DeclaredCatalog({"t": table}))
    assert [column.name for column in statement.query.columns] == ["A", "a_1", "A_1_1"]
    assert "called 'a_1'" in statement.warnings[0].message
    scan = nodes(statement.query.root)[0]
    assert scan.columns == ("A", "a", "A_1")


def test_qualified_names():
    assert columns("SELECT main.t.a FROM main.t") == ["a INT"]
    assert columns("SELECT t.a FROM main.t") == ["a INT"]
    fails("SELECT t.a FROM t AS q", BindError, "no table in FROM is named 't'", "t.a")


def test_catalog_is_not_changed_by_binding():
    before = dict(CATALOG.tables)
    query("WITH zz AS (SELECT 1 AS x) SELECT * FROM zz")
    assert before == CATALOG.tables
