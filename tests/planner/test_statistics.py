"""Estimates: selectivities, distinct counts, joins, and bounds that never lie."""

from __future__ import annotations

import pytest

import tableflow
from tableflow.config import Settings
from tableflow.expressions.intervals import Domain
from tableflow.physical.hash_aggregate import HashAggregate
from tableflow.planner.driver import Optimized
from tableflow.planner.implementation.rules import plan_physical
from tableflow.planner.logical.nodes import Join, JoinKind
from tableflow.planner.logical.traversal import walk_plan
from tests.planner.catalog import Tables, described, optimized, small


def rows(text: str, tables: Tables | None = None) -> float:
    found = optimized(text, tables or small())
    return found.statistics.rows(found.query.root)


@pytest.mark.parametrize(
    ("condition", "share"),
    [
        ("x = 3", 1 / 10),
        ("x <> 3", 9 / 10),
        ("x IN (1, 2, 3)", 3 / 10),
        ("x >= 5", 0.45),
        ("id >= 2001 AND id <= 3000", 0.1),
        ("x = 3 AND s = 7", 1 / 10 / 100),
        ("x = 3 OR s = 7", 0.1 + 0.01 - 0.001),
        ("NOT x = 3", 9 / 10),
        ("id IS NULL", 0.0),
        ("id > 20000", 1e-4),
    ],
)
def test_selectivity(condition: str, share: float) -> None:
    assert rows(f"SELECT id, x FROM m WHERE {condition}") == pytest.approx(10_000 * share, rel=0.06, abs=1.5)


def test_a_foreign_key_keeps_the_rows_of_the_referring_table() -> None:
    assert rows("SELECT b.y FROM b JOIN m ON b.m = m.id") == pytest.approx(1_000_000, rel=0.01)


def test_a_filter_on_the_referred_table_reduces_the_other_one() -> None:
    assert rows("SELECT b.y FROM b JOIN m ON b.m = m.id WHERE m.x = 1") == pytest.approx(100_000, rel=0.03)


def test_a_compound_key_is_not_two_independent_ones() -> None:
    tables = Tables(
        {
            "line": described(6_000_000, "part int 1 200000, supplier int 1 10000"),
            "offer": described(800_000, "part int 1 200000, supplier int 1 10000"),
        }
    )
    text = "SELECT 1 FROM line l JOIN offer o ON l.part = o.part AND l.supplier = o.supplier"
    assert rows(text, tables) == pytest.approx(6_000_000, rel=0.01)


def test_keys_bounded_by_rows_only_count_as_foreign_keys() -> None:
    tables = Tables(
        {
            "line": described(6_000_000, "orderkey int 1 6000000"),
            "orders": described(1_500_000, "orderkey int 1 6000000"),
        }
    )
    text = "SELECT 1 FROM line l JOIN orders o ON l.orderkey = o.orderkey"
    assert rows(text, tables) == pytest.approx(6_000_000, rel=0.01)


def test_groups_are_at_most_the_distinct_values() -> None:
    assert rows("SELECT s, count(*) FROM m GROUP BY s") == pytest.approx(100)
    assert rows("SELECT x, s, count(*) FROM m GROUP BY x, s") <= 10_000
    assert rows("SELECT extract(year FROM d) AS year, count(*) FROM b GROUP BY year") == pytest.approx(28, abs=1)


def test_semi_and_anti_joins_share_the_rows() -> None:
    kept = rows("SELECT id FROM m WHERE EXISTS (SELECT 1 FROM s WHERE s.id = m.s AND s.x = 1)")
    lost = rows("SELECT id FROM m WHERE NOT EXISTS (SELECT 1 FROM s WHERE s.id = m.s AND s.x = 1)")
    assert kept == pytest.approx(1_000, rel=0.03)
    assert kept + lost == pytest.approx(10_000, rel=0.01)


def test_limits_and_aggregates_without_keys() -> None:
    assert rows("SELECT id FROM m LIMIT 7") == 7
    assert rows("SELECT count(*) FROM m") == 1


def domain(found: Optimized, name: str) -> Domain:
    (column,) = [column for column in found.query.columns if column.name == name]
    return found.statistics.domains[column.id]


def test_domains_are_the_bounds_of_the_table() -> None:
    found = optimized("SELECT id, x FROM m WHERE x > 3", small())
    assert domain(found, "id") == Domain(1, 10_000, nullable=False)
    assert domain(found, "x") == Domain(0, 9, nullable=True)


def test_columns_padded_by_outer_joins_may_be_null() -> None:
    found = optimized("SELECT m.y, s.id FROM m LEFT JOIN s ON m.s = s.id", small())
    assert any(isinstance(n, Join) and n.kind is JoinKind.LEFT for n in walk_plan(found.query.root))
    assert domain(found, "id") == Domain(1, 100, nullable=True)


def test_domains_of_unions_cover_all_branches() -> None:
    found = optimized("SELECT id FROM s UNION ALL SELECT id FROM m", small())
    assert domain(found, "id") == Domain(1, 10_000, nullable=False)


def test_domains_of_shared_plans_follow_their_columns() -> None:
    text = "WITH g AS (SELECT s, sum(y) AS z FROM b GROUP BY s) SELECT s FROM g WHERE z = (SELECT max(z) FROM g)"
    found = optimized(text, small())
    assert domain(found, "s") == Domain(1, 100, nullable=True)


@pytest.mark.parametrize(
    ("key", "groups"),
    [
        ("extract(year FROM d)", 28.4),
        ("extract(month FROM d)", 12),
        ("extract(quarter FROM d)", 4),
        ("extract(decade FROM d)", 3.7),
        ("date_trunc('month', d)", 329),
        ("date_trunc('week', d)", 1429),
        ("CAST(CAST(d AS TIMESTAMP) AS DATE)", 10_000),
        ("s % 7", 7),
        ("s + 1", 100),
        ("x > 3", 2),
        ("CASE WHEN x > 3 THEN 'a' WHEN x > 1 THEN 'b' ELSE 'c' END", 3),
    ],
)
def test_groups_of_expressions(key: str, groups: float) -> None:
    assert rows(f"SELECT {key} AS k, count(*) FROM b GROUP BY k") == pytest.approx(groups, rel=0.02)


@pytest.mark.parametrize(
    ("condition", "low", "high"),
    [
        # a hundred rows a group
        ("count(*) > 100", 4000, 6000),
        ("count(*) > 130", 1, 100),
        ("count(*) > 10", 9_900, 10_000),
        ("count(*) < 5", 0, 2),
        ("sum(x) > 450", 4000, 6000),
        ("sum(x) > 900", 0, 2),
        ("avg(x) > 4.5", 4000, 6000),
        ("avg(x) > 6", 0, 2),
        ("max(x) >= 9", 400, 1000),
        ("sum(x + x) > 900", 4000, 6000),
        # nothing is known of the values
        ("sum(y) > 100", 3000, 3500),
        ("count(*) FILTER (WHERE x = 1) > 100", 3000, 3500),
    ],
)
def test_having(condition: str, low: float, high: float) -> None:
    found = rows(f"SELECT m FROM b GROUP BY m HAVING {condition}")
    assert low <= found <= high


def test_grouping_by_counts() -> None:
    """How many rows the groups of a first grouping have: not as many different numbers as there are groups."""
    assert rows("SELECT n, count(*) FROM (SELECT m, count(*) AS n FROM b GROUP BY m) GROUP BY n") < 100


@pytest.mark.parametrize(
    ("keys", "phases"),
    [("lower(t)", 2), ("x * id", 2), ("id", 1), ("id, lower(t)", 1), ("extract(year FROM d)", 2), ("id + 1", 1)],
)
def test_phases(keys: str, phases: int) -> None:
    """Groups of which nothing is known are taken to be few, unless another key shows that they are not."""
    settings = Settings().with_value("parallelism.default", "2")
    of = optimized(f"SELECT count(*) FROM b GROUP BY {keys}", small(), settings)
    plan = [plan_physical(of.query, of.statistics, settings).root]
    found = 0
    while plan:
        node = plan.pop()
        found += isinstance(node, HashAggregate)
        plan += node.inputs
    assert found == phases


@pytest.mark.parametrize("function", ["sum", "avg", "min", "max"])
def test_estimates_of_huge_numbers_stay_numbers(function: str) -> None:
    """The bounds' difference, their square and the sum of all rows are no DOUBLE any more."""
    values = [1.7e308, -1.7e308, 1e300, 5e-324, 0.0] * 20
    with tableflow.connect() as con:
        con.register("huge", {"f": values, "g": [1, 2, 3, 4, 5] * 20})
        query = f"SELECT g FROM huge GROUP BY g HAVING {function}(f) > 1e299 ORDER BY g"
        assert con.execute(query).fetchall() == [(1,), (3,)]
        assert con.execute(f"SELECT {function}(f) > 0 FROM huge WHERE f BETWEEN 1 AND 1e305").fetchall() == [(True,)]
