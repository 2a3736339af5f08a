"""Writers of a job: prepared by their operators, aborted when they were not, closed always."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tableflow.errors import CancelledError, DataError
from tableflow.runtime.graph import ExchangeKind, SinkSpec
from tableflow.runtime.job import Job
from tableflow.runtime.operator import Operator
from tests.runtime.simple import Batches, Plan, Through, batch, values

SPEC = SinkSpec("list", {"name": "a"})


class ListWriter:
    def __init__(self, log: list[Any], task: int) -> None:
        self.log = log
        self.task = task
        self.held: list[int] = []

    def write(self, batch):
        self.held += values(batch)

    def prepare(self):
        self.log.append(("prepare", self.task))
        return self.held

    def abort(self):
        self.log.append(("abort", self.task))

    def close(self):
        self.log.append(("close", self.task))


class Write(Operator):
    def __init__(self, failing: int | None = None) -> None:
        self.failing = failing

    def open(self, context):
        self.sink = context.sink(SPEC)

    def process(self, batch, port):
        if self.failing in values(batch):
            raise DataError("no such row")
        self.sink.write(batch)
        yield batch

    def on_end(self, port):
        self.sink.prepare()


def writing(failing: int | None = None, *, endless: bool = False) -> tuple[Job, list[Any]]:
    log: list[Any] = []
    plan = Plan()
    rows = [lambda: itertools.repeat(batch(1))] * 2 if endless else [[batch(number)] for number in range(6)]
    source = Batches(*rows)
    writers = plan.stage(lambda: Write(failing), source=source, parallelism=2)
    result = plan.stage(Through)
    plan.edge(writers, result, ExchangeKind.GATHER)
    return plan.job(result, None, lambda spec, task: ListWriter(log, task), seed=1), log


def test_tokens_of_all_tasks_are_there_when_the_job_has_ended():
    job, log = writing()
    job.start()
    job.wait(20)
    job.close()
    assert [(one.spec, one.task_index) for one in job.prepared] == [(SPEC, 0), (SPEC, 1)]
    assert sorted(value for one in job.prepared for value in one.token) == list(range(6))
    assert sorted(log) == [("close", 0), ("close", 1), ("prepare", 0), ("prepare", 1)]


def test_an_error_aborts_what_was_not_prepared():
    job, log = writing(failing=3)
    job.start()
    with pytest.raises(DataError):
        job.wait(20)
    job.close()
    assert len(job.prepared) < 2
    for task in (0, 1):
        kinds = [kind for kind, of in log if of == task]
        assert kinds in ([], ["prepare", "close"], ["abort", "close"])
    assert ("abort", 0) in log or ("abort", 1) in log


def test_cancelling_aborts_and_closes():
    job, log = writing(endless=True)
    job.start()
    job.next_batch(20)
    job.cancel()
    with pytest.raises(CancelledError):
        job.wait(20)
    job.close()
    assert {kind for kind, _ in log} == {"abort", "close"}
    assert [kind for kind, _ in log].count("abort") == [kind for kind, _ in log].count("close")


def test_a_job_that_was_given_no_sinks_says_so():
    plan = Plan()
    result = plan.stage(Write, source=Batches([batch(1)]))
    job = plan.job(result, None, seed=1)
    job.start()
    with pytest.raises(Exception, match="no way to open the sink 'list'"):
        job.wait(20)
    job.close()
