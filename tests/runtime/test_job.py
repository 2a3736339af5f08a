"""Whole jobs of simple operators: results, early ends, errors, cancellation."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from tableflow.errors import CancelledError, DataError, InternalError
from tableflow.runtime.channel import Channel
from tableflow.runtime.graph import ExchangeKind
from tests.runtime.simple import Batches, Calls, Limit, Plan, Sum, Through, batch, run, values


def test_rows_come_through_a_chain_and_an_exchange(scheduling):
    pool, seed = scheduling
    plan = Plan()
    source = Batches([batch(1, 2), batch(3)], [batch(4)])
    first = plan.stage(Through, Through, source=source, parallelism=2)
    last = plan.stage(Through)
    plan.edge(first, last, ExchangeKind.GATHER)
    assert sorted(run(plan.job(last, pool, **seed))) == [1, 2, 3, 4]
    assert sorted(source.log) == [("closed", "0"), ("closed", "1"), ("opened", "0"), ("opened", "1")]


def test_a_stage_without_operators_and_a_source_as_result(scheduling):
    pool, seed = scheduling
    plan = Plan()
    only = plan.stage(source=Batches([batch(1, 2)]))
    assert run(plan.job(only, pool, **seed)) == [1, 2]


def test_a_leaf_emits_at_its_end(scheduling):
    pool, seed = scheduling
    plan = Plan()
    leaf = plan.stage(Sum)
    last = plan.stage(Sum)
    plan.edge(leaf, last)
    assert run(plan.job(last, pool, **seed)) == [0]


def test_sums_over_a_hash_exchange(scheduling):
    pool, seed = scheduling
    plan = Plan()
    splits = [
        [batch(*range(i * 1000, i * 1000 + 500)), batch(*range(i * 1000 + 500, (i + 1) * 1000))] for i in range(5)
    ]
    first = plan.stage(Through, source=Batches(*splits), parallelism=3)
    middle = plan.stage(Sum, parallelism=4)
    last = plan.stage(Through)
    plan.edge(first, middle, ExchangeKind.HASH, keys=(0,))
    plan.edge(middle, last, ExchangeKind.GATHER)
    rows = run(plan.job(last, pool, batch_rows=400, **seed))
    assert len(rows) == 4
    assert all(rows)
    assert sum(rows) == sum(range(5000))


def test_a_job_that_has_ended_keeps_no_operators(scheduling):
    pool, seed = scheduling
    plan = Plan()
    first = plan.stage(Through, source=Batches([batch(1, 2)], [batch(3)]), parallelism=2)
    middle = plan.stage(Sum, Through, parallelism=2)
    last = plan.stage(Sum)
    plan.edge(first, middle, ExchangeKind.HASH, keys=(0,))
    plan.edge(middle, last, ExchangeKind.GATHER)
    job = plan.job(last, pool, **seed)
    gc.disable()  # what is only garbage may stay for long
    try:
        made = [weakref.ref(one) for one in plan.made]
        plan.made.clear()
        assert len(made) == 7
        assert run(job) == [6]
        deadline = time.monotonic() + 20  # a worker's last turn may still be going back
        while any(one() is not None for one in made) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [one() for one in made if one() is not None] == []
        assert job.counters().stages
    finally:
        gc.enable()


def endless():
    """A split that never ends."""
    while True:
        yield batch(*range(100))


def test_a_limit_stops_an_endless_source(scheduling):
    pool, seed = scheduling
    plan = Plan()
    source = Batches(endless, endless)
    first = plan.stage(Through, source=source, parallelism=2)
    last = plan.stage(lambda: Limit(250), Through)
    plan.edge(first, last, ExchangeKind.GATHER)
    assert len(run(plan.job(last, pool, **seed))) == 250
    assert source.log.count(("closed", "0")) == 1


def test_cancel_is_quick(workers):
    plan = Plan()
    log = []
    first = plan.stage(lambda: Calls(log), source=Batches(endless))
    last = plan.stage(Sum)
    plan.edge(first, last)
    job = plan.job(last, workers)
    job.start()
    with pytest.raises(TimeoutError):
        job.next_batch(timeout=0.05)
    began = time.monotonic()
    job.cancel()
    assert time.monotonic() - began < 0.1
    assert log[-1] == ("close",)
    with pytest.raises(CancelledError):
        job.next_batch()
    job.close()
    assert job.memory.used == 0


@pytest.mark.parametrize("hook", ["open", "process", "on_watermark", "on_end", "close"])
def test_an_error_in_a_callback_ends_the_job(scheduling, hook):
    pool, seed = scheduling

    def broken(*_):
        raise ValueError("broken on purpose")

    plan = Plan()
    log = []
    first = plan.stage(lambda: Calls(log, **{hook: broken}), source=Batches([batch(1)]))
    job = plan.job(first, pool, **seed)
    with pytest.raises(InternalError, match=r"operator '<lambda>-0-0' failed\ndetail: ValueError: broken on purpose"):
        run(job)
    assert log[-1] == ("close",)
    assert log.count(("close",)) == 1
    assert job.memory.used == 0


def test_our_own_errors_stay_what_they_are(scheduling):
    pool, seed = scheduling

    def emission(*_):
        yield batch(1)
        raise DataError("division by zero")

    plan = Plan()
    first = plan.stage(lambda: Calls(process=emission), source=Batches(endless))
    last = plan.stage(Sum)
    plan.edge(first, last)
    with pytest.raises(DataError, match="division by zero"):
        run(plan.job(last, pool, **seed))


@pytest.fixture
def ends_while_read(monkeypatch):
    """Makes a job run from start to end between its reader's looks at the result and at the tasks."""
    looked = Channel.ready.fget

    def hold(job):
        def ready(channel):
            before = looked(channel)
            if channel is job._result and not before and job.running:
                job.start()
                while job.running:
                    time.sleep(0.001)
            return before

        monkeypatch.setattr(Channel, "ready", property(ready))

    return hold


def test_rows_of_a_job_that_ends_while_it_is_read_are_found(workers, ends_while_read):
    plan = Plan()
    job = plan.job(plan.stage(Through, source=Batches([batch(1, 2)])), workers)
    ends_while_read(job)
    assert values(job.next_batch(timeout=20)) == [1, 2]
    assert job.next_batch(timeout=20) is None
    job.close()


def test_the_error_of_a_job_that_ends_while_it_is_read_is_raised(workers, ends_while_read):
    def broken(*_):
        raise DataError("division by zero")

    plan = Plan()
    job = plan.job(plan.stage(lambda: Calls(process=broken), source=Batches([batch(1)])), workers)
    ends_while_read(job)
    with pytest.raises(DataError, match="division by zero"):
        job.next_batch(timeout=20)
    job.close()


def test_unread_results_hold_producers_back(workers):
    plan = Plan()
    log = []
    first = plan.stage(lambda: Calls(log), source=Batches(endless))
    job = plan.job(first, workers, credits=2, batch_rows=100)
    job.start()
    time.sleep(0.1)
    assert len(log) < 10
    assert 0 < job.memory.used < 10_000
    assert values(job.next_batch(timeout=1)) == list(range(100))
    job.close()
    assert job.memory.used == 0
    assert not any(thread.name.startswith("tableflow-read") for thread in threading.enumerate())
