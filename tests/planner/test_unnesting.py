"""What unnesting makes of some queries, and queries whose subqueries could fail for rows they must not see."""

from __future__ import annotations

from tableflow.expressions.nodes import Call
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Node, Project, Scan, Shared, Window
from tableflow.planner.logical.traversal import expressions, walk_plan
from tests.planner.catalog import optimized, small
from tests.planner.validation import check


def nodes(text: str) -> list[Node]:
    found = optimized(text, small())
    check(found.query)
    return list(walk_plan(found.query.root))


def test_a_limit_per_outer_row_bounds_row_numbers() -> None:
    found = nodes("SELECT id FROM m WHERE x IN (SELECT b.x FROM b WHERE b.m = m.id ORDER BY b.y LIMIT 3)")
    (window,) = [n for n in found if isinstance(n, Window)]
    assert [f.name for f in window.partition] == ["m"]
    assert window.limit == 3
    assert sum(isinstance(n, Scan) and n.table == "m" for n in found) == 1


def test_a_limit_under_exists_does_not_matter() -> None:
    found = nodes("SELECT id FROM m WHERE EXISTS (SELECT 1 FROM b WHERE b.m = m.id LIMIT 5)")
    assert [n.kind for n in found if isinstance(n, Join)] == [JoinKind.SEMI]


def test_an_equality_needs_no_domain() -> None:
    found = nodes("SELECT id, (SELECT sum(b.y) FROM b WHERE b.m = m.id AND b.x = m.x) FROM m")
    assert sum(isinstance(n, Scan) and n.table == "m" for n in found) == 1


def test_other_correlation_reads_the_outer_columns_twice() -> None:
    found = nodes("SELECT id, (SELECT sum(b.y) FROM b WHERE b.m < m.id) FROM m")
    assert sum(isinstance(n, Scan) and n.table == "m" for n in found) == 2
    assert any(isinstance(n, Aggregate) and not n.results for n in found) or any(isinstance(n, Project) for n in found)


def test_expressions_that_can_fail_see_only_correlated_rows() -> None:
    found = nodes("SELECT id, (SELECT sum(10 / b.x) FROM b WHERE b.m = m.id) FROM m")
    (aggregate,) = [n for n in found if isinstance(n, Aggregate) and n.results]
    # the division comes after a join that keeps rows of outer rows only
    assert any(isinstance(n, Join) for n in walk_plan(aggregate.input))


def test_a_subquery_that_may_give_two_rows_is_checked() -> None:
    found = nodes("SELECT id, (SELECT b.y FROM b WHERE b.m = m.id) FROM m")
    assert [n.kind for n in found if isinstance(n, Join)] == [JoinKind.SINGLE]


def test_filters_that_can_fail_stay_above_joins_that_remove_rows() -> None:
    found = nodes("SELECT m.id FROM m JOIN s ON m.s = s.id WHERE 10 / m.x = 2")
    for node in found:
        if isinstance(node, Scan):
            assert not node.predicates
    (join,) = [n for n in found if isinstance(n, Join)]
    assert len(join.conjuncts) == 2


def test_chance_is_not_pushed_down() -> None:
    found = nodes("SELECT m.id FROM m JOIN s ON m.s = s.id WHERE rand() < 0.5")
    assert isinstance(found[0], Filter)
    assert not any(n.predicates for n in found if isinstance(n, Scan))


def test_chance_on_the_outer_side_is_drawn_once() -> None:
    text = "SELECT r, (SELECT count(*) FROM s WHERE s.x < r) FROM (SELECT rand() * 9 AS r FROM m) AS o"
    found = nodes(text)
    shared = [n for n in found if isinstance(n, Shared)]
    assert len(shared) == 2
    assert shared[0].key == shared[1].key
    assert shared[0].input is shared[1].input


def test_no_column_reads_what_is_not_there() -> None:
    for node in nodes("SELECT id FROM m WHERE x = 1 OR EXISTS (SELECT 1 FROM b WHERE b.m = m.id)"):
        assert all(e is not None for e in expressions(node))


def test_outer_rows_that_ties_choose_are_read_once() -> None:
    subquery = "(SELECT max(b.y) FROM b WHERE b.m < q.n)"
    numbered = nodes(f"SELECT n, {subquery} FROM (SELECT row_number() OVER (ORDER BY x) AS n FROM m) q")
    assert sum(isinstance(n, Shared) for n in numbered) == 2
    limited = nodes(f"SELECT n, {subquery} FROM (SELECT id AS n FROM m LIMIT 3) q")
    assert sum(isinstance(n, Shared) for n in limited) == 2
    ranked = nodes(f"SELECT n, {subquery} FROM (SELECT rank() OVER (ORDER BY x) AS n FROM m) q")
    assert not any(isinstance(n, Shared) for n in ranked)


def test_copies_know_which_columns_an_outer_join_makes_null() -> None:
    found = nodes(
        "SELECT l.c, n.z FROM (SELECT g.c FROM (SELECT l.c FROM (SELECT x, count(*) AS c FROM m GROUP BY x) l"
        " FULL JOIN s ON l.c = s.id) g EXCEPT SELECT b.x FROM b) l"
        " LEFT JOIN LATERAL (SELECT count(*) AS z FROM b WHERE l.c < b.y) n ON true"
    )
    anti = [n for n in found if isinstance(n, Join) and n.kind is JoinKind.ANTI]
    assert anti
    for join in anti:
        assert [c.function for c in join.conjuncts if isinstance(c, Call)] == ["is_not_distinct_from"]
