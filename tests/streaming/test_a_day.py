"""A day of event time: state goes with its windows, so a day needs no more memory than its first two hours."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore

import numpy as np
import pyarrow as pa
import pytest

import tableflow

HOURS = 24
ROWS = 4_000
"""Of a batch, which is two minutes: 33 rows a second."""
BATCH_SECONDS = 120
SECOND = 1_000_000
MEASURED = (2 * 3600 // BATCH_SECONDS, HOURS * 3600 // BATCH_SECONDS - 1)

COLUMNS = {"k": "BIGINT", "user": "BIGINT", "v": "BIGINT", "ts": "TIMESTAMP(6)"}
QUERIES = {
    "tumbling windows": (
        """SELECT k, window_start, count(*), max(v) FROM TUMBLE(s, ts, INTERVAL '1' MINUTE)
        GROUP BY k, window_start, window_end""",
        ("BIGINT", "TIMESTAMP(6)", "BIGINT", "BIGINT"),
    ),
    "sliding windows": (
        """SELECT user, window_start, count(*), count(DISTINCT v)
        FROM HOP(s, ts, INTERVAL '1' MINUTE, INTERVAL '5' MINUTES) GROUP BY user, window_start, window_end""",
        ("BIGINT", "TIMESTAMP(6)", "BIGINT", "BIGINT"),
    ),
    "sessions": (
        """SELECT k, window_start, sum(v) FROM SESSION(s PARTITION BY k, ts, INTERVAL '20' SECOND)
        GROUP BY k, window_start, window_end""",
        ("BIGINT", "TIMESTAMP(6)", "BIGINT"),
    ),
    "join over an interval": (
        """SELECT a.k, a.v, b.v FROM s a JOIN s b
        ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '30' SECOND AND a.ts""",
        ("BIGINT", "BIGINT", "BIGINT"),
    ),
    "top of windows": (
        """SELECT k, v, window_start FROM TUMBLE(s, ts, INTERVAL '1' MINUTE)
        QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY v DESC, k) <= 3""",
        ("BIGINT", "BIGINT", "TIMESTAMP(6)"),
    ),
}


def _batches() -> Iterator[pa.RecordBatch]:
    """A day of rows; ``k`` is a few rows' for half a minute and never comes again, ``user`` is one of a thousand."""
    generator = np.random.default_rng(7)
    for number in range(HOURS * 3600 // BATCH_SECONDS):
        since = (number * BATCH_SECONDS + np.sort(generator.random(ROWS)) * BATCH_SECONDS) * SECOND
        late = np.where(generator.random(ROWS) < 0.05, generator.random(ROWS) * 4 * SECOND, 0)
        times = np.maximum(since - late, 0).astype(np.int64)
        yield pa.record_batch(
            {
                "k": times // (30 * SECOND) * 100 + generator.integers(0, 100, ROWS),
                "user": generator.integers(0, 1000, ROWS),
                "v": generator.integers(0, 50, ROWS),
                "ts": pa.array(times, pa.timestamp("us")),
            }
        )


def _resident() -> int:
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps for later is not memory that is needed
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the memory of the process")
@pytest.mark.parametrize(("sql", "kinds"), QUERIES.values(), ids=QUERIES)
def test_a_day_takes_no_more_memory_than_two_hours(sql: str, kinds: tuple[str, ...]) -> None:
    """The whole process, within 5 %.  Each batch has had its effect before the next comes, as if two minutes had passed.

    FLUSH knows of what the reading thread has taken, so that is waited for first: else a thread that gets no turn for a while lets
    batches pile up in the test's own queue, which are megabytes.
    """
    fed: SimpleQueue[pa.RecordBatch] = SimpleQueue()
    taken = Semaphore(0)
    resident = {}

    def feed() -> Iterator[pa.RecordBatch]:
        while True:
            yield fed.get()
            taken.release()

    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.register_stream("s", COLUMNS, feed, watermark=("ts", timedelta(seconds=5)))
        columns = ", ".join(f"c{i} {kind}" for i, kind in enumerate(kinds))
        connection.execute(f"CREATE TABLE dropped ({columns}) WITH ('connector' = 'blackhole')")
        connection.execute(f"INSERT INTO dropped {sql}")
        for number, batch in enumerate(_batches()):
            fed.put(batch)
            assert taken.acquire(timeout=60)
            connection.execute("FLUSH")
            if number in MEASURED:
                resident[number] = _resident()
    after_two_hours, after_a_day = resident.values()
    assert after_a_day <= 1.05 * after_two_hours
