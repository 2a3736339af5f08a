"""Golden logical plans of the TPC-H queries under pinned statistics, the same in every process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tableflow.planner.driver import Optimized
from tableflow.planner.logical.nodes import Join
from tableflow.planner.logical.text import explain_logical
from tableflow.planner.logical.traversal import walk_plan
from tests.planner.catalog import optimized, tpch
from tests.planner.golden import compare
from tests.planner.validation import check
from tpch.queries import NUMBERS, query_text

PLANS = Path(__file__).parent / "tpch"


def plan(number: int) -> Optimized:
    return optimized(query_text(number), tpch())


def text(of: Optimized) -> str:
    return explain_logical(of.query.root, lambda node: f"-- {of.statistics.rows(node):.0f}")


@pytest.mark.parametrize("number", NUMBERS)
def test_plan(number: int) -> None:
    found = plan(number)
    check(found.query)
    assert not found.warnings
    assert not any(isinstance(node, Join) and node.dependent for node in walk_plan(found.query.root))
    compare(text(found), PLANS / f"q{number:02d}.txt")


def digest() -> str:
    """Of all plans together."""
    return hashlib.sha256("".join(text(plan(number)) for number in NUMBERS).encode()).hexdigest()


@pytest.mark.parametrize("seed", ["1", "4711"])
def test_plans_do_not_depend_on_the_seed_of_hashes(seed: str) -> None:
    root = Path(__file__).parents[2]
    code = "from tests.planner.test_tpch_plans import digest; print(digest())"
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
    ran = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == digest()
