"""Tables of connectors with computed columns and event time, over finished files."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tableflow.dbapi.connection import Connection, connect
from tableflow.errors import TableFlowError

POLICY = "SET 'table.exec.source.rowtime-null-handling' = "


@pytest.fixture
def con(tmp_path: Path) -> Connection:
    (tmp_path / "c.csv").write_text("a,price,ts\n1,1.25,2024-01-01 00:00:01\n2,2.5,2024-01-01 00:01:01\n3,2.5,\n")
    con = connect()
    con.execute(
        "CREATE TABLE c (cents AS CAST(price * 100 AS BIGINT), a INT, price DECIMAL(12,2), twice AS cents * 2, "
        "ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' SECOND, PRIMARY KEY (a) NOT ENFORCED) "
        f"WITH ('connector' = 'filesystem', 'path' = '{tmp_path}/c.csv', 'format' = 'csv')"
    )
    return con


def rows(con: Connection, sql: str) -> list[tuple[object, ...]]:
    return con.execute(sql).fetchall()


def test_columns_come_as_declared(con: Connection) -> None:
    cursor = con.execute("SELECT * FROM c WHERE a = 2")
    assert [column[0] for column in cursor.description or ()] == ["cents", "a", "price", "twice", "ts"]
    assert [row[:2] + row[3:] for row in cursor.fetchall()] == [(250, 2, 500, dt.datetime(2024, 1, 1, 0, 1, 1))]


def test_rows_without_event_time(con: Connection) -> None:
    with pytest.raises(TableFlowError, match="event time is NULL"):
        rows(con, "SELECT a FROM c")
    assert rows(con, "SELECT a FROM c WHERE a < 3 ORDER BY a") == [(1,), (2,)]
    con.execute(POLICY + "'drop'")
    assert rows(con, "SELECT a FROM c ORDER BY a") == [(1,), (2,)]
    con.execute(POLICY + "'pass'")
    assert rows(con, "SELECT a FROM c ORDER BY a") == [(1,), (2,), (3,)]
    windowed = "SELECT window_start, sum(cents) FROM TUMBLE(c, ts, INTERVAL '1' MINUTE) GROUP BY ALL ORDER BY 1"
    assert rows(con, windowed) == [(dt.datetime(2024, 1, 1), 125), (dt.datetime(2024, 1, 1, 0, 1), 250)]


def test_describe_and_show(con: Connection) -> None:
    assert rows(con, "DESCRIBE c") == [
        ("cents", "BIGINT", "YES", None, "AS CAST(price * 100 AS BIGINT)", None),
        ("a", "INT", "NO", "PRIMARY KEY NOT ENFORCED", None, None),
        ("price", "DECIMAL(12,2)", "YES", None, None, None),
        ("twice", "BIGINT", "YES", None, "AS cents * 2", None),
        ("ts", "TIMESTAMP(3)", "YES", None, None, "ts - INTERVAL '5' SECOND"),
    ]
    ((text,),) = rows(con, "SHOW CREATE TABLE c")
    assert "WATERMARK FOR ts AS ts - INTERVAL '5' SECOND" in str(text)


def test_metadata_that_the_connector_does_not_have(con: Connection) -> None:
    with pytest.raises(TableFlowError, match="connector 'filesystem' has no metadata 'offset'"):
        con.execute(
            "CREATE TABLE d (a INT, f BIGINT METADATA FROM 'offset' VIRTUAL) "
            "WITH ('connector' = 'filesystem', 'path' = 'x.csv', 'format' = 'csv')"
        )


def test_processing_time_is_now(con: Connection) -> None:
    ((least, most),) = rows(con, "SELECT min(proctime()), max(ingestion_time()) FROM (VALUES (1), (2)) v(x)")
    now = dt.datetime.now(dt.UTC)
    assert all(now - dt.timedelta(minutes=5) < time <= now for time in (least, most))  # type: ignore[operator]


def test_windows_on_a_clock_that_is_put_forward(con: Connection) -> None:
    """On 2024-03-31 in Berlin the hour from 2 to 3 does not exist, so that the day has 23 hours."""
    con.execute("SET 'table.local-time-zone' = 'Europe/Berlin'")
    found = rows(
        con,
        "SELECT CAST(window_start AS STRING), CAST(window_end AS STRING), count(*) FROM TUMBLE("
        "(SELECT CAST(t AS TIMESTAMP_LTZ(3)) AS t FROM (VALUES (TIMESTAMP '2024-03-31 00:30:00'), "
        "(TIMESTAMP '2024-03-31 23:30:00'), (TIMESTAMP '2024-04-01 00:00:00')) v(t)), t, INTERVAL '1' DAY) "
        "GROUP BY window_start, window_end ORDER BY 1",
    )
    assert [(str(a)[:19], str(b)[:19], n) for a, b, n in found] == [
        ("2024-03-31 00:00:00", "2024-04-01 00:00:00", 2),
        ("2024-04-01 00:00:00", "2024-04-02 00:00:00", 1),
    ]
