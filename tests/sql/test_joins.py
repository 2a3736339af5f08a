"""Joins, LATERAL, set operations, VALUES."""

import pytest

from tableflow.errors import BindError, SqlSyntaxError
from tableflow.planner.logical.nodes import Join, JoinKind, SetKind, SetOperation, Values
from tableflow.planner.logical.structure import output
from tests.sql.binding import columns, fails, joins, names, nodes, query


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("SELECT 1 FROM t, u", [JoinKind.INNER]),
        ("SELECT 1 FROM t CROSS JOIN u", [JoinKind.INNER]),
        ("SELECT 1 FROM t JOIN u ON t.a = u.a", [JoinKind.INNER]),
        ("SELECT 1 FROM t INNER JOIN u USING (a)", [JoinKind.INNER]),
        ("SELECT 1 FROM t LEFT OUTER JOIN u ON t.a = u.a", [JoinKind.LEFT]),
        ("SELECT 1 FROM t RIGHT JOIN u ON t.a = u.a", [JoinKind.RIGHT]),
        ("SELECT 1 FROM t FULL JOIN u ON t.a = u.a", [JoinKind.FULL]),
        ("SELECT 1 FROM t SEMI JOIN u ON t.a = u.a", [JoinKind.SEMI]),
        ("SELECT 1 FROM t LEFT ANTI JOIN u ON t.a = u.a", [JoinKind.ANTI]),
        ("SELECT 1 FROM t NATURAL LEFT JOIN u", [JoinKind.LEFT]),
        ("SELECT 1 FROM t, u JOIN v ON u.a = v.a", [JoinKind.INNER, JoinKind.INNER]),
    ],
)
def test_kinds(text, kinds):
    assert [join.kind for join in joins(text)] == kinds


def test_commas_bind_less_than_join():
    root = joins("SELECT 1 FROM t, u RIGHT JOIN v ON u.a = v.a")[0]
    assert root.kind is JoinKind.INNER
    assert isinstance(root.right, Join)
    assert root.right.kind is JoinKind.RIGHT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT * FROM u JOIN v USING (a)", ["a", "x", "y", "b", "z"]),
        ("SELECT * FROM u NATURAL JOIN v", ["a", "x", "y", "b", "z"]),
        ("SELECT * FROM u NATURAL JOIN (SELECT 1 AS q)", ["a", "x", "y", "q"]),
        ("SELECT v.*, u.a FROM u JOIN v USING (a)", ["a", "b", "z", "a"]),
        ("SELECT * FROM u SEMI JOIN v USING (a)", ["a", "x", "y"]),
        ("SELECT * FROM t t1 JOIN t t2 USING (a, b) JOIN u USING (a)", None),
        ("SELECT * FROM (u JOIN v USING (a)) AS q", ["a", "x", "y", "b", "z"]),
        ("SELECT q.z FROM (u JOIN v ON u.a = v.a) AS q", ["z"]),
    ],
)
def test_merged_columns(text, expected):
    assert expected is None or names(text) == expected


def test_merged_column_is_the_side_that_is_always_there():
    for kind, side in (("LEFT", "left"), ("RIGHT", "right")):
        text = f"SELECT a FROM u {kind} JOIN v USING (a)"
        (join,) = joins(text)
        assert query(text).columns[0].id in {field.id for field in output(getattr(join, side))}
    plan = query("SELECT a FROM u FULL JOIN v USING (a)")
    (join,) = [node for node in nodes(plan.root) if isinstance(node, Join)]
    assert plan.columns[0].id not in {field.id for field in output(join)}


def test_outer_joins_make_columns_nullable():
    assert [
        c.nullable for c in query("SELECT q.x, r.x FROM (SELECT 1 AS x) q LEFT JOIN (SELECT 2 AS x) r ON true").columns
    ] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("SELECT 1 FROM t JOIN u USING (nope)", BindError, "'nope' of USING does not exist on the left"),
        ("SELECT 1 FROM t JOIN u USING (b)", BindError, "'b' of USING does not exist on the right"),
        ("SELECT 1 FROM t, u JOIN v USING (x)", BindError, "on the right"),
        ("SELECT 1 FROM (t CROSS JOIN v) JOIN u USING (a)", BindError, "ambiguous on the left"),
        ("SELECT 1 FROM t NATURAL CROSS JOIN u", SqlSyntaxError, "no kind of join|syntax"),
        ("SELECT u.x FROM t SEMI JOIN u ON t.a = u.a", BindError, "no table in FROM is named 'u'"),
        ("SELECT 1 FROM t RIGHT JOIN LATERAL (SELECT t.a) q ON true", BindError, "LATERAL"),
        ("SELECT 1 FROM t, (SELECT t.a) q", BindError, "no table in FROM|without FROM|does not exist"),
        ("SELECT 1 FROM t JOIN u ON t.a", BindError, "ON needs a BOOLEAN"),
    ],
)
def test_misuse(text, kind, message):
    fails(text, kind, message)


def test_lateral_is_a_dependent_join():
    (join,) = joins("SELECT * FROM t, LATERAL (SELECT u.x FROM u WHERE u.a = t.a) q")
    assert join.dependent
    assert join.kind is JoinKind.INNER
    (join,) = joins("SELECT * FROM t LEFT JOIN LATERAL (SELECT t.b AS q) l ON true")
    assert join.dependent
    assert join.kind is JoinKind.LEFT
    (join,) = joins("SELECT * FROM t, LATERAL (SELECT 1 AS q) l")
    assert not join.dependent


def test_lateral_inside_a_chain_reaches_over_the_comma():
    outer, inner = joins("SELECT * FROM t, u JOIN LATERAL (SELECT t.b + u.a AS q) l ON true")
    assert outer.dependent
    assert inner.dependent
    outer, inner = joins("SELECT * FROM t, u JOIN LATERAL (SELECT t.b AS q) l ON true")
    assert outer.dependent
    assert not inner.dependent


def test_subquery_in_on_goes_to_the_side_it_refers_to():
    join = joins("SELECT 1 FROM t LEFT JOIN u ON t.a = u.a AND u.x IN (SELECT b FROM v)")[0]
    assert join.kind is JoinKind.LEFT
    assert isinstance(join.right, Join)
    assert join.right.kind is JoinKind.MARK
    join = joins("SELECT 1 FROM t LEFT JOIN u ON t.a = u.a AND EXISTS (SELECT 1 FROM v WHERE v.a = t.a)")[0]
    assert isinstance(join.left, Join)
    assert join.left.dependent


@pytest.mark.parametrize(
    ("text", "kind", "inputs"),
    [
        ("SELECT 1 UNION SELECT 2 UNION SELECT 3", SetKind.UNION, 3),
        ("SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3", SetKind.UNION_ALL, 3),
        ("SELECT 1 UNION ALL (SELECT 2 UNION ALL SELECT 3)", SetKind.UNION_ALL, 2),
        ("SELECT 1 INTERSECT SELECT 2", SetKind.INTERSECT, 2),
        ("SELECT 1 INTERSECT ALL SELECT 2", SetKind.INTERSECT_ALL, 2),
        ("SELECT 1 EXCEPT SELECT 2 EXCEPT SELECT 3", SetKind.EXCEPT, 2),
        ("SELECT 1 EXCEPT ALL SELECT 2", SetKind.EXCEPT_ALL, 2),
        ("SELECT 1 UNION DISTINCT SELECT 2", SetKind.UNION, 2),
    ],
)
def test_set_operations(text, kind, inputs):
    root = query(text).root
    assert isinstance(root, SetOperation)
    assert (root.kind, len(root.inputs)) == (kind, inputs)


def test_intersect_binds_more_tightly():
    root = query("SELECT 1 UNION SELECT 2 INTERSECT SELECT 3").root
    assert root.kind is SetKind.UNION
    assert root.inputs[1].kind is SetKind.INTERSECT


def test_set_operation_types():
    assert columns("SELECT a FROM t UNION ALL SELECT x FROM u UNION ALL SELECT d FROM t") == ["a DECIMAL(21,2)"]
    assert columns("SELECT NULL AS q UNION ALL SELECT a FROM t") == ["q INT"]
    assert columns("SELECT a, a AS b FROM t UNION ALL SELECT a, x FROM u") == ["a INT", "b BIGINT"]
    fails("SELECT a FROM t UNION SELECT z FROM v", BindError, "column 1 of UNION")
    error = fails("SELECT a, b FROM t EXCEPT SELECT a FROM u", BindError, "EXCEPT of 2 and 1 columns")
    assert error.span is not None


def test_values():
    assert columns("SELECT * FROM (VALUES (1, 'a'), (2.5, NULL)) v(p, q)") == ["p DECIMAL(2,1)", "q STRING"]
    assert columns("VALUES (1), (NULL)") == ["col0 INT"]
    assert isinstance(query("VALUES (1), (2)").root, Values)
    fails("VALUES (1, 2), (3)", BindError, "a row of VALUES has 1 values", "(3)")
    fails("VALUES (1), (DATE '2020-01-01')", BindError, "column 1 of VALUES")
    assert columns("SELECT (SELECT max(col0) FROM (VALUES (t.a), (t.b)) q) AS m FROM t") == ["m INT"]
