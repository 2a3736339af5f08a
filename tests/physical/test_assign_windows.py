"""Windows of rows in time equal those counted out one by one, in every unit, with offsets, before 1970, and in zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.physical.assign_windows import AssignWindows
from tableflow.physical.build import build_operator
from tableflow.physical.node import Input
from tableflow.physical.windows_text import describe_windows
from tableflow.runtime.graph import OperatorSpec
from tableflow.serialization import dumps, loads
from tableflow.types import INT, TIMESTAMP, TIMESTAMP_LTZ, Field, TimestampType
from tests.physical.event_harness import EventHarness

VALUE = Field(10, "v", INT)
HOUR = 3_600_000_000


def harness(assigner, of=TIMESTAMP, batch_rows=65_536):
    time = Field(11, "ts", of)
    made = tuple(Field(20 + i, name, of) for i, name in enumerate(("window_start", "window_end", "window_time")))
    leaf = Input(fields=(VALUE, time))
    node = AssignWindows(
        fields=(*leaf.fields, *made),
        input=leaf,
        assigner=assigner,
        time=11,
        start=made[0],
        end=made[1],
        window_time=made[2],
    )
    read = loads(dumps(node))
    assert read == node
    return EventHarness(lambda: build_operator(OperatorSpec("", read, "")), leaf.fields, batch_rows=batch_rows)


def expected(assigner, time):
    """Start and end of each window of a time, counted in plain integers."""
    if isinstance(assigner, Tumble):
        start = (time - assigner.offset) // assigner.size * assigner.size + assigner.offset
        return {(start, start + assigner.size)}
    if isinstance(assigner, Hop):
        first = (time - assigner.offset) // assigner.slide - assigner.size // assigner.slide - 1
        starts = [assigner.offset + (first + i) * assigner.slide for i in range(assigner.size // assigner.slide + 3)]
        return {(start, start + assigner.size) for start in starts if start <= time < start + assigner.size}
    start = (time - assigner.offset) // assigner.size * assigner.size + assigner.offset
    ends = range(start + assigner.step, start + assigner.size + 1, assigner.step)
    return {(start, end) for end in ends if time < end}


OFFSETS = st.integers(-50, 50)
ASSIGNERS = st.one_of(
    st.builds(Tumble, st.integers(1, 30), OFFSETS),
    st.builds(Hop, st.integers(1, 12), st.integers(1, 30), OFFSETS),
    st.builds(lambda step, n, offset: Cumulate(step, step * n, offset), st.integers(1, 7), st.integers(1, 5), OFFSETS),
)
TIMES = st.lists(st.none() | st.integers(-100, 100) | st.integers(-(10**15), 10**15), max_size=12)


@given(ASSIGNERS, TIMES, st.sampled_from([0, 3, 6, 9]), st.integers(1, 5))
def test_windows_of_rows(assigner, times, precision, batch_rows):
    unit, tick = (1000, 1) if precision == 9 else (1, 10 ** (6 - precision))
    events = harness(assigner, TimestampType(precision), batch_rows)
    events.rows([(i, None if time is None else time * unit) for i, time in enumerate(times)], weights=range(len(times)))
    wanted = sorted(
        (i, time, start, end, i)
        for i, time in enumerate(times)
        if time is not None
        for start, end in expected(assigner, time)
    )
    columns = [[column.array.cast("int64").to_pylist() for column in batch.columns] for batch in events.batches]
    weights = [weight for batch in events.batches for weight in batch.weights.tolist()]
    rows = [row for batch in columns for row in zip(*batch, strict=True)]
    found = sorted((i, t // unit, s // unit, e // unit, w) for (i, t, s, e, _), w in zip(rows, weights, strict=True))
    assert found == wanted
    assert all(last == end - tick for *_, end, last in rows)


def test_a_selection_is_respected_and_whole_batches_are_not_copied():
    events = harness(Tumble(10))
    events.rows([(1, 5), (2, 15), (3, 25)])
    whole = events.batches[0]
    assert whole.columns[0].to_pylist() == [1, 2, 3]
    some = whole.project([0, 1]).with_selection(np.array([0, 2], np.uint32))
    events.said.clear()
    events.batch(some)
    assert [column.array.cast("int64").to_pylist() for column in events.batches[0].columns] == [
        [1, 3], [5, 25], [0, 20], [10, 30], [9, 29],
    ]  # fmt: skip


def wall(text, zone="Europe/Berlin"):
    """Microseconds of a wall-clock time; fold as in '2026-10-25T02:30+01:00'."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("size", "time", "start", "end"),
    [
        (24 * HOUR, "2026-03-29T12:00", "2026-03-29T00:00", "2026-03-30T00:00"),  # 23 hours
        (24 * HOUR, "2026-10-25T12:00", "2026-10-25T00:00", "2026-10-26T00:00"),  # 25 hours
        (24 * HOUR, "2026-01-15T23:59", "2026-01-15T00:00", "2026-01-16T00:00"),
        (HOUR, "2026-03-29T03:10", "2026-03-29T03:00", "2026-03-29T04:00"),  # nothing between 2 and 3
        (
            HOUR,
            "2026-10-25T02:10+01:00",
            "2026-10-25T02:00+02:00",
            "2026-10-25T03:00",
        ),  # two hours are one on the clock
        (HOUR // 2, "2026-10-25T02:10+02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00"),
        (HOUR // 2, "2026-10-25T02:10+01:00", "2026-10-25T02:30+02:00", "2026-10-25T03:00"),
    ],
)
def test_windows_on_a_wall_clock(size, time, start, end):
    events = harness(Tumble(size, zone="Europe/Berlin"), TIMESTAMP_LTZ)
    events.rows([(1, wall(time))])
    row = [column.array.cast("int64").to_pylist()[0] for column in events.batches[0].columns]
    assert row[2:4] == [wall(start), wall(end)]


@given(
    st.lists(st.integers(wall("2026-03-28T00:00"), wall("2026-03-30T12:00")), min_size=1, max_size=20)
    | st.lists(st.integers(wall("2026-10-24T00:00"), wall("2026-10-26T12:00")), min_size=1, max_size=20),
    st.sampled_from([HOUR // 4, HOUR // 2, HOUR, 3 * HOUR, 24 * HOUR]),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_windows_on_a_wall_clock_hold_their_rows_and_do_not_overlap(times, size, zone):
    events = harness(Tumble(size, zone=zone), TIMESTAMP_LTZ)
    events.rows([(1, time) for time in times])
    found = set()
    for batch in events.batches:
        _, moments, starts, ends, _ = (column.array.cast("int64").to_pylist() for column in batch.columns)
        for time, start, end in zip(moments, starts, ends, strict=True):
            assert start <= time < end
            found.add((start, end))
    ordered = sorted(found)
    assert all(end <= start for (_, end), (start, _) in pairwise(ordered))


def test_explain():
    node = harness(Hop(HOUR, 2 * HOUR, zone="Europe/Berlin")).operator._node
    assert (
        describe_windows(node, {11: "ts"})
        == "AssignWindows HOP INTERVAL '1' HOUR, INTERVAL '2' HOUR in Europe/Berlin of ts"
    )
