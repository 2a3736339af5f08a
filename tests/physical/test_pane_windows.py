"""Windows that close once equal those counted out in Python, whatever the disorder, the cuts, and the lateness of rows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.expressions.emit import Emit, OnWindowClose
from tableflow.expressions.window_assigner import Cumulate, Hop, Tumble
from tableflow.runtime.events import Watermark
from tableflow.types import TimestampType
from tests.physical.event_harness import summed
from tests.physical.test_assign_windows import expected
from tests.physical.windowed import (
    CALLS,
    FIELDS,
    KEY,
    TEXT,
    VALUE,
    answers,
    grouped,
    harness_of,
    late_target,
    node_of,
    plain_times,
)

ASSIGNERS = st.one_of(
    st.builds(Tumble, st.integers(1, 12), st.integers(-5, 5)),
    st.builds(Hop, st.integers(1, 6), st.integers(1, 15), st.integers(-5, 5)),
    st.builds(
        lambda step, n, offset: Cumulate(step, step * n, offset),
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(-5, 5),
    ),
)
ROW = st.tuples(
    st.none() | st.integers(0, 2),
    st.none() | st.sampled_from(["a", "b", ""]),
    st.none() | st.integers(-9, 9),
    st.none() | st.integers(-30, 60) | st.just(10**15),
)
EVENTS = st.lists(st.lists(ROW, max_size=6) | st.integers(-30, 70), max_size=8)


def run(events, node, scale=1, weights=None, **options):
    """Feeds batches and watermarks; what each row was still in time for, and what was given when."""
    harness = harness_of(node, **options)
    mark, pairs, late = -(2**63), [], Counter()
    for event in events:
        if isinstance(event, int):
            harness.watermark(event)
            mark = max(mark, event)
            continue
        harness.rows([(*row[:3], None if row[3] is None else row[3] * scale) for row in event])
        for row in event:
            for start, end in () if row[3] is None else expected(node.assigner, row[3]):
                if end <= mark:
                    late[(*row, start, end, mark)] += 1
                else:
                    pairs.append(((*(row[i] for i in (0, 1)[: len(node.keys)]), start, end), row))
    harness.epoch()
    harness.end()
    return harness, pairs, late


@pytest.mark.slow
@settings(max_examples=80)
@given(ASSIGNERS, EVENTS, st.booleans(), st.integers(1, 4) | st.just(65_536), st.booleans())
def test_each_window_gives_one_row_for_each_key(assigner, events, rebuild, batch_rows, two_keys):
    node = node_of(assigner, keys=(KEY, TEXT) if two_keys else (KEY,))
    harness, pairs, late = run(events, node, rebuild=rebuild, batch_rows=batch_rows)
    wanted = Counter({(*group, *answers(rows), 1): 1 for group, rows in grouped(pairs).items()})
    assert Counter(plain_times(harness.emitted)) == wanted
    assert harness.context.counted["late_rows"] == late.total()
    harness.close()


@pytest.mark.slow
@given(ASSIGNERS, EVENTS)
def test_windows_are_given_when_they_close_and_in_order(assigner, events):
    node = node_of(assigner)
    harness, _, _ = run(events, node)
    before, latest = -(2**63), []
    for item in harness.said:
        if isinstance(item, Batch):
            latest += item.columns[2].array.cast("int64").to_pylist()
        elif isinstance(item, Watermark):
            assert latest == sorted(latest)
            assert all(before < end <= item.time for end in latest)
            before, latest = item.time, []
    assert not latest


@pytest.mark.slow
@given(ASSIGNERS, EVENTS)
def test_late_rows_go_to_their_sink(assigner, events):
    node = node_of(assigner, Emit(late_into="late"), late=late_target())
    harness, _, late = run(events, node)
    sink = harness.context.sinks[0]
    assert Counter(row[:-1] for row in plain_times(sink.rows)) == late
    assert sink.prepared


@pytest.mark.slow
@given(ASSIGNERS, EVENTS)
def test_nanoseconds_and_no_keys(assigner, events):
    node = node_of(assigner, keys=(), time=TimestampType(9))
    harness, pairs, _ = run(events, node, scale=1000, rebuild=True)
    groups = grouped([(group[-2:], row) for group, row in pairs])
    got = [
        tuple(v // 1000 if i < 2 else v for i, v in enumerate(row))
        for batch in harness.batches
        for row in zip(*(c.array.cast("int64").to_pylist() for c in batch.columns[:3]), strict=True)
    ]
    assert Counter(got) == Counter({(*group, len(rows)): 1 for group, rows in groups.items()})


CHANGES = st.lists(st.lists(st.tuples(ROW, st.integers(-2, 2)), max_size=5), max_size=5)


@pytest.mark.slow
@settings(max_examples=60)
@given(ASSIGNERS, st.lists(ROW, max_size=10), CHANGES, st.booleans())
def test_rows_may_be_taken_back_until_their_window_closes(assigner, kept, changes, rebuild):
    node = node_of(assigner, Emit((OnWindowClose(),)), changing=True)
    harness = harness_of(node, rebuild=rebuild)
    for step in changes:
        harness.rows([row for row, _ in step], weights=[weight for _, weight in step])
    history = [(row, -weight) for step in changes for row, weight in step] + [(row, 1) for row in kept]
    for at in range(0, len(history), 3):
        some = history[at : at + 3]
        harness.rows([row for row, _ in some], weights=[weight for _, weight in some])
    harness.end()
    pairs = [((row[0], *w), row) for row in kept if row[3] is not None for w in expected(assigner, row[3])]
    wanted = Counter({(*group, *answers(rows)): 1 for group, rows in grouped(pairs).items()})
    assert summed(plain_times(harness.emitted)) == wanted


def test_sliding_windows_share_what_they_have_in_common():
    """A row is counted in one pane, however many windows it is in; so is what is kept of it."""
    kept = {}
    for size in (10, 600):
        harness = harness_of(node_of(Hop(10, size)))
        for pane in range(5):
            harness.rows([(key, "x", 1, pane * 10 + row % 10) for key in range(20) for row in range(50)])
        kept[size] = harness.context.state_rows, harness.context.state_bytes
        harness.close()
    assert kept[600] == kept[10]
    assert kept[10][0] == 5 * 20


def test_state_goes_with_its_windows():
    """Memory after many windows is that of a few."""
    harness = harness_of(node_of(Hop(10, 30)))
    sizes = []
    for step in range(60):
        harness.rows([(key, "x", 1, step * 10 + key % 10) for key in range(500)])
        harness.watermark(step * 10)
        sizes.append(harness.context.state_bytes)
    assert max(sizes[30:]) <= 1.05 * max(sizes[5:30])
    harness.end()
    assert sum(row[3] for row in harness.emitted) == 60 * 500 * 3
    harness.close()


def test_a_watermark_that_closes_many_windows_gives_batches():
    harness = harness_of(node_of(Tumble(1), calls=CALLS[:1]), batch_rows=1000)
    rows = 50_000
    column = np.arange(rows)
    harness.batch(batch_of_arrays(column % 7, column, column))
    harness.end()
    assert [batch.rows for batch in harness.batches] == [1000] * 50
    assert harness.context.reservations["windows that close"].most < 2_000_000


@pytest.mark.slow
def test_a_windowed_count_keeps_less_than_64_bytes_a_key():
    harness = harness_of(node_of(Tumble(10**9), keys=(VALUE,), calls=CALLS[:1]))
    keys = 1_000_000
    values = np.random.default_rng(1).permutation(keys) * 1_000_003
    for at in range(0, keys, 50_000):
        some = values[at : at + 50_000]
        harness.batch(batch_of_arrays(some * 0, some, np.arange(len(some))))
    assert harness.context.state_bytes / keys < 64


def batch_of_arrays(keys, values, times):
    """A batch of numpy columns; all texts are equal."""
    arrays = [
        pa.array(keys.astype(np.int32)),
        pa.array(np.full(len(keys), "x")),
        pa.array(values),
        pa.array(times, pa.timestamp("us")),
    ]
    return Batch([Column(f.type, array) for f, array in zip(FIELDS, arrays, strict=True)], len(keys))
