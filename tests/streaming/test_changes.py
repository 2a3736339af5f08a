"""What a cursor gives of a result that changes: kinds, pairs of one key, whole epochs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import tableflow
from tableflow.connectors.script import Script

COLUMNS = {"k": "INT", "v": "STRING"}


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "2", "table.exec.epoch-interval": "10 ms"}) as opened:
        yield opened


def test_changes_of_a_key_come_in_pairs(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("s", COLUMNS, script, key=["k"], changelog="retract")
    cursor = connection.execute("SELECT k, v FROM s")
    assert [column[0] for column in cursor.description or ()] == ["op", "k", "v"]
    script.rows((1, "a"), (2, "b"))
    assert sorted(cursor.fetch_changes(timeout=5)) == [("+I", (1, "a")), ("+I", (2, "b"))]
    script.rows((1, "a"), (2, "b"), (1, "c"), (3, "d"), weights=[-1, -1, 1, 1])
    changes = cursor.fetch_changes(timeout=5)
    assert sorted(changes) == [("+I", (3, "d")), ("+U", (1, "c")), ("-D", (2, "b")), ("-U", (1, "a"))]
    before = changes.index(("-U", (1, "a")))
    assert changes[before + 1] == ("+U", (1, "c"))
    script.rows((3, "d"), (3, "d"), weights=[-1, 1])
    script.rows((1, "c"), weights=[-1])
    assert cursor.fetchmany(1, timeout=5) == [("-D", 1, "c")]
    script.end()
    assert cursor.fetch_changes() == []


def test_rows_without_a_key_count(connection: tableflow.Connection) -> None:
    script = Script()
    connection.register_stream("s", COLUMNS, script, changelog="retract")
    cursor = connection.execute("SELECT v FROM s")
    script.rows((1, "a"), (2, "a"), (3, None), weights=[2, 1, 1])
    assert sorted(cursor.fetch_changes(timeout=5), key=str) == [("+I", ("a",))] * 3 + [("+I", (None,))]
    script.rows((1, "a"), (2, "b"), weights=[-2, 1])
    assert cursor.fetch_changes(timeout=5) == [("-D", ("a",)), ("-D", ("a",)), ("+I", ("b",))]


def test_the_kind_of_a_result_that_only_grows_is_insertion(connection: tableflow.Connection) -> None:
    connection.register_stream("s", COLUMNS, [(1, "a")])
    cursor = connection.execute("SELECT k FROM s")
    assert cursor.fetch_changes() == [("+I", (1,))]
    assert cursor.fetch_changes() == []
    assert connection.execute("VALUES (1)").fetch_changes() == [("+I", (1,))]


def test_a_finished_table_read_as_a_stream_gives_its_rows_in_order(connection: tableflow.Connection) -> None:
    connection.execute("CREATE TABLE t AS SELECT x AS k FROM (VALUES (3), (1), (2)) AS v(x)")
    connection.execute("SET 'execution.runtime-mode' = 'streaming'")
    assert connection.execute("SELECT k FROM t ORDER BY k DESC").fetchall() == [(3,), (2,), (1,)]
    assert connection.execute("SELECT k * 2 FROM t ORDER BY k LIMIT 2").fetchall() == [(2,), (4,)]
