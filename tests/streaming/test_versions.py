"""Joins as of a time over streams give what they give over finished data."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.errors import UnsupportedError

EPOCH = datetime(2026, 1, 1)
ORDERS = [((i * 7) % 3, i, EPOCH + timedelta(seconds=i // 3 + (i * 13) % 4)) for i in range(150)]
RATES = [((i * 5) % 3, i * 10, EPOCH + timedelta(seconds=i + (i * 3) % 2)) for i in range(40)]
SCHEMA = {"k": "INT", "v": "INT", "ts": "TIMESTAMP(3)"}
TEMPORAL = "SELECT o.k, o.v, r.v FROM o {kind} JOIN r FOR SYSTEM_TIME AS OF o.ts ON o.k = r.k"
ASOF = "SELECT o.v, r.v, r.ts FROM o ASOF {kind} JOIN r ON o.k = r.k AND o.ts {match} r.ts"


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2", "execution.batch-rows": "16"}) as opened:
        for name, rows in (("o", ORDERS), ("r", RATES)):
            opened.register_stream(name, SCHEMA, lambda rows=rows: iter(rows), watermark=("ts", timedelta(seconds=5)))
            opened.execute(f"CREATE TABLE finished_{name} (k INT, v INT, ts TIMESTAMP(3))")
            opened.cursor().executemany(f"INSERT INTO finished_{name} VALUES (?, ?, ?)", rows)
        yield opened


@pytest.mark.parametrize("kind", ["", "LEFT"])
@pytest.mark.parametrize("query", [TEMPORAL, ASOF])
def test_streams_and_finished_data_agree(connection: tableflow.Connection, query: str, kind: str) -> None:
    text = query.format(kind=kind, match=">")
    cursor = connection.execute(text)
    got = []
    while changes := cursor.fetch_changes(timeout=20):
        assert {what for what, _ in changes} == {"+I"}
        got += [tuple(row) for _, row in changes]
    as_of = ASOF.format(kind=kind, match=">" if query is ASOF else ">=")
    finished = as_of.replace("FROM o ", "FROM finished_o o ").replace("JOIN r ", "JOIN finished_r r ")
    if query is TEMPORAL:
        finished = finished.replace("SELECT o.v, r.v, r.ts", "SELECT o.k, o.v, r.v")
    expected = [tuple(row) for row in connection.execute(finished).fetchall()]
    assert sorted(got, key=repr) == sorted(expected, key=repr)
    assert len(got) > 100


@pytest.mark.parametrize("match", [">", "<="])
def test_tables_that_end_need_no_event_time(connection: tableflow.Connection, match: str) -> None:
    text = ASOF.format(kind="LEFT", match=match)
    text = text.replace("FROM o ", "FROM finished_o o ").replace("JOIN r ", "JOIN finished_r r ")
    expected = sorted(map(tuple, connection.execute(text).fetchall()), key=repr)
    connection.execute("SET 'execution.runtime-mode' = 'streaming'")
    plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN PHYSICAL {text}").fetchall())
    assert "VersionedJoin left" in plan
    assert sorted(map(tuple, connection.execute(text).fetchall()), key=repr) == expected


def test_what_is_refused(connection: tableflow.Connection) -> None:
    with pytest.raises(UnsupportedError, match="next row after a time"):
        connection.execute(ASOF.format(kind="", match="<="))
    with pytest.raises(UnsupportedError, match="event time on both sides"):
        connection.execute(ASOF.format(kind="", match=">").replace("o.ts >", "o.v >").replace("r.ts", "r.v"))
