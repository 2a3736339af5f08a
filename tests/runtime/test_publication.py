"""Published builds: one plan, one owner per part, one finish, freed after the last reader."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest

from tableflow.errors import DataError, InternalError
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.operator import Operator
from tableflow.runtime.published import PublishedBuild
from tests.runtime.simple import Batches, Plan, Through, batch, run, values


class Sealer:
    """Sums partials, one part per partial; notes who did what."""

    def __init__(self, log, parts=None):
        self.log = log
        self.parts = parts
        self.lock = threading.Lock()

    def plan(self, partials):
        self.partials = list(partials)
        self.sums = [0] * len(partials)
        self.log.append("plan")
        return len(partials) if self.parts is None else self.parts

    def seal(self, part):
        with self.lock:
            self.log.append(("seal", part))
        time.sleep(0.001)
        if part < len(self.sums):
            self.sums[part] = sum(self.partials[part])

    def finish(self):
        self.log.append("finish")
        return self.sums


class Builder(Operator):
    def __init__(self, log, reserve=0, parts=None):
        self.log, self.reserve_bytes, self.parts = log, reserve, parts
        self.rows = []

    def open(self, context):
        self.context = context
        self.reservation = context.reserve("build", self.reserve_bytes)

    def process(self, batch, port):
        self.rows += values(batch)

    def on_end(self, port):
        build = self.context.publication("b")
        build.adopt(self.reservation)
        yield from build.contribute(self.context.task_index, self.rows, Sealer(self.log, self.parts))


class Adder(Operator):
    """Adds the sum of the build to each row."""

    def open(self, context):
        self.handle = context.publication("b").handle()

    def process(self, got, port):
        yield batch(*(value + sum(self.handle) for value in values(got)))


def plan_of(log, reads=("b",), probe=Adder, **more):
    plan = Plan()
    splits = [[batch(*range(i, i + 3))] for i in range(0, 12, 3)]
    plan.stage(lambda: Builder(log, **more), source=Batches(*splits), parallelism=4, publishes=["b"])
    probing = plan.stage(probe, source=Batches([batch(100)], [batch(200)]), parallelism=2, reads=reads)
    last = plan.stage(Through)
    plan.edge(probing, last, ExchangeKind.GATHER)
    return plan, last


def test_built_in_parallel_and_read_after_sealing(scheduling):
    pool, seed = scheduling
    log = []
    plan, last = plan_of(log, reserve=1000)
    job = plan.job(last, pool, **seed)
    assert sorted(run(job)) == [166, 266]
    assert log[0] == "plan"
    assert log[-1] == "finish"
    assert Counter(log) == {"plan": 1, "finish": 1, **{("seal", part): 1 for part in range(4)}}


def test_no_parts_at_all(scheduling):
    pool, seed = scheduling
    log = []
    plan, last = plan_of(log, parts=0)
    assert sorted(run(plan.job(last, pool, **seed))) == [100, 200]
    assert log == ["plan", "finish"]


def test_a_reader_may_wait_by_itself(scheduling):
    pool, seed = scheduling

    class Waiting(Operator):
        def open(self, context):
            self.build = context.publication("b")

        def process(self, got, port):
            from tableflow.runtime.operator import Suspend

            yield Suspend(self.build.sealed)
            yield batch(*(value + sum(self.build.handle()) for value in values(got)))

    plan, last = plan_of([], reads=(), probe=Waiting)
    assert sorted(run(plan.job(last, pool, **seed))) == [166, 266]


@pytest.mark.parametrize("step", ["plan", "seal", "finish"])
def test_an_error_while_sealing_reaches_everybody(scheduling, step, monkeypatch):
    pool, seed = scheduling

    def broken(*_):
        raise DataError("broken on purpose")

    monkeypatch.setattr(Sealer, step, broken)
    plan, last = plan_of([], reserve=100)
    with pytest.raises(DataError, match="on purpose"):
        run(plan.job(last, pool, **seed))


def drive(*contributions):
    """Pulls all contributions round robin until they return."""
    open_ones = list(contributions)
    for _ in range(1000):
        for one in list(open_ones):
            if next(one, "done") == "done":
                open_ones.remove(one)
        if not open_ones:
            return
    raise AssertionError("never sealed")


def test_memory_is_released_with_the_last_reader_not_with_the_task():
    memory = MemoryPool(1000)
    reservation = memory.reserve("build", 500)
    build = PublishedBuild("b", 1, readers=2)
    build.adopt(reservation)
    with pytest.raises(InternalError, match="too early"):
        build.handle()
    drive(build.contribute(0, [1, 2], Sealer([])))
    assert build.handle() == [3]
    build.reader_closed()
    assert memory.used == 500
    build.reader_closed()
    assert (memory.used, build.freed) == (0, True)
    with pytest.raises(InternalError, match="after its end"):
        build.handle()


def test_partials_come_in_task_order_and_only_once():
    build = PublishedBuild("b", 2, readers=1)
    sealer = Sealer([])
    late, early = build.contribute(1, [10], Sealer([])), build.contribute(0, [1], sealer)
    drive(late, early)
    assert sealer.partials == [[1], [10]]
    with pytest.raises(InternalError, match="twice"):
        next(build.contribute(0, [1], sealer))


def test_unknown_builds_are_refused(workers):
    plan = Plan()
    only = plan.stage(Through, source=Batches([]), reads=["nowhere"])
    with pytest.raises(InternalError, match="no stage publishes"):
        plan.job(only, workers)
