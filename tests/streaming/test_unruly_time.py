"""Event time that misbehaves: late, duplicate, NULL and far-future rows, sources that go quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import tableflow
from tableflow.connectors.script import Script

BASE = datetime(2026, 1, 1)
COLUMNS = {"k": "INT", "ts": "TIMESTAMP(3)"}
COUNTS = "SELECT window_start, count(*) FROM TUMBLE(s, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end"


def at(second: float) -> datetime:
    return BASE + timedelta(seconds=second)


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2", "table.exec.source.idle-timeout": "50 ms"}
    with tableflow.connect(settings=settings) as opened:
        yield opened


def _until(found: Callable[[], object]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + 20
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _seconds(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted([((row[0] - BASE).total_seconds(), *row[1:]) for row in rows if isinstance(row[0], datetime)])


def test_late_and_duplicate_rows(connection: tableflow.Connection) -> None:
    """A row behind the watermark counts as long as its window is open; equal rows are two rows."""
    script = Script()
    connection.register_stream("s", COLUMNS, script, watermark=("ts", timedelta(seconds=5)))
    connection.execute(f"CREATE STREAMING TABLE counts AS {COUNTS}")
    script.rows((1, at(1)), (1, at(1)), (2, at(14)))
    connection.execute("FLUSH")
    script.rows((3, at(4)), (4, at(9)), (1, at(12)), (1, at(30)))
    _until(lambda: _seconds(connection.execute("SELECT * FROM counts").fetchall()) == [(0, 4), (10, 2)])
    script.rows((5, at(15)), (6, at(26)))
    _until(lambda: sum(int(row[5]) for row in connection.execute("SHOW WATERMARKS").fetchall()) == 1)
    script.end()
    _until(lambda: len(connection.execute("SELECT * FROM counts").fetchall()) == 4)
    assert _seconds(connection.execute("SELECT * FROM counts").fetchall()) == [(0, 4), (10, 2), (20, 1), (30, 1)]


def test_of_duplicates_the_first_row_can_be_kept(connection: tableflow.Connection) -> None:
    rows = [(1, at(2)), (1, at(2)), (2, at(3)), (1, at(1)), (1, at(11))]
    connection.register_stream("s", COLUMNS, rows, watermark=("ts", timedelta(seconds=5)))
    query = (
        "SELECT ts, k FROM TUMBLE(s, ts, INTERVAL '10' SECOND)"
        " QUALIFY ROW_NUMBER() OVER (PARTITION BY window_start, window_end, k ORDER BY ts) = 1"
    )
    assert _seconds(connection.execute(query).fetchall()) == [(1, 1), (3, 2), (11, 1)]


@pytest.mark.parametrize(("policy", "expected"), [("drop", [(0, 2)]), ("pass", [(0, 2)]), ("fail", None)])
def test_rows_without_a_time(connection: tableflow.Connection, policy: str, expected: list[object] | None) -> None:
    connection.register_stream("s", COLUMNS, [(1, at(1)), (2, None), (3, at(3))], watermark=("ts", timedelta(0)))
    connection.execute(f"SET 'table.exec.source.rowtime-null-handling' = '{policy}'")
    if expected is None:
        with pytest.raises(tableflow.Error, match="NULL"):
            connection.execute(COUNTS).fetchall()
        return
    assert _seconds(connection.execute(COUNTS).fetchall()) == expected
    passed = connection.execute("SELECT count(*) FROM s").fetchall()
    assert passed[-1][-1] == (3 if policy == "pass" else 2)


def test_a_row_from_the_far_future(connection: tableflow.Connection) -> None:
    """It takes time with it: windows close, and what follows is late; nothing overflows."""
    script = Script()
    connection.register_stream("s", COLUMNS, script, watermark=("ts", timedelta(0)))
    cursor = connection.execute(COUNTS)
    script.rows((1, at(1)), (1, datetime(9999, 12, 31, 23, 59, 45)))
    assert cursor.fetchmany(1, timeout=20) == [(at(0), 1)]
    script.rows((1, at(2)), (1, at(11)))
    script.end()
    assert cursor.fetchall() == [(datetime(9999, 12, 31, 23, 59, 40), 1)]


def test_one_quiet_part_does_not_hold_time_back(connection: tableflow.Connection) -> None:
    script = Script([], [])
    connection.register_stream("s", COLUMNS, script, watermark=("ts", timedelta(0)))
    cursor = connection.execute(COUNTS)
    script.rows((1, at(1)), part=0)
    script.rows((1, at(2)), part=1)
    found: list[tuple[object, ...]] = []

    def closed() -> bool:
        script.rows((1, at(25)), part=1)  # the other part goes on
        found.extend(cursor.fetchmany(1, timeout=0.05))
        return bool(found)

    _until(closed)
    assert found == [(at(0), 2)]
    cursor.close()


def test_a_warning_names_the_quiet_source_that_windows_wait_for(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("clicks", COLUMNS, script, watermark=("ts", timedelta(0)))
    cursor = connection.execute(COUNTS.replace("(s,", "(clicks,"))
    script.rows((1, at(1)), (1, at(2)))
    _until(lambda: any("clicks" in str(warning) and "idle" in str(warning) for _, warning in cursor.messages))
    script.rows((1, at(11)))
    assert cursor.fetchmany(1, timeout=20) == [(at(0), 2)]
    script.end()
    assert cursor.fetchall() == [(at(10), 1)]
    assert cursor.messages == []


def test_show_watermarks_names_it_as_well(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("clicks", COLUMNS, script, watermark=("ts", timedelta(0)))
    connection.execute(f"CREATE STREAMING TABLE counts AS {COUNTS.replace('(s,', '(clicks,')}")
    script.rows((1, at(1)))

    def shown() -> bool:
        cursor = connection.execute("SHOW WATERMARKS")
        rows = cursor.fetchall()
        quiet = [row for row in rows if "clicks" in str(row[1]) and row[3] == "yes"]
        return bool(quiet) and any("job 1" in str(warning) for _, warning in cursor.messages)

    _until(shown)
    connection.execute("CANCEL JOB 1")


def test_the_first_year_does_not_go_back_before_time(tmp_path: Path) -> None:
    """A watermark that would lie before all time moves none; other mistakes of its expression are told."""
    path = tmp_path / "s.csv"
    path.write_text("k,ts\n1,0001-01-01 00:00:00\n2,0001-01-02 00:00:00\n4,2024-01-01 00:00:00\n")
    with tableflow.connect(settings={"parallelism.default": "1", "execution.runtime-mode": "streaming"}) as connection:
        declared = (
            "CREATE TABLE {} (k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' DAY * {}) "
            f"WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'csv')"
        )
        connection.execute(declared.format("s", "k"))
        days = COUNTS.replace("'10' SECOND", "'1' DAY")
        found = connection.execute(days).fetchall()
        assert sorted(found) == [(datetime(1, 1, 1), 1), (datetime(1, 1, 2), 1), (datetime(2024, 1, 1), 1)]
        assert all(leg.difference is None for leg in connection.session.verify(days))
        connection.execute(declared.format("wrong", "(4 / (k - 1))"))
        with pytest.raises(tableflow.Error, match="division by zero"):
            connection.execute(days.replace("(s,", "(wrong,")).fetchall()
