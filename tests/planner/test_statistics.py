"""Estimates: selectivities, distinct counts, joins, and bounds that never lie."""

from __future__ import annotations

import pytest

from tableflow.expressions.intervals import Domain
from tableflow.planner.driver import Optimized
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
