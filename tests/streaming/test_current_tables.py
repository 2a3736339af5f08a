"""Streams joined with changing tables as they are: the table of a row's epoch, whatever becomes of it later."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tableflow
from tableflow.connectors.script import Script
from tableflow.errors import UnsupportedError

JOIN = "SELECT e.v, t.name FROM e {kind} JOIN t FOR SYSTEM_TIME AS OF PROCTIME() ON e.k = t.id"


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    settings = {"parallelism.default": "2", "table.exec.epoch-interval": "10 ms"}
    with tableflow.connect(settings=settings) as opened:
        yield opened


def test_a_managed_table_that_changes(connection: tableflow.Connection) -> None:
    execute, script = connection.execute, Script()
    execute("CREATE TABLE t (id INT PRIMARY KEY, name STRING)")
    execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
    connection.register_stream("e", {"k": "INT", "v": "INT"}, script)
    execute("CREATE STREAMING TABLE s AS " + JOIN.format(kind="LEFT"))
    execute("FLUSH")
    script.rows((1, 10), (3, 30))
    execute("FLUSH")
    assert sorted(execute("SELECT * FROM s").fetchall()) == [(10, "one"), (30, None)]
    execute("UPDATE t SET name = 'first' WHERE id = 1")
    execute("INSERT INTO t VALUES (3, 'three')")
    execute("FLUSH")
    script.rows((1, 11), (3, 31))
    execute("FLUSH")
    execute("DELETE FROM t WHERE id = 1")
    execute("FLUSH")
    script.rows((1, 12))
    script.end()
    execute("FLUSH")
    wanted = [(10, "one"), (11, "first"), (12, None), (30, None), (31, "three")]
    assert sorted(execute("SELECT * FROM s").fetchall()) == wanted


def test_a_stream_of_changes_and_a_cursor(connection: tableflow.Connection) -> None:
    events, table = Script(), Script()
    connection.register_stream("e", {"k": "INT", "v": "INT"}, events)
    connection.register_stream("t", {"id": "INT", "name": "STRING"}, table, key=["id"], changelog="upsert")
    plan = "\n".join(row[0] for row in connection.execute("EXPLAIN PHYSICAL " + JOIN.format(kind="")).fetchall())
    assert "CurrentJoin inner on k = id" in plan
    cursor = connection.execute(JOIN.format(kind="LEFT"))
    events.rows((1, 10))
    assert cursor.fetchmany(1, timeout=20) == [(10, None)]
    table.rows((1, "a"))
    table.end()
    table_and_more = [(10 + i, "a") for i in range(3)]
    seen = []
    for i in range(200):
        events.rows((1, 10 + i % 3))
        seen += cursor.fetchmany(1, timeout=20)
        if set(table_and_more) <= set(seen):
            break
    assert set(table_and_more) <= set(seen)
    events.end()


def test_rows_that_may_be_taken_back_are_refused(connection: tableflow.Connection) -> None:
    connection.register_stream("e", {"k": "INT", "v": "INT"}, Script(), changelog="retract")
    connection.register_stream("t", {"id": "INT", "name": "STRING"}, Script(), key=["id"], changelog="upsert")
    with pytest.raises(UnsupportedError, match="taken back"):
        connection.execute(JOIN.format(kind=""))
