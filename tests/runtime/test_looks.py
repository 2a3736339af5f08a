"""The longest step: processor time between two looks at cancellation."""

from __future__ import annotations

from time import perf_counter_ns, sleep, thread_time_ns

import pytest

from tableflow.runtime.counters import OperatorBlock, TaskBlock
from tableflow.runtime.looks import LONG, Looks
from tableflow.runtime.operator import Suspend
from tableflow.runtime.wake import READY
from tests.runtime.simple import Batches, Calls, Plan, Through, batch

MILLISECOND = 1_000_000


def work(milliseconds):
    end = thread_time_ns() + milliseconds * MILLISECOND
    while thread_time_ns() < end:
        pass


def counted(workers, process):
    """The counters of a job of three operators, the middle one with this ``process``."""
    plan = Plan()
    only = plan.stage(Through, lambda: Calls(process=process), Through, source=Batches([batch(1)], [batch(2)]))
    job = plan.job(only, workers)
    job.start()
    job.wait(timeout=10)
    job.close()
    return job.counters()


def test_one_long_step_is_told_with_its_operator(workers):
    def long(got, port):
        work(30)
        yield got

    counts = counted(workers, long)
    before, working, after = counts.stages[0].operators
    assert working.longest == counts.longest == counts.stages[0].longest
    assert working.longest >= 30_000
    assert before.longest < working.longest > after.longest


@pytest.mark.slow
def test_many_short_steps_are_not_one_long_one(workers):
    def short(got, port):
        for _ in range(30):
            work(2)
            yield Suspend(READY)
        yield got

    assert min(counted(workers, short).longest for _ in range(3)) < 30_000


def test_waiting_is_no_work(workers):
    def asleep(got, port):
        sleep(0.05)
        yield got

    assert min(counted(workers, asleep).longest for _ in range(3)) < 25_000


def test_closing_is_told_apart(workers):
    plan = Plan()

    class Closing(Through):
        def close(self):
            work(30)

    only = plan.stage(Closing, source=Batches([batch(1)]))
    job = plan.job(only, workers)
    job.start()
    job.wait(timeout=10)
    job.close()
    assert job.counters().closing >= 30_000
    assert job.counters().longest < job.counters().closing


def test_a_cancelled_job_stops_at_the_next_look(workers):
    looked = []

    def endless(got, port):
        while True:
            looked.append(1)
            work(1)
            yield Suspend(READY)

    plan = Plan()
    only = plan.stage(lambda: Calls(process=endless), source=Batches([batch(1)]))
    job = plan.job(only, workers)
    job.start()
    while not looked:
        sleep(0.001)
    job.cancel()
    seen = len(looked)
    job.close()
    assert len(looked) == seen


@pytest.mark.parametrize(("long", "least"), [(0, 0), (3 * LONG, 3 * LONG)])
def test_only_long_steps_are_measured(long, least):
    block, operator = TaskBlock([], []), OperatorBlock("it")
    looks = Looks(block)
    looks.begin(perf_counter_ns())
    work(long // MILLISECOND)
    looks.look(perf_counter_ns() if long else looks.at, operator)
    assert operator.longest == block.longest >= least
    assert (block.longest == 0) is (long == 0)
