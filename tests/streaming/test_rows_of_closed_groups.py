"""EMIT EVERY n ROWS where groups close with their windows: what has not fired by then comes with the close, and nothing of it stays."""

from __future__ import annotations

import queue
from datetime import datetime, timedelta
from typing import Any

import pytest

import tableflow

pytestmark = pytest.mark.slow

BEGIN = datetime(2026, 1, 1)
WINDOWS = "SELECT * FROM TUMBLE(a, ts, INTERVAL '10' SECOND)"
QUERIES = {
    "a window": "SELECT window_end, {call} AS n FROM TUMBLE(a, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end EMIT EVERY 3 ROWS",
    "above a union": f"SELECT window_end, {{call}} AS n FROM ({WINDOWS} UNION ALL {WINDOWS} WHERE v < 0) GROUP BY window_end EMIT EVERY 3 ROWS",
}


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("call", ["count(*)", "cardinality(array_agg(v))"])
@pytest.mark.parametrize("parallelism", ["1", "2"])
def test_the_rest_comes_when_the_window_closes(query: str, call: str, parallelism: str) -> None:
    rows: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with tableflow.connect(settings={"parallelism.default": parallelism}) as connection:
        connection.register_stream("a", {"v": "INT", "ts": "TIMESTAMP(3)"}, rows, watermark=("ts", timedelta(0)))
        connection.execute(f"CREATE STREAMING TABLE t AS {QUERIES[query].format(call=call)}")

        def shown() -> list[int]:
            connection.execute("FLUSH")
            return [n for (n,) in connection.execute("SELECT n FROM t ORDER BY window_end").fetchall()]

        for i in range(5):
            rows.put((i, BEGIN + timedelta(seconds=i)))
        assert shown() in ([3], [5])  # rows that come together are one firing
        for window in range(1, 40):  # one row each: none of them fires by its number
            rows.put((9, BEGIN + timedelta(seconds=10 * window)))
        shown()
        assert shown() == [5] + [1] * 38  # the last window is open
        rows.put(None)
        assert shown() == [5] + [1] * 39
