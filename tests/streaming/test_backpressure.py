"""A sink that stalls holds back its sources, whatever stands between: operators that make few rows of many, and rows that wait for
the end of their epoch.  When it goes on, everything is right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.managed.epoch_sink import EpochSink
from tableflow.runtime import pace

pytestmark = pytest.mark.slow  # each waits until a source has stopped

BATCH, BATCHES, KEYS = 2048, 1500, 5
ROWS = BATCH * BATCHES
TIME = {"k": "INT", "ts": "TIMESTAMP(6)"}


class Stall:
    """Lets ``free`` calls through and stops the next one."""

    def __init__(self, free: int = 1) -> None:
        self._free = free
        self.stalled, self.goes_on = threading.Event(), threading.Event()

    def __call__(self) -> None:
        if self._free > 0:
            self._free -= 1
        elif not self.goes_on.is_set():
            self.stalled.set()
            assert self.goes_on.wait(60)


class Feed:
    """Rows of one source: key and time, one row a millisecond; counts the batches that it was asked for."""

    def __init__(self) -> None:
        self.given = 0
        self.paced = threading.Event()

    def __call__(self) -> Iterator[pa.RecordBatch]:
        for number in range(BATCHES):
            if number == BATCHES // 10:
                assert self.paced.wait(60)  # an epoch has passed before most of the rows are there
            self.given += 1
            each = range(number * BATCH, number * BATCH + BATCH)
            yield pa.record_batch({
                "k": pa.array([i % KEYS for i in each], pa.int32()),
                "ts": pa.array([i * 1000 for i in each], pa.timestamp("us")),
            })  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source waits a short time after it has sent an epoch, so that a test need not be long."""
    monkeypatch.setattr(pace, "_LEAST", 50_000)


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2", "table.exec.epoch-interval": "20 ms", "execution.batch-rows": "2048"}
    with tableflow.connect(settings=settings) as opened:
        yield opened


def _feeds(connection: tableflow.Connection, *names: str) -> list[Feed]:
    feeds = [Feed() for _ in names]
    for name, feed in zip(names, feeds, strict=True):
        connection.register_stream(name, TIME, feed, watermark=("ts", timedelta(seconds=1)))
    return feeds


def _comes_to_rest(feeds: list[Feed]) -> None:
    """Waits until no source has been asked for anything for a while; long before they are through."""
    before: list[int] = []
    limit = time.monotonic() + 30
    while before != (now := [feed.given for feed in feeds]):
        assert time.monotonic() < limit, "the sources are read although the sink stands still"
        before = now
        time.sleep(0.5)
    assert max(before) < BATCHES


def _kept(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """What is left of changes."""
    left: dict[tuple[Any, ...], int] = {}
    for row in rows:
        op, *values = row.values()
        left[tuple(values)] = left.get(tuple(values), 0) + (1 if op in {"+I", "+U"} else -1)
    assert set(left.values()) <= {0, 1}
    return sorted(row for row, count in left.items() if count)


COUNTS = [(k, ROWS // KEYS) for k in range(KEYS)]
BEHIND = {
    "a grouping": ("SELECT k, count(*) FROM a GROUP BY k", COUNTS),
    "micro-batches": ("SELECT k, count(*) FROM a GROUP BY k", COUNTS),
    "a grouping of two": (
        "SELECT k, count(*) FROM (SELECT * FROM a UNION ALL SELECT * FROM b) GROUP BY k",
        [(k, 2 * n) for k, n in COUNTS],
    ),
    "a join": (
        "SELECT x.k, y.n FROM (SELECT k, count(*) AS n FROM a GROUP BY k) x JOIN (SELECT k, count(*) AS n FROM b GROUP BY k) y ON x.k = y.k",
        COUNTS,
    ),
    "a join with itself": (
        "SELECT x.k, y.n FROM (SELECT DISTINCT k FROM a) x JOIN (SELECT k, count(*) AS n FROM a GROUP BY k) y ON x.k = y.k",
        COUNTS,
    ),
    "first rows": ("SELECT k, ts FROM a QUALIFY row_number() OVER (PARTITION BY k ORDER BY ts DESC) = 1", None),
}


@pytest.mark.parametrize("behind", BEHIND)
def test_a_sink_stalls_behind(connection: tableflow.Connection, behind: str) -> None:
    query, expected = BEHIND[behind]
    received: list[dict[str, Any]] = []
    stall = Stall()

    def take(batch: pa.RecordBatch) -> None:
        received.extend(batch.to_pylist())
        for feed in feeds:
            feed.paced.set()
        stall()

    feeds = _feeds(connection, "a", "b")
    read = feeds if " b" in query else feeds[:1]
    connection.execute(f"SET 'table.exec.mini-batch.enabled' = '{str(behind == 'micro-batches').lower()}'")
    connection.register_sink("slow", {"k": "INT", "n": "TIMESTAMP(6)" if expected is None else "BIGINT"}, take)
    connection.execute(f"INSERT INTO slow {query}")
    assert stall.stalled.wait(30)
    _comes_to_rest(read)
    plan = "\n".join(row[0] for row in connection.execute("EXPLAIN ANALYZE JOB 1").fetchall())
    assert "for its sink" in plan
    assert " rows, " in plan
    held = connection.session.storage.shared.keeper.find(1).counters()
    assert held is not None
    assert held.memory_used < 64 << 20
    stall.goes_on.set()
    assert connection.session.await_jobs(60)
    assert all(feed.given == BATCHES for feed in read)
    assert len(_kept(received)) == KEYS
    if expected is not None:
        assert _kept(received) == expected


def test_the_writer_of_a_streaming_table_stalls(
    connection: tableflow.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    stall, commit = Stall(), EpochSink._commit
    feeds = _feeds(connection, "a")

    def slow(sink: EpochSink, waiting: list[Any]) -> None:
        if waiting:
            feeds[0].paced.set()
            stall()
        commit(sink, waiting)

    monkeypatch.setattr(EpochSink, "_commit", slow)
    connection.execute("CREATE STREAMING TABLE counts AS SELECT k, count(*) AS n FROM a GROUP BY k")
    assert stall.stalled.wait(30)
    _comes_to_rest(feeds)
    stall.goes_on.set()
    assert connection.session.await_jobs(60)
    assert connection.execute("SELECT k, n FROM counts ORDER BY k").fetchall() == COUNTS


def test_the_job_behind_a_streaming_table_stalls(
    connection: tableflow.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table it reads goes on; what it did not take meanwhile it takes afterwards, and FLUSH returns."""
    stall, commit = Stall(0), EpochSink._commit
    feeds = _feeds(connection, "a")

    def slow(sink: EpochSink, waiting: list[Any]) -> None:
        if waiting and sink._kept.name == "sums":
            feeds[0].paced.set()
            stall()
        commit(sink, waiting)

    monkeypatch.setattr(EpochSink, "_commit", slow)
    connection.execute("CREATE STREAMING TABLE counts AS SELECT k, count(*) AS n FROM a GROUP BY k")
    connection.execute("CREATE STREAMING TABLE sums AS SELECT count(*) AS k, sum(n) AS n FROM counts")
    assert stall.stalled.wait(30)
    keeper = connection.session.storage.shared.keeper
    assert keeper.find(1).wait(60)
    assert keeper.find(2).running
    stall.goes_on.set()
    connection.execute("FLUSH")
    assert connection.execute("SELECT k, n FROM sums").fetchall() == [(KEYS, ROWS)]


def test_one_of_two_sinks_stalls(connection: tableflow.Connection) -> None:
    stall = Stall()
    received: dict[str, list[dict[str, Any]]] = {"slow": [], "fast": []}

    def take(name: str) -> Callable[[pa.RecordBatch], None]:
        def taken(batch: pa.RecordBatch) -> None:
            received[name].extend(batch.to_pylist())
            if name == "slow":
                feeds[0].paced.set()
                stall()

        return taken

    feeds = _feeds(connection, "a")
    for name in received:
        connection.register_sink(name, {"k": "INT", "n": "BIGINT"}, take(name))
    connection.execute(
        """EXECUTE STATEMENT SET BEGIN
        INSERT INTO slow SELECT k, count(*) FROM a GROUP BY k;
        INSERT INTO fast SELECT k, count(*) FROM a GROUP BY k;
        END"""
    )
    assert stall.stalled.wait(30)
    _comes_to_rest(feeds)
    stall.goes_on.set()
    assert connection.session.await_jobs(60)
    assert _kept(received["slow"]) == _kept(received["fast"]) == COUNTS


@pytest.mark.parametrize(
    "query",
    [
        "SELECT k, count(*) AS n FROM a GROUP BY k",
        "SELECT k, count(*) AS n FROM TUMBLE(a, ts, INTERVAL '1' SECOND) GROUP BY k, window_start, window_end",
    ],
)
def test_a_cursor_that_nobody_reads(connection: tableflow.Connection, query: str) -> None:
    feeds = _feeds(connection, "a")
    cursor = connection.execute(query)
    feeds[0].paced.set()
    assert cursor.fetchone() is not None
    _comes_to_rest(feeds)
    rows = cursor.fetchall()
    assert feeds[0].given == BATCHES
    assert rows
    cursor.close()


def _sources(connection: tableflow.Connection) -> dict[str, tuple[Any, Any]]:
    """Of each source whether it is idle, and what holds it back."""
    rows = connection.execute("SHOW WATERMARKS").fetchall()
    return {row[1].split()[1]: (row[3], row[4]) for row in rows if row[3]}


def test_an_idle_source_beside_one_that_waits(connection: tableflow.Connection) -> None:
    """Who has no rows passes epochs on; it is not waited for, and what waits is not called idle."""
    stall = Stall()
    silent, received = threading.Event(), []

    def nothing() -> Iterator[pa.RecordBatch]:
        assert silent.wait(60)
        yield from ()

    def take(batch: pa.RecordBatch) -> None:
        received.extend(batch.to_pylist())
        feeds[0].paced.set()
        stall()

    connection.execute("SET 'table.exec.source.idle-timeout' = '100 ms'")
    feeds = _feeds(connection, "a")
    connection.register_stream("b", TIME, nothing, watermark=("ts", timedelta(seconds=1)))
    connection.register_sink("slow", {"k": "INT", "n": "BIGINT"}, take)
    connection.execute(
        "INSERT INTO slow SELECT k, count(*) FROM (SELECT k FROM a UNION ALL SELECT k FROM b) GROUP BY k"
    )
    assert stall.stalled.wait(30)
    _comes_to_rest(feeds)
    expected = {"a": ("no", "a: part 0"), "b": ("yes", None)}
    limit = time.monotonic() + 30
    while (shown := _sources(connection)) != expected:
        assert time.monotonic() < limit, shown
        time.sleep(0.05)
    stall.goes_on.set()
    connection.execute("FLUSH")
    silent.set()
    assert connection.session.await_jobs(60)
    assert _kept(received) == COUNTS
