"""A job that reads a table and is slow: the job that keeps the table goes on, and what the slow one has before it stays as small as the table."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import tableflow
from tableflow.columnar.batch import Batch
from tableflow.connectors.managed.epoch_sink import EpochSink

pytestmark = pytest.mark.slow

KEYS = 40
SETTINGS = {
    "parallelism.default": "2",
    "table.exec.epoch-interval": "10 ms",
    "storage.fold-commits": "20",
    "storage.removal-delay": "0 s",
}


class Stall:
    """Makes commits of the table ``copy`` stand still from the second one on, until they may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stalled, self.goes_on = threading.Event(), threading.Event()
        self._commits = 0
        commit = EpochSink._commit

        def slowly(sink: EpochSink, waiting: list[Batch]) -> None:
            if sink._kept.name == "copy" and waiting:
                self._commits += 1
                if self._commits == 2:
                    self.stalled.set()
                    assert self.goes_on.wait(60)
            commit(sink, waiting)

        monkeypatch.setattr(EpochSink, "_commit", slowly)


def _read(connection: tableflow.Connection) -> int:
    """How many changes of its table the second job has read."""
    plan = "\n".join(row[0] for row in connection.execute("EXPLAIN ANALYZE JOB 2").fetchall())
    found = re.search(r"TableScan counts .*?actual rows ([\d,]+)", plan)
    assert found is not None, plan
    return int(found[1].replace(",", ""))


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("kept", ["1", "100000"])
def test_the_job_before_goes_on_and_little_waits(tmp_path: Path, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where retention forgets the version that the slow one has come to."""
    stall = Stall(monkeypatch)
    with tableflow.connect(tmp_path / "d", settings=SETTINGS | {"storage.retained-versions": kept}) as connection:
        connection.execute(
            "CREATE TABLE made (k INT) WITH ('connector' = 'datagen', 'rows-per-second' = '20000', 'fields.k.min' = '1', "
            f"'fields.k.max' = '{KEYS}')"
        )
        connection.execute("CREATE STREAMING TABLE counts AS SELECT k, count(*) AS n FROM made GROUP BY k")
        connection.execute("CREATE STREAMING TABLE copy AS SELECT k, n FROM counts")
        assert stall.stalled.wait(30)
        session = connection.session
        first, second = session.storage.shared.keeper.jobs
        table = first.description.table
        assert table is not None
        state = session.storage.shared.database.state
        before = state().table(table).version
        _until(lambda: state().table(table).version > before + 150)  # seven folds
        assert (state().table(table).history.find(before) is None) == (kept == "1")
        held = second.counters()
        assert held is not None
        assert held.memory_used < 1 << 20
        read = _read(connection)
        session.cancel()
        first.stop()
        stall.goes_on.set()
        connection.execute("FLUSH")
        assert [row[2] for row in connection.execute("SHOW JOBS").fetchall()] == ["stopped", "running"]
        rows = connection.execute("SELECT k, n FROM counts ORDER BY k").fetchall()
        assert connection.execute("SELECT k, n FROM copy ORDER BY k").fetchall() == rows
        assert len(rows) == KEYS
        steps = 4  # one that was read while the commit stood still, and those of the last moment
        assert _read(connection) - read <= steps * 2 * KEYS, "rows that came and went meanwhile are not read"


def test_one_that_waits_holds_no_old_files(tmp_path: Path) -> None:
    """A reader that has given everything reads on after any number of folds, and keeps nothing of what these replaced."""
    with tableflow.connect(tmp_path / "d", settings=SETTINGS | {"storage.retained-versions": "1"}) as connection:
        connection.execute("CREATE TABLE t (k INT)")
        connection.execute("CREATE STREAMING TABLE kept AS SELECT k FROM t WHERE k >= 0")
        database = connection.session.storage.shared.database
        table = next(iter(database.state().tables))
        for number in range(4):
            connection.execute("DELETE FROM t")
            connection.append("t", {"k": [*range(number, number + 5000)]})
            connection.execute("FLUSH")
            connection.execute("VACUUM t")
            database.collect()
            assert len(list((tmp_path / "d" / "tables" / str(table)).glob("*.arrow"))) == 1
        found = connection.execute("SELECT min(k), max(k), count(*) FROM kept").fetchall()
        assert found == [(3, 5002, 5000)]
