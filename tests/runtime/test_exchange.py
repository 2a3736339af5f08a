"""Exchange writers: who gets what, what waits, what overtakes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.runtime.channel import Channel
from tableflow.runtime.counters import EdgeBlock
from tableflow.runtime.events import EndOfInput, Epoch, Idle, Superstep, Watermark
from tableflow.runtime.exchange import Outputs
from tableflow.runtime.graph import Edge, ExchangeKind
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.writers import result_writer, writer
from tests.runtime.simple import batch, values


def drained(channel):
    events = []
    while channel.ready:
        event, _ = channel.next()
        events.append(values(event) if isinstance(event, Batch) else event)
    return events


def sent(outputs, rows):
    outputs.rows(rows, rows.rows)


def make(kind, targets, batch_rows=4, capacity=8, timeout=2000, **more):
    memory = MemoryPool(1 << 30)
    channels = [Channel(capacity, memory) for _ in range(targets)]
    block = EdgeBlock()
    made = writer(Edge(0, 1, 0, kind, **more), channels, 0, batch_rows, block, memory)
    return Outputs([made], timeout), channels, block, made


def test_large_batches_go_by_reference_and_small_ones_are_collected():
    outputs, (channel,), block, _ = make(ExchangeKind.FORWARD, 1, batch_rows=8)
    large = batch(1, 2, 3)
    sent(outputs, large)
    assert channel.next()[0] is large
    for value in range(4):
        sent(outputs, batch(value))
    assert drained(channel) == [[0, 1, 2, 3]]
    assert (block.rows, block.batches) == (7, 2)
    assert block.bytes == 7 * 8


def test_a_batch_is_never_larger_than_allowed():
    outputs, (channel,), _, _ = make(ExchangeKind.FORWARD, 1, batch_rows=8)
    sent(outputs, batch(1))
    sent(outputs, batch(*range(8)))
    assert drained(channel) == [[1], list(range(8))]


def test_a_watermark_waits_behind_rows_and_is_replaced():
    outputs, (channel,), _, _ = make(ExchangeKind.FORWARD, 1, batch_rows=8)
    outputs.control(Watermark(1))
    assert drained(channel) == [Watermark(1)]
    sent(outputs, batch(1))
    outputs.control(Watermark(2))
    outputs.control(Watermark(3))
    assert drained(channel) == []
    sent(outputs, batch(2, 3, 4))
    assert drained(channel) == [[1, 2, 3, 4], Watermark(3)]


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("shared", [True, False])
def test_parts_of_a_dense_batch_share_it_where_that_is_wanted(dense, shared):
    outputs, channels, block, _ = make(ExchangeKind.HASH, 2, batch_rows=64, keys=(0,), shared=shared)
    whole = batch(*range(64))
    chosen = np.arange(64 if dense else 44, dtype=np.uint32)
    sent(outputs, whole if dense else whole.with_selection(chosen))
    # A part that another exchange has dealt out is copied, however it came.
    sent(outputs, whole.dealt_among(2).with_selection(np.arange(44, dtype=np.uint32)))
    for number, of in enumerate((chosen, np.arange(44))):
        parts = [channel.next()[0] for channel in channels]
        whole_goes = dense and shared and number == 0
        assert all((part.columns[0] is whole.columns[0]) == whole_goes for part in parts)
        assert sorted(value for part in parts for value in values(part)) == of.tolist()
        if number == 0:
            assert [part.dealt_to for part in parts] == [2 if whole_goes else 1] * 2
    assert block.bytes < 2 * whole.nbytes


@pytest.mark.parametrize("event", [Epoch(1), EndOfInput(), Idle()])
def test_other_events_flush(event):
    outputs, channels, _, _ = make(ExchangeKind.HASH, 2, batch_rows=100, keys=(0,))
    sent(outputs, batch(*range(10)))
    outputs.control(Watermark(2))
    outputs.control(event)
    for channel in channels:
        rows, *events = drained(channel)
        assert rows
        assert events == [Watermark(2), event]


def test_supersteps_stay_in_the_loop():
    outputs, (channel,), _, made = make(ExchangeKind.FORWARD, 1)
    outputs.control(Superstep(1))
    assert drained(channel) == []
    made.leaves_loop = False
    outputs.control(Superstep(1))
    assert drained(channel) == [Superstep(1)]


def test_hash_sends_equal_keys_to_one_target_by_the_high_bits():
    outputs, channels, _, _ = make(ExchangeKind.HASH, 3, batch_rows=16, keys=(0,), capacity=100)
    rows = list(range(50)) * 3
    sent(outputs, batch(*rows).with_selection(np.arange(0, 150, 2, dtype=np.uint32)))
    outputs.control(EndOfInput())
    found = []
    for target, channel in enumerate(channels):
        *batches, end = drained(channel)
        assert end == EndOfInput()
        for got in batches:
            found += got
            hashes = hash_rows(batch(*got).columns)
            assert set(((hashes >> np.uint64(32)) * np.uint64(3)) >> np.uint64(32)) == {target}
    assert sorted(found) == sorted(rows[::2])


def test_ranges_take_turns_and_a_batch_within_one_goes_by_reference():
    outputs, channels, _, _ = make(ExchangeKind.RANGE, 2, batch_rows=8, keys=(0,), boundaries=(10, 20, 30))
    whole = batch(12, 11, 19)
    sent(outputs, whole)
    assert channels[1].next()[0] is whole
    sent(outputs, batch(9, 10, 20, 29, 30, 31))
    outputs.control(EndOfInput())
    assert drained(channels[0]) == [[9, 20, 29], EndOfInput()]
    assert drained(channels[1]) == [[10, 30, 31], EndOfInput()]


def test_broadcast_and_rebalance():
    outputs, channels, _, _ = make(ExchangeKind.BROADCAST, 3, batch_rows=2)
    sent(outputs, batch(1))
    assert [drained(channel) for channel in channels] == [[[1]]] * 3
    outputs, channels, _, _ = make(ExchangeKind.REBALANCE, 3, batch_rows=2)
    for value in range(7):
        sent(outputs, batch(value))
    outputs.control(Epoch(1))
    assert [drained(channel) for channel in channels] == [
        [[0], [3], [6], Epoch(1)],
        [[1], [4], Epoch(1)],
        [[2], [5], Epoch(1)],
    ]


def test_rebalance_prefers_the_shortest_queue_and_needs_room_in_one():
    outputs, channels, _, _ = make(ExchangeKind.REBALANCE, 2, batch_rows=2, capacity=2)
    for value in range(4):
        assert not outputs.full
        sent(outputs, batch(value))
    assert outputs.full
    channels[1].next()
    channels[1].next()
    assert not outputs.full
    sent(outputs, batch(9))
    assert drained(channels[1]) == [[9]]


def test_outputs_are_closed_when_nobody_wants_more():
    outputs, channels, _, _ = make(ExchangeKind.HASH, 2, keys=(0,))
    channels[0].close()
    assert not outputs.closed
    sent(outputs, batch(*range(100)))
    assert drained(channels[1])
    channels[1].close()
    assert outputs.closed
    assert not Outputs([], 0).closed


def test_a_result_has_rows_and_an_end_alone():
    memory = MemoryPool(1 << 20)
    channel = Channel(4, memory)
    outputs = Outputs([result_writer(channel, 100, EdgeBlock(), memory)], 0)
    sent(outputs, batch(1))
    outputs.control(Watermark(5))
    assert len(channel) == 0
    outputs.control(Epoch(1))
    outputs.control(Watermark(6))
    assert len(channel) == 1
    outputs.control(EndOfInput())
    assert drained(channel) == [[1], EndOfInput()]


def test_the_buffer_timeout_sends_to_a_starving_consumer_only():
    outputs, (channel,), _, _ = make(ExchangeKind.FORWARD, 1, batch_rows=100, timeout=2000)
    outputs.tend(10_000)
    assert outputs.deadline is None
    sent(outputs, batch(1))
    outputs.tend(10_010)  # the first in a long time does not wait
    assert (drained(channel), outputs.deadline) == ([[1]], None)
    sent(outputs, batch(2))
    outputs.tend(10_020)
    assert outputs.deadline == 12_010
    outputs.tend(12_000)
    assert drained(channel) == []
    outputs.tend(12_010)
    assert (drained(channel), outputs.deadline) == ([[2]], None)
    sent(outputs, batch(*range(40)))
    sent(outputs, batch(2))
    outputs.tend(13_000)
    outputs.tend(20_000)
    assert outputs.deadline == 22_000
    assert drained(channel) == [list(range(40))]
    outputs.tend(22_000)
    assert drained(channel) == [[2]]


@given(
    st.lists(
        st.one_of(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 100).map(Watermark)), max_size=30
    ),
    st.integers(1, 6),
)
def test_no_watermark_overtakes_a_row(steps, batch_rows):
    """Before a watermark that is given, all rows before it have come; the last watermark always comes."""
    outputs, channels, _, _ = make(ExchangeKind.HASH, 2, batch_rows=batch_rows, capacity=1000, keys=(0,))
    for step in steps:
        outputs.control(step) if isinstance(step, Watermark) else sent(outputs, batch(*step))
    outputs.control(EndOfInput())
    received = [drained(channel) for channel in channels]
    marks = [step for step in steps if isinstance(step, Watermark)]
    targets = {
        value: i for i, events in enumerate(received) for rows in events if isinstance(rows, list) for value in rows
    }
    for i, events in enumerate(received):
        assert events[-1] == EndOfInput()
        assert ([e for e in events if isinstance(e, Watermark)] or [None])[-1] == (marks or [None])[-1]
        flat = [x for e in events[:-1] for x in (e if isinstance(e, list) else [e])]
        mine = [
            x for s in steps for x in (s if isinstance(s, list) else [s]) if isinstance(x, Watermark) or targets[x] == i
        ]
        # What was received is what was sent, but for watermarks that were replaced by later ones.
        position = 0
        for item in flat:
            while mine[position] != item:
                assert isinstance(mine[position], Watermark)
                position += 1
            position += 1


def test_waiting_rows_are_accounted_and_do_not_keep_many_others():
    memory = MemoryPool(1 << 30)
    channel = Channel(8, memory)
    outputs = Outputs([writer(Edge(0, 1, 0, ExchangeKind.FORWARD), [channel], 0, 1000, EdgeBlock(), memory)], 0)
    sent(outputs, batch(*range(800)).with_selection(np.array([3, 5], np.uint32)))
    assert memory.used == 16
    sent(outputs, batch(*range(8)).with_selection(np.array([0, 1], np.uint32)))
    assert memory.used == 16 + (64 + 8) * 2 // 8
    outputs.control(EndOfInput())
    assert drained(channel) == [[3, 5, 0, 1], EndOfInput()]
    sent(outputs, batch(1))
    outputs.close()
    assert memory.used == 0
