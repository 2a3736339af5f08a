"""What a streaming table's writer holds counts against memory.limit: the rows of an epoch, which rows the table has, what waits at a restart."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import tableflow
from tableflow import types
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.connectors.managed.epoch_sink import RowIds
from tableflow.connectors.script import Script
from tableflow.session.background_job import BackgroundJob

pytestmark = pytest.mark.slow

TEXT = "x" * 100
ROWS = 2000


def _batches(batches: int) -> Iterator[pa.RecordBatch]:
    for number in range(batches):
        first = number * ROWS
        yield pa.record_batch({"k": list(range(first, first + ROWS)), "v": [f"{TEXT}{i}" for i in range(ROWS)]})
    while True:  # the stream does not end
        time.sleep(0.05)
        yield pa.record_batch({"k": pa.array([], pa.int64()), "v": pa.array([], pa.string())})


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def _job(connection: tableflow.Connection) -> BackgroundJob:
    return connection.session.storage.shared.keeper.find(1)


def _used(connection: tableflow.Connection) -> int:
    counters = _job(connection).counters()
    assert counters is not None
    return counters.memory_used


def _failed(connection: tableflow.Connection) -> str:
    _until(lambda: not _job(connection).running)
    assert isinstance(_job(connection).error, tableflow.errors.MemoryLimitError)
    return str(connection.execute("SHOW JOBS").fetchall()[0][4])


@pytest.mark.parametrize("query", ["SELECT k, v FROM s", "SELECT k, max(v) AS v FROM s GROUP BY k"])
def test_the_rows_of_an_epoch(query: str) -> None:
    settings = {"memory.limit": "8 MB", "table.exec.epoch-interval": "1 h", "parallelism.default": "1"}
    with tableflow.connect(settings=settings) as connection:
        connection.register_stream("s", {"k": "BIGINT", "v": "STRING"}, lambda: _batches(200))
        connection.execute(f"CREATE STREAMING TABLE kept AS {query}")
        told = _failed(connection)
        assert "memory.limit is 8" in told
        if "GROUP" not in query:  # else the groups themselves may be refused first
            assert "(rows of the epoch) was refused" in told
            assert "SET 'table.exec.epoch-interval' to less before the job begins" in told
        assert _used(connection) == 0


def test_epochs_that_fit_go_on_for_ever() -> None:
    """The same rows in epochs of a few: what is committed is held no longer."""
    script = Script()
    settings = {"memory.limit": "8 MB", "table.exec.epoch-interval": "1 h", "parallelism.default": "1"}
    with tableflow.connect(settings=settings) as connection:
        connection.register_stream("s", {"k": "BIGINT", "v": "STRING"}, script)
        connection.execute("CREATE STREAMING TABLE kept AS SELECT k, v FROM s")
        for number in range(20):
            script.rows(*[(number * 10_000 + i, f"{TEXT}{i}") for i in range(10_000)])
            connection.execute("FLUSH")
        assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(200_000,)]
        assert _used(connection) < 1 << 20


def test_which_rows_a_table_has_is_accounted_for() -> None:
    script = Script()
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        connection.register_stream("s", {"k": "BIGINT", "v": "STRING"}, script)
        connection.execute("CREATE STREAMING TABLE kept AS SELECT v, count(*) AS n FROM s GROUP BY v")
        used = []
        for rows in (1, 20_000):
            script.rows(*[(i, f"{TEXT}{i}") for i in range(rows)])
            connection.execute("FLUSH")
            used.append(_used(connection))
        assert used[1] - used[0] > 2 * 20_000 * 100, "in the grouping, and beside the table"
        plan = connection.execute("EXPLAIN ANALYZE JOB 1").fetchall()[0][0]
        assert "StreamWrite kept" in plan
        assert "state 20,000 rows, " in plan
        connection.execute("STOP JOB 1")
        assert _used(connection) == 0


@pytest.mark.parametrize("seed", range(3))
def test_row_ids_are_those_of_the_rows_that_are_there(seed: int) -> None:
    """However many come and go, equal ones among them; after a flood its memory is given back."""
    draw = random.Random(seed)
    ids = RowIds([types.BIGINT])
    there: dict[int, list[int]] = {}
    end, flood = 0, 0
    for step in range(60):
        weights: Counter[int] = Counter()
        if step % 20 == 5:
            weights.update(range(1000, 9000))
        elif step % 20 == 10:
            weights.update({k: -len(held) for k, held in there.items() if k >= 1000})
        for _ in range(20):
            key = draw.randrange(50)
            low = -len(there.get(key, ())) - weights[key]
            weights[key] += draw.randint(low, 3) if low < 0 else draw.randint(0, 3)
        rows = [k for k, weight in weights.items() if weight]
        batch = Batch(
            [Column(types.BIGINT, pa.array(rows, pa.int64()))], len(rows), None, np.array([weights[k] for k in rows])
        )
        added, removed = ids.apply(batch, end)
        owners = {row: k for k, held in there.items() for row in held}
        assert Counter(owners[row] for row in removed.tolist()) == Counter(
            {k: -weight for k, weight in weights.items() if weight < 0}
        )
        there = {k: [row for row in held if row not in set(removed.tolist())] for k, held in there.items()}
        come = [] if added is None else added.columns[0].array.to_pylist()
        assert Counter(come) == Counter({k: weight for k, weight in weights.items() if weight > 0})
        for k in come:
            there.setdefault(k, []).append(end)
            end += 1
        assert ids.rows == sum(bool(held) for held in there.values())
        flood = max(flood, ids.bytes)
    assert ids.bytes < flood / 4


def test_what_waits_until_a_job_has_passed_where_it_was(tmp_path: Path) -> None:
    with tableflow.connect(tmp_path / "d") as connection:
        connection.execute("CREATE TABLE t (k BIGINT, v STRING)")
        connection.append("t", {"k": list(range(100_000)), "v": [f"{TEXT}{i}" for i in range(100_000)]})
        connection.execute("CREATE STREAMING TABLE kept AS SELECT k, v FROM t")
        connection.execute("FLUSH")
    with tableflow.connect(tmp_path / "d", settings={"memory.limit": "4 MB"}) as connection:
        told = _failed(connection)
        assert (
            "until a job that began again has passed where it was, what its table will show is kept in memory" in told
        )
        assert _used(connection) == 0
        assert connection.execute("SELECT count(*) FROM kept").fetchall() == [(100_000,)]
    with tableflow.connect(tmp_path / "d") as connection:
        connection.execute("FLUSH")
        assert connection.execute("SELECT count(DISTINCT k) FROM kept").fetchall() == [(100_000,)]
