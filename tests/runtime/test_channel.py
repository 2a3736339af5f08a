"""Channels: order, credits, closing, holding back, memory."""

from __future__ import annotations

import pytest

from tableflow.errors import MemoryLimitError
from tableflow.runtime.channel import Channel
from tableflow.runtime.events import EndOfInput, Watermark
from tableflow.runtime.memory import MemoryPool
from tests.runtime.simple import batch


class Sleeper:
    def __init__(self):
        self.woken = 0

    def wake(self):
        self.woken += 1


@pytest.fixture
def ends():
    memory = MemoryPool(1000)
    channel = Channel(4, memory)
    channel.producer, channel.consumer = Sleeper(), Sleeper()
    return channel, memory


def test_order_is_kept_and_bytes_are_accounted(ends):
    channel, memory = ends
    first, second = batch(1), batch(2)
    channel.put(first, 30)
    channel.put(Watermark(1))
    channel.put(second, 12)
    assert memory.used == 42
    assert channel.rows == 2
    assert [channel.next() for _ in range(3)] == [(first, 30), (Watermark(1), 0), (second, 12)]
    assert memory.used == 0
    assert not channel.ready
    assert channel.consumer.woken == 3


def test_the_producer_is_woken_when_half_is_free(ends):
    channel, _ = ends
    for _ in range(3):
        channel.put(batch(1), 1)
        assert not channel.full
    channel.put(batch(1), 1)
    assert channel.full
    channel.next()
    assert channel.producer.woken == 0
    channel.next()
    assert channel.producer.woken == 1
    assert not channel.full
    channel.next()
    assert channel.producer.woken == 1


def test_closing_drops_what_is_queued_and_wakes_the_producer(ends):
    channel, memory = ends
    for _ in range(4):
        channel.put(batch(1), 10)
    assert channel.full
    channel.close()
    assert (memory.used, channel.ready, channel.full, channel.producer.woken) == (0, False, False, 1)
    channel.put(batch(1), 10)
    assert (memory.used, channel.ready) == (0, False)


def test_a_blocking_channel_shows_nothing_before_the_end():
    memory = MemoryPool(1000)
    channel = Channel(1, memory, "the exchange", blocking=True)
    channel.consumer = Sleeper()
    for value in range(5):
        channel.put(batch(value), 100)
        assert not channel.full
        assert not channel.ready
    assert (memory.used, channel.consumer.woken) == (500, 0)
    channel.put(EndOfInput())
    assert channel.ready
    assert channel.consumer.woken == 1
    channel.next()
    assert memory.used == 400
    channel.close()
    assert memory.used == 0


def test_a_blocking_channel_may_be_refused_memory():
    memory = MemoryPool(150)
    channel = Channel(1, memory, "the exchange", blocking=True)
    channel.put(batch(1), 100)
    with pytest.raises(MemoryLimitError) as refused:
        channel.put(batch(2), 100)
    assert str(refused.value).splitlines()[:2] == [
        "the exchange was refused 100 bytes of memory",
        "detail: 100 bytes are in use and memory.limit is 150 bytes",
    ]
    channel.dispose()
    assert memory.used == 0


def test_queued_batches_are_never_refused():
    memory = MemoryPool(10)
    channel = Channel(4, memory)
    channel.put(batch(1), 100)
    assert memory.used == 100
