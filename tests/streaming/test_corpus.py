"""The corpus of finished tables once more, each table read as a stream that ends: the same rows, or no plan and why.

Every file has a count of the records that have no plan; it may only go down, so that coverage cannot silently become none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tableflow.errors import InternalError, TableFlowError, UnsupportedError
from tableflow.session import Session
from tests import modes
from tests.modes import Evidence, Mode
from tests.slt.compare import mismatch
from tests.slt.records import Record, read
from tests.slt.tables import stored

FILES = sorted(path for path in (Path(__file__).parent.parent / "slt").glob("*/*.slt") if path.parent.name != "streams")
REFUSED: Mapping[str, int] = {}
"""Records without a plan for streams, by file; none where nothing is said."""

SHARE = 3
STREAMING = {"parallelism.default": "2", "execution.runtime-mode": "streaming"}
MORE = [mode for mode in modes.MORE_STREAMS if not (mode.one_by_one or mode.kept)] + [modes.ONE_ROW, modes.SHAPES[7]]


def _problem(session: Session, record: Record, seen: list[Evidence]) -> str | None:
    """What is wrong, or None; an UnsupportedError says that there is no plan."""
    if stored(session, record.sql):
        return None
    rows: list[tuple[object, ...]] = []
    try:
        result = session.execute(record.sql).result
        while result is not None and (batch := result.next_batch()) is not None:
            rows.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        if result is not None:
            result.close()
            seen[0] = seen[0].plus(result)
    except InternalError as error:
        return f"InternalError: {error}"
    except TableFlowError as error:
        if record.error is not None and re.search(record.error, str(error), re.DOTALL | re.IGNORECASE):
            return None
        if isinstance(error, UnsupportedError):
            raise
        return f"{type(error).__name__}: {error}"
    if record.error is not None:
        return f"succeeded, an error like {record.error!r} is expected"
    return None if record.rows is None else mismatch(record, rows)


def _check(path: Path, settings: Mapping[str, str]) -> tuple[int, int, Evidence]:
    """Records with and without a plan, and what was seen; fails for every wrong one."""
    seen = [Evidence()]
    session = Session({**STREAMING, **settings})
    problems, planned, refused = [], 0, 0
    try:
        for record in read(path):
            try:
                problem = _problem(session, record, seen)
                planned += 1
            except UnsupportedError:
                refused += 1
                continue
            if problem is not None:
                problems.append(f"{record.place}: {record.sql}\n    {problem}")
    finally:
        session.close()
    assert not problems, "\n".join(problems)
    return planned, refused, seen[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_finished_tables_as_streams(path: Path) -> None:
    planned, refused, seen = _check(path, {})
    assert refused <= REFUSED.get(path.stem, 0)
    assert planned > refused
    assert seen.streamed == seen.planned, "batch plans among them"
    assert seen.streamed > 0 or path.stem == "errors"  # whose queries fail


@pytest.mark.slow
@pytest.mark.parametrize("mode", MORE, ids=lambda mode: mode.name)
def test_finished_tables_as_streams_in_more_ways(mode: Mode) -> None:
    """Every file in some of the modes, and joins in all: there it is seen that the mode was in force."""
    turn = MORE.index(mode)
    for number, path in enumerate(FILES):
        if (number + turn) % SHARE == 0 or path.stem == "joins":
            _, refused, seen = _check(path, mode.settings)
            assert refused <= REFUSED.get(path.stem, 0)
            assert path.stem != "joins" or mode.proof(seen), seen


@pytest.mark.thorough
@pytest.mark.parametrize("mode", MORE, ids=lambda mode: mode.name)
def test_finished_tables_as_streams_in_every_way(mode: Mode) -> None:
    counts = [_check(path, mode.settings) for path in FILES]
    assert sum(planned for planned, _, _ in counts) >= 900
    assert sum(refused for _, refused, _ in counts) <= sum(REFUSED.values())
