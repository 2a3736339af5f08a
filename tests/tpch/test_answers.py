"""All 22 TPC-H answers equal DuckDB's, under every mode, and the counters prove that the mode was in force."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks.side_by_side.compare import difference
from benchmarks.side_by_side.engines import DuckDB
from tableflow.session import Session
from tests import modes
from tests.modes import Evidence, Mode
from tpch.queries import NUMBERS, TABLES, query_text
from tpch.suite import SUITE

FAST = [modes.DEFAULT, *modes.SHAPES[1:2], *modes.SEEDS[:1]]
MORE_SHAPES = [mode for mode in modes.SHAPES[2:] if not mode.files]
"""No query has rows of a file as its result, whose columns could come later."""
SLOW = [*modes.SHAPES[:1], *MORE_SHAPES, *modes.SEEDS[1:], *modes.RULES_OFF]


@pytest.fixture(scope="module")
def answers(tpch_data: dict[str, Path]) -> dict[tuple[str, int], pa.Table]:
    """DuckDB's answers by scale and query."""
    found = {}
    for scale, data in tpch_data.items():
        engine = DuckDB(SUITE.files(data), 2)
        found.update({(scale, number): engine.run(query_text(number)) for number in NUMBERS})
    return found


def _check(data: Path, scale: str, mode: Mode, answers: dict[tuple[str, int], pa.Table]) -> None:
    session = Session(mode.settings)
    evidence = Evidence()
    problems = []
    try:
        for table in TABLES:
            session.execute(f"CREATE VIEW {table} AS SELECT * FROM '{data / table}.parquet'")
        for number in NUMBERS:
            result = session.execute(query_text(number)).result
            assert result is not None
            batches = list(iter(result.next_batch, None))
            evidence = evidence.plus(result)
            problem = difference(pa.Table.from_batches(batches, schema=result.schema), answers[scale, number])
            if problem is not None:
                problems.append(f"q{number}: {problem}")
    finally:
        session.close()
    assert not problems, "\n".join(problems)
    assert mode.proof(evidence), evidence


@pytest.mark.parametrize("mode", FAST, ids=lambda mode: mode.name)
def test_answers(mode: Mode, tpch_data: dict[str, Path], answers: dict[tuple[str, int], pa.Table]) -> None:
    _check(tpch_data["0.01"], "0.01", mode, answers)


@pytest.mark.slow
@pytest.mark.parametrize("mode", SLOW, ids=lambda mode: mode.name)
def test_answers_in_more_modes(
    mode: Mode, tpch_data: dict[str, Path], answers: dict[tuple[str, int], pa.Table]
) -> None:
    _check(tpch_data["0.01"], "0.01", mode, answers)


@pytest.mark.slow
def test_answers_from_one_row_batches(tpch_data: dict[str, Path], answers: dict[tuple[str, int], pa.Table]) -> None:
    _check(tpch_data["0.001"], "0.001", modes.ONE_ROW, answers)
