"""Every case of the corpus of streams in several modes; counters prove that each mode was in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from tableflow.errors import TableFlowError
from tests import modes
from tests.modes import Evidence, Mode
from tests.slt.stream_case import run_case
from tests.slt.stream_records import read_cases

FILES = sorted((Path(__file__).parent / "streams").glob("*.slt"))


def _check(path: Path, mode: Mode) -> Evidence:
    evidence = Evidence()
    problems = []
    for case in read_cases(path):
        try:
            evidence = evidence.and_of(run_case(case, mode))
        except (AssertionError, TableFlowError) as error:
            problems.append(f"case {case.title}\n{error}")
    assert not problems, "\n".join(problems)
    return evidence


@pytest.mark.parametrize("mode", modes.STREAMS, ids=lambda mode: mode.name)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_streams(path: Path, mode: Mode) -> None:
    evidence = _check(path, mode)
    assert mode.proof(evidence), evidence


@pytest.mark.slow
@pytest.mark.parametrize("mode", modes.MORE_STREAMS, ids=lambda mode: mode.name)
def test_streams_in_more_modes(mode: Mode) -> None:
    evidence = Evidence()
    for path in FILES:
        evidence = evidence.and_of(_check(path, mode))
    assert mode.proof(evidence), evidence
