"""Subqueries of every kind and place become joins."""

import pytest

from tableflow.errors import BindError, SqlSyntaxError
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind
from tests.sql.binding import columns, fails, joins, nodes, query


def shapes(text: str) -> list[str]:
    """The joins of a plan: kind, whether dependent and null-aware, how many conjuncts."""
    return [
        f"{join.kind.value}{' dependent' if join.dependent else ''}{' null-aware' if join.null_aware else ''} "
        f"{len(join.conjuncts)}"
        for join in joins(text)
    ]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("EXISTS (SELECT 1 FROM u WHERE u.a = t.a)", ["semi dependent 0"]),
        ("EXISTS (SELECT 1 FROM u)", ["semi 0"]),
        ("NOT EXISTS (SELECT 1 FROM u WHERE u.a = t.a)", ["anti dependent 0"]),
        ("NOT NOT EXISTS (SELECT 1 FROM u)", ["semi 0"]),
        ("NOT (EXISTS (SELECT 1 FROM u))", ["anti 0"]),
        ("a IN (SELECT a FROM u)", ["semi 1"]),
        ("a IN (SELECT a FROM u WHERE x = t.b)", ["semi dependent 1"]),
        ("a NOT IN (SELECT a FROM u)", ["anti null-aware 1"]),
        ("NOT a IN (SELECT a FROM u)", ["anti null-aware 1"]),
        ("(a, b) IN (SELECT a, x FROM u)", ["semi 2"]),
        ("(a, b) NOT IN (SELECT a, x FROM u)", ["anti null-aware 2"]),
        ("a = ANY (SELECT a FROM u)", ["semi 1"]),
        ("a = SOME (SELECT a FROM u)", ["semi 1"]),
        ("a <> ALL (SELECT a FROM u)", ["anti null-aware 1"]),
        ("NOT a <> ALL (SELECT a FROM u)", ["semi 1"]),
        ("NOT a = ANY (SELECT a FROM u)", ["anti null-aware 1"]),
        ("a > ANY (SELECT a FROM u)", ["mark 1"]),
        ("a > ALL (SELECT a FROM u)", ["mark 1"]),
        ("a <> ANY (SELECT a FROM u)", ["mark 1"]),
        ("a = ALL (SELECT a FROM u)", ["mark 1"]),
        ("f OR EXISTS (SELECT 1 FROM u WHERE u.a = t.a)", ["mark dependent 0"]),
        ("f OR a IN (SELECT a FROM u)", ["mark 1"]),
        ("(a IN (SELECT a FROM u)) IS NULL", ["mark 1"]),
        ("a = (SELECT max(x) FROM u)", ["single 0"]),
        ("a = (SELECT max(x) FROM u WHERE u.a = t.a)", ["single dependent 0"]),
        ("f AND a IN (SELECT a FROM u) AND EXISTS (SELECT 1 FROM v)", ["semi 0", "semi 1"]),
        ("(SELECT max(x) FROM u) IN (SELECT a FROM v)", ["semi 1", "single 0"]),
        ("CASE WHEN a IN (SELECT a FROM u) THEN f ELSE EXISTS (SELECT 1 FROM v) END", ["mark 0", "mark 1"]),
    ],
)
def test_where(condition, expected):
    assert shapes(f"SELECT a FROM t WHERE {condition}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT (SELECT x FROM u WHERE u.a = t.a) FROM t", ["single dependent 0"]),
        ("SELECT a IN (SELECT a FROM u) FROM t", ["mark 1"]),
        ("SELECT EXISTS (SELECT 1)", ["mark 0"]),
        ("SELECT a FROM t ORDER BY (SELECT max(x) FROM u WHERE u.a = t.a)", ["single dependent 0"]),
        ("SELECT a FROM t GROUP BY a HAVING a IN (SELECT a FROM u)", ["mark 1"]),
        (
            "SELECT sum(b) FROM t GROUP BY a HAVING sum(b) > (SELECT max(x) FROM u WHERE u.a = t.a)",
            ["single dependent 0"],
        ),
        ("SELECT (SELECT max(x) FROM u WHERE u.a = t.a) AS m, count(*) FROM t GROUP BY m", ["single dependent 0"]),
        ("SELECT sum((SELECT max(x) FROM u WHERE u.a = t.a)) FROM t", ["single dependent 0"]),
        ("SELECT (SELECT (SELECT t.a + u.x) FROM u) FROM t", ["single dependent 0", "single dependent 0"]),
        ("SELECT coalesce((SELECT 1), (SELECT 2))", ["single 0", "single 0"]),
        ("SELECT (WITH q AS (SELECT t.a AS z) SELECT z FROM q) FROM t", ["single dependent 0"]),
        ("SELECT (SELECT x FROM u UNION SELECT t.b) FROM t", ["single dependent 0"]),
        ("SELECT (VALUES (t.a)) FROM t", ["single dependent 0"]),
    ],
)
def test_places(text, expected):
    assert shapes(text) == expected


def test_only_the_join_whose_left_side_is_read_is_dependent():
    # the inner EXISTS reads t two levels up, not u
    inner = "EXISTS (SELECT 1 FROM v WHERE v.a = t.a)"
    assert shapes(f"SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE {inner})") == ["semi dependent 0", "semi 0"]
    assert shapes(f"SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE {inner} AND u.a = t.a)") == [
        "semi dependent 0",
        "semi 0",
    ]


def test_subqueries_of_having_stand_above_the_aggregation():
    root = query("SELECT a FROM t GROUP BY a HAVING sum(b) > (SELECT max(x) FROM u WHERE u.a = t.a)").root
    assert isinstance(root, Filter)
    assert isinstance(root.input, Join)
    assert isinstance(root.input.left, Aggregate)


def test_subqueries_of_keys_and_arguments_stand_below_it():
    root = query("SELECT sum((SELECT max(x) FROM u WHERE u.a = t.a)) FROM t").root
    aggregate = next(node for node in nodes(root) if isinstance(node, Aggregate))
    below = [node for node in nodes(aggregate.input) if isinstance(node, Join)]
    assert [join.kind for join in below] == [JoinKind.SINGLE]


def test_an_outer_column_in_the_select_list_is_a_column_of_the_subquery():
    plan = query("SELECT (SELECT a) AS x, a FROM t")
    assert plan.columns[0].id != plan.columns[1].id


@pytest.mark.parametrize(
    ("text", "kind", "message", "at"),
    [
        ("SELECT (SELECT a, b FROM t)", BindError, "has one column, this has 2", None),
        (
            "SELECT a FROM t WHERE a IN (SELECT a, x FROM u)",
            BindError,
            "1 value is compared with a subquery of 2",
            None,
        ),
        ("SELECT a FROM t WHERE (a, b) IN (SELECT a FROM u)", BindError, "2 values are compared", None),
        ("SELECT a FROM t WHERE (a, b) IN (1, 2)", BindError, "a row is compared with a value", "1"),
        ("SELECT a FROM t WHERE (a, b) = (1, 2, 3)", BindError, "a row of 2 is compared with a row of 3", None),
        ("SELECT a FROM t WHERE (a, b) > ANY (SELECT a FROM u)", BindError, "2 values are compared", None),
        ("SELECT a FROM t WHERE ANY (SELECT a FROM u) = a", SqlSyntaxError, "right side", None),
        ("SELECT a FROM t WHERE a = ANY (b)", SqlSyntaxError, "ANY is followed by a subquery", "ANY (b)"),
        ("SELECT a FROM t WHERE a + ANY (SELECT 1)", SqlSyntaxError, "follow a comparison", None),
        ("SELECT a FROM t WHERE a IN (SELECT nope FROM u)", BindError, "'nope' does not exist", "nope"),
        (
            "SELECT a, count(*) FROM t GROUP BY a HAVING 1 < (SELECT x FROM u WHERE u.a = t.b)",
            BindError,
            "'b' is neither",
            "t.b",
        ),
        ("SELECT a FROM t WHERE ts IN (SELECT y FROM u)", BindError, "comparison of TIMESTAMP", None),
    ],
)
def test_misuse(text, kind, message, at):
    fails(text, kind, message, at)


def test_rows_are_compared_column_by_column():
    assert columns("SELECT (a, b) = (1, 2) AS x, (a, b) <> (1, 2) AS y, (a, b) IN ((1, 2), (3, 4)) AS z FROM t") == [
        "x BOOLEAN",
        "y BOOLEAN",
        "z BOOLEAN",
    ]
