"""Sources of one group keep together in event time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.connectors.script import Rows, Script

COLUMNS = {"id": "BIGINT", "ts": "TIMESTAMP(6)"}
BEGIN = datetime(2024, 1, 1)
SECOND = timedelta(seconds=1)
IN_TIME = ("ts", timedelta(0))


def row(seconds: int) -> tuple[int, datetime]:
    return seconds, BEGIN + seconds * SECOND


@pytest.fixture(params=["threads", "seed"])
def connection(request: pytest.FixtureRequest) -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2"}
    if request.param == "seed":
        settings["execution.scheduler-seed"] = "5"
    with tableflow.connect(settings=settings) as opened:
        yield opened


@pytest.mark.parametrize("connection", ["threads"], indirect=True)  # simulated silence is over at once
def test_the_fast_one_waits_for_the_slow_one(connection: tableflow.Connection) -> None:
    slow, fast = Script(), Script([Rows([row(number)]) for number in range(200)])
    fast.end()
    for name, source in (("fast", fast), ("slow", slow)):
        connection.register_stream(name, COLUMNS, source, watermark=IN_TIME, alignment=("both", 5 * SECOND))
    cursor = connection.execute("SELECT id FROM fast UNION ALL SELECT -id FROM slow")
    found: set[int] = set()
    for at in (10, 50, 120):
        slow.rows(row(at))
        while not {-at, at + 6} <= found:  # one row is read before it is known to be ahead
            found.update(number for (number,) in cursor.fetchmany(1))
        assert cursor.fetchmany(1, timeout=0.05) == []
        assert max(found) == at + 6
    slow.end()  # nobody waits for it any longer
    assert max(number for (number,) in cursor.fetchall()) == 199


def test_without_a_group_nobody_waits(connection: tableflow.Connection) -> None:
    slow, fast = Script(), Script([Rows([row(number)]) for number in range(200)])
    for name, source in (("fast", fast), ("slow", slow)):
        connection.register_stream(name, COLUMNS, source, watermark=IN_TIME)
    cursor = connection.execute("SELECT id FROM fast UNION ALL SELECT -id FROM slow")
    assert len(cursor.fetchmany(200)) == 200


def test_who_is_silent_for_long_is_not_waited_for() -> None:
    with tableflow.connect(settings={"table.exec.source.idle-timeout": "20 ms"}) as connection:
        for name, source in (("fast", Script([Rows([row(number)]) for number in range(20)])), ("slow", Script())):
            connection.register_stream(name, COLUMNS, source, watermark=IN_TIME, alignment=("both", SECOND))
        cursor = connection.execute("SELECT id FROM fast UNION ALL SELECT -id FROM slow")
        assert len(cursor.fetchmany(20)) == 20


def test_a_join_of_sources_that_keep_together_has_all_pairs(connection: tableflow.Connection) -> None:
    for name, step in (("a", 1), ("b", 3)):
        rows = [row(number) for number in range(0, 90, step)]
        connection.register_stream(name, COLUMNS, rows, watermark=IN_TIME, alignment=("g", 2 * SECOND))
    found = connection.execute("SELECT a.id FROM a JOIN b ON a.ts = b.ts").fetchall()
    assert sorted(number for (number,) in found) == list(range(0, 90, 3))


def test_a_group_needs_event_time_and_a_distance(connection: tableflow.Connection) -> None:
    with pytest.raises(tableflow.InterfaceError, match="give a watermark as well"):
        connection.register_stream("s", COLUMNS, [], alignment=("g", SECOND))
    with pytest.raises(tableflow.InterfaceError, match="alignment is a pair"):
        connection.register_stream("s", COLUMNS, [], watermark=IN_TIME, alignment="g")  # type: ignore[arg-type]
    with pytest.raises(tableflow.InterfaceError, match="not below zero"):
        connection.register_stream("s", COLUMNS, [], watermark=IN_TIME, alignment=("g", -1))
