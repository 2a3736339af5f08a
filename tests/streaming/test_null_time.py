"""A row without event time is named: its source, its split, its number there; the policies are, too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

import tableflow

POLICIES = "= 'drop' leaves such rows out, 'pass' hands them on without moving time"


def _rows() -> Iterator[tuple[int, dt.datetime | None]]:
    for number in range(20):
        yield number % 2, None if number == 13 else dt.datetime(2024, 1, 1) + dt.timedelta(seconds=number)


@pytest.fixture
def con(tmp_path: Path) -> Iterator[tableflow.Connection]:
    (tmp_path / "a.csv").write_text("1,2024-01-01 00:00:00\n2,\n3,2024-01-01 00:00:01\n")
    with tableflow.connect(settings={"parallelism.default": "2", "execution.batch-rows": "5"}) as connection:
        schema = {"k": "INT", "ts": "TIMESTAMP(3)"}
        connection.register_stream("s", schema, _rows, watermark=("ts", dt.timedelta(seconds=1)))
        declared = (
            "(k INT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'filesystem', 'format' = 'csv', "
        )
        connection.execute(f"CREATE TABLE f {declared} 'path' = '{tmp_path}/a.csv')")
        connection.execute(f"CREATE TABLE w {declared} 'path' = '{tmp_path}', 'source.monitor-interval' = '1 s')")
        yield connection


@pytest.mark.parametrize(
    ("table", "place"), [("s", "it is row 14 of 'part 0'"), ("f", "it is row 2 of"), ("w", "it is row 2 of")]
)
@pytest.mark.parametrize("where", ["", "WHERE k <> 1"])
def test_the_row_is_named(con: tableflow.Connection, table: str, place: str, where: str) -> None:
    if table == "s" and where:
        where = "WHERE k < 2"
    with pytest.raises(tableflow.DataError) as caught:
        con.execute(f"SELECT * FROM {table} {where}").fetchall()
    text = str(caught.value)
    assert "NULL" in text.splitlines()[0]
    assert place in text
    assert table == "s" or "a.csv" in text
    assert POLICIES in text


def test_what_the_policies_say(con: tableflow.Connection) -> None:
    windows = "SELECT count(*) FROM TUMBLE(s, ts, INTERVAL '1' MINUTE) GROUP BY window_start, window_end"
    for policy, rows in (("drop", 19), ("pass", 20)):
        con.execute(f"SET 'table.exec.source.rowtime-null-handling' = '{policy}'")
        assert len(con.execute("SELECT k FROM s").fetchall()) == rows
        assert con.execute(windows).fetchall() == [(19,)]
