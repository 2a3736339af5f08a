"""The TPC-H queries: optimised plans are well formed, unnested, and made in milliseconds."""

from __future__ import annotations

import pytest

from tableflow.planner.logical.nodes import Join
from tableflow.planner.logical.traversal import walk_plan
from tests.planner.catalog import optimized
from tests.planner.validation import check
from tests.tpch.pinned import pinned_catalog
from tpch.queries import NUMBERS, query_text


@pytest.mark.parametrize("number", NUMBERS)
def test_plan_is_well_formed(number: int) -> None:
    found = optimized(query_text(number), pinned_catalog().snapshot())
    check(found.query)
    assert not found.warnings
    assert not any(isinstance(node, Join) and node.dependent for node in walk_plan(found.query.root))


def test_optimising_all_queries_takes_milliseconds() -> None:
    catalog = pinned_catalog().snapshot()
    texts = [query_text(number) for number in NUMBERS]
    best = min(_seconds(texts, catalog) for _ in range(3))
    # measured 0.05 s for the 22 queries on an idle core; the margin is for busy machines
    assert best < 1.0


def _seconds(texts: list[str], catalog: object) -> float:
    taken = 0.0
    for text in texts:
        found = optimized(text, catalog)  # type: ignore[arg-type]
        taken += sum(firing.microseconds for firing in found.trace) / 1e6
    return taken
