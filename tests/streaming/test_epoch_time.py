"""NOW() in jobs: one time for each epoch, the same wherever the job reads it; finished data has one for the statement."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.runtime.source import Done

INTERVAL, PAUSE = timedelta(milliseconds=100), timedelta(milliseconds=70)
MICROSECOND = timedelta(microseconds=1)
BATCHES = [[(k, 10 * i + k) for k in range(5)] for i in range(20)]


def _connect(seed: int, *, ends: bool = True) -> tableflow.Connection:
    """A stream of rows, with a pause in simulated time behind each batch."""
    connection = tableflow.connect(settings={"execution.scheduler-seed": str(seed), "parallelism.default": "2"})
    events = [event for rows in BATCHES for event in (Rows(rows), Delay(PAUSE // MICROSECOND))]
    connection.register_stream("s", {"k": "INT", "v": "INT"}, Script([*events, *([Done()] if ends else [])]))
    return connection


@pytest.mark.parametrize("seed", [1, 2])
def test_a_row_has_the_time_at_which_its_epoch_began(seed: int) -> None:
    with _connect(seed) as connection:
        rows = connection.execute("SELECT v, now(), now() = current_timestamp FROM s").fetchall()
    assert [row[2] for row in rows] == [True] * 100
    began = rows[0][1]
    times = [(v // 10 * PAUSE, time - began) for v, time, _ in rows]
    assert all(given - 2 * INTERVAL - PAUSE < time <= given for given, time in times), times
    assert len({v // 10 for v, _, _ in rows}) == 20
    of_batch = Counter((v // 10, time) for v, time, _ in rows)
    assert set(of_batch.values()) == {5}
    assert 10 <= len({time for _, time in of_batch}) <= 20


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_all_operators_of_a_job_have_one_time(seed: int) -> None:
    twice = "SELECT k, v, now() AS n FROM s UNION ALL SELECT k, v, current_timestamp FROM s WHERE v + k < 1000"
    with _connect(seed) as connection:
        cursor = connection.execute(f"SELECT v, count(DISTINCT n), count(*) FROM ({twice}) GROUP BY v")
        total: Counter[object] = Counter()
        while some := cursor.fetch_changes(timeout=20):
            for kind, row in some:
                total[tuple(row)] += 1 if kind.startswith("+") else -1
    assert {row: n for row, n in total.items() if n} == {(10 * i + k, 1, 2): 1 for i in range(20) for k in range(5)}


def test_a_condition_is_judged_when_the_row_passes() -> None:
    """Each row is there for good, whatever time it is later."""
    with _connect(6) as connection:
        began = connection.execute("SELECT now() FROM s").fetchone()[0]
        rows = connection.execute("SELECT v FROM s WHERE now() < ?", (began + 7 * INTERVAL,)).fetchall()
    assert 5 <= len(rows) < 100
    assert rows == [(v,) for v in range(200) if v % 10 < 5][: len(rows)]


@pytest.mark.parametrize("mode", ["batch", "streaming"])
def test_finished_data_has_the_time_of_the_statement(mode: str) -> None:
    with tableflow.connect(settings={"execution.runtime-mode": mode}) as connection:
        connection.execute("CREATE TABLE t AS SELECT * FROM (VALUES (1), (2), (3)) AS v(a)")
        query = "SELECT min(now()) = max(now()), min(current_date) = CAST(max(localtimestamp) AS DATE) FROM t"
        assert connection.execute(query).fetchall() == [(True, True)]


def test_chance_is_computed_once_for_a_row() -> None:
    """An operator that computes a partition again must not draw again."""
    told = "SELECT k, count(*), max(random()) OVER (PARTITION BY k ORDER BY count(*)) FROM s GROUP BY k"
    with _connect(7) as connection:
        total: Counter[object] = Counter()
        cursor = connection.execute("SELECT k, v, max(random()) OVER (PARTITION BY k ORDER BY v DESC) FROM s")
        while some := cursor.fetch_changes(timeout=20):
            for kind, row in some:
                total[tuple(row)] += 1 if kind.startswith("+") else -1
        with pytest.raises(tableflow.NotSupportedError, match="another value each time"):
            connection.execute(told)
    left = [row for row, n in total.items() if n]
    assert len(left) == 100
    assert all(n in (0, 1) for n in total.values())
