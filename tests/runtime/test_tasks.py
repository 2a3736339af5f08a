"""Tasks and the pool: suspension, timers, cancellation in every state, fairness, what is left behind."""

from __future__ import annotations

import signal as signals
import threading
import time

import pytest

from tableflow.errors import CancelledError, DataError, InternalError
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.operator import Operator, Suspend
from tableflow.runtime.scheduler import WorkerPool
from tableflow.runtime.timers import TimerQueue
from tableflow.runtime.wake import After, Signal
from tests.runtime.simple import Batches, Calls, Plan, Sum, Through, batch, run, values


def cancelled_within_100_ms(job, log):
    began = time.monotonic()
    job.cancel()
    assert time.monotonic() - began < 0.1
    assert not job.running
    assert log.count(("close",)) == 1
    with pytest.raises(CancelledError):
        job.next_batch()
    job.close()
    assert job.memory.used == 0


def test_a_suspended_operator_is_cancelled(workers):
    log, closed = [], []

    def waiting(got, port):
        try:
            yield Suspend(Signal())
        finally:
            closed.append("emission")

    plan = Plan()
    only = plan.stage(lambda: Calls(log, process=waiting), source=Batches([batch(1)]))
    job = plan.job(only, workers)
    job.start()
    time.sleep(0.02)
    cancelled_within_100_ms(job, log)
    assert closed == ["emission"]


def test_an_endless_iterator_is_cancelled(workers):
    def endless(got, port):
        while True:
            yield got.slice(0, 0)

    log = []
    plan = Plan()
    only = plan.stage(lambda: Calls(log, process=endless), source=Batches([batch(1)]))
    job = plan.job(only, workers)
    job.start()
    time.sleep(0.02)
    cancelled_within_100_ms(job, log)


def test_a_backpressured_task_is_cancelled(workers):
    def endless(got, port):
        while True:
            yield got

    log = []
    plan = Plan()
    only = plan.stage(lambda: Calls(log, process=endless), source=Batches([batch(1)]))
    job = plan.job(only, workers, batch_rows=1)
    job.start()
    time.sleep(0.02)
    cancelled_within_100_ms(job, log)


def test_a_task_that_never_started_is_cancelled(workers):
    log = []
    plan = Plan()
    first = plan.stage(Through, source=Batches([batch(1)]))
    last = plan.stage(lambda: Calls(log))
    plan.edge(first, last)
    cancelled_within_100_ms(plan.job(last, workers), log)


def test_cancellation_from_another_thread(scheduling):
    pool, seed = scheduling

    def endless():
        while True:
            yield batch(1)

    plan = Plan()
    only = plan.stage(Sum, source=Batches(endless))
    job = plan.job(only, pool, **seed)
    job.start()
    timer = threading.Timer(0.03, job.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        job.next_batch()
    timer.join()
    job.close()
    assert job.memory.used == 0


def test_an_interrupt_of_the_waiting_caller_cancels(scheduling):
    pool, seed = scheduling

    def endless():
        while True:
            yield batch(1)

    closed = []

    class Drop(Operator):
        def process(self, got, port):
            return None

        def close(self):
            closed.append("closed")

    plan = Plan()
    only = plan.stage(Drop, source=Batches(endless))
    job = plan.job(only, pool, **seed)
    job.start()
    caught = threading.Event()

    def interrupt():
        # More than once: code in C may swallow one, as it does when a person presses the keys.
        while not caught.wait(0.05):
            signals.pthread_kill(threading.main_thread().ident, signals.SIGINT)

    pressing = threading.Thread(target=interrupt)
    with pytest.raises(KeyboardInterrupt):
        pressing.start()
        try:
            job.next_batch()
        finally:
            caught.set()
    pressing.join()
    job.close()
    assert not job.running
    assert closed == ["closed"]
    assert job.memory.used == 0


def test_the_first_error_wins_and_later_ones_are_quiet(scheduling):
    pool, seed = scheduling

    def failing(*_):
        raise DataError("the first")

    def also(*_):
        raise ValueError("the second")

    plan = Plan()
    first = plan.stage(lambda: Calls(close=also), source=Batches([batch(1)]))
    last = plan.stage(lambda: Calls(process=failing))
    plan.edge(first, last, blocking=False)
    job = plan.job(last, pool, **seed)
    with pytest.raises((DataError, InternalError)) as caught:
        run(job)
    with pytest.raises(type(caught.value)):
        job.next_batch()


@pytest.mark.parametrize("wake", ["signal", "delay"])
def test_suspension_ends_with_its_wake(scheduling, wake):
    pool, seed = scheduling
    fired = []

    def waiting(got, port):
        if wake == "delay":
            began = operator().context.now()
            yield Suspend(After(2000))
            fired.append(operator().context.now() - began)
        else:
            signal = Signal()
            threading.Timer(0.01, signal.set).start()
            yield Suspend(signal)
            fired.append(signal.ready)
        yield got

    plan = Plan()
    only = plan.stage(lambda: Calls(process=waiting), source=Batches([batch(1), batch(2)]))

    def operator():
        return plan.made[0]

    assert run(plan.job(only, pool, **seed)) == [1, 2]
    assert all(passed >= 2000 for passed in fired) if wake == "delay" else fired == [True, True]


def test_timers_come_in_order_once_and_not_early(scheduling):
    pool, seed = scheduling
    came = []

    class Timed(Operator):
        def open(self, context):
            self.context = context

        def process(self, got, port):
            now = self.context.now()
            for delay in (3000, 1000, 3000):
                self.context.set_timer(now + delay)
            return

        def on_timer(self, time):
            came.append(time)
            assert self.context.now() >= time
            yield batch(len(came))

    def slow():
        from tableflow.runtime.source import Later

        yield batch(1)
        yield Later(After(20_000))

    plan = Plan()
    only = plan.stage(Timed, Through, source=Batches(slow, bounded=False))
    assert run(plan.job(only, pool, **seed)) == [1, 2]
    assert came == sorted(came)


def test_rows_do_not_wait_longer_than_the_timeout(workers):
    signal = Signal()

    def one():
        from tableflow.runtime.source import Later

        yield batch(1)
        yield Later(signal)

    plan = Plan()
    first = plan.stage(Through, source=Batches(one, bounded=False))
    last = plan.stage(Through)
    plan.edge(first, last)
    job = plan.job(last, workers)
    job.start()
    assert values(job.next_batch(timeout=1.0)) == [1]
    signal.set()
    assert job.next_batch(timeout=5) is None
    job.close()


def test_a_long_step_lets_others_run(workers):
    """Two jobs share the workers although the first never rests."""

    def endless():
        while True:
            yield batch(1)

    busy = Plan()
    only = busy.stage(Sum, source=Batches(endless, endless, endless), parallelism=1)
    jobs = [busy.job(only, workers) for _ in range(3)]
    for job in jobs:
        job.start()
    quick = Plan()
    first = quick.stage(source=Batches([batch(1)]))
    began = time.monotonic()
    assert run(quick.job(first, workers)) == [1]
    assert time.monotonic() - began < 1.0
    for job in jobs:
        job.close()


@pytest.mark.parametrize("jump", [-3_600_000_000_000, 3_600_000_000_000])
def test_a_clock_that_is_set_neither_stops_timers_nor_fires_them(monkeypatch, jump):
    """An hour back or ahead: what waits for a moment waits as long as it would have."""
    pool = WorkerPool(1)
    try:
        before, wall = pool.now(), time.time_ns
        early, late = threading.Event(), threading.Event()
        pool.call_at(before + 50_000, early.set)
        pool.call_at(before + 600_000_000, late.set)
        monkeypatch.setattr(time, "time_ns", lambda: wall() + jump)
        assert before <= pool.now() < before + 60_000_000
        assert early.wait(20)
        assert not late.is_set()
    finally:
        pool.close()


def test_no_thread_and_no_timer_is_left_behind():
    before = threading.active_count()
    pool = WorkerPool(3)
    plan = Plan()
    first = plan.stage(Through, source=Batches([batch(1)]), parallelism=2)
    last = plan.stage(Sum)
    plan.edge(first, last, ExchangeKind.GATHER)
    assert run(plan.job(last, pool)) == [1]
    assert threading.active_count() == before + 3
    pool.close()
    assert threading.active_count() == before
    assert len(pool._timers) == 0


def test_the_timer_queue():
    timers = TimerQueue()
    log = []
    for time_, name in ((5, "b"), (3, "a"), (5, "c"), (9, "d")):
        timers.add(time_, lambda name=name: log.append(name))
    gone = timers.add(1, lambda: log.append("never"))
    timers.cancel(gone)
    assert timers.next_time() == 3
    for callback in timers.due(6):
        callback()
    assert log == ["a", "b", "c"]
    assert (timers.next_time(), len(timers)) == (9, 1)


def test_signals_call_every_subscriber_once():
    signal, calls = Signal(), []
    signal.subscribe(lambda: calls.append(1))
    signal.set()
    signal.set()
    signal.subscribe(lambda: calls.append(2))
    assert calls == [1, 2]
    with pytest.raises(InternalError, match="only be waited for"):
        After(1).subscribe(signal.set)
