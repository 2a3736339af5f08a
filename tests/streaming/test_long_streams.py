"""A long stream holds no more than its first part, and what a flood of rows took is given back when their time has passed.

Queries over two streams whose ``k`` is a few rows' for half a minute and never comes again, and whose ``user`` is one of 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from queue import SimpleQueue
from threading import Semaphore

import numpy as np
import pyarrow as pa
import pytest

import tableflow
from tableflow.runtime.counts import OperatorCounts

SECOND = 1_000_000
STEP = 120
"""Seconds of a batch."""
ROWS = 1000
FLOOD = 30 * ROWS
DIRECTORIES = 600_000
"""What directories of keys and rows take that have once had room for the largest batch; rows of a flood would be several times that."""

COLUMNS = {"k": "BIGINT", "user": "BIGINT", "v": "BIGINT", "t": "STRING", "ts": "TIMESTAMP(6)"}

WINDOW = "GROUP BY k, window_start, window_end"
MINUTES = "TUMBLE(a, ts, INTERVAL '1' MINUTE)"
ROW_WINDOW = "GROUP BY user, window_start, window_end"
QUERIES = {
    "versions": (
        "SELECT a.v, b.v AS w, a.t, b.t AS u FROM a ASOF LEFT JOIN b ON a.user = b.user AND a.ts >= b.ts",
        "VersionedJoin",
    ),
    "many versions of few keys": (
        "SELECT a.v, b.v AS w, b.t FROM a JOIN b FOR SYSTEM_TIME AS OF a.ts ON a.user = b.user",
        "VersionedJoin",
    ),
    "interval": (
        "SELECT a.t, b.t AS u FROM a JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '30' SECOND AND a.ts",
        "TimedJoin",
    ),
    "interval, full": (
        "SELECT a.t, b.t AS u FROM a FULL JOIN b ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '30' SECOND AND a.ts",
        "TimedJoin",
    ),
    "join of windows": (
        f"""SELECT x.t, y.t AS u FROM {MINUTES} x JOIN TUMBLE(b, ts, INTERVAL '1' MINUTE) y
        ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end""",
        "ChangelogJoin",
    ),
    "over rows": (
        "SELECT t, sum(v) OVER (PARTITION BY user ORDER BY ts ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS s FROM a",
        "EventTimeOver",
    ),
    "over a range": (
        """SELECT t, sum(v) OVER (PARTITION BY k ORDER BY ts RANGE BETWEEN INTERVAL '10' SECOND PRECEDING AND CURRENT ROW)
        AS s FROM a""",
        "EventTimeOver",
    ),
    "over all so far": (
        "SELECT t, sum(v) OVER w AS s, count(DISTINCT v) OVER w AS d FROM a WINDOW w AS (PARTITION BY user ORDER BY ts)",
        "EventTimeOver",
    ),
    "top of windows": (
        f"SELECT k, t FROM {MINUTES} QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY v, k) < 4",
        "ClosedWindows",
    ),
    "last of windows": (
        f"""SELECT k, t FROM {MINUTES}
        QUALIFY row_number() OVER (PARTITION BY window_start, window_end, k ORDER BY ts DESC) = 1""",
        "ClosedWindows",
    ),
    "sessions": (
        f"SELECT k, sum(v) AS s FROM SESSION(a PARTITION BY k, ts, INTERVAL '20' SECOND) {WINDOW}",
        "WindowedAggregate",
    ),
    "punctuated": (
        f"SELECT sum(v) AS s FROM PUNCTUATED(TABLE a PARTITION BY user ORDER BY ts, v = 7) {ROW_WINDOW}",
        "WindowedAggregate",
    ),
    "landmark": (
        f"SELECT sum(v) AS s FROM LANDMARK(TABLE a PARTITION BY user ORDER BY ts, v = 7) {ROW_WINDOW}",
        "WindowedAggregate",
    ),
    "delta": (
        f"SELECT sum(v) AS s FROM DELTA(TABLE a PARTITION BY user ORDER BY ts, v, 20) {ROW_WINDOW}",
        "WindowedAggregate",
    ),
    "sessions with early results": (
        f"SELECT k, sum(v) AS s FROM SESSION(a PARTITION BY k, ts, INTERVAL '20' SECOND) {WINDOW} EMIT ON UPDATE",
        "WindowedAggregate",
    ),
    "windows of rows with early results": (
        f"SELECT sum(v) AS s FROM PUNCTUATED(TABLE a PARTITION BY user ORDER BY ts, v = 7) {ROW_WINDOW} EMIT EVERY 2 ROWS",
        "WindowedAggregate",
    ),
    "windows of rows": (
        f"SELECT sum(v) AS s, max(t) AS t FROM HOP(TABLE a PARTITION BY user ORDER BY ts, 3 ROWS, 10 ROWS) {ROW_WINDOW}",
        "WindowedAggregate",
    ),
    "the last rows": (
        """SELECT user, max(t) AS t, window_fire FROM GLOBAL(TABLE a PARTITION BY user) GROUP BY user, window_fire
        EMIT EVERY 3 ROWS KEEP LAST 5 ROWS""",
        "WindowedAggregate",
    ),
    "the last rows of windows": (
        f"""SELECT k, max(t) AS t, window_fire FROM {MINUTES} {WINDOW}, window_fire
        EMIT EVERY 3 ROWS KEEP LAST INTERVAL '10' SECOND""",
        "WindowedAggregate",
    ),
    "lateness": (
        f"SELECT k, max(t) AS t FROM {MINUTES} {WINDOW} EMIT ON WINDOW CLOSE WITH LATENESS INTERVAL '1' MINUTE",
        "WindowedAggregate",
    ),
    "late rows": (
        f"SELECT k, max(t) AS t FROM {MINUTES} {WINDOW} EMIT ON WINDOW CLOSE LATE INTO late_rows",
        "WindowedAggregate",
    ),
    "early results": (f"SELECT k, max(t) AS t FROM {MINUTES} {WINDOW} EMIT EVERY 3 ROWS", "WindowedAggregate"),
    "values of sliding windows": (
        f"""SELECT count(DISTINCT v) AS d, median(v) AS m
        FROM HOP(a, ts, INTERVAL '30' SECOND, INTERVAL '1' MINUTE) {ROW_WINDOW}""",
        "WindowedAggregate",
    ),
    "first of keys": (
        "SELECT user, t FROM a QUALIFY row_number() OVER (PARTITION BY user ORDER BY ts) = 1",
        "ChangelogTopN",
    ),
    "last of keys": (
        "SELECT user, t FROM a QUALIFY row_number() OVER (PARTITION BY user ORDER BY ts DESC) = 1",
        "ChangelogTopN",
    ),
}


def _batch(number: int, rows: int, which: int) -> pa.RecordBatch:
    chance = np.random.default_rng(10 * (number % 5) + which)
    since = (number * STEP + np.sort(chance.random(rows)) * STEP) * SECOND
    back = np.where(chance.random(rows) < 0.05, chance.random(rows) * 4 * SECOND, 0)
    times = np.maximum(since - back, 0).astype(np.int64)
    return pa.record_batch(
        {
            "k": times // (30 * SECOND) * 50 + chance.integers(0, 50, rows),
            "user": chance.integers(0, 100, rows),
            "v": chance.integers(0, 50, rows),
            "t": pa.array([f"a text of some length {n}" for n in chance.integers(0, 1000, rows)]),
            "ts": pa.array(times, pa.timestamp("us")),
        }
    )


class _Feed:
    """Two streams, fed a batch of each at a time, which has had its effect when :meth:`give` returns."""

    def __init__(self, connection: tableflow.Connection, query: str, keyed: bool) -> None:
        self._connection = connection
        self._queues: dict[str, SimpleQueue[pa.RecordBatch]] = {name: SimpleQueue() for name in "ab"}
        self._taken = {name: Semaphore(0) for name in "ab"}
        for name in "ab":
            key = {"key": ["user"]} if keyed and name == "b" else {}
            connection.register_stream(name, COLUMNS, self._reader(name), watermark=("ts", timedelta(seconds=5)), **key)
        self._read = ["a"] + ["b"] * (" b " in query or "(b," in query)
        connection.execute(
            f"CREATE TABLE out ({', '.join(_columns(connection, query))}) WITH ('connector' = 'blackhole')"
        )
        connection.execute(f"INSERT INTO out {query}")

    def _reader(self, name: str) -> Callable[[], Iterator[pa.RecordBatch]]:
        def read() -> Iterator[pa.RecordBatch]:
            while True:
                yield self._queues[name].get()
                self._taken[name].release()

        return read

    def give(self, number: int, rows: int) -> None:
        for which, name in enumerate(self._read):
            self._queues[name].put(_batch(number, rows, which))
        for name in self._read:
            assert self._taken[name].acquire(timeout=60)
        self._connection.execute("FLUSH")

    def held(self, operator: str) -> OperatorCounts:
        counters = self._connection.session.storage.shared.keeper.find(1).counters()
        return next(each for stage in counters.stages for each in stage.operators if each.name == operator)


def _columns(connection: tableflow.Connection, query: str) -> list[str]:
    return [f"c{i} {row[1]}" for i, row in enumerate(connection.execute(f"DESCRIBE {query}").fetchall())]


@pytest.mark.slow
@pytest.mark.parametrize(("query", "operator"), QUERIES.values(), ids=QUERIES)
def test_a_long_stream_holds_what_a_short_one_holds(query: str, operator: str) -> None:
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        feed = _Feed(connection, query, "SYSTEM_TIME" in query)
        sizes = []
        for number in range(30):
            feed.give(number, ROWS)
            sizes.append(feed.held(operator).state)
        assert max(sizes[20:]) <= 1.1 * max(sizes[5:15])
        assert feed.held(operator).state_rows > 0
        feed.give(30, FLOOD)
        # A join of versions looks for old ones after sixteen watermarks at the latest.
        for number in range(31, 55):
            feed.give(number, ROWS // 10)
        assert feed.held(operator).state <= 1.1 * max(sizes) + DIRECTORIES
