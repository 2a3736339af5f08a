"""Other literals by TPC-H's rules: each text is still its query, and the answers are DuckDB's."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.side_by_side.compare import difference
from benchmarks.side_by_side.engines import DuckDB, TableFlow
from tpch.parameters import with_parameters
from tpch.queries import NUMBERS, query_text
from tpch.suite import SUITE


@pytest.mark.slow
def test_answers_equal_duckdbs(tpch_data: dict[str, Path]) -> None:
    ours, theirs = (engine(SUITE.files(tpch_data["0.001"]), 2) for engine in (TableFlow, DuckDB))
    problems = {
        (number, seed): problem
        for number in NUMBERS
        for seed in (1, 2)
        if (problem := difference(ours.run(query_text(number, seed)), theirs.run(query_text(number, seed))))
    }
    assert problems == {}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_seed_draws_the_same_and_seeds_draw_differently(number: int) -> None:
    texts = [query_text(number, seed) for seed in range(12)]
    assert texts == [query_text(number, seed) for seed in range(12)]
    # q18 has four parameters in all, q13 sixteen.
    assert len(set(texts)) >= 3
    assert len({len(text.splitlines()) for text in texts}) == 1


def test_a_text_without_a_place_for_a_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="query 9 has no '%green%'"):
        with_parameters(9, "SELECT 1", 1)
