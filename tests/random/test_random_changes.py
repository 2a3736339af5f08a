"""Random statements that write leave the same tables as DuckDB's, in every mode; versions are those that were seen."""

from __future__ import annotations

import duckdb
import pytest

import tableflow
from tests.random.changes import COLUMNS, TABLES, ChangeMaker

MODES = {
    "plain": {},
    "one row": {"parallelism.default": "2", "execution.batch-rows": "1"},
    "not fused": {"parallelism.default": "2", "execution.fusion": "off"},
    "seeded": {"parallelism.default": "3", "execution.scheduler-seed": "7", "execution.batch-rows": "3"},
}
STATEMENTS = 25


def _sorted(rows: list[tuple]) -> list[tuple]:
    return sorted(rows, key=repr)


def _check(seed: int, mode: dict[str, str]) -> None:
    maker = ChangeMaker(seed)
    theirs = duckdb.connect()
    with tableflow.connect(settings=mode) as ours:
        history: list[str] = []
        seen: dict[int, list[tuple]] = {}
        for text in TABLES:
            theirs.execute(text)
            ours.execute(text)
        for _ in range(STATEMENTS):
            text = maker.statement()
            history.append(text)
            expected = theirs.execute(text).fetchall()
            cursor = ours.execute(text)
            if "RETURNING" in text:
                assert _sorted(cursor.fetchall()) == _sorted(expected), "\n".join(history)
            else:
                assert cursor.rowcount == expected[0][0], "\n".join(history)
            for table in COLUMNS:
                query = f"SELECT * FROM {table}"
                rows = _sorted(ours.execute(query).fetchall())
                assert rows == _sorted(theirs.execute(query).fetchall()), f"{table}\n" + "\n".join(history)
            newest = int(ours.execute("SHOW VERSIONS t").fetchall()[0][0])
            seen[newest] = _sorted(ours.execute("SELECT * FROM t").fetchall())
        for version, rows in seen.items():
            assert _sorted(ours.execute(f"SELECT * FROM t FOR VERSION AS OF {version}").fetchall()) == rows
        _check_changes(ours, seen, history)


def _check_changes(ours: tableflow.Connection, seen: dict[int, list[tuple]], history: list[str]) -> None:
    """The first version and the changes since give the last one."""
    first, last = min(seen), max(seen)
    counts: dict[tuple, int] = {}
    for row in seen[first]:
        counts[row] = counts.get(row, 0) + 1
    for *row, _, weight in ours.execute(f"SELECT * FROM table_changes('t', {first}, {last})").fetchall():
        counts[tuple(row)] = counts.get(tuple(row), 0) + weight
    found = [row for row, count in counts.items() for _ in range(count)]
    assert _sorted(found) == seen[last], "\n".join(history)
    assert all(count >= 0 for count in counts.values())


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_random_changes(seed: int, mode: str) -> None:
    _check(seed, MODES[mode])


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed", [*range(100, 110), *(pytest.param(n, marks=pytest.mark.thorough) for n in range(110, 160))]
)
def test_more_random_changes(seed: int) -> None:
    _check(seed, MODES["plain" if seed % 2 else "seeded"])
