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
from tests.slt.compare import mismatch
from tests.slt.records import Record, read
from tests.slt.tables import stored

FILES = sorted(path for path in (Path(__file__).parent.parent / "slt").glob("*/*.slt") if path.parent.name != "streams")
REFUSED: Mapping[str, int] = {}
"""Records without a plan for streams, by file; none where nothing is said."""

STREAMING = {"parallelism.default": "2", "execution.runtime-mode": "streaming"}
MORE = {
    "one task": {"parallelism.default": "1"},
    "four tasks": {"parallelism.default": "4"},
    "one row": {"execution.batch-rows": "1"},
    "seed 1": {"execution.scheduler-seed": "1"},
    "seed 2": {"execution.scheduler-seed": "2", "parallelism.default": "3"},
    "unfused": {"execution.fusion": "off"},
    "through json": {"debug.serialize-plans": "on"},
    "dictionaries": {"debug.representation": "dictionary"},
}


def _problem(session: Session, record: Record) -> str | None:
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


def _check(path: Path, settings: Mapping[str, str]) -> tuple[int, int]:
    """Records with and without a plan; fails for every wrong one."""
    session = Session({**STREAMING, **settings})
    problems, planned, refused = [], 0, 0
    try:
        for record in read(path):
            try:
                problem = _problem(session, record)
                planned += 1
            except UnsupportedError:
                refused += 1
                continue
            if problem is not None:
                problems.append(f"{record.place}: {record.sql}\n    {problem}")
    finally:
        session.close()
    assert not problems, "\n".join(problems)
    return planned, refused


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_finished_tables_as_streams(path: Path) -> None:
    planned, refused = _check(path, {})
    assert refused <= REFUSED.get(path.stem, 0)
    assert planned > refused


@pytest.mark.slow
@pytest.mark.parametrize("mode", MORE)
def test_finished_tables_as_streams_in_more_ways(mode: str) -> None:
    counts = [_check(path, MORE[mode]) for path in FILES]
    assert sum(planned for planned, _ in counts) >= 900
    assert sum(refused for _, refused in counts) <= sum(REFUSED.values())
