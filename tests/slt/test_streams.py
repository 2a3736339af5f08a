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
SHARE = 3


def _check(path: Path, mode: Mode, *, finished: bool = True) -> Evidence:
    evidence = Evidence()
    problems = []
    for case in read_cases(path):
        try:
            evidence = evidence.and_of(run_case(case, mode, finished=finished))
        except (AssertionError, TableFlowError) as error:
            problems.append(f"case {case.title}\n{error}")
    assert not problems, "\n".join(problems)
    return evidence


@pytest.mark.parametrize("mode", modes.STREAMS, ids=lambda mode: mode.name)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_streams(path: Path, mode: Mode) -> None:
    """What batch mode says of the same rows is asked once."""
    evidence = _check(path, mode, finished=mode is modes.STREAMS[0])
    runs = any(record.kind == "query" for case in read_cases(path) for record in case.records)
    assert mode.proof(evidence) or not runs, evidence


@pytest.mark.slow
@pytest.mark.parametrize("mode", modes.MORE_STREAMS, ids=lambda mode: mode.name)
def test_streams_in_more_modes(mode: Mode) -> None:
    """Every mode over a share of the files, every file in a share of the modes."""
    turn = modes.MORE_STREAMS.index(mode)
    evidence = Evidence()
    for number, path in enumerate(FILES):
        if (number + turn) % SHARE == 0:
            evidence = evidence.and_of(_check(path, mode))
    assert mode.proof(evidence), evidence


@pytest.mark.thorough
@pytest.mark.parametrize("mode", modes.MORE_STREAMS, ids=lambda mode: mode.name)
def test_streams_in_every_mode(mode: Mode) -> None:
    evidence = Evidence()
    for path in FILES:
        evidence = evidence.and_of(_check(path, mode))
    assert mode.proof(evidence), evidence


def test_the_corpus_of_streams_is_not_empty() -> None:
    cases = [case for path in FILES for case in read_cases(path)]
    assert len(cases) > 130
    assert len({case.title for case in cases}) == len(cases)
