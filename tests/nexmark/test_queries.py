"""All queries of Nexmark: as a stream, over finished data, in DuckDB, in order and not, by one task and by more."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.nexmark.check import Check
from benchmarks.nexmark.queries import NUMBERS

EVENTS = 5000
WAYS = {
    "one task": ({"parallelism.default": "1"}, {}),
    "two tasks, disorder": ({"parallelism.default": "2"}, {"out_of_order_group": "1000"}),
    "seeded, small batches": (
        {"parallelism.default": "3", "execution.scheduler-seed": "5", "execution.batch-rows": "97"},
        {"out_of_order_group": "100"},
    ),
}


@pytest.fixture(scope="module", params=WAYS)
def check(request: pytest.FixtureRequest) -> Iterator[Check]:
    settings, options = WAYS[request.param]
    made = Check(EVENTS, settings, rate="200", **options)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", NUMBERS)
def test_one_answer(check: Check, number: int) -> None:
    assert check.difference(number) is None
