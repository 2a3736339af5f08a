"""Groups by a window's columns, above joins, first rows and unions of windows: nothing of a window is kept once it has closed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import tableflow

pytestmark = pytest.mark.slow

BEGIN = datetime(2026, 1, 1)
A, B = "TUMBLE(a, ts, INTERVAL '10' SECOND) l", "TUMBLE(b, ts, INTERVAL '10' SECOND) r"
JOINED = f"{A} JOIN {B} ON l.k = r.k AND l.window_start = r.window_start AND l.window_end = r.window_end"
IN_TIME = f"{A} JOIN {B} ON l.k = r.k AND r.ts BETWEEN l.ts - INTERVAL '3' SECOND AND l.ts + INTERVAL '2' SECOND"
BY_LAST = f"{A} JOIN {B} ON l.k = r.k AND r.window_time BETWEEN l.window_time - INTERVAL '10' SECOND AND l.window_time"
FIRST = f"SELECT * FROM {A} QUALIFY row_number() OVER (PARTITION BY window_start, window_end, k ORDER BY v DESC) <= 2"
QUERIES = {
    "a join": f"SELECT l.window_start, l.window_end, count(*) AS n FROM {JOINED} GROUP BY l.window_start, l.window_end",
    "an outer join": f"SELECT l.window_end, count(r.v) AS n FROM {JOINED.replace('JOIN', 'LEFT JOIN')} GROUP BY l.window_end",
    "results while it is open": f"SELECT l.window_end, count(*) AS n FROM {JOINED} GROUP BY l.window_end EMIT ON UPDATE",
    "different rows": f"SELECT DISTINCT l.window_end, l.k FROM {JOINED}",
    "all rows of a group": f"SELECT l.window_end, median(l.v) AS n FROM {JOINED} GROUP BY l.window_end EMIT ON UPDATE",
    "first rows": f"SELECT window_end, sum(v) AS n FROM ({FIRST}) GROUP BY window_end",
    "groups of groups": f"SELECT window_end, max(n) AS n FROM (SELECT l.window_end, l.k, count(*) AS n FROM {JOINED} GROUP BY l.window_end, l.k) GROUP BY window_end",
    "a join in time": f"SELECT l.window_end, count(*) AS n FROM {IN_TIME} GROUP BY l.window_end",
    "a join of last moments": f"SELECT l.window_time AS t, count(*) AS n FROM {BY_LAST} GROUP BY l.window_time",
    "both of two": f"SELECT window_end, sum(v) AS n FROM (SELECT * FROM {A} UNION ALL SELECT * FROM {B}) GROUP BY window_end",
    "a version": f"SELECT window_end, sum(r.v) AS n FROM {A} ASOF LEFT JOIN b r ON l.k = r.k AND l.ts >= r.ts GROUP BY window_end",
}


class Feed:
    """Four rows a window, of several keys, all of which have come when somebody waits for them; then silence."""

    def __init__(self, windows: int, factor: int) -> None:
        self._rows = windows * 4
        self._factor = factor
        self.over = threading.Event()

    def __call__(self) -> Iterator[tuple[int, int, datetime]]:
        for i in range(self._rows):
            yield (i * self._factor) % 3, i, BEGIN + timedelta(milliseconds=2500 * i)
        assert self.over.wait(60)


def _groups_held(query: str, windows: int) -> int:
    """Bytes that grouping holds when all rows have had their effect."""
    feeds = Feed(windows, 7), Feed(windows, 5)
    settings = {"parallelism.default": "1", "execution.batch-rows": "40"}
    with tableflow.connect(settings=settings) as connection:
        for name, feed in zip("ab", feeds, strict=True):
            schema = {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"}
            connection.register_stream(name, schema, feed, watermark=("ts", timedelta(seconds=2)))
        connection.execute(f"CREATE STREAMING TABLE kept AS {query}")
        limit = time.monotonic() + 60
        while connection.execute("SELECT count(*) FROM kept").fetchall()[0][0] < windows - 3:
            assert time.monotonic() < limit
            time.sleep(0.02)
        connection.execute("FLUSH")
        job = connection.session.storage.shared.keeper.find(1)
        counters = job.counters()
        for feed in feeds:
            feed.over.set()
    assert counters is not None
    operators = [operator for stage in counters.stages for operator in stage.operators]
    found = [operator for operator in operators if operator.name.startswith("ChangelogAggregate")]
    assert found
    return sum(operator.state for operator in found)


@pytest.mark.parametrize("name", QUERIES)
def test_what_is_kept_does_not_grow(name: str) -> None:
    few, many = (_groups_held(QUERIES[name], windows) for windows in (20, 600))
    assert many <= few + 6000


def test_groups_of_no_window_grow() -> None:
    """What the test above looks at would show it."""
    query = f"SELECT l.window_start, count(*) AS n FROM {JOINED} GROUP BY l.window_start"
    few, many = (_groups_held(query, windows) for windows in (20, 600))
    assert many > few + 6000


def test_it_is_said_when_groups_come() -> None:
    with tableflow.connect() as connection:
        for name in "ab":
            schema = {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"}
            connection.register_stream(name, schema, Feed(1, 1), watermark=("ts", timedelta(seconds=2)))
        said = {
            name: [
                row[4]
                for row in connection.execute(f"EXPLAIN WATERMARK {QUERIES[name]}").fetchall()
                if row[0].startswith("ChangelogAggregate")
            ]
            for name in ("a join", "results while it is open")
        }
    assert said == {
        "a join": ["the end of the window: window_end"],
        "results while it is open": ["nothing; groups are forgotten as time passes"],
    }
