"""GROUP BY, aggregates, HAVING, DISTINCT, ORDER BY, LIMIT."""

import pytest

from tableflow.errors import BindError, SqlSyntaxError
from tableflow.expressions.nodes import ColumnRef
from tableflow.planner.logical.nodes import Aggregate, Filter, Limit, Project, Sort
from tests.sql.binding import columns, fails, nodes, query


def aggregate(text: str) -> Aggregate:
    (found,) = [node for node in nodes(query(text).root) if isinstance(node, Aggregate)]
    return found


@pytest.mark.parametrize(
    ("text", "keys", "calls"),
    [
        ("SELECT a, sum(b) FROM t GROUP BY a", ["a"], ["sum"]),
        ("SELECT a AS k, sum(b), sum(b) + 1 FROM t GROUP BY k", ["a"], ["sum"]),
        ("SELECT a, b, max(e) FROM t GROUP BY 1, 2", ["a", "b"], ["max"]),
        ("SELECT a, a + b, count(*) FROM t GROUP BY ALL", ["a", "key"], ["count"]),
        ("SELECT sum(b) FROM t GROUP BY (a, c)", ["a", "c"], ["sum"]),
        ("SELECT count(*) FROM t GROUP BY ()", [], ["count"]),
        ("SELECT a FROM t GROUP BY a, a, A", ["a"], []),
        ("SELECT count(*) FROM t HAVING count(*) > 1", [], ["count"]),
        ("SELECT 1 FROM t HAVING max(a) > 1", [], ["max"]),
        ("SELECT a FROM t GROUP BY a ORDER BY sum(b), count(*)", ["a"], ["sum", "count"]),
        ("SELECT sum(a), sum(DISTINCT a), sum(a) FILTER (WHERE f) FROM t", [], ["sum", "sum", "sum"]),
        ("SELECT min(DISTINCT a), min(a) FROM t", [], ["min"]),
        ("SELECT DISTINCT a, b FROM t", ["a", "b"], []),
    ],
)
def test_aggregate(text, keys, calls):
    found = aggregate(text)
    assert [key.name for key in found.keys] == keys
    assert [call.function for call in found.calls] == calls


def test_group_expressions_are_recognised():
    assert columns("SELECT a + 1, (a + 1) * 2 AS x FROM t GROUP BY a + 1 HAVING a + 1 > 2 ORDER BY A + 1") == [
        "a + 1 INT",
        "x INT",
    ]
    fails("SELECT a + 2 FROM t GROUP BY a + 1", BindError, "column 'a' is neither", "a")


def test_keys_are_columns_below():
    found = aggregate("SELECT a + 1 FROM t GROUP BY a + 1")
    assert isinstance(found.input, Project)
    assert found.keys[0] in found.input.fields


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("SELECT a, b FROM t GROUP BY a", BindError, "column 'b' is neither grouped nor aggregated", "b"),
        ("SELECT a, sum(b) FROM t", BindError, "column 'a' is neither", "a"),
        ("SELECT * FROM t GROUP BY a", BindError, "is neither", "*"),
        ("SELECT sum(b) FROM t GROUP BY a ORDER BY c", BindError, "column 'c' is neither", "c"),
        ("SELECT sum(b) FROM t GROUP BY a HAVING c = 'x'", BindError, "column 'c' is neither", "c"),
        ("SELECT a FROM t WHERE sum(b) > 1", BindError, "'sum' cannot stand in WHERE", "sum(b)"),
        ("SELECT a FROM t GROUP BY sum(b)", BindError, "'sum' cannot stand in GROUP BY", "sum(b)"),
        ("SELECT sum(b) AS s FROM t GROUP BY s", BindError, "'s' is an aggregate", "s"),
        ("SELECT sum(b) FROM t GROUP BY 1", BindError, "GROUP BY cannot hold an aggregate", "1"),
        ("SELECT a FROM t GROUP BY 2", BindError, "GROUP BY 2: there are 1 columns", "2"),
        ("SELECT a FROM t GROUP BY 0", BindError, "GROUP BY 0", "0"),
        ("SELECT sum(sum(a)) FROM t", BindError, "nested", "sum(a)"),
        ("SELECT sum(a) AS s, max(s) FROM t", BindError, "nested", "s"),
        ("SELECT sum(*) FROM t", BindError, "does not take \\*", "sum(*)"),
        ("SELECT abs(*) FROM t", BindError, "does not take \\*", "abs(*)"),
        ("SELECT abs(a) FILTER (WHERE f) FROM t", BindError, "FILTER follows an aggregate", None),
        ("SELECT sum(a) FILTER (WHERE a) FROM t", BindError, "BOOLEAN|condition", None),
        ("SELECT a FROM t HAVING a > 1", BindError, "'a' is neither", "a"),
        ("SELECT t.a FROM t JOIN u ON sum(t.a) = 1", BindError, "cannot stand in ON", "sum(t.a)"),
        ("SELECT a FROM t GROUP BY ALL b", SqlSyntaxError, "takes no expressions", "b"),
        ("SELECT DISTINCT a FROM t ORDER BY b", BindError, "with SELECT DISTINCT", "b"),
        ("SELECT DISTINCT a FROM t ORDER BY a + 1", BindError, "with SELECT DISTINCT", None),
        ("SELECT a FROM t WHERE 1 = (SELECT sum(t.a) FROM u)", BindError, "outer query", "sum(t.a)"),
        ("SELECT sum((SELECT max(t.a) FROM u)) FROM t", BindError, "nested in one of the outer query", None),
        ("SELECT b, (SELECT sum(t.a) FROM u) FROM t", BindError, "'b' is neither grouped", "b"),
        ("SELECT (SELECT count(*) FILTER (WHERE t.f) FROM u), b FROM t", BindError, "'b' is neither grouped", "b"),
        ("SELECT x FROM t, LATERAL (SELECT sum(t.a) AS x) l", BindError, "cannot stand in its FROM", None),
    ],
)
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at)


def order(text: str) -> list[str]:
    (sort,) = [node for node in nodes(query(text).root) if isinstance(node, Sort)]
    return [
        f"{key.column.name} {'desc' if key.descending else 'asc'} {'first' if key.nulls_first else 'last'}"
        for key in sort.keys
    ]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("SELECT a, b FROM t ORDER BY a, b DESC", ["a asc last", "b desc last"]),
        ("SELECT a, b FROM t ORDER BY a NULLS FIRST, b DESC NULLS FIRST", ["a asc first", "b desc first"]),
        ("SELECT a, b FROM t ORDER BY 2 DESC, 1", ["b desc last", "a asc last"]),
        ("SELECT a, b FROM t ORDER BY ALL DESC", ["a desc last", "b desc last"]),
        ("SELECT a FROM t ORDER BY b, a, b DESC", ["b asc last", "a asc last"]),
        ("SELECT a AS b FROM t ORDER BY b", ["a asc last"]),
        ("SELECT a AS x FROM t ORDER BY t.b", ["b asc last"]),
        ("SELECT a FROM t UNION SELECT a FROM u ORDER BY a", ["a asc last"]),
    ],
)
def test_order(text, keys):
    assert order(text) == keys


def test_a_bare_name_is_an_output_column_first_and_inside_an_expression_an_input_column():
    bare = query("SELECT a AS b, c FROM t ORDER BY b").root
    assert isinstance(bare, Sort)
    assert bare.keys[0].column.name == "a"
    inside = query("SELECT a AS b, c FROM t ORDER BY b + 0").root
    assert isinstance(inside, Sort)
    computed = inside.input.expressions[[f.id for f in inside.input.fields].index(inside.keys[0].column.id)]
    assert [arg.name for arg in computed.args if isinstance(arg, ColumnRef)] == ["b"]


def test_constant_order_is_dropped():
    assert not [node for node in nodes(query("SELECT a FROM t ORDER BY 'x', NULL").root) if isinstance(node, Sort)]


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("SELECT a FROM t ORDER BY 2", "2", "ORDER BY 2: there are 1 columns"),
        ("SELECT a AS x, b AS x FROM t ORDER BY x", "x", "several select items"),
        ("SELECT a FROM t UNION SELECT a FROM u ORDER BY x", "x", "'x' does not exist"),
        ("SELECT a FROM t LIMIT -1", "-1", "at least 0"),
        ("SELECT a FROM t LIMIT 1.5", "1.5", "constant number|whole number"),
        ("SELECT a FROM t LIMIT 'x'", "'x'", "constant number|whole number"),
        ("SELECT a FROM t LIMIT a", "a", "does not exist"),
        ("SELECT a FROM t LIMIT (SELECT 'x')", None, "whole number"),
        ("SELECT a FROM t OFFSET -1", "-1", "at least 0"),
    ],
)
def test_order_and_limit_misuse(text, at, message):
    fails(text, BindError, message, at)


@pytest.mark.parametrize(
    ("text", "parameters", "limit", "offset"),
    [
        ("SELECT a FROM t LIMIT 3", (), 3, 0),
        ("SELECT a FROM t LIMIT 2 + 2 * 3 OFFSET 10 - 1", (), 8, 9),
        ("SELECT a FROM t LIMIT ? OFFSET ?", (5, 6), 5, 6),
        ("SELECT a FROM t OFFSET 2", (), None, 2),
        ("SELECT a FROM t LIMIT NULL OFFSET 1", (), None, 1),
        ("SELECT a FROM t FETCH FIRST ROW ONLY", (), 1, 0),
        ("SELECT a FROM t LIMIT 0", (), 0, 0),
    ],
)
def test_limit(text, parameters, limit, offset):
    root = query(text, parameters).root
    assert isinstance(root, Limit)
    assert (root.limit, root.offset) == (limit, offset)


def test_having_is_a_filter_above():
    root = query("SELECT a FROM t GROUP BY a HAVING count(*) > 1 AND a > 2").root
    assert isinstance(root, Filter)
    assert len(root.conjuncts) == 2
