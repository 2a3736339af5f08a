"""Window functions over partitions that time closes: rows wait for their window, come out once, and are forgotten."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.expressions.nodes import WindowCall
from tableflow.physical.build import build_operator
from tableflow.physical.closed_windows import ClosedWindows
from tableflow.physical.node import Input
from tableflow.physical.properties import OrderingKey
from tableflow.physical.retention import Retention
from tableflow.runtime.events import END_OF_TIME
from tableflow.runtime.graph import OperatorSpec
from tableflow.serialization import dumps, loads
from tableflow.types import BIGINT, INT, TIMESTAMP, Field
from tests.physical.event_harness import EventHarness
from tests.physical.windowed import plain_times

END, KEY, NUMBER = Field(1, "window_end", TIMESTAMP), Field(2, "k", INT), Field(3, "n", BIGINT)


def _harness(limit: int | None, *, rebuild: bool) -> EventHarness:
    node = ClosedWindows(
        fields=(END, KEY, NUMBER),
        input=Input(fields=(END, KEY), dealt=(END.id,)),
        partition=(END.id,),
        order=(OrderingKey(KEY.id),),
        results=(NUMBER,),
        calls=(WindowCall(BIGINT, "row_number"),),
        closes=Retention(END.id, -1),
        limit=limit,
    )
    read = loads(dumps(node))
    assert read == node
    return EventHarness(lambda: build_operator(OperatorSpec("", read, "")), node.input.fields, rebuild=rebuild)


@pytest.mark.parametrize("rebuild", [False, True])
def test_rows_come_out_when_their_window_closes(rebuild: bool) -> None:
    harness = _harness(2, rebuild=rebuild)
    harness.rows([(10, 3), (20, 9), (10, 1)])
    harness.watermark(9)
    assert harness.take() == []
    harness.rows([(10, 2), (20, 8)])
    harness.watermark(10)
    assert plain_times(harness.take()) == [(10, 1, 1, 1), (10, 2, 2, 1)]
    harness.rows([(10, 0), (20, 7)])
    assert harness.context.counted["late_rows"] == 1
    harness.rows([(None, 5)])
    harness.watermark(25)
    assert plain_times(harness.take()) == [(20, 7, 1, 1), (20, 8, 2, 1)]
    harness.end()
    assert harness.take() == [(None, 5, 1, 1)]


def test_rows_are_forgotten() -> None:
    """With a limit those that cannot be among the first, and all when their window has closed."""
    harness = _harness(3, rebuild=False)
    for step in range(60):
        harness.rows([(100, (step * 1000 + i) % 7919) for i in range(1000)])
    assert harness.context.state_bytes < 20_000 * 16
    harness.watermark(100)
    assert [row[1:3] for row in harness.take()] == [(0, 1), (0, 2), (0, 3)]
    assert harness.context.state_bytes == 0


def test_nothing_comes_of_nothing() -> None:
    harness = _harness(3, rebuild=True)
    harness.watermark(5)
    harness.end()
    assert harness.take() == []


ROWS = st.lists(st.tuples(st.none() | st.integers(1, 30), st.integers(0, 9)), max_size=8)


@pytest.mark.slow
@given(st.lists(ROWS | st.integers(0, 35), max_size=10), st.none() | st.integers(1, 3), st.booleans())
def test_each_partition_is_what_its_rows_on_time_make(events: list[Any], limit: int | None, rebuild: bool) -> None:
    """It comes out once, with the first watermark that has reached its end; a row behind that is late."""
    harness = _harness(limit, rebuild=rebuild)
    kept: defaultdict[int | None, list[int]] = defaultdict(list)
    mark, late = 0, 0
    for event in [*events, END_OF_TIME]:
        if isinstance(event, list):
            harness.rows(event)
            for end, key in event:
                if end is not None and end <= mark:
                    late += 1
                else:
                    kept[end].append(key)
            continue
        harness.end() if event == END_OF_TIME else harness.watermark(event)
        mark = max(mark, event)
        over = [end for end in kept if event == END_OF_TIME or (end is not None and end <= mark)]
        wanted = [(end, key, number, 1) for end in over for number, key in enumerate(sorted(kept.pop(end))[:limit], 1)]
        assert sorted(plain_times(harness.take()), key=repr) == sorted(wanted, key=repr)
    assert harness.context.counted["late_rows"] == late
