"""OVER in the order of event time, as users see it: plans, late rows, and the order in which rows come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.connectors.script import Rows, Script
from tableflow.runtime.source import Done

START = datetime(2024, 1, 1, 9)
COLUMNS = {"k": "INT", "ts": "TIMESTAMP(3)", "v": "INT"}
SUM = "SELECT ts, v, sum(v) OVER (PARTITION BY k ORDER BY ts) AS total FROM e"


def _at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def _stream(connection: tableflow.Connection, rows: list[list[tuple[int, datetime, int]]]) -> None:
    events = [*map(Rows, rows), Done()]
    connection.register_stream("e", COLUMNS, Script(events), watermark=("ts", timedelta(seconds=5)))


def _until(found: Callable[[], object]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + 60
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2"}) as opened:
        yield opened


def test_plans_say_which_operator_it_is_and_that_nothing_is_taken_back(connection: tableflow.Connection) -> None:
    _stream(connection, [])
    waiting = "\n".join(line for (line,) in connection.execute(f"EXPLAIN CHANGELOG {SUM}").fetchall())
    assert "EventTimeOver by [k] order ts" in waiting
    assert "retract" not in waiting
    assert "event time(ts)" in waiting
    lead = SUM.replace("sum(v)", "lead(v)")
    correcting = "\n".join(line for (line,) in connection.execute(f"EXPLAIN CHANGELOG {lead}").fetchall())
    assert "ChangelogOver by [k] order ts" in correcting
    assert "changelog retract" in correcting


def test_late_rows_are_counted(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("e", COLUMNS, script, watermark=("ts", timedelta(seconds=5)))
    connection.execute(f"CREATE STREAMING TABLE kept AS {SUM}")
    cursor = connection.execute(SUM)
    script.rows((1, _at(2), 1), (1, _at(20), 2))
    assert cursor.fetchmany(1, timeout=20) == [(_at(2), 1, 1)]
    _until(lambda: connection.execute("SELECT count(*) FROM kept").fetchone() == (1,))
    script.rows((1, _at(3), 4), (1, _at(14), 8))
    script.rows((1, _at(16), 16))
    script.end()
    assert cursor.fetchall() == [(_at(16), 16, 17), (_at(20), 2, 19)]
    assert any("2 rows came too late for OVER" in str(message) for _, message in cursor.messages)
    _until(lambda: connection.execute("SELECT count(*), max(total) FROM kept").fetchone() == (3, 19))


def test_late_rows_of_a_job_are_shown(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("e", COLUMNS, script, watermark=("ts", timedelta(seconds=5)))
    connection.execute(f"CREATE STREAMING TABLE kept AS {SUM}")
    script.rows((1, _at(2), 1), (1, _at(20), 2))
    _until(lambda: connection.execute("SELECT count(*) FROM kept").fetchone() == (1,))
    script.rows((1, _at(3), 4), (1, _at(14), 8))
    _until(lambda: sum(int(row[5]) for row in connection.execute("SHOW WATERMARKS").fetchall()) == 2)


@pytest.mark.parametrize("parallelism", [1, 2])
def test_rows_come_in_the_order_of_time(parallelism: int) -> None:
    """In each task; with one task that is the order of the result."""
    rows = [[((i * 7 + j) % 5, _at(i + (j * 13 % 4)), j) for j in range(20)] for i in range(10)]
    with tableflow.connect(settings={"parallelism.default": str(parallelism)}) as connection:
        _stream(connection, rows)
        found = connection.execute(
            SUM.replace("PARTITION BY k ", "" if parallelism > 1 else "PARTITION BY k ")
        ).fetchall()
    times = [moment for moment, _, _ in found]
    assert len(times) == 200
    assert times == sorted(times)
