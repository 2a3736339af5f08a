"""Each rule has a file of its name: queries for which it must fire, with the plan, and queries for which it must not.

A file is a sequence of paragraphs: ``fires`` or ``silent``, the query, and after ``----`` the optimised plan.
``in streams`` behind the verdict: the plan is one over streams.
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
    streams: bool = False

    @property
    def settings(self) -> Settings:
        return Settings().with_value("execution.runtime-mode", "streaming" if self.streams else "auto")


def read(path: Path) -> list[Case]:
    cases = []
    for paragraph in path.read_text().strip().split("\n\n"):
        head, _, plan = paragraph.partition("\n----\n")
        verdict, _, query = head.partition("\n")
        verdict, _, mode = verdict.partition(" ")
        assert verdict in ("fires", "silent") and mode in ("", "in streams"), f"{path}: {verdict}"
        cases.append(Case(verdict, query, plan.rstrip("\n"), mode == "in streams"))
    return cases


def write(path: Path, cases: list[Case]) -> None:
    parts = [
        f"{c.verdict}{' in streams' if c.streams else ''}\n{c.query}" + (f"\n----\n{c.plan}" if c.plan else "")
        for c in cases
    ]
    path.write_text("\n\n".join(parts) + "\n")


@pytest.mark.parametrize("entry", RULES, ids=lambda entry: entry.name)
def test_rule(entry: Entry) -> None:
    path = FIXTURES / f"{entry.name}.txt"
    cases = read(path)
    assert {case.verdict for case in cases} == {"fires", "silent"}
    for case in cases:
        found = optimized(case.query, small(), case.settings)
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
    for case in read(FIXTURES / f"{entry.name}.txt"):
        off = case.settings.with_value("optimizer.disabled-rules", entry.name)
        found = optimized(case.query, small(), off)
        check(found.query)
        assert entry.name not in fired(found)


def test_every_fixture_belongs_to_a_rule() -> None:
    assert {path.stem for path in FIXTURES.glob("*.txt")} == {entry.name for entry in RULES}
