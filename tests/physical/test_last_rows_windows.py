"""KEEP LAST: each firing sees the last rows of its group, however rows are cut into batches and watermarks."""

from __future__ import annotations

from collections import Counter
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.expressions.emit import Emit, EveryInterval, EveryRows
from tableflow.expressions.window_assigner import Global, Hop, Tumble
from tableflow.physical import corrected_firings
from tableflow.physical.properties import OrderingKey
from tableflow.physical.rows_in_order import RowsInOrder
from tableflow.runtime.events import END_OF_TIME
from tableflow.runtime.operator import Suspend
from tableflow.types import TimestampType
from tests.kernels.columns import rows_of
from tests.physical.event_harness import batch_of, summed
from tests.physical.test_assign_windows import expected
from tests.physical.windowed import FIRE, TIME, answers, grouped, harness_of, node_of, plain_times

KEEPS = [Emit(keep_last_rows=2), Emit((EveryRows(2),), keep_last_rows=3), Emit((EveryRows(1),), keep_last=4)]
ROWS = st.lists(st.tuples(st.integers(1, 2), st.sampled_from("ab"), st.integers(0, 9)), max_size=16)


def seen(members, emit):
    """Firings of a group whose rows these are, in order."""
    every = emit.triggers[0].rows if emit.triggers else len(members)
    at = sorted({*range(every - 1, len(members), every), len(members) - 1})
    for number, i in enumerate(at, 1):
        if emit.keep_last_rows is not None:
            yield number, members[max(0, i + 1 - emit.keep_last_rows) : i + 1]
        else:
            yield number, [row for row in members if members[i][3] - emit.keep_last <= row[3] <= members[i][3]]


@pytest.mark.slow
@settings(max_examples=60)
@given(
    st.sampled_from([Global(), Tumble(10), Hop(5, 12)]), ROWS, st.sampled_from(KEEPS), st.integers(1, 5), st.booleans()
)
def test_firings(assigner, made, emit, size, rebuild):
    rows = [(*row, 2 * number) for number, row in enumerate(made)]
    harness = harness_of(node_of(assigner, emit, fire=FIRE, order=(OrderingKey(TIME.id),)), rebuild=rebuild)
    for at in range(0, len(rows), size):
        harness.rows(rows[at : at + size][::-1])
        harness.watermark(2 * at)
    harness.end()
    windows = [(None, None)] if isinstance(assigner, Global) else None
    pairs = [((row[0], *window), row) for row in rows for window in windows or expected(assigner, row[3])]
    wanted = [
        (*group, number, *answers(frame), 1)
        for group, members in grouped(pairs).items()
        for number, frame in seen(members, emit)
    ]
    assert sorted(plain_times(harness.emitted), key=repr) == sorted(wanted, key=repr)


def test_late_rows_and_state():
    harness = harness_of(node_of(Tumble(10), Emit(keep_last_rows=2), fire=FIRE), rebuild=True)
    harness.rows([(1, "a", 1, 3), (1, "a", 2, 5)])
    harness.watermark(7)
    harness.rows([(1, "a", 3, 4)])  # behind the watermark, but its window is open
    harness.watermark(10)
    assert [row[3:6] for row in harness.take()] == [(1, 2, 5)]
    harness.rows([(1, "a", 4, 9)])
    assert harness.context.counted["late_rows"] == 1
    harness.end()
    assert harness.take() == []


def test_a_clock_fires_what_has_come():
    node = node_of(Global(), Emit((EveryInterval(10),), keep_last_rows=2), fire=FIRE)
    harness = harness_of(node, rebuild=True)
    harness.rows([(1, "a", 1, 0), (1, "a", 2, 0), (1, "a", 4, 0)])
    harness.clock(10)
    harness.clock(20)
    harness.rows([(1, "a", 8, 0)])
    harness.clock(30)
    assert [row[3:6] for row in harness.take()] == [(1, 2, 6), (2, 2, 12)]


def test_no_more_than_the_last_rows_are_kept():
    harness = harness_of(node_of(Global(), Emit((EveryRows(100),), keep_last_rows=3), fire=FIRE))
    sizes = []
    for step in range(200):
        harness.rows([(key, "x", step, step) for key in range(200)])
        sizes.append(harness.context.state_bytes)
    assert max(sizes[100:]) <= 1.05 * max(sizes[20:100])


@pytest.mark.slow
def test_rows_that_wait_are_in_few_pieces_and_come_in_order():
    node = node_of(Global(), Emit(keep_last_rows=1), order=(OrderingKey(TIME.id),))
    waiting = RowsInOrder(node.input, node.order, in_time=node.in_time)
    times = [(7 * i) % 1000 + i // 1000 * 1000 for i in range(4000)]
    found = []
    for number, time in enumerate(times):
        waiting.add(batch_of(node.input.fields, [(1, "a", number, time)]))
        assert len(waiting._waiting) < 20
        if number % 500 == 499:
            rows = waiting.release(number - 999)
            found += [] if rows is None else rows.columns[3].array.cast("int64").to_pylist()
    rest = waiting.release(END_OF_TIME)
    found += rest.columns[3].array.cast("int64").to_pylist()
    assert found == sorted(times)
    assert waiting.bytes == 0


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_late_rows_correct_firings(data):
    """What was said in the end is what rows in the order of time say, however late they came."""
    rows = [(*row, 2 * number) for number, row in enumerate(data.draw(ROWS))]
    assigner = data.draw(st.sampled_from([Tumble(10), Hop(5, 12)]))
    emit = data.draw(st.sampled_from([Emit(k.triggers, k.keep_last_rows, k.keep_last, lateness=1000) for k in KEEPS]))
    harness = harness_of(node_of(assigner, emit, fire=FIRE), rebuild=data.draw(st.booleans()))
    arriving = data.draw(st.permutations(rows))
    with patch.object(corrected_firings, "SHARE_ROWS", data.draw(st.sampled_from([1, 3, 65_536]))):
        while arriving:
            size = data.draw(st.integers(1, 4))
            harness.rows(arriving[:size])
            arriving = arriving[size:]
            harness.watermark(data.draw(st.integers(0, 40)))
    harness.end()
    pairs = [((row[0], *window), row) for row in rows for window in expected(assigner, row[3])]
    wanted = Counter(
        (*group, number, *answers(frame))
        for group, members in grouped(pairs).items()
        for number, frame in seen(members, emit)
    )
    assert summed(plain_times(harness.emitted)) == wanted
    assert harness.context.counted["late_rows"] == 0
    harness.close()


@pytest.mark.parametrize("rebuild", [False, True])
def test_intervals_are_corrected_until_the_lateness_is_over(rebuild):
    emit = Emit((EveryInterval(4, event_time=True),), keep_last_rows=2, lateness=5)
    harness = harness_of(node_of(Tumble(10), emit, fire=FIRE), rebuild=rebuild)
    harness.rows([(1, "a", 1, 0), (1, "a", 2, 5), (1, "a", 4, 6), (2, "b", 1, 1)])
    harness.watermark(9)
    assert [(row[0], *row[3:6]) for row in harness.take()] == [(1, 1, 1, 1), (2, 1, 1, 1), (1, 2, 2, 6)]
    harness.rows([(1, "a", 8, 3)])  # in the interval of the first, which has fired
    assert Counter((row[0], *row[3:6], row[-1]) for row in harness.take()) == Counter(
        [(1, 1, 1, 1, -1), (1, 1, 2, 9, 1)]
    )
    harness.rows([(1, "a", 16, 8)])  # in one that has not: it fires when the window closes
    assert harness.take() == []
    harness.watermark(12)
    assert [(row[0], *row[3:6]) for row in harness.take()] == [(1, 3, 2, 20)]
    harness.rows([(1, "a", 32, 7)])
    assert Counter((*row[3:6], row[-1]) for row in harness.take()) == Counter(
        [(2, 2, 6, -1), (2, 2, 36, 1), (3, 2, 20, -1), (3, 2, 48, 1)]
    )
    assert harness.context.counted["late_rows"] == 0
    harness.watermark(15)
    harness.rows([(1, "a", 64, 8)])
    assert harness.context.counted["late_rows"] == 1
    harness.watermark(100)
    assert harness.context.state_rows == 0
    harness.end()
    assert harness.take() == []
    harness.close()


@pytest.mark.parametrize("trigger", [EveryRows(2), EveryInterval(20, event_time=True)])
def test_late_rows_of_many_groups_are_corrected_a_share_at_a_time(trigger, monkeypatch):
    emit = Emit((trigger,), keep_last_rows=3, lateness=1000)
    groups, rows = 40, 50
    told, most, pauses = [], [], []
    for share in (rows * groups * 2, rows * 4):
        monkeypatch.setattr(corrected_firings, "SHARE_ROWS", share)
        harness = harness_of(node_of(Tumble(1000), emit, fire=FIRE))
        harness.rows([(key, "a", at, 2 * at) for at in range(rows) for key in range(groups)])
        harness.watermark(500)
        harness.take()
        kept = harness.context.state_bytes
        late = batch_of(harness.operator._node.input.fields, [(key, "b", 1000, 39) for key in range(groups)])
        said = list(harness.operator.process(late, 0))
        pauses.append(sum(isinstance(each, Suspend) for each in said))
        told.append(summed([row for each in said if isinstance(each, Batch) for row in rows_of(each)]))
        reserved = harness.context.reservations["windows"]
        most.append(reserved.most - kept)
        assert reserved.bytes == harness.operator._held()  # of the copies nothing is left
        harness.close()
    assert told[0] == told[1]
    assert len(told[0]) >= 2 * groups
    assert pauses[1] >= 5 * pauses[0] > 0
    assert 0 < most[1] < most[0] / 2


def test_a_late_row_takes_its_place_within_a_microsecond():
    emit = Emit((EveryRows(2),), keep_last_rows=2, lateness=5)
    harness = harness_of(node_of(Tumble(10), emit, time=TimestampType(9), fire=FIRE))
    harness.rows([(1, "a", 1, 2_100), (1, "a", 4, 2_900)])
    harness.watermark(5)
    assert [row[3:6] for row in harness.take()] == [(1, 2, 5)]
    harness.rows([(1, "a", 2, 2_500)])
    harness.end()
    assert Counter((*row[3:6], row[-1]) for row in harness.take()) == Counter(
        [(1, 2, 5, -1), (1, 2, 3, 1), (2, 2, 6, 1)]
    )
    harness.close()
