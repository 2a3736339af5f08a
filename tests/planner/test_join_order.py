"""Join orders: the enumeration, what it costs, hints, and the kinds of joins that move."""

from __future__ import annotations

import itertools
import time

import pytest

from tableflow.config import Settings
from tableflow.planner.driver import Optimized, optimize
from tableflow.planner.enumeration import connected_pairs
from tableflow.planner.logical.nodes import Hint, Hinted, Join, JoinKind, Node, Query, Scan
from tableflow.planner.logical.text import explain_logical
from tableflow.planner.logical.traversal import walk_plan
from tableflow.sql.binder import bind
from tests.planner.catalog import Tables, described, optimized, small
from tests.planner.validation import check


def _connected(of: int, edges: set[tuple[int, int]]) -> bool:
    reached = of & -of
    while True:
        grown = reached
        for a, b in edges:
            if of >> a & 1 and of >> b & 1 and (reached >> a & 1 or reached >> b & 1):
                grown |= 1 << a | 1 << b
        if grown == reached:
            return reached == of
        reached = grown


def _pairs_by_definition(count: int, edges: set[tuple[int, int]]) -> set[tuple[int, int]]:
    found = set()
    for first, second in itertools.combinations(range(1, 1 << count), 2):
        if first & second or not _connected(first, edges) or not _connected(second, edges):
            continue
        if any((first >> a & 1 and second >> b & 1) or (first >> b & 1 and second >> a & 1) for a, b in edges):
            found.add((first, second))
    return found


GRAPHS = {
    "chain": {(0, 1), (1, 2), (2, 3), (3, 4)},
    "star": {(0, 1), (0, 2), (0, 3), (0, 4)},
    "cycle": {(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)},
    "clique": set(itertools.combinations(range(5), 2)),
    "two parts": {(0, 1), (2, 3), (3, 4)},
}


@pytest.mark.parametrize("edges", GRAPHS.values(), ids=GRAPHS)
def test_every_connected_pair_is_given_once_and_in_order(edges: set[tuple[int, int]]) -> None:
    adjacent = [0] * 5
    for a, b in edges:
        adjacent[a] |= 1 << b
        adjacent[b] |= 1 << a

    def neighbours(of: int) -> int:
        found = 0
        for i in range(5):
            if of >> i & 1:
                found |= adjacent[i]
        return found & ~of

    pairs = list(connected_pairs([1 << i for i in range(5)], neighbours))
    assert len(pairs) == len({tuple(sorted(pair)) for pair in pairs})
    assert {tuple(sorted(pair)) for pair in pairs} == _pairs_by_definition(5, edges)
    done: set[int] = {1 << i for i in range(5)}
    finished: set[int] = set()
    for first, second in pairs:
        # a set is complete once it is used: no pair that makes it may come later
        finished |= {first, second}
        assert first | second not in finished
        done.add(first | second)
        assert first in done
        assert second in done


def aliases(node: Node) -> list[str]:
    """Scans from the bottom left of a left-deep tree upwards."""
    return [part.alias for part in walk_plan(node) if isinstance(part, Scan)]


def shape(node: Node) -> object:
    """The join tree as nested pairs of aliases."""
    if isinstance(node, Join):
        return (shape(node.left), shape(node.right))
    if isinstance(node, Scan):
        return node.alias
    (child,) = (getattr(node, "input", None),)
    return shape(child)


def joins(of: Optimized) -> list[Join]:
    return [node for node in walk_plan(of.query.root) if isinstance(node, Join)]


THREE = "FROM b, m, s WHERE b.m = m.id AND m.s = s.id AND s.x = 1"


def test_the_smaller_side_is_built() -> None:
    found = optimized("SELECT s.t, m.y FROM s JOIN m ON m.s = s.id", small())
    (join,) = joins(found)
    assert shape(join) == ("m", "s")


def test_filters_on_small_tables_are_used_first() -> None:
    found = optimized(f"SELECT b.y {THREE}", small())
    assert shape(joins(found)[0]) == ("b", ("m", "s"))


def test_leading_fixes_a_left_deep_prefix() -> None:
    found = optimized(f"SELECT /*+ LEADING(b, m, s) */ b.y {THREE}", small())
    assert shape(joins(found)[0]) in ((("b", "m"), "s"), ("s", ("b", "m")), (("m", "b"), "s"))
    inner = joins(found)[1]
    assert set(aliases(inner)) == {"b", "m"}


def test_no_reorder_keeps_the_order_as_written() -> None:
    found = optimized(f"SELECT /*+ NO_REORDER */ b.y {THREE}", small())
    assert shape(joins(found)[0]) == (("b", "m"), "s")


def test_rows_hint_changes_the_order() -> None:
    plain = optimized("SELECT m.y FROM m JOIN s ON m.s = s.id", small())
    hinted = optimized("SELECT /*+ ROWS(m, 3) */ m.y FROM m JOIN s ON m.s = s.id", small())
    assert shape(plain.query.root) == ("m", "s")
    assert shape(hinted.query.root) == ("s", "m")


def test_a_hint_for_a_missing_table_is_a_warning() -> None:
    query = bind("SELECT id FROM m", 0, small(), Settings()).query
    hinted = Query(Hinted(query.root, (Hint("ROWS", ("nowhere", "3")),), 1), query.columns)
    found = optimize(hinted, Settings())
    assert found.warnings == ("hint ROWS names 'nowhere', which is no table of its SELECT block",)
    assert not any(isinstance(node, Hinted) for node in walk_plan(found.query.root))


def test_selectivity_hint_is_honoured() -> None:
    found = optimized("SELECT /*+ SELECTIVITY(m, 0.5) */ id FROM m WHERE x = 1", small())
    assert found.statistics.rows(found.query.root) == pytest.approx(5_000)


def test_semi_joins_move_to_where_they_help() -> None:
    text = """SELECT b.y FROM b JOIN m ON b.m = m.id
              WHERE EXISTS (SELECT 1 FROM s WHERE s.id = m.s AND s.x = 1)"""
    found = optimized(text, small())
    top = joins(found)[0]
    assert top.kind is JoinKind.INNER
    assert any(join.kind is JoinKind.SEMI and set(aliases(join)) == {"m", "s"} for join in joins(found))


def test_left_joins_move_above_joins_that_filter() -> None:
    text = "SELECT b.y, k.v FROM b LEFT JOIN k ON k.id = b.x JOIN s ON s.id = b.s AND s.x = 1"
    found = optimized(text, small())
    check(found.query)
    assert joins(found)[0].kind is JoinKind.LEFT


def test_one_equality_per_class_and_join() -> None:
    text = "SELECT 1 FROM m AS p, m AS q, m AS r WHERE p.id = q.id AND q.id = r.id AND p.id = r.id"
    found = optimized(text, small())
    assert [len(join.conjuncts) for join in joins(found)] == [1, 1]


def test_two_columns_of_one_table_in_a_class_are_compared_at_its_scan() -> None:
    found = optimized("SELECT 1 FROM b, m WHERE b.m = m.id AND b.s = m.id", small())
    (scan,) = [node for node in walk_plan(found.query.root) if isinstance(node, Scan) and node.table == "b"]
    assert len(scan.predicates) == 1
    assert len(joins(found)[0].conjuncts) == 1


def test_cross_products_only_where_the_query_has_them() -> None:
    found = optimized("SELECT b.y FROM b, s, m, k WHERE b.m = m.id AND k.id = m.id", small())
    crosses = [join for join in joins(found) if not join.conjuncts]
    assert len(crosses) == 1


def many(count: int, graph: str) -> tuple[str, Tables]:
    tables = {f"t{i}": described(1000 * (i + 1), "id int 1 1000000, a int 1 1000, c int 1 100") for i in range(count)}
    if graph == "chain":
        conditions = [f"t{i}.a = t{i + 1}.id" for i in range(count - 1)]
    elif graph == "star":
        conditions = [f"t0.a = t{i}.id AND t{i}.c < {i + 10}" for i in range(1, count)]
    else:
        conditions = [f"t{i}.id = t{j}.id" for i in range(count) for j in range(i + 1, count)]
    names = ", ".join(tables)
    return f"SELECT count(*) FROM {names} WHERE {' AND '.join(conditions)}", Tables(tables)


@pytest.mark.parametrize(("graph", "count"), [("chain", 8), ("star", 8), ("clique", 8), ("chain", 25), ("star", 14)])
def test_many_relations_are_ordered_in_little_time(graph: str, count: int) -> None:
    text, tables = many(count, graph)
    found = optimized(text, tables)
    check(found.query)
    assert len(joins(found)) == count - 1
    assert all(join.conjuncts for join in joins(found)), explain_logical(found.query.root)
    # a few milliseconds on an idle core; the margin is for busy machines
    best = min(_seconds(text, tables) for _ in range(3))
    assert best < 0.5


def _seconds(text: str, tables: Tables) -> float:
    start = time.perf_counter()
    found = optimized(text, tables)
    del found
    return time.perf_counter() - start


def test_above_the_limit_relations_are_joined_greedily() -> None:
    text, tables = many(6, "chain")
    greedy = optimized(text, tables, Settings().with_value("optimizer.join-enumeration-limit", "2"))
    check(greedy.query)
    assert len(joins(greedy)) == 5
    assert all(join.conjuncts for join in joins(greedy))
