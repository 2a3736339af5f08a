"""The driver: switches, warnings, the trace, and the checks that catch a broken rule."""

from __future__ import annotations

import pytest

from tableflow.config import Settings
from tableflow.errors import InternalError
from tableflow.planner import driver
from tableflow.planner.driver import Entry, Phase, optimize
from tableflow.planner.logical.nodes import Filter, Limit, Node, Project, Query, Values
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.traversal import map_expressions, transform_plan
from tests.planner.catalog import fired, optimized, small


def off(names: str) -> Settings:
    return Settings().with_value("optimizer.disabled-rules", names)


def test_an_unknown_rule_is_a_warning_with_a_suggestion() -> None:
    found = optimized("SELECT id FROM m", small(), off("prune_column"))
    assert found.warnings == (
        "unknown rule 'prune_column' in 'optimizer.disabled-rules'; did you mean 'prune_columns'?",
    )
    assert "prune_columns" in fired(found)


def test_normalisation_cannot_be_switched_off() -> None:
    text = "SELECT id FROM m WHERE EXISTS (SELECT 1 FROM b WHERE b.m = m.id)"
    found = optimized(text, small(), off("unnest_dependent_joins"))
    assert len(found.warnings) == 1
    assert "cannot be switched off" in found.warnings[0]
    assert "unnest_dependent_joins" in fired(found)


def test_the_trace_counts_and_times_rules() -> None:
    trace = {firing.rule: firing for firing in optimized("SELECT id FROM m WHERE x = 1", small()).trace}
    assert trace["push_filter_into_scan"].count == 1
    assert trace["push_filter_into_scan"].microseconds > 0
    assert trace["outer_to_inner"].count == 0


def test_columns_keep_ids_types_and_names() -> None:
    found = optimized("SELECT y AS price, id FROM m ORDER BY x LIMIT 3", small())
    assert [column.name for column in found.query.columns] == ["price", "id"]
    types = {f.id: f.type for f in output(found.query.root)}
    assert all(types[column.id] == column.type for column in found.query.columns)


def _with_rule(monkeypatch: pytest.MonkeyPatch, entry: Entry) -> None:
    monkeypatch.setattr(driver, "RULES", (entry,))


def test_a_rule_that_loses_a_column_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(node: Node, required: frozenset[int], context: object) -> Node:
        return Values((), ())

    _with_rule(monkeypatch, Entry("lose", lose, (Phase.REWRITE,), (Filter,)))
    with pytest.raises(InternalError, match="rule 'lose' dropped a column"):
        optimized("SELECT id FROM m WHERE x = 1", small())


def test_a_whole_plan_rule_that_loses_a_column_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    _with_rule(monkeypatch, Entry("lose", lambda root, required, context: Values((), ()), (Phase.SHARE,)))
    with pytest.raises(InternalError, match="phase 'share' changed the result column 'id'"):
        optimized("SELECT id FROM m WHERE x = 1", small())


def test_rules_that_undo_each_other_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrap(node: Node, required: frozenset[int], context: object) -> Node:
        return Limit(node, None)

    def unwrap(node: Node, required: frozenset[int], context: object) -> Node:
        return node.input

    entries = (Entry("wrap", wrap, (Phase.REWRITE,), (Filter,)), Entry("unwrap", unwrap, (Phase.REWRITE,), (Limit,)))
    monkeypatch.setattr(driver, "RULES", entries)
    with pytest.raises(InternalError, match="undo each other"):
        optimized("SELECT id FROM m WHERE x = 1", small())


def test_rebuilding_without_change_keeps_nodes() -> None:
    root = optimized("SELECT s, sum(y) FROM m WHERE x = 1 GROUP BY s", small()).query.root
    assert transform_plan(root, lambda node: node) is root
    assert map_expressions(root, lambda expression: expression) is root


def test_optimising_twice_changes_nothing_more() -> None:
    for text in (
        "SELECT m.id, count(*) FROM m JOIN s ON m.s = s.id WHERE s.x = 1 GROUP BY m.id HAVING count(*) > 2",
        "SELECT id FROM m WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.m = m.id) ORDER BY x LIMIT 3",
    ):
        once = optimized(text, small()).query
        again = optimize(Query(once.root, once.columns), Settings())
        assert again.query.root == once.root
        assert not isinstance(again.query.root, Project) or isinstance(once.root, Project)
