"""Optimised plans mean what the given ones mean: both run through the naive interpreter, on random queries."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, assume, given, settings

from tableflow.config import Settings
from tableflow.planner.driver import RULES, optimize
from tableflow.planner.logical.nodes import Query
from tableflow.planner.logical.text import explain_logical
from tests.planner.interpreter import SKIPPED, TooManyRows, run
from tests.planner.plans import queries
from tests.planner.validation import check

SWITCHABLE = [entry.name for entry in RULES if entry.switchable]
checks = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def agree(query: Query, options: Settings) -> None:
    check(query, allow_dependent=True)
    try:
        expected = run(query)
    except TooManyRows:
        assume(False)
    optimized = optimize(query, options)
    # parts of a subquery that do not depend on the outer row may fail also where there is none
    may_fail = bool(SKIPPED)
    check(optimized.query)
    plans = f"{explain_logical(query.root)}\n{explain_logical(optimized.query.root)}"
    try:
        found = run(optimized.query)
    except TooManyRows:
        assume(not may_fail)
        pytest.fail(f"a subquery sees rows it did not see before\n{plans}")
    assert found == expected, plans


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=checks)
@given(query=queries())
def test_optimised_queries_give_the_same_rows(query: Query) -> None:
    agree(query, Settings())


@settings(max_examples=40, deadline=None, suppress_health_check=checks)
@given(query=queries())
def test_normalisation_alone_gives_the_same_rows(query: Query) -> None:
    agree(query, Settings().with_value("optimizer.disabled-rules", ",".join(SWITCHABLE)))


@pytest.mark.parametrize("rule", SWITCHABLE)
@settings(max_examples=5, deadline=None, suppress_health_check=checks)
@given(query=queries())
def test_without_one_rule_the_rows_are_the_same(rule: str, query: Query) -> None:
    agree(query, Settings().with_value("optimizer.disabled-rules", rule))
