"""Aggregation in windows by SQL: streams give what the same query gives over finished data, however rows are shuffled."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.runtime.source import Done

BASE = datetime(2026, 1, 1)
COLUMNS = {"k": "BIGINT", "v": "BIGINT", "ts": "TIMESTAMP(6)"}
WINDOWS = {
    "tumble": "TUMBLE(TABLE {0}, DESCRIPTOR(ts), INTERVAL '30' SECOND)",
    "hop": "HOP(TABLE {0}, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '35' SECOND)",
    "cumulate": "CUMULATE(TABLE {0}, DESCRIPTOR(ts), INTERVAL '10' SECOND, INTERVAL '30' SECOND)",
    "offset": "TUMBLE(TABLE {0}, DESCRIPTOR(ts), INTERVAL '30' SECOND, INTERVAL '7' SECOND)",
}
EMITS = [
    "",
    "EMIT ON WINDOW CLOSE",
    "EMIT ON UPDATE",
    "EMIT EVERY 3 ROWS",
    "EMIT EVERY INTERVAL '10' SECOND OF EVENT TIME",
]


def shuffled(bound: int) -> list[tuple[int, int, datetime]]:
    """Rows in event time that are out of order by less than so many seconds."""
    rng = random.Random(bound)
    rows = [(i % 3, i, BASE + timedelta(seconds=i // 2)) for i in range(200)]
    return sorted(rows, key=lambda row: row[2] + timedelta(seconds=rng.uniform(0, bound)))


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2", "execution.scheduler-seed": "1"}) as opened:
        rows = shuffled(0)
        table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)})
        opened.register("finished", table)
        opened.register_stream("s", COLUMNS, shuffled(5), watermark=("ts", timedelta(seconds=5)))
        yield opened


def final(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """What changes add up to; rows without a kind as they are."""
    left: dict[tuple[object, ...], int] = {}
    for row in rows:
        kind, values = (row[0], row[1:]) if row[0] in {"+I", "-U", "+U", "-D"} else ("+I", row)
        left[values] = left.get(values, 0) + (1 if str(kind).startswith("+") else -1)
    assert all(count in {0, 1} for count in left.values())
    return sorted([values for values, count in left.items() if count], key=repr)


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_in_time(connection: tableflow.Connection, window: str) -> None:
    select = "SELECT k, window_start, window_end, count(*), sum(v), max(v), avg(v), count(DISTINCT v % 7) FROM {} GROUP BY k, window_start, window_end"
    expected = sorted(connection.execute(select.format(WINDOWS[window].format("finished"))).fetchall(), key=repr)
    for emit in EMITS:
        rows = connection.execute(f"{select.format(WINDOWS[window].format('s'))} {emit}").fetchall()
        assert final(rows) == expected, emit


def test_windows_of_windows(connection: tableflow.Connection) -> None:
    inner = "SELECT k, window_time, count(*) AS c FROM TUMBLE(TABLE {}, DESCRIPTOR(ts), INTERVAL '10' SECOND) GROUP BY k, window_start, window_end, window_time"
    outer = f"SELECT window_start, sum(c), count(*) FROM TUMBLE(TABLE ({inner}), DESCRIPTOR(window_time), INTERVAL '30' SECOND) GROUP BY window_start, window_end"
    expected = connection.execute(outer.format("finished")).fetchall()
    assert sorted(connection.execute(outer.format("s")).fetchall(), key=repr) == sorted(expected, key=repr)


def test_sessions(connection: tableflow.Connection) -> None:
    rows = [
        (k, i, BASE + timedelta(seconds=s))
        for k, times in ((1, (0, 3, 4, 20)), (2, (9, 14)))
        for i, s in enumerate(times)
    ]
    connection.register_stream("clicks", COLUMNS, sorted(rows, key=lambda row: row[2]), watermark=("ts", timedelta(0)))
    select = "SELECT k, window_start, window_end, count(*) FROM SESSION(TABLE clicks PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' SECOND) GROUP BY k, window_start, window_end"
    found = [(k, (a - BASE).seconds, (b - BASE).seconds, n) for k, a, b, n in connection.execute(select).fetchall()]
    assert sorted(found) == [(1, 0, 9, 3), (1, 20, 25, 1), (2, 9, 14, 1), (2, 14, 19, 1)]


def test_windows_of_the_clock(connection: tableflow.Connection) -> None:
    select = "SELECT k, sum(n) FROM (SELECT k, count(*) AS n FROM TUMBLE(TABLE (SELECT k, PROCTIME() AS p FROM s), DESCRIPTOR(p), INTERVAL '10' SECOND) GROUP BY k, window_start, window_end) GROUP BY k"
    assert final(connection.execute(select).fetchall()) == [(0, 67), (1, 67), (2, 66)]


@pytest.mark.parametrize(
    "window",
    [
        "TUMBLE(TABLE {0} PARTITION BY k ORDER BY ts, 7 ROWS)",
        "HOP(TABLE {0} PARTITION BY k ORDER BY ts, 5 ROWS, 12 ROWS)",
        "PUNCTUATED(TABLE {0} PARTITION BY k ORDER BY ts, v % 10 = 0)",
        "LANDMARK(TABLE {0} PARTITION BY k ORDER BY ts, v % 10 = 0)",
        "DELTA(TABLE {0} PARTITION BY k ORDER BY ts, v, 20)",
    ],
)
def test_windows_of_rows(connection: tableflow.Connection, window: str) -> None:
    select = "SELECT k, window_start, window_end, count(*), sum(v) FROM {} GROUP BY k, window_start, window_end"
    expected = connection.execute(select.format(window.format("finished"))).fetchall()
    found = connection.execute(select.format(window.format("s"))).fetchall()
    assert sorted(found, key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize("emit", ["", "EMIT ON UPDATE"])
def test_aggregates_of_all_rows_of_a_window(connection: tableflow.Connection, emit: str) -> None:
    calls = "string_agg(v ORDER BY v DESC), array_agg(v ORDER BY v), median(v), quantile_disc(v, 0.9), count(*)"
    for window in WINDOWS.values():
        select = f"SELECT k, window_start, window_end, {calls.replace('string_agg(v', 'string_agg(CAST(v AS STRING)')} FROM {{}} GROUP BY k, window_start, window_end"
        expected = sorted(connection.execute(select.format(window.format("finished"))).fetchall(), key=repr)
        rows = connection.execute(f"{select.format(window.format('s'))} {emit}").fetchall()
        assert [repr(row) for row in _final_of_lists(rows)] == [repr(row) for row in expected]


def _final_of_lists(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    frozen = [tuple(tuple(value) if isinstance(value, list) else value for value in row) for row in rows]
    return [tuple(list(value) if isinstance(value, tuple) else value for value in row) for row in final(frozen)]


KEPT = {
    "time": "SELECT k, window_start, window_fire, {calls} FROM TUMBLE({table}, ts, INTERVAL '30' SECOND) GROUP BY k, window_start, window_end, window_fire",
    "hop": "SELECT k, window_end, window_fire, {calls} FROM HOP({table}, ts, INTERVAL '10' SECOND, INTERVAL '25' SECOND) GROUP BY k, window_start, window_end, window_fire",
    "global": "SELECT k, window_fire, {calls} FROM GLOBAL(TABLE {table} PARTITION BY k ORDER BY ts) GROUP BY k, window_fire",
    "session": "SELECT k, window_start, window_end, window_fire, {calls} FROM SESSION(TABLE {table} PARTITION BY k, DESCRIPTOR(ts), INTERVAL '1.5' SECOND) GROUP BY k, window_start, window_end, window_fire",
}


CHANGING = {
    "tumble": "SELECT k, window_start, window_fire, {calls} FROM TUMBLE(c, ts, INTERVAL '20' SECOND) GROUP BY k, window_start, window_end, window_fire",
    "hop": "SELECT window_end, window_fire, {calls} FROM HOP(c, ts, INTERVAL '10' SECOND, INTERVAL '20' SECOND) GROUP BY window_start, window_end, window_fire",
    "global": "SELECT k, window_fire, {calls} FROM GLOBAL(TABLE c PARTITION BY k ORDER BY ts) GROUP BY k, window_fire",
}


@pytest.mark.parametrize("select", CHANGING)
def test_firings_over_rows_that_are_taken_back(select: str) -> None:
    """They are, summed up, those of the rows that are left."""
    rows = _distinct(0)[:60]
    told = [Rows(shuffled, [1] * len(shuffled)) for shuffled in (rows[20:], rows[:20])]
    gone = rows[::4]
    with tableflow.connect(settings={"parallelism.default": "2"}) as connection:
        connection.register("c", pa.table(_columns([row for row in rows if row not in gone])))
        queries = [
            f"{CHANGING[select].format(calls='count(*), sum(v)')} EMIT {emit}"
            for emit in ("KEEP LAST 2 ROWS", "ON UPDATE KEEP LAST 3 ROWS", "EVERY 3 ROWS KEEP LAST INTERVAL '4' SECOND")
        ]
        expected = [sorted(connection.execute(query).fetchall(), key=repr) for query in queries]
        script = Script([*told, Rows(gone, [-1] * len(gone)), Done()])
        connection.register_stream("c", COLUMNS, script, watermark=("ts", timedelta(seconds=60)), changelog="retract")
        for query, wanted in zip(queries, expected, strict=True):
            assert final(connection.execute(query).fetchall()) == wanted
            assert wanted


NUMBERED = [
    "TUMBLE(TABLE {0} PARTITION BY k ORDER BY ts, 5 ROWS)",
    "HOP(TABLE {0} PARTITION BY k ORDER BY ts, 2 ROWS, 5 ROWS)",
    "PUNCTUATED(TABLE {0} PARTITION BY k ORDER BY ts, v % 7 = 0)",
    "LANDMARK(TABLE {0} PARTITION BY k ORDER BY ts, v % 50 = 0)",
    "DELTA(TABLE {0} PARTITION BY k ORDER BY ts, v, 16)",
]


@pytest.mark.parametrize("window", NUMBERED)
def test_firings_of_windows_of_rows_are_told_when_these_close(connection: tableflow.Connection, window: str) -> None:
    connection.register("distinct_times", pa.table(_columns(_distinct(0))))
    connection.register_stream("d", COLUMNS, _distinct(5), watermark=("ts", timedelta(seconds=6)))
    select = "SELECT k, window_start, window_end, window_fire, count(*), sum(v) FROM {0} GROUP BY k, window_start, window_end"
    for emit in (
        "EMIT KEEP LAST 2 ROWS",
        "EMIT EVERY 2 ROWS KEEP LAST 3 ROWS",
        "EMIT ON UPDATE KEEP LAST INTERVAL '4' SECOND",
    ):
        expected, given = (
            connection.execute(f"{select.format(window.format(table))} {emit}").fetchall()
            for table in ("distinct_times", "d")
        )
        assert final(given) == sorted(expected, key=repr)
        assert expected


@pytest.mark.parametrize("select", KEPT)
def test_firings_that_see_the_last_rows(connection: tableflow.Connection, select: str) -> None:
    """Rows have one time each, or all rows of a time are seen together; else there were several answers."""
    connection.register("distinct_times", pa.table(_columns(_distinct(0))))
    connection.register_stream("d", COLUMNS, _distinct(5), watermark=("ts", timedelta(seconds=6)))
    calls = "count(*), sum(v), min(v), count(DISTINCT v % 4)"
    for emit in (
        "EMIT KEEP LAST 2 ROWS",
        "EMIT EVERY 3 ROWS KEEP LAST 5 ROWS",
        "EMIT EVERY 1 ROWS KEEP LAST INTERVAL '4' SECOND",
        "EMIT EVERY 7 ROWS KEEP LAST INTERVAL '12' SECOND",
    ):
        answers = []
        for table in ("distinct_times", "d"):
            query = f"{KEPT[select].format(calls=calls, table=table)} {emit}"
            answers.append(sorted(connection.execute(query).fetchall(), key=repr))
        assert answers[0] == answers[1], emit
        assert answers[0]


def _distinct(bound: int) -> list[tuple[int, int, datetime]]:
    rows = [(k, v, ts + timedelta(milliseconds=v)) for k, v, ts in shuffled(bound)]
    return rows if bound else sorted(rows, key=lambda row: row[2])


def _columns(rows: list[tuple[int, int, datetime]]) -> dict[str, list[object]]:
    return {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}


def test_an_interval_of_event_time_ends_wherever_watermarks_are(connection: tableflow.Connection) -> None:
    connection.register_stream("d", COLUMNS, _distinct(5), watermark=("ts", timedelta(seconds=6)))
    select = "SELECT window_fire, count(*), max(v) FROM GLOBAL(TABLE d ORDER BY ts) GROUP BY window_fire EMIT EVERY INTERVAL '20' SECOND OF EVENT TIME KEEP LAST 3 ROWS"
    rows = sorted(connection.execute(select).fetchall())
    times = [ts for _, _, ts in _distinct(0)]
    lasts = [max(i for i, ts in enumerate(times) if (ts - BASE).seconds // 20 == part) for part in range(5)]
    assert rows == [(number, 3, last) for number, last in enumerate(lasts, 1)]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT count(*) FROM GLOBAL(TABLE endless ORDER BY v) EMIT EVERY 2 ROWS", "wait for an end"),
        (
            "SELECT count(*) FROM TUMBLE(TABLE endless, 3 ROWS) GROUP BY window_start, window_end EMIT KEEP LAST 2 ROWS",
            "window of rows are not known without an order",
        ),
        (
            "SELECT count(*) FROM GLOBAL((SELECT k FROM endless GROUP BY k HAVING count(*) = 1)) EMIT KEEP LAST 2 ROWS",
            "not known without an order",
        ),
        (
            "SELECT count(*) FROM SESSION(endless, ts, INTERVAL '1' SECOND) GROUP BY window_start, window_end EMIT KEEP LAST 2 ROWS LATE INTO late",
            "LATE INTO with KEEP LAST is for",
        ),
        ("SELECT count(*) FROM GLOBAL(endless) EMIT KEEP LAST INTERVAL '1' SECOND", "order of time"),
        (
            "SELECT count(*) FROM TUMBLE(TABLE timeless, DESCRIPTOR(ts), INTERVAL '1' SECOND) GROUP BY window_start, window_end EMIT EVERY 2 ROWS KEEP LAST 3 ROWS",
            "never close",
        ),
        ("SELECT * FROM GLOBAL(endless)", "GLOBAL window have no end"),
    ],
)
def test_what_cannot_be_said_is_refused(connection: tableflow.Connection, query: str, message: str) -> None:
    connection.register_stream("endless", COLUMNS, _forever, watermark=("ts", timedelta(0)))
    connection.register_stream("timeless", COLUMNS, _forever)
    with pytest.raises(tableflow.Error, match=message) as raised:
        connection.execute(query)
    if "KEEP LAST" in query and "timeless" not in query:
        assert "^^^" in str(raised.value)


def _forever() -> Iterator[tuple[int, int, datetime]]:
    while True:
        yield (1, 1, BASE)


_TOO_LARGE = [
    "TUMBLE(t, ts, INTERVAL '10' SECOND) GROUP BY window_start, window_end EMIT ON UPDATE",
    "HOP(t, ts, INTERVAL '2' SECOND, INTERVAL '10' SECOND) GROUP BY window_start, window_end",
    "GLOBAL(TABLE t ORDER BY ts) EMIT EVERY 2 ROWS",
]


@pytest.mark.parametrize(
    ("windows", "changelog"),
    [
        *((windows, changelog) for windows in _TOO_LARGE for changelog in ("append", "retract")),
        ("SESSION(t, ts, INTERVAL '5' SECOND) GROUP BY window_start, window_end", "append"),
    ],
)
def test_a_sum_that_is_too_large_is_an_error_of_the_data(windows: str, changelog: str) -> None:
    """Also where it becomes so when parts of a window come together."""
    large = Decimal("9" * 36 + ".99")
    told = Script([Delay(1), *(Rows([(large, datetime(2024, 1, 1, 0, 0, second))]) for second in (4, 3, 6, 1)), Done()])
    settings = {"execution.batch-rows": "1", "parallelism.default": "1"}
    with tableflow.connect(settings=settings) as connection:
        behind = ("ts", timedelta(seconds=5))
        columns = {"d": "DECIMAL(38, 2)", "ts": "TIMESTAMP(3)"}
        connection.register_stream("t", columns, told, watermark=behind, changelog=changelog)
        with pytest.raises(tableflow.DataError, match="decimal overflow"):
            connection.execute(f"SELECT sum(d) FROM {windows}").fetchall()
