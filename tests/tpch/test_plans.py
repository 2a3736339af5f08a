"""The plans of all 22 queries under pinned statistics: what the optimiser decides is seen when it changes.

``UPDATE_PLANS=1 python -m pytest tests/tpch/test_plans.py`` rewrites the fixtures; read the difference.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tableflow.config import Settings
from tableflow.physical.fusion import fuse
from tableflow.physical.lowering import lower
from tableflow.physical.runtime_filters import place_runtime_filters
from tableflow.physical.text import explain_physical
from tableflow.planner.driver import optimize
from tableflow.planner.implementation.rules import plan_physical
from tableflow.serialization import dumps, loads
from tableflow.sql.binder import bind
from tableflow.sql.statements import QueryStatement
from tests.tpch.pinned import pinned_catalog
from tpch.queries import NUMBERS, query_text

PLANS = Path(__file__).parent / "plans"
SETTINGS = Settings().with_value("parallelism.default", "2")


def plan_text(number: int) -> str:
    """The physical plan of a query, and the rules that fired on the way."""
    text = query_text(number).strip().rstrip(";")
    statement = bind(text, 0, pinned_catalog().snapshot(), SETTINGS)
    assert isinstance(statement, QueryStatement)
    optimized = optimize(statement.query, SETTINGS)
    physical = plan_physical(optimized.query, optimized.statistics, SETTINGS)
    root = fuse(place_runtime_filters(physical.root, SETTINGS), SETTINGS)
    assert dumps(loads(dumps(root))) == dumps(root)
    graph = lower(root, SETTINGS).graph
    assert dumps(loads(dumps(graph))) == dumps(graph)
    fired = ", ".join(firing.rule for firing in optimized.trace if firing.count)
    return f"-- rules: {fired}\n\n{explain_physical(root)}\n"


@pytest.mark.parametrize("number", NUMBERS)
def test_plan(number: int) -> None:
    path = PLANS / f"q{number:02d}.txt"
    found = plan_text(number)
    if os.environ.get("UPDATE_PLANS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found)
    assert found == path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "4242"])
def test_plans_do_not_depend_on_hash_seeds(seed: str) -> None:
    code = "from tests.tpch.test_plans import NUMBERS, plan_text; print(''.join(map(plan_text, NUMBERS)), end='')"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert run.stdout == "".join((PLANS / f"q{number:02d}.txt").read_text() for number in NUMBERS)
