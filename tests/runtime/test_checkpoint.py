"""Checkpoints: decisions, and jobs that are stopped and go on from one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tableflow.columnar.kernels.partition import EVERY_KEY
from tableflow.config import Settings
from tableflow.errors import InternalError
from tableflow.runtime.checkpoint import (
    Acknowledgement,
    Beginning,
    Checkpoints,
    RestoredAssigner,
    SourceState,
    TaskSnapshot,
    judge,
)
from tableflow.runtime.graph import ExchangeKind
from tableflow.runtime.job import Job
from tableflow.runtime.operator import Operator
from tableflow.runtime.source import Later, Split
from tableflow.runtime.wake import After, Signal
from tests.runtime.simple import Batches, Calls, Plan, Through, batch, run, values

TASKS = [(0, 0), (0, 1), (1, 0)]


def test_outcomes_by_name():
    held = Checkpoints(TASKS)
    begin = {"ending": False, "unsealed": []}
    assert held.begin(1, ending=True, unsealed=[]) is Beginning.ENDED
    assert held.begin(1, ending=False, unsealed=["b"]) is Beginning.UNSEALED
    assert held.begin(1, **begin) is Beginning.BEGUN
    assert held.begin(1, **begin) is Beginning.OLD
    assert held.begin(2, **begin) is Beginning.BEGUN

    def say(n, task):
        return held.acknowledge(n, TaskSnapshot(task, ()))[0]

    assert say(1, (0, 0)) is Acknowledgement.PENDING
    assert say(1, (0, 0)) is Acknowledgement.DUPLICATE
    assert say(1, (7, 0)) is Acknowledgement.UNKNOWN_TASK
    assert say(5, (0, 0)) is Acknowledgement.UNKNOWN_CHECKPOINT
    assert held.awaiting((0, 0)) == [2]
    assert held.awaiting((0, 1)) == [1, 2]
    assert say(2, (0, 0)) is Acknowledgement.PENDING
    assert say(2, (1, 0)) is Acknowledgement.PENDING
    outcome, snapshots = held.acknowledge(2, TaskSnapshot((0, 1), (b"x",)))
    assert outcome is Acknowledgement.COMPLETE
    assert [snapshot.task for snapshot in snapshots] == TASKS
    assert say(1, (0, 1)) is Acknowledgement.LATE
    assert held.awaiting((0, 1)) == []


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from([*TASKS, (9, 9)])), max_size=60))
def test_complete_exactly_once_and_in_order(messages):
    held = Checkpoints(TASKS)
    for checkpoint in (1, 2, 3):
        held.begin(checkpoint, ending=False, unsealed=[])
    heard = {1: set(), 2: set(), 3: set()}
    completed = []
    for checkpoint, task in messages:
        before = judge(held.facts, checkpoint, task)
        outcome, snapshots = held.acknowledge(checkpoint, TaskSnapshot(task, ()))
        assert outcome is before
        if task in TASKS:
            heard[checkpoint].add(task)
        assert (outcome is Acknowledgement.COMPLETE) == bool(snapshots)
        if snapshots:
            assert heard[checkpoint] == set(TASKS)
            completed.append(checkpoint)
    assert completed == sorted(set(completed))


def test_a_restored_assigner_gives_open_splits_first_and_finished_ones_never():
    class Fresh:
        def __init__(self):
            self.given = [Split("a", 1), Split("b", 2), Later(Signal()), Split("c", 3), None]

        def next(self, task_index):
            return self.given.pop(0)

    states = [SourceState(("a",), ()), SourceState((), (Split("b", 2, offset=7),))]
    assigner = RestoredAssigner(Fresh(), states)
    assert assigner.next(0) == Split("b", 2, offset=7)
    assert isinstance(assigner.next(0), Later)
    assert assigner.next(1) == Split("c", 3)
    assert assigner.next(0) is None


class Total(Operator):
    """Gives the running total after each batch; its state is the total."""

    def __init__(self):
        self.total = 0

    def process(self, got, port):
        self.total += sum(values(got))
        return

    def on_end(self, port):
        yield batch(self.total)

    def snapshot(self, keys=EVERY_KEY):
        return json.dumps(self.total).encode()

    def restore(self, parts):
        self.total = sum(map(json.loads, parts))


def paced(first, count):
    def items():
        for value in range(first, first + count):
            yield batch(value)
            yield Later(After(1000))

    return items


class Paced(Batches):
    """Splits of (value, pause) pairs that can be resumed at an offset counted in batches."""

    def reader(self, split, batch_rows):
        items = self.splits[split.definition]()
        reader = super().reader(Split(split.id, split.definition), batch_rows)
        skip = split.offset or 0
        while reader.read < skip:
            reader.poll()
        del items
        return reader


def plan_of(chained_total):
    plan = Plan()
    source = Paced(paced(0, 20), paced(100, 5), paced(1000, 30), bounded=False)
    first = plan.stage(*([Through, Total] if chained_total else [Through]), source=source, parallelism=2)
    middle = plan.stage(Total, parallelism=3)
    last = plan.stage(Total)
    plan.edge(first, middle, ExchangeKind.HASH, keys=(0,))
    plan.edge(middle, last, ExchangeKind.GATHER)
    return plan, last


EXPECTED = sum(range(20)) + sum(range(100, 105)) + sum(range(1000, 1030))


@pytest.mark.parametrize("chained_total", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_a_job_goes_on_from_any_checkpoint(seed, chained_total):
    saved = {}
    plan, last = plan_of(chained_total)
    job = started(plan, last, seed, saved)
    result = []
    number = 0
    while True:
        if job._simulation.now() > job_start(job) + number * 1500:
            number += 1
            job.checkpoint(number, number)
        try:
            got = job.next_batch(timeout=0.0)
        except TimeoutError:
            job._simulation.advance()
            continue
        if got is None:
            break
        result += values(got)
    job.close()
    assert sum(result) == EXPECTED
    assert len(saved) >= 3
    for snapshots in saved.values():
        again, last = plan_of(chained_total)
        assert sum(run(started(again, last, seed, {}, restored=snapshots, start=False))) == EXPECTED


def job_start(job):
    return 1_600_000_000_000_000


def started(plan, last, seed, saved, restored=(), start=True):
    settings = Settings().with_value("execution.scheduler-seed", str(seed))
    job = Job(
        plan.graph(last), plan.build, lambda spec: plan.sources[spec.kind], settings, None,
        on_checkpoint=saved.__setitem__, restored=restored,
    )  # fmt: skip
    if start:
        job.start()
    return job


def test_a_checkpoint_is_declined_while_a_build_is_unsealed():
    plan = Plan()
    plan.stage(Through, source=Batches(paced(0, 5), bounded=False), publishes=["b"])
    last = plan.stage(Through, source=Batches(paced(0, 5), bounded=False), reads=["b"])
    job = started(plan, last, 0, {})
    assert job.checkpoint(1, 1) is Beginning.UNSEALED
    job.cancel()
    assert job.checkpoint(2, 2) is Beginning.ENDED
    job.close()


@pytest.mark.parametrize("hook", ["on_epoch", "snapshot", "restore", "on_timer"])
@pytest.mark.parametrize("seed", range(3))
def test_errors_in_the_hooks_of_a_stream_end_the_job(seed, hook):
    def broken(*_):
        raise ValueError("broken on purpose")

    log = []
    plan = Plan()

    def timed():
        operator = plan.made[0]
        operator.context.set_timer(operator.context.now() + 1000)

    hooks = {"open": timed, hook: broken}
    last = plan.stage(lambda: Calls(log, **hooks), source=Batches(paced(0, 20), bounded=False))
    restored = [TaskSnapshot((last, 0), (b"state",))] if hook == "restore" else []
    job = started(plan, last, seed, {}, restored=restored)
    assert job.checkpoint(1, 1) is Beginning.BEGUN
    with pytest.raises(InternalError, match=r"operator '<lambda>-0-0' failed\ndetail: ValueError: broken on purpose"):
        job.wait()
    job.close()
    assert log.count(("close",)) == 1
    assert job.memory.used == 0
