"""Rows that replace each other by key and have event time: what is replaced is taken back from its window, while that is open."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.connectors.script import Delay, Script

BASE = datetime(2026, 1, 1)
COLUMNS = {"id": "BIGINT", "v": "BIGINT", "ts": "TIMESTAMP(3)"}
SECOND = 1_000_000
WINDOW = "TUMBLE(TABLE s, DESCRIPTOR(ts), INTERVAL '10' SECOND)"


def at(second: float) -> datetime:
    return BASE + timedelta(seconds=second)


@pytest.fixture(params=["1", "2"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    settings = {
        "parallelism.default": request.param,
        "execution.scheduler-seed": "5",
        "execution.batch-rows": "7",
        "execution.runtime-mode": "streaming",
    }
    with tableflow.connect(settings=settings) as opened:
        yield opened


def final(cursor: tableflow.Cursor) -> Counter[tuple[object, ...]]:
    """What changes add up to."""
    assert cursor.description is not None and cursor.description[0][0] == "op"
    found: Counter[tuple[object, ...]] = Counter()
    for op, *row in cursor.fetchall():
        found[tuple(row)] += 1 if str(op).startswith("+") else -1
    assert min(found.values(), default=0) >= 0
    return +found


@pytest.mark.parametrize(
    "query",
    [
        f"SELECT window_start, count(*), sum(v), max(v) FROM {WINDOW} GROUP BY window_start, window_end",
        f"SELECT window_end, count(*) FROM {WINDOW} WHERE v % 3 > 0 GROUP BY window_start, window_end EMIT ON WINDOW CLOSE",
        "SELECT v % 5, count(*) FROM s GROUP BY v % 5",
        "SELECT a.id, b.v FROM s a JOIN s b ON a.id = b.v % 20 AND a.ts BETWEEN b.ts - INTERVAL '9' SECOND AND b.ts",
    ],
)
def test_the_last_rows_count(connection: tableflow.Connection, query: str) -> None:
    """Where no row is late, changes add up to the query over the last row of each key."""
    rng = random.Random(1)
    rows = [(rng.randrange(20), i, at(i // 4 + rng.uniform(0, 60))) for i in range(200)]
    connection.register_stream("s", COLUMNS, rows, key=["id"], changelog="upsert", watermark=("ts", timedelta(hours=1)))
    found = final(connection.execute(query))
    assert found
    last = {row[0]: row for row in rows}
    with tableflow.connect() as finished:
        finished.execute("CREATE TABLE s (id BIGINT, v BIGINT, ts TIMESTAMP(3))")
        finished.cursor().executemany("INSERT INTO s VALUES (?, ?, ?)", list(last.values()))
        assert found == Counter(finished.execute(query.replace("EMIT ON WINDOW CLOSE", "")).fetchall())


def test_a_closed_window_keeps_what_it_said(connection: tableflow.Connection) -> None:
    """The new row counts in its window; the old one is taken back from one that is open, and not from a closed one."""
    script = Script()
    connection.register_stream("s", COLUMNS, script, key="id", changelog="upsert", watermark=("ts", 0))
    script.rows((1, 10, at(1)), (2, 20, at(2)))
    script.rows((1, 9, at(3)), (3, 30, at(13)))  # the first window closes behind them
    script.tell(Delay(SECOND))
    script.rows((1, 11, at(12)), (3, 31, at(14)), (3, 32, at(15)), (2, 99, at(3)))  # the last is late
    script.rows((4, 1, at(40)))
    script.end()
    query = (
        f"SELECT window_start, count(*), sum(v) FROM {WINDOW} GROUP BY window_start, window_end EMIT ON WINDOW CLOSE"
    )
    expected = {(at(0), 2, 29): 1, (at(10), 2, 43): 1, (at(40), 1, 1): 1}
    assert final(connection.execute(query)) == expected
    assert final(connection.execute("SELECT id, v FROM s WHERE v <> 11")) == {(2, 99): 1, (3, 32): 1, (4, 1): 1}


def test_a_key_that_goes_needs_no_time(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("s", COLUMNS, script, key="id", changelog="upsert", watermark=("ts", 0))
    script.rows((1, 10, at(1)), (2, 20, at(2)))
    script.rows((1, None, None), weights=[-1])
    script.end()
    query = f"SELECT count(*), sum(v) FROM {WINDOW} GROUP BY window_start, window_end"
    assert final(connection.execute(query)) == {(1, 20): 1}
    script = Script()
    connection.register_stream("s", COLUMNS, script, key="id", changelog="upsert", watermark=("ts", 0))
    script.rows((1, 10, None))
    with pytest.raises(tableflow.DataError, match="event time 'ts' of a row of 's' is NULL"):
        connection.execute(query).fetchall()


def test_versions_that_are_replaced_have_no_plan(connection: tableflow.Connection) -> None:
    connection.register_stream("s", COLUMNS, [], key="id", changelog="upsert", watermark=("ts", 0))
    connection.register_stream("o", COLUMNS, [], watermark=("ts", 0))
    with pytest.raises(tableflow.NotSupportedError, match="versions that are replaced are gone") as caught:
        connection.execute("SELECT o.id, s.v FROM o JOIN s FOR SYSTEM_TIME AS OF o.ts ON o.id = s.id")
    assert "without changelog 'upsert' keeps them" in str(caught.value)
