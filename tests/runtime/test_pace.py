"""How far sources read on while an epoch travels, and who never waits."""

from __future__ import annotations

import threading
import time

import pytest

from tableflow.config import Settings
from tableflow.runtime import pace
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.job import Job
from tableflow.runtime.operator import Suspend
from tableflow.runtime.pace import Pace
from tableflow.runtime.source import Later
from tableflow.runtime.topology import Topology
from tableflow.runtime.wake import Signal
from tests.runtime.simple import Batches, Calls, Plan, Through, batch


class Clock:
    time = 5_000_000

    def now(self):
        return self.time

    def call_at(self, time, callback):
        raise AssertionError(time, callback)

    def cancel_call(self, handle):
        raise AssertionError(handle)


def test_a_source_waits_for_the_epoch_that_it_has_sent():
    clock, woken = Clock(), []
    told = Pace(100_000, clock)

    def wake():
        woken.append(clock.time)

    assert not told.wait(0, wake)  # nothing was sent
    told.begins(1)
    assert not told.wait(0, wake)  # sent by others only
    assert not told.wait(1, wake)
    clock.time += 999_999
    assert not told.wait(1, wake)
    clock.time += 1
    assert told.wait(1, wake)
    assert told.wait(1, wake)
    assert not told.wait(0, wake)
    told.passed()
    assert woken == [6_000_000]
    assert not told.wait(1, wake)


@pytest.mark.parametrize(
    ("interval", "last", "patience"),
    [
        (None, 0, 1_000_000),
        (100_000, 2_000_000, 4_000_000),
        (100_000, 60_000_000, 10_000_000),
        (30_000_000, 0, 30_000_000),
    ],
)
def test_patience_follows_the_epoch_before_and_is_an_interval_at_least(interval, last, patience):
    clock = Clock()
    told = Pace(interval, clock)
    told.begins(1)
    clock.time += last
    told.passed()
    told.begins(2)
    assert told.limit() - clock.time == patience


def test_sources_whose_end_is_waited_for_do_not_wait():
    plan = Plan()
    building = plan.stage(Through, source=Batches())
    builds = plan.stage(Through, publishes=["b"])
    probes = plan.stage(Through, source=Batches(), reads=["b"])
    sorting = plan.stage(Through, source=Batches())
    last = plan.stage(Through)
    plan.edge(building, builds)
    plan.edge(probes, last, port=0)
    plan.edge(sorting, last, port=1, blocking=True)
    topology = Topology(plan.graph(last))
    assert [topology.keeps_pace(stage) for stage in range(5)] == [False, False, True, False, True]


def test_a_stalled_operator_stops_a_source_whose_channels_have_room(workers, monkeypatch):
    """Nothing of what is read fills a channel, so nothing but the epoch tells the source that somebody stands still."""
    monkeypatch.setattr(pace, "_LEAST", 10_000)
    stalls, signal, given = threading.Event(), Signal(), 0

    def endless():
        nonlocal given
        while True:
            given += 1
            yield batch(given)

    def silent():
        yield Later(Signal())

    def stall(epoch):
        stalls.set()
        yield Suspend(signal)

    def settled():
        before = -1
        while before != given:
            before = given
            time.sleep(0.1)
        return before

    log = []
    plan = Plan()
    busy = plan.stage(lambda: Calls(process=lambda batch, port: iter(())), source=Batches(endless, bounded=False))
    idle = plan.stage(Through, source=Batches(silent, bounded=False))
    last = plan.stage(lambda: Calls(log, on_epoch=stall))
    plan.edge(busy, last, ExchangeKind.GATHER, port=0)
    plan.edge(idle, last, ExchangeKind.GATHER, port=1)
    job = Job(
        plan.graph(last), plan.build, lambda spec: plan.sources[spec.kind], Settings(), workers, epoch_interval=1000
    )
    job.start()
    assert stalls.wait(20)
    stands = settled()
    signal.set()
    assert job.flush(20)
    assert given > stands
    (paused,) = [count for name, count in job.counters().stage(busy).source.named if name == "paused_ms"]
    assert paused >= 100
    job.close()
