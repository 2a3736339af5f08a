"""Every operator that keeps something says how many rows or groups it holds, and in how many bytes.

:data:`CASES` has a query for each of them; an operator that keeps state and is run by none fails the last test.
"""

from __future__ import annotations

import importlib
import pkgutil
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

import tableflow
import tableflow.physical
from tableflow.connectors.script import Script
from tableflow.runtime.context import Context
from tableflow.runtime.counts import OperatorCounts
from tableflow.runtime.memory import PoolReservation
from tableflow.runtime.operator import Operator

BEGIN = datetime(2026, 1, 1)
COLUMNS = {"k": "INT", "v": "INT", "ts": "TIMESTAMP(6)"}
A = [(k, v, BEGIN + timedelta(seconds=s)) for k, v, s in [(1, 10, 0), (1, 20, 1), (2, 30, 2), (2, 40, 8), (2, 50, 12)]]
B = [(k, v, BEGIN + timedelta(seconds=s)) for k, v, s in [(1, 60, 0), (1, 70, 3), (2, 80, 12)]]
"""Rows come five seconds late, so time is at 7 seconds behind them: two rows of A wait, and one of B."""

WINDOW = "GROUP BY k, window_start, window_end"
TUMBLING = "TUMBLE(a, ts, INTERVAL '5' SECOND)"
CASES = {
    "tumbling windows": (f"SELECT k, window_start, sum(v) FROM {TUMBLING} {WINDOW}", "WindowedAggregate", 2),
    "values of windows": (f"SELECT k, window_start, median(v) FROM {TUMBLING} {WINDOW}", "WindowedAggregate", 2),
    "late rows written": (
        f"SELECT k, window_start, sum(v) FROM {TUMBLING} {WINDOW} EMIT ON WINDOW CLOSE LATE INTO late_rows",
        "WindowedAggregate",
        2,
    ),
    # Closed windows go when they are more than half of all.
    "early results": (f"SELECT k, sum(v) FROM {TUMBLING} {WINDOW} EMIT EVERY 1 ROWS", "WindowedAggregate", 4),
    "windows of changes": (
        f"SELECT k, sum(v) FROM TUMBLE(r, ts, INTERVAL '5' SECOND) {WINDOW}",
        "WindowedAggregate",
        4,
    ),
    "sessions": (
        f"SELECT k, sum(v) FROM SESSION(a PARTITION BY k, ts, INTERVAL '5' SECOND) {WINDOW}",
        "WindowedAggregate",
        1,
    ),
    "early results of sessions": (
        f"SELECT k, sum(v) FROM SESSION(a PARTITION BY k, ts, INTERVAL '5' SECOND) {WINDOW} EMIT ON UPDATE",
        "WindowedAggregate",
        1,
    ),
    # Windows that are shown, also closed ones while they are not more than half of all, and partitions whose rows are numbered.
    "early results of windows of rows": (
        f"SELECT k, sum(v) FROM TUMBLE(TABLE a PARTITION BY k, 3 ROWS) {WINDOW} EMIT EVERY 2 ROWS",
        "WindowedAggregate",
        2 + 2,
    ),
    "windows by the clock": (
        f"SELECT k, sum(v) FROM TUMBLE((SELECT k, v, PROCTIME() AS p FROM a), p, INTERVAL '365' DAY) {WINDOW}",
        "WindowedAggregate",
        2,
    ),
    "windows of another time": (
        f"""SELECT k, sum(v) FROM TUMBLE((SELECT *, TIMESTAMP '2026-01-01 00:00:00' + v * INTERVAL '1' SECOND AS t FROM a),
        t, INTERVAL '30' SECOND) {WINDOW} EMIT ON UPDATE""",
        "WindowedAggregate",
        2,
    ),
    # Open windows, partitions whose rows are numbered, rows that wait for their turn.
    "windows of rows": (
        f"SELECT k, sum(v) FROM TUMBLE(TABLE a PARTITION BY k ORDER BY ts, 3 ROWS) {WINDOW}",
        "WindowedAggregate",
        2 + 2 + 2,
    ),
    "punctuated": (
        f"SELECT k, sum(v) FROM PUNCTUATED(TABLE a PARTITION BY k, v = 10) {WINDOW}",
        "WindowedAggregate",
        2 + 2,
    ),
    "landmark": (
        f"SELECT k, sum(v) FROM LANDMARK(TABLE a PARTITION BY k, v = 10) {WINDOW}",
        "WindowedAggregate",
        1 + 2,
    ),
    "delta": (f"SELECT k, sum(v) FROM DELTA(TABLE a PARTITION BY k, v, 15) {WINDOW}", "WindowedAggregate", 2 + 2),
    # Two groups that have fired, and what has come since: key 2's last row, and two rows that wait.
    "one window for ever": (
        "SELECT k, sum(v) FROM GLOBAL(TABLE a PARTITION BY k ORDER BY ts) GROUP BY k EMIT EVERY 2 ROWS",
        "WindowedAggregate",
        1 + 1 + 2,
    ),
    "the last rows": (
        """SELECT k, sum(v), window_fire FROM GLOBAL(TABLE a PARTITION BY k) GROUP BY k, window_fire
        EMIT EVERY 2 ROWS KEEP LAST 2 ROWS""",
        "WindowedAggregate",
        2 + 4,
    ),
    "the last rows of windows": (
        f"SELECT k, sum(v), window_fire FROM {TUMBLING} {WINDOW}, window_fire EMIT EVERY 3 ROWS KEEP LAST 2 ROWS",
        "WindowedAggregate",
        2,
    ),
    "the last rows of windows with lateness": (
        f"SELECT k, sum(v), window_fire FROM {TUMBLING} {WINDOW}, window_fire EMIT EVERY 3 ROWS KEEP LAST 2 ROWS WITH LATENESS INTERVAL '1' SECOND",
        "WindowedAggregate",
        2,
    ),
    "top of windows": (
        f"SELECT k, v FROM {TUMBLING} QUALIFY row_number() OVER (PARTITION BY window_start, window_end ORDER BY v) < 3",
        "ClosedWindows",
        2,
    ),
    "first rows": ("SELECT k, v FROM a QUALIFY row_number() OVER (PARTITION BY k ORDER BY ts) = 1", "ChangelogTopN", 2),
    "first rows of changes": ("SELECT k, v FROM r ORDER BY v LIMIT 2", "ChangelogTopN", 5),
    "ranks": ("SELECT k, rank() OVER (PARTITION BY k ORDER BY v) FROM r", "ChangelogOver", 5),
    # Rows that wait, and one for each partition.
    "running sums": ("SELECT k, sum(v) OVER (PARTITION BY k ORDER BY ts) FROM a", "EventTimeOver", 2 + 2),
    "running values": (
        "SELECT k, count(DISTINCT v) OVER (PARTITION BY k ORDER BY ts) FROM a",
        "EventTimeOver",
        2 + 2 + 3,
    ),
    "frames": (
        "SELECT k, sum(v) OVER (PARTITION BY k ORDER BY ts ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) FROM a",
        "EventTimeOver",
        2 + 3,
    ),
    "groups": ("SELECT k, sum(v) FROM a GROUP BY k", "ChangelogAggregate", 2),
    "groups that fire": ("SELECT k, sum(v) FROM a GROUP BY k EMIT EVERY 2 ROWS", "ChangelogAggregate", 2),
    "groups of rows": ("SELECT k, median(v) FROM r GROUP BY k", "ChangelogAggregate", 5),
    "join": ("SELECT a.v, b.v AS w FROM a JOIN b ON a.k = b.k", "ChangelogJoin", 5 + 3),
    "join in time": (
        """SELECT a.v, b.v AS w FROM a LEFT JOIN b
        ON a.k = b.k AND b.ts BETWEEN a.ts - INTERVAL '3' SECOND AND a.ts""",
        "TimedJoin",
        2 + 1,
    ),
    "versions": ("SELECT a.v, b.v AS w FROM a ASOF JOIN b ON a.k = b.k AND a.ts >= b.ts", "VersionedJoin", 2 + 2),
    "rows by key": ("SELECT k, v FROM u", "Normalize", 2),
    "a table as it is": (
        """SELECT a.v, m.name FROM (SELECT *, PROCTIME() AS p FROM a) a
        JOIN m FOR SYSTEM_TIME AS OF a.p AS m ON a.k = m.id""",
        "CurrentJoin",
        3,
    ),
    # Two keys that are known, and two rows of each.
    "answers": (
        """SELECT a.v, d.name FROM (SELECT *, PROCTIME() AS p FROM a) a
        JOIN d FOR SYSTEM_TIME AS OF a.p AS d ON a.k = d.id""",
        "LookupJoin",
        2 + 4,
    ),
}
NO_ROWS = {"CurrentWatermarkOperator", "EpochTimeOperator", "LimitRowsOperator"}
AT_THE_EDGE = {"ChangelogResultOperator", "SettledResultOperator"}
"""Of queries that somebody reads."""
PARTS = {"GrowingWindowsOperator"}
"""What others are made of."""


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "1"}) as opened:
        opened.execute("CREATE TABLE m (id INT, name STRING)")
        opened.execute("INSERT INTO m VALUES (1, 'a'), (1, 'b'), (3, 'c')")
        yield opened


def _register(connection: tableflow.Connection, fetch: Callable[[Any], Any]) -> Script:
    behind = ("ts", timedelta(seconds=5))
    told = Script()
    told.rows(*A)
    connection.register_stream("a", COLUMNS, told, watermark=behind)
    connection.register_stream("r", COLUMNS, told, watermark=behind, changelog="retract")
    connection.register_stream("u", COLUMNS, told, watermark=behind, changelog="upsert", key=["k"])
    others = Script()
    others.rows(*B)
    connection.register_stream("b", COLUMNS, others, watermark=behind)
    connection.register_lookup("d", {"id": "INT", "name": "STRING"}, fetch, options={"lookup.cache": "partial"})
    return told


def _twice(keys: Any) -> list[tuple[int, str]]:
    return [(k, name) for (k,) in keys for name in "ab"]


def _named(query: str) -> str:
    """A table's columns need names."""
    return f"SELECT * FROM ({query}) AS given"


def _counts(connection: tableflow.Connection, name: str) -> OperatorCounts:
    counters = connection.session.storage.shared.keeper.find(1).counters()
    return next(operator for stage in counters.stages for operator in stage.operators if operator.name == name)


@pytest.mark.parametrize(("query", "name", "rows"), CASES.values(), ids=CASES)
def test_rows_and_bytes_are_told(connection: tableflow.Connection, query: str, name: str, rows: int) -> None:
    _register(connection, _twice)
    connection.execute(f"CREATE STREAMING TABLE made AS {_named(query)}")
    connection.execute("FLUSH")
    found = _counts(connection, name)
    assert found.state_rows == rows
    assert found.state >= 4 * rows
    shown = "\n".join(row[0] for row in connection.execute("EXPLAIN ANALYZE JOB 1").fetchall())
    assert f"state {rows} rows, {found.state:,} bytes" in shown


def test_questions_that_wait_and_the_rows_behind_them_are_told(connection: tableflow.Connection) -> None:
    answered = threading.Event()

    def fetch(keys: Any) -> list[tuple[int, str]]:
        answered.wait(30)
        return _twice(keys)

    _register(connection, fetch)
    connection.execute(f"CREATE STREAMING TABLE made AS {_named(CASES['answers'][0])}")
    try:
        until = time.monotonic() + 30
        while (found := _counts(connection, "LookupJoin")).state_rows < 2 + 5 and time.monotonic() < until:
            time.sleep(0.01)
        assert found.state_rows == 2 + 5
        assert found.state > 0
    finally:
        answered.set()
    connection.execute("FLUSH")
    assert _counts(connection, "LookupJoin").state_rows == 2 + 4


def test_no_operator_is_forgotten(connection: tableflow.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has something to put into a snapshot is run by a case; what cannot say its rows holds nothing between batches."""
    operators = {
        each.__name__: each
        for found in pkgutil.iter_modules(tableflow.physical.__path__)
        for each in vars(importlib.import_module(f"tableflow.physical.{found.name}")).values()
        if isinstance(each, type) and issubclass(each, Operator) and each is not Operator
    }
    keeping = {name for name, each in operators.items() if each.snapshot is not Operator.snapshot}
    ran: set[str] = set()
    reserved: list[PoolReservation] = []
    reserve = Context.reserve

    def reserving(self: Context, name: str, bytes: int = 0) -> PoolReservation:
        reserved.append(reserve(self, name, bytes))
        return reserved[-1]

    monkeypatch.setattr(Context, "reserve", reserving)
    for name, each in operators.items():
        if "open" in vars(each):

            def opening(self: Any, context: Any, name: str = name, before: Any = each.open) -> None:
                ran.add(name)
                ran.add(type(self).__name__)
                before(self, context)

            monkeypatch.setattr(each, "open", opening)
    _register(connection, _twice)
    for number, (query, _, _) in enumerate(CASES.values()):
        connection.execute(f"CREATE STREAMING TABLE made{number} AS {_named(query)}")
    connection.execute("FLUSH")
    assert keeping - ran == NO_ROWS | AT_THE_EDGE | PARTS
    assert [held.owner for held in reserved if held.rows is None and held.bytes] == []
