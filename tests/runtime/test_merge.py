"""The order-preserving gather."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.errors import InternalError
from tableflow.runtime.channel import Channel
from tableflow.runtime.events import EndOfInput, Epoch, Watermark
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.merge import MergedChannels
from tests.runtime.simple import Batches, Plan, Sum, Through, batch, run, values

ASCENDING = ((0, False, False),)


def drained(merged):
    events = []
    while merged.ready:
        event, _ = merged.next()
        events.append(values(event) if isinstance(event, Batch) else event)
    return events


def flat(events):
    return [value for event in events if isinstance(event, list) for value in event]


def make(count, batch_rows=100):
    channels = [Channel(100, MemoryPool(1 << 30)) for _ in range(count)]
    return channels, MergedChannels(channels, ASCENDING, batch_rows)


def test_nothing_is_given_while_somebody_may_bring_an_earlier_row():
    (first, second), merged = make(2)
    first.put(batch(1, 5))
    assert drained(merged) == []
    second.put(Watermark(7))
    assert drained(merged) == []
    second.put(batch(3, 4))
    assert flat(drained(merged)) == [1, 3, 4]
    second.put(EndOfInput())
    assert flat(drained(merged)) == [5]
    first.put(batch(6))
    assert flat(drained(merged)) == [6]
    first.put(EndOfInput())
    assert drained(merged) == [EndOfInput()]


def test_rows_are_sorted_between_barriers():
    (first, second), merged = make(2)
    for event in (batch(4, 8), Epoch(1), batch(1), EndOfInput()):
        first.put(event)
    second.put(batch(6))
    second.put(Epoch(1))
    events = drained(merged)
    assert flat(events) == [4, 6, 8]
    assert events[-1] == Epoch(1)
    second.put(EndOfInput())
    assert drained(merged) == [[1], EndOfInput()]
    (first, second), merged = make(2)
    first.put(Epoch(1))
    second.put(Epoch(2))
    with pytest.raises(InternalError, match="disagree"):
        drained(merged)


def test_closing_closes_all():
    channels, merged = make(3)
    channels[0].put(batch(1), 8)
    merged.close()
    assert all(channel.closed for channel in channels)
    assert not merged.ready


LISTS = st.lists(st.lists(st.lists(st.integers(0, 20), min_size=1, max_size=5), max_size=4), min_size=2, max_size=4)


@given(LISTS, st.integers(1, 7), st.randoms(use_true_random=False))
def test_equals_sorting_everything(inputs, batch_rows, random):
    channels, merged = make(len(inputs), batch_rows)
    queues = []
    for blocks in inputs:
        rows = sorted(value for block in blocks for value in block)
        cuts, at = [], 0
        for block in blocks:
            cuts.append(batch(*rows[at : at + len(block)]))
            at += len(block)
        queues.append([*cuts, EndOfInput()])
    events = []
    while any(queues):
        channel = random.choice([i for i, queue in enumerate(queues) if queue])
        channels[channel].put(queues[channel].pop(0))
        events += drained(merged)
    assert flat(events) == sorted(value for blocks in inputs for block in blocks for value in block)
    assert all(len(event) <= batch_rows for event in events[:-1])
    assert events[-1] == EndOfInput()


class Sorted(Sum):
    """Everything it got, in order, a few rows at a time."""

    def __init__(self):
        self.rows = []

    def process(self, got, port):
        self.rows += values(got)

    def on_end(self, port):
        self.rows.sort()
        for start in range(0, len(self.rows), 70):
            yield batch(*self.rows[start : start + 70])


def test_in_a_job(scheduling):
    pool, seed = scheduling
    plan = Plan()
    splits = [[batch(*range(i, 900, 3))] for i in range(3)]
    first = plan.stage(Sorted, source=Batches(*splits), parallelism=3)
    last = plan.stage(Through)
    plan.edge(first, last, ExchangeKind.GATHER, ordering=ASCENDING)
    assert run(plan.job(last, pool, batch_rows=100, **seed)) == list(range(900))
