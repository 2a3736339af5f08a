"""Counters: exact at the end, per stage, operator, exchange."""

from __future__ import annotations

from tableflow.runtime.events import END_OF_TIME
from tableflow.runtime.graph import ExchangeKind
from tests.runtime.simple import Batches, Calls, Plan, Sum, Through, batch


class Counting(Through):
    def open(self, context):
        self.context = context

    def process(self, got, port):
        self.context.count("late rows", got.rows)
        yield got


def test_everything_is_counted(scheduling):
    pool, seed = scheduling
    plan = Plan()
    source = Batches([batch(1, 2), batch(3)], [batch(4)])
    first = plan.stage(Counting, source=source, parallelism=2)
    middle = plan.stage(lambda: Calls(process=lambda b, p: iter([b, b])), parallelism=2)
    last = plan.stage(Sum)
    plan.edge(first, middle, ExchangeKind.HASH, keys=(0,))
    plan.edge(middle, last, ExchangeKind.GATHER)
    job = plan.job(last, pool, **seed)
    job.start()
    job.wait(timeout=10)
    counts = job.counters()
    job.close()
    reading, doubling, summing = (counts.stage(i) for i in (first, middle, last))
    assert (reading.tasks, reading.source.rows_out, reading.source.batches_out) == (2, 4, 3)
    assert reading.source.largest == 2
    assert 1 <= reading.edges[0].fullest <= 3
    assert (reading.edges[0].queued, reading.edges[0].capacity, reading.edges[0].waiting) == (0, 8, 0)
    assert (counts.drawn > 0) == bool(seed)
    assert reading.operators[0].rows_in == (4,)
    assert reading.operators[0].named == (("late rows", 4),)
    assert (reading.edges[0].consumer, reading.edges[0].rows, reading.edges[0].bytes) == (middle, 4, 32)
    assert (doubling.operators[0].rows_in, doubling.operators[0].rows_out) == ((4,), 8)
    assert doubling.bytes_in == 32
    assert (summing.operators[0].rows_in, summing.operators[0].rows_out) == ((8,), 1)
    assert summing.edges == ()
    assert all(stage.watermark == END_OF_TIME for stage in (doubling, summing))
    assert all(stage.busy > 0 for stage in counts.stages)
    assert counts.memory_peak >= 32


def test_busy_time_belongs_to_the_operator_that_works(workers):
    import time

    def slow(got, port):
        time.sleep(0.02)
        yield got
        time.sleep(0.02)

    plan = Plan()
    only = plan.stage(Through, lambda: Calls(process=slow), Through, source=Batches([batch(1)]))
    job = plan.job(only, workers)
    job.start()
    job.wait(timeout=5)
    before, working, after = job.counters().stage(only).operators
    job.close()
    assert 40_000 <= working.busy < 200_000
    assert before.busy < 20_000
    assert after.busy < 20_000
