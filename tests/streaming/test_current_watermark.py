"""CURRENT_WATERMARK: NULL before there is one and over finished data, else what the rows before have said."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

import tableflow
from tableflow.connectors.script import Delay, Rows, Script
from tableflow.physical.build import build_operator
from tableflow.physical.current_watermark import CurrentWatermark
from tableflow.physical.node import Input
from tableflow.runtime.graph import OperatorSpec
from tableflow.runtime.source import Done
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


def test_late_rows_are_told_apart() -> None:
    seconds = (0, 10, 20, 3, 30, 12, 40)
    batches = [Rows([(i, START + timedelta(seconds=second))]) for i, second in enumerate(seconds)]
    with tableflow.connect(settings={"parallelism.default": "1"}) as connection:
        # while nothing comes the source learns that there is no other part to wait for
        script = Script([batches[0], Delay(50_000), *batches[1:], Done()])
        schema = {"v": "INT", "ts": "TIMESTAMP(3)"}
        connection.register_stream("s", schema, script, watermark=("ts", timedelta(seconds=5)))
        told = connection.execute("SELECT v, ts < CURRENT_WATERMARK(ts) FROM s").fetchall()
        assert sorted(told) == [(0, None), (1, False), (2, False), (3, True), (4, False), (5, True), (6, False)]
        kept = connection.execute("SELECT v FROM s WHERE (ts < CURRENT_WATERMARK(ts)) IS NOT TRUE").fetchall()
        assert sorted(kept) == [(0,), (1,), (2,), (4,), (6,)]


def test_finished_data() -> None:
    values = "(VALUES (TIMESTAMP '2026-01-01 00:00:00')) v(ts)"
    with tableflow.connect() as connection:
        assert connection.execute(f"SELECT CURRENT_WATERMARK(ts) FROM {values}").fetchall() == [(None,)]
        with pytest.raises(tableflow.Error, match="current_watermark"):
            connection.execute("SELECT CURRENT_WATERMARK(1)")
