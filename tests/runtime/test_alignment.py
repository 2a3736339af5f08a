"""Alignment of watermarks, idleness, barriers and ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.errors import InternalError
from tableflow.runtime.alignment import Alignment, PortEnded
from tableflow.runtime.events import START_OF_TIME, EndOfInput, Epoch, Idle, Superstep, Watermark


def test_the_watermark_is_the_minimum_and_never_turns_back():
    a = Alignment([0, 0])
    assert a.control(0, Watermark(5)) == ()
    assert a.control(1, Watermark(3)) == (Watermark(3),)
    assert a.control(1, Watermark(9)) == (Watermark(5),)
    assert a.control(0, Watermark(4)) == ()
    assert a.watermark == 5


def test_an_idle_channel_does_not_hold_time_back():
    a = Alignment([0, 1])
    a.control(0, Watermark(5))
    assert a.control(1, Idle()) == (Watermark(5),)
    assert a.row(1) == ()
    assert a.control(0, Watermark(8)) == ()
    assert a.control(1, Watermark(6)) == (Watermark(6),)


def test_when_all_are_idle_time_stays_and_resumes_where_it_was():
    a = Alignment([0, 0])
    a.control(0, Watermark(5))
    a.control(1, Watermark(7))
    assert a.control(0, Idle()) == (Watermark(7),)
    assert a.control(1, Idle()) == (Idle(),)
    assert a.control(1, Idle()) == ()
    assert a.row(0) == (Watermark(7),)  # its own 5 does not turn time back
    assert a.row(0) == ()


def test_all_idle_is_not_the_end_although_another_has_ended():
    a = Alignment([0, 0])
    assert a.control(0, EndOfInput()) == ()
    assert a.control(1, Idle()) == (Idle(),)
    assert a.watermark == START_OF_TIME
    assert a.control(1, Watermark(4)) == (Watermark(4),)


def test_an_end_is_before_the_barrier_that_waits_for_it():
    """What it lets happen belongs to the epoch in which it came, whichever channel is read first."""
    a = Alignment([0, 1])
    assert a.control(1, Watermark(5)) == ()
    assert a.control(1, Epoch(1)) == ()
    assert a.control(0, EndOfInput()) == (Watermark(5), PortEnded(0, last=False), Epoch(1))
    a = Alignment([0, 1])
    assert a.control(1, Watermark(5)) == ()
    assert a.control(0, EndOfInput()) == (Watermark(5), PortEnded(0, last=False))
    assert a.control(1, Epoch(1)) == (Epoch(1),)


def test_a_barrier_waits_for_all_and_holds_who_has_it():
    a = Alignment([0, 0, 1])
    assert a.control(0, Epoch(1)) == ()
    assert a.held == [True, False, False]
    assert a.control(2, Epoch(1)) == ()
    assert a.control(1, Epoch(1)) == (Epoch(1),)
    assert a.held == [False] * 3
    assert a.control(0, Superstep(0)) == ()
    assert a.control(1, EndOfInput()) == ()
    assert a.control(2, EndOfInput()) == (PortEnded(1, last=False), Superstep(0))


def test_ended_inputs_count_as_aligned():
    a = Alignment([0, 0])
    a.control(0, EndOfInput())
    assert a.control(1, Epoch(3, 7)) == (Epoch(3, 7),)
    assert a.control(1, EndOfInput()) == (PortEnded(0, last=True),)
    assert a.finished


def test_an_end_lets_time_go_on():
    a = Alignment([0, 0])
    a.control(0, Watermark(5))
    assert a.control(1, EndOfInput()) == (Watermark(5),)


def test_ports_end_one_by_one():
    a = Alignment([0, 1, 1])
    assert a.control(1, EndOfInput()) == ()
    assert a.control(0, EndOfInput()) == (PortEnded(0, last=False),)
    assert a.control(2, EndOfInput()) == (PortEnded(1, last=True),)


def test_protocol_violations_are_ours():
    a = Alignment([0, 0])
    a.control(0, Epoch(1))
    with pytest.raises(InternalError, match="disagree"):
        a.control(1, Epoch(2))
    a = Alignment([0])
    a.control(0, EndOfInput())
    with pytest.raises(InternalError, match="after the end"):
        a.control(0, Watermark(1))


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.one_of(st.integers(0, 50), st.sampled_from(["row", "idle", "end"]))), max_size=60
)


@given(STEPS)
def test_time_only_advances_and_never_passes_an_active_channel(steps):
    """The model: what each channel last said, kept naively."""
    a = Alignment([0, 0, 0])
    times, idle, ended = [START_OF_TIME] * 3, [False] * 3, [False] * 3
    last = START_OF_TIME
    for channel, step in steps:
        if ended[channel]:
            continue
        if step == "row":
            idle[channel] = False
            out = a.row(channel)
        elif step == "idle":
            idle[channel] = True
            out = a.control(channel, Idle())
        elif step == "end":
            ended[channel] = True
            out = a.control(channel, EndOfInput())
        else:
            idle[channel] = False
            times[channel] = max(times[channel], step)
            out = a.control(channel, Watermark(step))
        active = [times[i] for i in range(3) if not idle[i] and not ended[i]]
        for event in out:
            if isinstance(event, Watermark):
                assert last <= event.time
                last = event.time
        if active:
            assert last == max(last, min(active))
        assert a.watermark == last


@given(st.lists(st.lists(st.integers(0, 5), max_size=6), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_every_epoch_passes_once_in_order_whatever_the_interleaving(ends, random):
    """Each channel sends epochs 0..k and ends; alignment gives 0..max(k), never early."""
    counts = [len(each) for each in ends]
    queues = [[Epoch(n) for n in range(count)] + [EndOfInput()] for count in counts]
    a = Alignment([0] * len(queues))
    passed = []
    while True:
        ready = [i for i, queue in enumerate(queues) if queue and not a.held[i]]
        if not ready:
            break
        channel = random.choice(ready)
        out = a.control(channel, queues[channel].pop(0))
        for event in out:
            if isinstance(event, Epoch):
                passed.append(event.number)
                assert all(
                    count <= event.number or counts[i] - len(queues[i]) + 1 > event.number
                    for i, count in enumerate(counts)
                )
    assert passed == list(range(max(counts)))
    assert a.finished
