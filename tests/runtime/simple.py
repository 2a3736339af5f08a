"""Operators, sources and graphs that are simple enough to see through, for tests of the runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact
from tableflow.columnar.kernels.partition import EVERY_KEY
from tableflow.config import Settings
from tableflow.runtime.graph import Edge, ExchangeKind, JobGraph, OperatorSpec, SourceSpec, Stage
from tableflow.runtime.job import Job
from tableflow.runtime.operator import Operator
from tableflow.runtime.scheduler import WorkerPool
from tableflow.runtime.sink import Sinks, no_sinks
from tableflow.runtime.source import Done, Later, Poll, Split
from tableflow.types import BIGINT


def batch(*values: int) -> Batch:
    """One BIGINT column."""
    return Batch([Column(BIGINT, pa.array(values, pa.int64()))], len(values))


def values(of: Batch) -> list[int]:
    return compact(of).columns[0].to_pylist()


class Calls(Operator):
    """Notes what happens to it; hooks may be given by name."""

    def __init__(self, log: list[Any] | None = None, **hooks: Callable[..., Any]) -> None:
        self.log = [] if log is None else log
        self.hooks = hooks
        self.context: Any = None

    def _hook(self, name: str, *arguments: Any) -> Any:
        self.log.append((name, *arguments))
        hook = self.hooks.get(name)
        return None if hook is None else hook(*arguments)

    def open(self, context):
        self.context = context
        self._hook("open")

    def process(self, batch, port):
        self.log.append(("process", values(batch), port))
        hook = self.hooks.get("process")
        return iter([batch]) if hook is None else hook(batch, port)

    def on_watermark(self, watermark):
        return self._hook("on_watermark", watermark.time)

    def on_timer(self, time):
        return self._hook("on_timer", time)

    def on_epoch(self, epoch):
        return self._hook("on_epoch", epoch)

    def on_superstep(self, superstep):
        return self._hook("on_superstep", superstep.number)

    def on_end(self, port):
        return self._hook("on_end", port)

    def snapshot(self, keys=EVERY_KEY):
        return self._hook("snapshot") or b""

    def restore(self, parts):
        self._hook("restore", *parts)

    def close(self):
        self._hook("close")


class Through(Operator):
    """Gives what it gets."""

    def process(self, batch: Batch, port: int) -> Iterator[Batch]:
        yield batch


class Sum(Operator):
    """Gives one row at the end."""

    def __init__(self) -> None:
        self.total = 0

    def process(self, batch, port):
        self.total += sum(values(batch))

    def on_end(self, port):
        yield batch(self.total)


class Limit(Operator):
    """The first rows; then it is finished."""

    def __init__(self, rows: int) -> None:
        self.left = rows

    def process(self, batch, port):
        taken = batch.slice(0, self.left)
        self.left -= taken.rows
        yield taken

    @property
    def finished(self) -> bool:
        return self.left == 0


class Reader:
    """Gives what an iterator gives; ``Later`` items pass through."""

    def __init__(self, items: Iterator[Any], log: list[Any], name: str) -> None:
        self._items = items
        self._log = log
        self._name = name
        self.read = 0
        log.append(("opened", name))

    def poll(self) -> Poll:
        item = next(self._items, None)
        if item is None:
            return Done()
        if isinstance(item, Later):
            return item
        self.read += 1
        return item

    def offset(self) -> Any:
        return self.read

    def close(self) -> None:
        self._log.append(("closed", self._name))


class Batches:
    """A source of splits, each a list of batches (or a function that gives an iterator)."""

    def __init__(self, *splits: Sequence[Batch] | Callable[[], Iterator[Any]], bounded: bool = True) -> None:
        self.splits = splits
        self.bounded = bounded
        self.log: list[Any] = []

    def assigner(self) -> Any:
        pending = [Split(str(i), i) for i in range(len(self.splits))]

        class Assigner:
            def next(self, task_index: int) -> Split | None:
                return pending.pop(0) if pending else None

        return Assigner()

    def reader(self, split: Split, batch_rows: int) -> Reader:
        items = self.splits[split.definition]
        iterator = items() if callable(items) else iter(items)
        if split.offset:
            for _ in range(split.offset):
                next(iterator)
        return Reader(iterator, self.log, split.id)


class Plan:
    """A job graph put together step by step; operators are made by functions."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.edges: list[Edge] = []
        self.makers: dict[str, Callable[[], Operator]] = {}
        self.sources: dict[str, Any] = {}
        self.made: list[Operator] = []

    def stage(
        self,
        *makers: Callable[[], Operator],
        source: Any = None,
        parallelism: int = 1,
        publishes: Sequence[str] = (),
        reads: Sequence[str] = (),
    ) -> int:
        number = len(self.stages)
        specs = []
        for position, maker in enumerate(makers):
            name = f"{getattr(maker, '__name__', 'op')}-{number}-{position}"
            self.makers[name] = maker
            specs.append(OperatorSpec("test", None, name))
        spec = None
        if source is not None:
            spec = SourceSpec(f"source-{number}", None)
            self.sources[spec.kind] = source
        self.stages.append(Stage(number, tuple(specs), parallelism, spec, tuple(publishes), tuple(reads)))
        return number

    def edge(
        self, producer: int, consumer: int, kind: ExchangeKind = ExchangeKind.FORWARD, port: int = 0, **more: Any
    ) -> None:
        self.edges.append(Edge(producer, consumer, port, kind, **more))

    def build(self, spec: OperatorSpec) -> Operator:
        operator = self.makers[spec.name]()
        self.made.append(operator)
        return operator

    def graph(self, result: int | None) -> JobGraph:
        return JobGraph(tuple(self.stages), tuple(self.edges), result)

    def job(self, result: int | None, pool: WorkerPool | None, sinks: Sinks = no_sinks, **texts: Any) -> Job:
        settings = Settings()
        for name, text in texts.items():
            settings = settings.with_value(SETTINGS[name], str(text))
        return Job(self.graph(result), self.build, lambda spec: self.sources[spec.kind], settings, pool, sinks=sinks)


SETTINGS = {
    "seed": "execution.scheduler-seed",
    "credits": "execution.channel-batches",
    "batch_rows": "execution.batch-rows",
    "timeout": "execution.buffer-timeout",
    "memory": "memory.limit",
    "idle": "table.exec.source.idle-timeout",
}


def run(job: Job) -> list[int]:
    """All values of the result, in order; the job is closed."""
    rows: list[int] = []
    try:
        job.start()
        while (got := job.next_batch(timeout=20)) is not None:
            rows += values(got)
    finally:
        job.close()
    assert job.memory.used == 0
    return rows
