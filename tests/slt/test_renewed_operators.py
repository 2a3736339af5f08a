"""The corpora of streams with all operators thrown away after every event: what they say does not change, so their snapshots are all there is."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter
from pathlib import Path

import pytest

import tableflow.physical
from tableflow.runtime.operator import Operator
from tests.modes import Mode
from tests.renewing import OF_FINISHED_DATA, renewing
from tests.slt.stream_case import run_case
from tests.slt.stream_records import read_cases
from tests.slt.test_streams import FILES
from tests.streaming import test_corpus as finished

MODE = Mode("renewed", {"parallelism.default": "2"}, lambda _: True, one_by_one=True)
WHOLE = Path(__file__).parent / "corpus"
PARTS = frozenset(
    {"FiringOperator", "GrowingWindowsOperator"},
)
"""What others are made of."""


def _renewed_in(path: Path) -> Counter[str]:
    problems = []
    with renewing() as renewals:
        for case in read_cases(path):
            try:
                run_case(case, MODE, finished=False)
            except AssertionError as error:
                problems.append(f"case {case.title}\n{error}")
    assert not problems, "\n".join(problems)
    return renewals


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_streams(path: Path) -> None:
    assert _renewed_in(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(WHOLE.glob("*.slt")), ids=lambda path: path.stem)
def test_finished_tables_as_streams(path: Path) -> None:
    with renewing() as renewals:
        finished._check(path, {"execution.batch-rows": "2"})
    assert renewals["SettledResultOperator"] > 0 or path.stem == "expressions"  # of constants, for which nothing runs


@pytest.mark.slow
def test_no_operator_is_forgotten() -> None:
    """Whatever runs in streams has been renewed; only what reads finished data keeps rows that are in no snapshot."""
    operators = {
        each.__name__: each
        for found in pkgutil.iter_modules(tableflow.physical.__path__)
        for each in vars(importlib.import_module(f"tableflow.physical.{found.name}")).values()
        if isinstance(each, type) and issubclass(each, Operator) and each is not Operator
    }
    assert operators.keys() >= OF_FINISHED_DATA | PARTS
    assert [name for name in OF_FINISHED_DATA if operators[name].snapshot is not Operator.snapshot] == []
    renewals: Counter[str] = Counter()
    for path in FILES:
        renewals += _renewed_in(path)
    with renewing() as others:
        finished._check(WHOLE / "joins.slt", {})
    assert operators.keys() - OF_FINISHED_DATA - PARTS - (renewals + others).keys() == set()
