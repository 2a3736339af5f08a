"""CURRENT_WATERMARK: NULL before there is one and over finished data, else what the rows before have said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.physical.build import build_operator
from tableflow.physical.current_watermark import CurrentWatermark
from tableflow.physical.node import Input
from tableflow.runtime.graph import OperatorSpec
from tableflow.serialization import dumps, loads
from tableflow.types import INT, TIMESTAMP, Field, TimestampType
from tests.physical.event_harness import EventHarness

START = datetime(2026, 1, 1)


def test_operator() -> None:
    fields = (Field(1, "v", INT), Field(2, "ts", TIMESTAMP))
    watermark = Field(3, "current_watermark", TimestampType(9))
    node = CurrentWatermark(fields=(*fields, watermark), input=Input(fields=fields), watermark=watermark)
    made = loads(dumps(node))
    events = EventHarness(lambda: build_operator(OperatorSpec("", made, "")), fields, rebuild=True)
    events.rows([(1, 5)])
    events.watermark(7)
    events.rows([(2, 6), (3, 8)])
    columns = [column.to_pylist() for column in (batch.columns[-1].array.cast("int64") for batch in events.batches)]
    assert columns == [[None], [7_000, 7_000]]


@pytest.fixture
def connection() -> Iterator[tableflow.Connection]:
    with tableflow.connect(settings={"parallelism.default": "1", "execution.batch-rows": "2"}) as opened:
        rows = [(i, START + timedelta(seconds=second)) for i, second in enumerate((0, 10, 20, 3, 30, 12, 40))]
        opened.register_stream(
            "s", {"v": "INT", "ts": "TIMESTAMP(3)"}, lambda: iter(rows), watermark=("ts", timedelta(seconds=5))
        )
        yield opened


def test_late_rows_are_told_apart(connection: tableflow.Connection) -> None:
    told = connection.execute("SELECT v, coalesce(ts < CURRENT_WATERMARK(ts), FALSE) FROM s").fetchall()
    assert sorted(v for v, _ in told) == list(range(7))
    assert {3} <= {v for v, late in told if late} <= {3, 5}
    kept = connection.execute(
        "SELECT v FROM s WHERE CURRENT_WATERMARK(ts) IS NULL OR ts >= CURRENT_WATERMARK(ts)"
    ).fetchall()
    assert {0, 1, 2, 4, 6} <= {v for (v,) in kept} <= {0, 1, 2, 4, 5, 6}
    shown = connection.execute("SELECT v, CURRENT_WATERMARK(ts) AS w FROM s").fetchall()
    assert shown[0] == (0, None)
    assert shown[-1][1] is not None


def test_finished_data(connection: tableflow.Connection) -> None:
    values = "(VALUES (TIMESTAMP '2026-01-01 00:00:00')) v(ts)"
    assert connection.execute(f"SELECT CURRENT_WATERMARK(ts) FROM {values}").fetchall() == [(None,)]
    with pytest.raises(tableflow.Error, match="current_watermark"):
        connection.execute("SELECT CURRENT_WATERMARK(1)")
