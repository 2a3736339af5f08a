"""Watermarks never stand between two values of an event-time column: what comes with the later one would be late then."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import tableflow

BEGIN = datetime(2026, 1, 1)
IN_TIME = """(SELECT a.k, a.ts FROM a JOIN b ON a.k = b.k
    AND b.ts BETWEEN a.ts - INTERVAL '{0}' SECOND AND a.ts + INTERVAL '{0}' SECOND)"""
AGAIN = """SELECT q.t, q.n, c.v FROM (
    SELECT k, window_time AS t, count(*) AS n FROM TUMBLE({}, ts, INTERVAL '2' SECOND)
    GROUP BY k, window_start, window_end, window_time) q
  JOIN b c ON q.k = c.k AND c.ts BETWEEN q.t - INTERVAL '5' SECOND AND q.t"""


@pytest.mark.parametrize(
    ("unit", "bounds"),
    [(0, "0.5"), (0, "1.3"), (3, "0.0005"), (3, "0.5")],
)
def test_a_join_in_time_with_bounds_between_the_values_of_its_columns(unit: int, bounds: str) -> None:
    """The windows behind it fire, and what joins their last moments finds all of them."""
    step = {0: timedelta(seconds=1), 3: timedelta(milliseconds=1001)}[unit]
    rows = [(i % 2, i, BEGIN + (i // 2) * step) for i in range(60)]
    settings = {"parallelism.default": "2", "execution.batch-rows": "1"}
    with tableflow.connect(settings=settings) as connection:
        for name in "ab":
            schema = {"k": "INT", "v": "INT", "ts": f"TIMESTAMP({unit})"}
            connection.register_stream(name, schema, lambda: iter(rows), watermark=("ts", timedelta(seconds=2)))
            connection.execute(f"CREATE TABLE finished_{name} (k INT, v INT, ts TIMESTAMP({unit}))")
            connection.cursor().executemany(f"INSERT INTO finished_{name} VALUES (?, ?, ?)", rows)
        query = AGAIN.format(IN_TIME.format(bounds))
        found = connection.execute(query).fetchall()
        finished = query.replace("FROM a", "FROM finished_a a").replace("JOIN b c", "JOIN finished_b c")
        finished = finished.replace("JOIN b ON", "JOIN finished_b b ON")
        assert sorted(found) == sorted(connection.execute(finished).fetchall())
        assert found
