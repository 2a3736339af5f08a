"""Every record of the corpus under every mode, and every expectation against DuckDB."""

from __future__ import annotations

import re
import tempfile
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from tableflow.errors import InternalError, TableFlowError
from tableflow.planner.driver import RULES
from tableflow.planner.streaming_rules import ONLY_FOR_STREAMS
from tableflow.session import Session
from tests import modes
from tests.modes import Evidence, Mode
from tests.slt.compare import mismatch
from tests.slt.records import Record, read
from tests.slt.tables import readings, stored

FILES = sorted(path for path in Path(__file__).parent.glob("*/*.slt") if path.parent.name != "streams")
SHARE = 4
LARGE = 20_000
READ_TWICE = """WITH total AS (
    SELECT a.place, count(*) AS number, sum(a.value) AS value FROM readings a JOIN readings b ON a.number = b.number
    GROUP BY a.place
) SELECT t.place, t.number, t.value FROM total t WHERE t.value = (SELECT max(value) FROM total) ORDER BY t.place"""
MORE = [*modes.SHAPES, *modes.SEEDS, *modes.RULES_OFF]
LATE = next(mode for mode in modes.SHAPES if mode.files)
FIRST_ROWS = next(path for path in FILES if path.stem == "ordering")
WHOLE_TABLES = next(path for path in FILES if path.stem == "aggregates")
FAST = {modes.DEFAULT.name, *(mode.name for mode in modes.SHAPES), modes.SEEDS[0].name}


def _rows(session: Session, sql: str, evidence: Evidence) -> tuple[list[tuple[object, ...]], Evidence]:
    result = session.execute(sql).result
    rows: list[tuple[object, ...]] = []
    if result is None:
        return rows, evidence
    while (batch := result.next_batch()) is not None:
        rows.extend(zip(*(column.to_pylist() for column in batch.columns), strict=True))
    result.close()
    return rows, evidence.plus(result)


def _run(session: Session, record: Record, evidence: Evidence, folder: Path | None) -> tuple[str | None, Evidence]:
    """What is wrong, or None."""
    try:
        if stored(session, record.sql, folder):
            return None, evidence
        rows, evidence = _rows(session, record.sql, evidence)
    except InternalError as error:
        return f"InternalError: {error}", evidence
    except TableFlowError as error:
        if record.error is not None and re.search(record.error, str(error), re.DOTALL | re.IGNORECASE):
            return None, evidence
        return f"{type(error).__name__}: {error}", evidence
    if record.error is not None:
        return f"succeeded, an error like {record.error!r} is expected", evidence
    return (None if record.rows is None else mismatch(record, rows)), evidence


def _check(path: Path, mode: Mode) -> Evidence:
    session = Session(mode.settings)
    evidence = Evidence()
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for record in read(path):
                problem, evidence = _run(session, record, evidence, Path(folder) if mode.files else None)
                if problem is not None:
                    problems.append(f"{record.place}: {record.sql}\n    {problem}")
        finally:
            session.close()
    assert not problems, "\n".join(problems)
    return evidence


def _check_large(mode: Mode, evidence: Evidence) -> Evidence:
    session = Session(mode.settings)
    session.registrations.table("readings", readings(LARGE), split_rows=LARGE // 2)
    rows, evidence = _rows(session, READ_TWICE, evidence)
    session.close()
    assert rows == [("here", LARGE // 2, Decimal(LARGE // 4)), ("there", LARGE // 2, Decimal(LARGE // 4))]
    return evidence


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus(path: Path) -> None:
    _check(path, modes.DEFAULT)


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_corpus_in_batches_of_one_row(path: Path) -> None:
    _check(path, modes.ONE_ROW)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MORE, ids=lambda mode: mode.name)
def test_corpus_in_more_modes(mode: Mode) -> None:
    """Every mode over a share of the files, every file in a share of the modes."""
    turn = MORE.index(mode)
    for number, path in enumerate(FILES):
        if (number + turn) % SHARE == 0:
            _check(path, mode)


@pytest.mark.thorough
@pytest.mark.parametrize("mode", MORE, ids=lambda mode: mode.name)
def test_corpus_in_every_mode(mode: Mode) -> None:
    for path in FILES:
        _check(path, mode)


@pytest.mark.parametrize(
    "mode",
    [pytest.param(mode, id=mode.name, marks=() if mode.name in FAST else pytest.mark.slow) for mode in modes.ALL],
)
def test_mode_was_in_force(mode: Mode) -> None:
    """Seen in the counters of the joins, and of a table that has more rows than a batch."""
    evidence = _check_large(mode, _check(next(path for path in FILES if path.stem == "joins"), mode))
    if mode.files:
        evidence = evidence.and_of(_check(FIRST_ROWS, mode))
    assert mode.proof(evidence), evidence


@pytest.mark.slow
def test_groups_behind_a_limit_are_left_out() -> None:
    """Unless columns are never late."""
    ordering = next(path for path in FILES if path.stem == "ordering")
    never = next(mode for mode in modes.ALL if mode.name == "never-late")
    assert _check(ordering, modes.DEFAULT).groups_left_out > 0
    assert _check(ordering, never).groups_left_out == 0


def test_each_rule_that_is_switched_off_fires_when_it_is_on() -> None:
    """A mode without a rule that never fires would show nothing."""
    fired = set(_check_large(modes.DEFAULT, Evidence()).fired)
    for path in FILES:
        fired |= _check(path, modes.DEFAULT).fired
    for path in (FIRST_ROWS, WHOLE_TABLES):  # what files alone offer
        fired |= _check(path, LATE).fired
    assert {entry.name for entry in RULES if entry.switchable} - ONLY_FOR_STREAMS.keys() <= fired


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_expectations_are_duckdbs(path: Path) -> None:
    """Where a record does not say that (and why) DuckDB differs, DuckDB gives the same rows or fails as well."""
    connection = duckdb.connect()
    problems = []
    for record in read(path):
        problem = _duckdb_problem(connection, record)
        if problem is not None and record.differs is None:
            problems.append(f"{record.place}: {record.sql}\n    {problem}")
        if problem is None and record.differs is not None:
            problems.append(f"{record.place}: DuckDB agrees, the note that it differs is wrong")
    assert not problems, "\n".join(problems)


@pytest.mark.slow
def test_views_of_constants() -> None:
    """The corpus as written, its tables as views, in one task."""
    for path in FILES:
        session = Session({"parallelism.default": "1"})
        problems = []
        for record in read(path):
            if record.rows is None and record.error is None:
                session.execute(record.sql)
            elif record.rows is not None:
                rows, _ = _rows(session, record.sql, Evidence())
                problem = mismatch(record, rows)
                if problem is not None:
                    problems.append(f"{record.place}: {problem}")
        session.close()
        assert not problems, "\n".join(problems)


def _duckdb_problem(connection: duckdb.DuckDBPyConnection, record: Record) -> str | None:
    try:
        rows = connection.execute(record.duckdb or record.sql).fetchall()
    except duckdb.Error as error:
        return None if record.error is not None else str(error)
    if record.error is not None:
        return "DuckDB succeeds"
    return None if record.rows is None else mismatch(record, rows)


def test_the_corpus_is_not_empty() -> None:
    assert sum(len(read(path)) for path in FILES) > 200
