"""Watermarks never stand between two values of an event-time column: what comes with the later one would be late then."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import duckdb
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


_MOMENTS = {
    "s": (0, "TIMESTAMP_S", ["00:00:01", "00:00:02", "00:00:03"]),
    "m": (3, "TIMESTAMP_MS", ["00:00:00.600", "00:00:01.000", "00:00:01.400", "00:00:02.999"]),
    "u": (6, "TIMESTAMP", ["00:00:00.999999", "00:00:01.000001", "00:00:02.000000"]),
    "n": (9, "TIMESTAMP_NS", ["00:00:00.999999999", "00:00:01.000000001", "00:00:02.000000000"]),
}
"""Tables: the precision here, the type in DuckDB, times."""


def test_joins_in_time_compare_columns_of_different_precision_exactly() -> None:
    """As DuckDB does, which has no interval that is finer than its TIMESTAMP_NS with an interval."""
    other = duckdb.connect()
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        for name, (precision, theirs, times) in _MOMENTS.items():
            connection.execute(f"CREATE TABLE {name} (v INT, ts TIMESTAMP({precision}))")
            other.execute(f"CREATE TABLE {name} (v INT, ts {theirs})")
            for v, time in enumerate(times):
                text = f"'2024-01-01 {time}'"
                connection.execute(f"INSERT INTO {name} VALUES ({v}, CAST({text} AS TIMESTAMP({precision})))")
                other.execute(f"INSERT INTO {name} VALUES ({v}, {text}::{theirs})")
        for a, b in itertools.permutations(_MOMENTS, 2):
            asked = [f"{a} a JOIN {b} b ON a.ts {sign} b.ts" for sign in ("=", "<", ">=")]
            asked += [f"{a} a ASOF LEFT JOIN {b} b ON a.ts {sign} b.ts" for sign in (">=", ">")]
            for length in ("0.3", "0.0005", "0.000001") if "n" not in (a, b) else ():
                span = f"INTERVAL '{length}' SECOND"
                asked.append(f"{a} a JOIN {b} b ON b.ts BETWEEN a.ts - {span} AND a.ts + {span}")
                asked.append(f"{a} a JOIN {b} b ON a.ts + {span} < b.ts")
            for each in asked:
                text = f"SELECT a.v, b.v AS w FROM {each} ORDER BY 1, 2"
                assert connection.execute(text).fetchall() == other.execute(text).fetchall(), text
