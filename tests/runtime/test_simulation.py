"""Seeds: the same seed takes the same course; time is simulated."""

from __future__ import annotations

import pytest

from tableflow.errors import InternalError
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.simulation import SimulatedScheduler
from tableflow.runtime.source import Later
from tableflow.runtime.wake import After, Signal
from tests.runtime.simple import Batches, Calls, Plan, Through, batch, run


def course(seed):
    """Everything that happens in a job, in order."""
    log = []
    plan = Plan()
    splits = [[batch(*range(i * 100, i * 100 + 50))] * 3 for i in range(6)]
    first = plan.stage(lambda: Calls(log), source=Batches(*splits), parallelism=3)
    middle = plan.stage(lambda: Calls(log), parallelism=3)
    last = plan.stage(lambda: Calls(log))
    plan.edge(first, middle, ExchangeKind.HASH, keys=(0,))
    plan.edge(middle, last, ExchangeKind.GATHER)
    rows = run(plan.job(last, None, seed=seed, credits=2, batch_rows=40))
    return rows, log


def test_the_same_seed_takes_the_same_course():
    for seed in range(5):
        assert course(seed) == course(seed)


def test_seeds_differ_in_course_and_agree_on_rows():
    courses = [course(seed) for seed in range(6)]
    assert len({tuple(rows) for rows, _ in courses}) > 1
    assert len({tuple(sorted(rows)) for rows, _ in courses}) == 1


def test_time_moves_only_when_nothing_can_run():
    scheduler = SimulatedScheduler(0)
    began = scheduler.now()
    log = []

    class Step:
        def run(self):
            log.append(("ran", scheduler.now() - began))

    scheduler.call_at(began + 50, lambda: log.append(("late", scheduler.now() - began)))
    cancelled = scheduler.call_at(began + 20, lambda: log.append("never"))
    scheduler.call_at(began + 10, lambda: scheduler.submit(Step()))
    scheduler.cancel_call(cancelled)
    scheduler.submit(Step())
    while scheduler.advance():
        pass
    assert log == [("ran", 0), ("ran", 10), ("late", 50)]


def test_hours_pass_in_no_time():
    def slow():
        for hour in range(24):
            yield Later(After(3_600_000_000))
            yield batch(hour)

    plan = Plan()
    times = []
    only = plan.stage(lambda: Calls(process=lambda b, p: times.append(made[0].context.now())), source=Batches(slow))
    made = plan.made
    run(plan.job(only, None, seed=3))
    assert [times[i + 1] - times[i] for i in range(23)] == [3_600_000_000] * 23


def test_a_job_that_cannot_go_on_says_so(monkeypatch):
    monkeypatch.setattr("tableflow.runtime.job._STUCK_SECONDS", 0.01)

    def stuck():
        yield Later(Signal())

    plan = Plan()
    only = plan.stage(Through, source=Batches(stuck))
    job = plan.job(only, None, seed=0)
    job.start()
    with pytest.raises(InternalError, match="stuck"):
        job.next_batch()
    job.close()
