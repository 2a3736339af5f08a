"""Each rule has a file of its name: queries for which it must fire, with the plan, and queries for which it must not.

A file is a sequence of paragraphs: ``fires`` or ``silent``, the query, and after ``----`` the optimised plan.
``TABLEFLOW_UPDATE_GOLDEN=1`` writes the plans anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tableflow.config import Settings
from tableflow.planner.driver import RULES, Entry
from tableflow.planner.logical.text import explain_logical
from tests.planner.catalog import fired, optimized, small
from tests.planner.golden import UPDATING
from tests.planner.validation import check

FIXTURES = Path(__file__).parent / "rules"


@dataclass
class Case:
    verdict: str
    query: str
    plan: str


def read(path: Path) -> list[Case]:
    cases = []
    for paragraph in path.read_text().strip().split("\n\n"):
        head, _, plan = paragraph.partition("\n----\n")
        verdict, _, query = head.partition("\n")
        assert verdict in ("fires", "silent"), f"{path}: {verdict}"
        cases.append(Case(verdict, query, plan.rstrip("\n")))
    return cases


def write(path: Path, cases: list[Case]) -> None:
    parts = [f"{c.verdict}\n{c.query}" + (f"\n----\n{c.plan}" if c.plan else "") for c in cases]
    path.write_text("\n\n".join(parts) + "\n")


@pytest.mark.parametrize("entry", RULES, ids=lambda entry: entry.name)
def test_rule(entry: Entry) -> None:
    path = FIXTURES / f"{entry.name}.txt"
    cases = read(path)
    assert {case.verdict for case in cases} == {"fires", "silent"}
    for case in cases:
        found = optimized(case.query, small())
        check(found.query)
        assert (entry.name in fired(found)) is (case.verdict == "fires"), case.query
        if case.verdict == "fires":
            plan = explain_logical(found.query.root).rstrip("\n")
            if UPDATING:
                case.plan = plan
            assert plan == case.plan, case.query
    if UPDATING:
        write(path, cases)


@pytest.mark.parametrize("entry", [entry for entry in RULES if entry.switchable], ids=lambda entry: entry.name)
def test_rule_can_be_switched_off(entry: Entry) -> None:
    off = Settings().with_value("optimizer.disabled-rules", entry.name)
    for case in read(FIXTURES / f"{entry.name}.txt"):
        found = optimized(case.query, small(), off)
        check(found.query)
        assert entry.name not in fired(found)


def test_every_fixture_belongs_to_a_rule() -> None:
    assert {path.stem for path in FIXTURES.glob("*.txt")} == {entry.name for entry in RULES}
