"""The memory budget, alone and in jobs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.errors import MemoryLimitError
from tableflow.runtime.memory import MemoryPool
from tests.runtime.simple import Batches, Calls, Plan, Sum, Through, batch, run


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 60)), max_size=40))
def test_used_is_the_sum_of_reservations_and_stays_below_the_limit(steps):
    memory = MemoryPool(100)
    held = [memory.reserve(str(i)) for i in range(4)]
    sizes = [0] * 4
    for which, size in steps:
        fits = sum(sizes) - sizes[which] + size <= 100
        if fits or size <= sizes[which]:
            held[which].resize(size)
            sizes[which] = size
        else:
            with pytest.raises(MemoryLimitError):
                held[which].resize(size)
        assert [each.bytes for each in held] == sizes
        assert memory.used == sum(sizes) <= memory.peak <= 100
    for each in held:
        each.release()
        each.release()
    assert memory.used == 0


def test_a_refusal_names_operator_bytes_and_limit(scheduling):
    pool, seed = scheduling

    class Greedy(Sum):
        def open(self, context):
            self.reservation = context.reserve("table", 600)

        def process(self, batch, port):
            self.reservation.resize(self.reservation.bytes * 2)

    plan = Plan()
    only = plan.stage(Greedy, source=Batches([batch(1)]))
    with pytest.raises(MemoryLimitError) as refused:
        run(plan.job(only, pool, memory="1000b", **seed))
    assert refused.value.message == "operator 'Greedy-0-0' (table) was refused 600 bytes of memory"
    assert refused.value.detail == "600 bytes are in use and memory.limit is 1000 bytes"


def test_a_tiny_limit_does_not_stop_queues(scheduling):
    pool, seed = scheduling
    plan = Plan()
    first = plan.stage(Through, source=Batches([batch(*range(50))] * 20))
    last = plan.stage(Sum)
    plan.edge(first, last)
    assert run(plan.job(last, pool, memory="10b", batch_rows=50, **seed)) == [20 * sum(range(50))]


def test_what_a_task_forgets_is_released(scheduling):
    pool, seed = scheduling
    plan = Plan()

    class Forgetful(Through):
        def open(self, context):
            context.reserve("something", 77)

    only = plan.stage(Forgetful, Calls, source=Batches([batch(1)]))
    assert run(plan.job(only, pool, **seed)) == [1]


def test_a_blocking_exchange_holds_rows_until_the_producer_ends(scheduling):
    pool, seed = scheduling
    plan = Plan()
    log = []
    splits = Batches([batch(i) for i in range(30)])
    first = plan.stage(lambda: Calls(log), source=splits)
    last = plan.stage(lambda: Calls(log, on_end=lambda port: log.append("end of consumer")))
    plan.edge(first, last, blocking=True)
    assert run(plan.job(last, pool, credits=1, batch_rows=1, **seed)) == list(range(30))
    produced = [i for i, entry in enumerate(log) if entry[0] == "process"]
    ended = log.index(("on_end", 0))
    assert sum(i < ended for i in produced) == 30
    plan = Plan()
    first = plan.stage(Through, source=Batches([batch(i) for i in range(30)]))
    last = plan.stage(Through)
    plan.edge(first, last, blocking=True)
    with pytest.raises(MemoryLimitError, match="the blocking exchange from stage 0 to stage 1 was refused 8 bytes"):
        run(plan.job(last, pool, memory="100b", batch_rows=1, **seed))


def test_what_another_task_takes_after_the_close_is_released_with_the_job(workers):
    kept = []

    class Keeping(Through):
        def open(self, context):
            kept.append(context.reserve("build", 10))

    plan = Plan()
    only = plan.stage(Keeping, source=Batches([batch(1)]))
    job = plan.job(only, workers)
    job.start()
    job.wait(timeout=5)
    assert job.memory.used == 0
    kept[0].resize(50)
    assert job.memory.used == 50
    job.close()
    assert job.memory.used == 0
