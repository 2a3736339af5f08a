"""Hints restrict what the planner may choose, within their own SELECT block, and say so when they match nothing."""

from __future__ import annotations

from tableflow.config import Settings
from tableflow.physical.hash_join import HashJoin, JoinDistribution
from tableflow.physical.node import PhysicalNode
from tableflow.physical.scan import TableScan
from tableflow.planner.driver import optimize
from tableflow.planner.implementation.rules import plan_physical
from tableflow.sql.binder import bind
from tableflow.sql.statements import QueryStatement
from tests.tpch.pinned import pinned_catalog

SETTINGS = Settings().with_value("parallelism.default", "2")


def _plan(sql: str) -> tuple[PhysicalNode, list[str]]:
    statement = bind(sql, 0, pinned_catalog().snapshot(), SETTINGS)
    assert isinstance(statement, QueryStatement)
    optimized = optimize(statement.query, SETTINGS)
    plan = plan_physical(optimized.query, optimized.statistics, SETTINGS)
    warnings = [notice.message for notice in statement.warnings]
    return plan.root, [*warnings, *optimized.warnings, *plan.warnings]


def _nodes(root: PhysicalNode) -> list[PhysicalNode]:
    return [root, *(node for child in root.inputs for node in _nodes(child))]


def _joins(root: PhysicalNode) -> list[HashJoin]:
    return [node for node in _nodes(root) if isinstance(node, HashJoin)]


def _tables(root: PhysicalNode) -> list[str]:
    return [node.table for node in _nodes(root) if isinstance(node, TableScan)]


TWO = "FROM orders o JOIN customer c ON o_custkey = c_custkey"
THREE = "FROM lineitem l, orders o, customer c WHERE l_orderkey = o_orderkey AND o_custkey = c_custkey"


def test_without_hints_the_smaller_side_is_built_once() -> None:
    root, _ = _plan(f"SELECT o_orderkey, c_name {TWO}")
    (join,) = _joins(root)
    assert join.distribution is JoinDistribution.PUBLISHED
    assert _tables(join.right) == ["customer"]


def test_broadcast_builds_the_named_side_in_every_task() -> None:
    root, warnings = _plan(f"SELECT /*+ BROADCAST(o) */ o_orderkey, c_name {TWO}")
    (join,) = _joins(root)
    assert join.distribution is JoinDistribution.BROADCAST
    assert _tables(join.right) == ["orders"]
    assert warnings == []


def test_shuffle_hash_exchanges_both_sides() -> None:
    root, warnings = _plan(f"SELECT /*+ SHUFFLE_HASH(o, c) */ o_orderkey, c_name {TWO}")
    (join,) = _joins(root)
    assert join.distribution is JoinDistribution.PARTITIONED
    assert warnings == []


def _first_pair(root: PhysicalNode) -> set[str]:
    deepest = _joins(root)[-1]
    return set(_tables(deepest))


def test_leading_fixes_the_first_joins() -> None:
    free, _ = _plan(f"SELECT count(*) {THREE}")
    fixed, warnings = _plan(f"SELECT /*+ LEADING(l, o, c) */ count(*) {THREE}")
    assert _first_pair(fixed) == {"lineitem", "orders"}
    assert _first_pair(free) != {"lineitem", "orders"}
    assert warnings == []


def test_no_reorder_keeps_the_order_of_the_text() -> None:
    root, warnings = _plan(f"SELECT /*+ NO_REORDER */ count(*) {THREE}")
    assert _first_pair(root) == {"lineitem", "orders"}
    assert warnings == []


def test_rows_overrides_statistics() -> None:
    root, _ = _plan(f"SELECT /*+ ROWS(c, 1e9) */ o_orderkey, c_name {TWO}")
    (join,) = _joins(root)
    assert _tables(join.right) == ["orders"]


def test_a_hint_sees_only_its_own_block() -> None:
    _, warnings = _plan(f"SELECT /*+ BROADCAST(c) */ * FROM (SELECT o_orderkey, c_name {TWO}) q")
    assert any("'c'" in warning for warning in warnings)


def test_unknown_hints_and_names_are_reported() -> None:
    _, warnings = _plan(f"SELECT /*+ BROADCST(c), BROADCAST(zz) */ o_orderkey {TWO}")
    assert any("BROADCST" in warning for warning in warnings)
    assert any("zz" in warning for warning in warnings)
