"""Chains: order of emissions and events, early ends, suspension, budget."""

from __future__ import annotations

import pytest

from tableflow.errors import InternalError
from tableflow.runtime.alignment import PortEnded
from tableflow.runtime.chain import Budget, Chain, Progress
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.events import END_OF_TIME, EndOfInput, Epoch, Idle, Superstep, Watermark
from tableflow.runtime.operator import Suspend
from tableflow.runtime.wake import Signal
from tests.runtime.simple import Calls, Limit, Through, batch, values

PLENTY = Budget(1 << 62, 10_000)


class Sink:
    """Outputs that note what they get."""

    def __init__(self):
        self.got = []
        self.full = False

    def rows(self, batch, count):
        self.got.append(values(batch))

    def control(self, event):
        self.got.append(event)


class Running:
    stopping = False


def chain_of(*operators, ports=1):
    sink = Sink()
    blocks = [OperatorBlock(str(i), ports if i == 0 else 1) for i in range(len(operators))]
    return Chain(operators, blocks, sink, ports), sink, blocks


def pull(chain, budget=PLENTY):
    return chain.pull(budget, Running())


def twice(batch, port):
    yield batch
    yield batch


def test_emissions_are_pulled_depth_first():
    log = []
    chain, sink, blocks = chain_of(Calls(log, process=twice), Calls(log, process=twice))
    chain.feed(batch(1), 0)
    assert pull(chain) is Progress.FREE
    assert sink.got == [[1]] * 4
    assert log == [("process", [1], 0)] * 3
    assert (blocks[0].rows_in, blocks[0].rows_out, blocks[1].rows_in, blocks[1].batches_out) == ([1], 2, [2], 4)


def test_what_is_emitted_for_an_event_goes_before_it():
    def flush(*_):
        yield batch(7)

    hooks = {"on_watermark": flush, "on_epoch": flush, "on_superstep": flush}
    log = []
    chain, sink, _ = chain_of(Calls(log, **hooks), Calls(log))
    for event in (Watermark(3), Idle(), Epoch(1), Superstep(2)):
        chain.control(event)
        assert pull(chain) is Progress.FREE
    assert sink.got == [[7], Watermark(3), Idle(), [7], Epoch(1), [7], Superstep(2)]
    assert [entry[0] for entry in log] == [
        "on_watermark", "process", "on_watermark", "on_epoch", "process", "on_epoch", "on_superstep", "process", "on_superstep",
    ]  # fmt: skip


def test_the_end_goes_through_one_operator_after_the_other():
    log = []

    def rest(port):
        return iter([batch(port)])

    chain, sink, _ = chain_of(Calls(log, on_end=rest), Calls(log, on_end=rest), ports=2)
    chain.control(PortEnded(1, last=False))
    pull(chain)
    assert log == [("on_end", 1), ("process", [1], 0)]
    log.clear()
    chain.control(PortEnded(0, last=True))
    assert pull(chain) is Progress.FREE
    assert log == [
        ("on_watermark", END_OF_TIME), ("on_end", 0), ("process", [0], 0), ("on_watermark", END_OF_TIME), ("on_end", 0),
    ]  # fmt: skip
    assert sink.got == [[1], [0], [0], EndOfInput()]
    assert chain.ended


def test_a_finished_operator_ends_what_is_before_it():
    closed = []

    def endless(batch, port):
        try:
            while True:
                yield batch
        finally:
            closed.append("upstream")

    log = []
    chain, sink, _ = chain_of(Calls(process=endless), Limit(3), Calls(log))
    chain.feed(batch(1, 2), 0)
    assert pull(chain) is Progress.FREE
    assert sink.got == [[1, 2], [1], EndOfInput()]
    assert closed == ["upstream"]
    assert chain.ended
    assert not chain.input_wanted
    assert log[-2:] == [("on_watermark", END_OF_TIME), ("on_end", 0)]


def test_nobody_ends_the_input_of_an_operator_that_others_wait_for():
    class Contributing(Calls):
        contributes = True

    log = []
    chain, sink, _ = chain_of(Contributing(log), Limit(1))
    chain.feed(batch(1, 2), 0)
    assert pull(chain) is Progress.FREE
    assert sink.got == [[1]]
    assert chain.input_wanted
    chain.end()
    assert pull(chain) is Progress.FREE
    assert sink.got == [[1], EndOfInput()]
    assert ("on_end", 0) in log


def test_finished_before_the_first_row_and_during_the_end():
    chain, sink, _ = chain_of(Calls(on_end=lambda port: iter([batch(1), batch(2), batch(3)])), Limit(2))
    chain.end()
    assert pull(chain) is Progress.FREE
    assert sink.got == [[1], [2], EndOfInput()]


def test_no_room_stops_and_resumes():
    chain, sink, _ = chain_of(Calls(process=twice))
    chain.feed(batch(1), 0)
    sink.full = True
    assert pull(chain) is Progress.FULL
    assert sink.got == []
    sink.full = False
    assert pull(chain, Budget(1 << 62, 1)) is Progress.SPENT
    assert sink.got == [[1]]
    assert pull(chain, Budget(0, 10)) is Progress.SPENT  # the time is over after one pull
    assert sink.got == [[1]] * 2
    assert pull(chain) is Progress.FREE


def test_a_suspended_operator_takes_no_input_until_it_is_woken():
    signal = Signal()

    def waiting(batch, port):
        yield Suspend(signal)
        yield batch

    chain, sink, _ = chain_of(Calls(process=waiting))
    chain.feed(batch(5), 0)
    assert pull(chain) is Progress.SUSPENDED
    assert pull(chain) is Progress.SUSPENDED
    assert chain.suspended is signal
    signal.set()
    assert pull(chain) is Progress.FREE
    assert sink.got == [[5]]


def test_cancellation_is_seen_between_pulls():
    job = Running()

    def endless(batch, port):
        for step in range(100):
            job.stopping = step == 3
            yield batch

    chain, sink, _ = chain_of(Calls(process=endless))
    chain.feed(batch(1), 0)
    assert chain.pull(PLENTY, job) is Progress.SPENT
    assert len(sink.got) == 3  # what came while the job was stopped goes nowhere


def test_empty_batches_go_nowhere():
    chain, sink, blocks = chain_of(Calls(process=lambda b, p: iter([b.slice(0, 0)])), Through())
    chain.feed(batch(1), 0)
    pull(chain)
    assert sink.got == []
    assert blocks[1].rows_in == [0]


class Generator(Through):
    """Event time is the value of the row."""

    generates_watermarks = True

    def process(self, batch, port):
        yield batch
        yield Watermark(max(values(batch)))


def test_generated_watermarks_replace_those_of_the_input():
    log = []
    chain, sink, _ = chain_of(Generator(), Calls(log))
    for value in (5, 3, 9):
        chain.feed(batch(value), 0)
        pull(chain)
    chain.control(Watermark(100))
    pull(chain)
    assert sink.got == [[5], Watermark(5), [3], [9], Watermark(9)]
    chain.end()
    pull(chain)
    assert log[-2:] == [("on_watermark", END_OF_TIME), ("on_end", 0)]


def test_only_generators_may_yield_watermarks():
    chain, _, _ = chain_of(Calls(process=lambda b, p: iter([Watermark(1)])))
    chain.feed(batch(1), 0)
    with pytest.raises(InternalError, match="no batch"):
        pull(chain)


def test_the_first_row_after_idleness_is_announced_even_if_it_is_dropped():
    chain, sink, _ = chain_of(Calls(process=lambda b, p: None))
    for event in (Watermark(4), Idle()):
        chain.control(event)
        pull(chain)
    chain.feed(batch(1), 0)
    chain.feed(batch(1), 0)
    assert sink.got == [Watermark(4), Idle(), Watermark(4)]


def test_states_are_frozen_between_the_last_emission_and_the_epoch():
    saved = []
    log = []
    emit = {"on_epoch": lambda epoch: iter([batch(1)])}
    chain, sink, _ = chain_of(
        Calls(log, snapshot=lambda: b"a", **emit), Calls(log, snapshot=lambda: b"b", process=lambda b, p: None)
    )
    chain.on_snapshot = lambda epoch, states: saved.append((epoch, states, list(sink.got)))
    chain.control(Epoch(4, 2))
    chain.control(Epoch(5)) if pull(chain) is Progress.FREE else None
    pull(chain)
    assert saved == [(Epoch(4, 2), (b"a", b"b"), [Epoch(4, 2)])]
    assert [entry[0] for entry in log] == [
        "on_epoch", "process", "snapshot", "on_epoch", "snapshot", "on_epoch", "process", "on_epoch",
    ]  # fmt: skip
