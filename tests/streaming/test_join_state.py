"""Joins whose conditions bound event time forget rows, and give the same answer as over finished data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import tableflow

EPOCH = datetime(2026, 1, 1)
SCHEMA = {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"}
ROWS = [((i * 7) % 5, i, EPOCH + timedelta(seconds=i // 2 + (i * 13) % 4)) for i in range(200)]
BIDS = [((i * 3) % 5, i, EPOCH + timedelta(seconds=i // 2 + (i * 11) % 5)) for i in range(200)]
INTERVAL = """SELECT a.v, b.v FROM a {kind} JOIN b ON a.k = b.k
    AND b.ts BETWEEN a.ts - INTERVAL '3' SECOND AND a.ts + INTERVAL '2' SECOND"""
WINDOW = """SELECT x.v, y.v, x.window_end FROM TABLE(TUMBLE(TABLE a, DESCRIPTOR(ts), INTERVAL '10' SECOND)) x
    {kind} JOIN TABLE(TUMBLE(TABLE b, DESCRIPTOR(ts), INTERVAL '10' SECOND)) y
    ON x.k = y.k AND x.window_start = y.window_start AND x.window_end = y.window_end"""


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2", "execution.batch-rows": "7"}) as opened:
        opened.register_stream("a", SCHEMA, lambda: iter(ROWS), watermark=("ts", timedelta(seconds=5)))
        opened.register_stream("b", SCHEMA, lambda: iter(BIDS), watermark=("ts", timedelta(seconds=5)))
        opened.execute("CREATE TABLE finished_a (k INT, v INT, ts TIMESTAMP(3))")
        opened.execute("CREATE TABLE finished_b (k INT, v INT, ts TIMESTAMP(3))")
        opened.cursor().executemany("INSERT INTO finished_a VALUES (?, ?, ?)", ROWS)
        opened.cursor().executemany("INSERT INTO finished_b VALUES (?, ?, ?)", BIDS)
        yield opened


def summed(changes: list[tuple[str, tuple[object, ...]]]) -> dict[tuple[object, ...], int]:
    total: dict[tuple[object, ...], int] = {}
    for kind, row in changes:
        total[row] = total.get(row, 0) + (1 if kind.startswith("+") else -1)
    return {row: count for row, count in total.items() if count}


@pytest.mark.parametrize("kind", ["", "LEFT", "FULL"])
@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (INTERVAL, "keeping left until ts + INTERVAL '2' SECOND, right until ts + INTERVAL '3' SECOND"),
        (
            WINDOW,
            "keeping left until window_end - INTERVAL '0.000001' SECOND, right until window_end - INTERVAL '0.000001' SECOND",
        ),
    ],
)
def test_rows_are_kept_as_long_as_they_can_match(
    connection: tableflow.Connection, query: str, kept: str, kind: str
) -> None:
    text = query.format(kind=kind)
    plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN PHYSICAL {text}").fetchall())
    assert kept in plan
    got = _all(connection.execute(text))
    finished = text.replace("JOIN b", "JOIN finished_b b").replace("FROM a", "FROM finished_a a")
    finished = finished.replace("TABLE a,", "TABLE finished_a,").replace("TABLE b,", "TABLE finished_b,")
    expected: dict[tuple[object, ...], int] = {}
    for row in connection.execute(finished).fetchall():
        expected[tuple(row)] = expected.get(tuple(row), 0) + 1
    assert summed(got) == expected


@pytest.mark.parametrize("kind", ["", "LEFT"])
@pytest.mark.parametrize("flipped", [False, True])
def test_a_table_that_ends_is_read_first_and_the_stream_beside_it_is_not_kept(
    connection: tableflow.Connection, kind: str, flipped: bool
) -> None:
    sides = ("finished_b", "a") if flipped and not kind else ("a", "finished_b")
    text = f"SELECT x.v, y.v FROM {sides[0]} x {kind} JOIN {sides[1]} y ON x.k = y.k + 1"
    plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN PHYSICAL {text}").fetchall())
    assert "HashJoin" in plan
    assert "ChangelogJoin" not in plan
    changes = _all(connection.execute(text))
    assert {what for what, _ in changes} == {"+I"}
    got = [tuple(row) for _, row in changes]
    finished = text.replace(" a ", " finished_a ")
    expected = [tuple(row) for row in connection.execute(finished).fetchall()]
    assert sorted(got, key=repr) == sorted(expected, key=repr)
    assert got


def test_processing_time_joins_a_table_as_it_is(connection: tableflow.Connection) -> None:
    text = """SELECT x.v, y.v FROM (SELECT *, PROCTIME() AS p FROM a) x
        LEFT JOIN finished_b FOR SYSTEM_TIME AS OF x.p AS y ON x.k = y.k + 1"""
    got = [tuple(row) for _, row in _all(connection.execute(text))]
    finished = "SELECT x.v, y.v FROM finished_a x LEFT JOIN finished_b y ON x.k = y.k + 1"
    assert sorted(got, key=repr) == sorted(map(tuple, connection.execute(finished).fetchall()), key=repr)


def _all(cursor: tableflow.Cursor) -> list[tuple[str, tuple[object, ...]]]:
    got: list[tuple[str, tuple[object, ...]]] = []
    while changes := cursor.fetch_changes(timeout=20):
        got += changes
    return got
