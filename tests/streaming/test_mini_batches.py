"""Groups that speak once an epoch give the same answer with fewer changes, and counters show it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.runtime.source import Done

BATCHES = [[(k, 10 * i + k) for k in range(5)] for i in range(30)]
QUERIES = [
    "SELECT k, count(*), max(v) FROM s GROUP BY k",
    "SELECT c, count(*) FROM (SELECT k, count(*) AS c FROM s GROUP BY k) GROUP BY c",
    "SELECT a.k, a.c, b.v FROM (SELECT k, sum(v) AS c FROM s GROUP BY k) a LEFT JOIN s b ON a.c = b.v + 1",
    "SELECT DISTINCT k FROM s",
]


def changes(query: str, mini_batch: str) -> tuple[Counter[object], int, int]:
    """The sum of all changes, how many the lowest aggregate gave, and how many were held back."""
    settings = {"execution.scheduler-seed": "11", "table.exec.mini-batch.enabled": mini_batch}
    with tableflow.connect(settings=settings) as connection:
        parts = [event for rows in BATCHES for event in (Rows(rows), Delay(10_000))]
        connection.register_stream("s", {"k": "INT", "v": "INT"}, Script([*parts, Done()]))
        with connection.session.jobs.observing() as seen:
            cursor = connection.execute(query)
            total: Counter[object] = Counter()
            while some := cursor.fetch_changes(timeout=20):
                for kind, row in some:
                    total[tuple(row)] += 1 if kind.startswith("+") else -1
            cursor.close()
        ((_, result),) = seen
        operators = [operator for stage in result.counters().stages for operator in stage.operators]
        grouping = [operator for operator in operators if operator.name == "ChangelogAggregate"]
        held = sum(dict(operator.named).get("held_changes", 0) for operator in grouping)
        return Counter({row: n for row, n in total.items() if n}), max(each.rows_out for each in grouping), held


def test_rows_without_end_come_with_the_epochs() -> None:
    script = Script([Rows([(1, 1), (1, 2), (2, 2)])])
    with tableflow.connect(settings={"table.exec.mini-batch.enabled": "true"}) as connection:
        connection.register_stream("s", {"k": "INT", "v": "INT"}, script)
        cursor = connection.execute("SELECT DISTINCT k FROM s")
        assert sorted(cursor.fetchmany(2, timeout=20)) == [(1,), (2,)]


@pytest.mark.parametrize("query", QUERIES)
def test_the_same_with_fewer_changes(query: str) -> None:
    at_once, many, none = changes(query, "false")
    together, few, held = changes(query, "true")
    assert together == at_once
    assert none == 0
    assert held > 0
    assert few <= many / 2 or "DISTINCT" in query


def test_groups_whose_window_closes_do_not_wait_for_the_epoch() -> None:
    """Who ranks them by window would find them late, for time has passed the window when the epoch ends."""
    base = datetime(2024, 1, 1)
    rows = [(n, base + timedelta(seconds=5 * n)) for n in range(40)]
    query = """SELECT e FROM (SELECT DISTINCT window_end AS e FROM SESSION(TABLE s PARTITION BY k, DESCRIPTOR(ts), INTERVAL '2' SECOND)
        GROUP BY k, window_start, window_end) q QUALIFY row_number() OVER (PARTITION BY e ORDER BY e) <= 2"""
    settings = {
        "table.exec.mini-batch.enabled": "true",
        "table.exec.epoch-interval": "30 d",
        "execution.batch-rows": "3",
    }
    with tableflow.connect(settings=settings) as connection:
        connection.register_stream("s", {"k": "INT", "ts": "TIMESTAMP(3)"}, rows, watermark=("ts", timedelta(0)))
        found = connection.execute(query).fetchall()
    assert sorted(row[-1] for row in found) == [at + timedelta(seconds=2) for _, at in rows]
