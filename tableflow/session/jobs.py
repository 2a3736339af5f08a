"""The jobs of a session: its worker threads, what runs on them, and how all of it is stopped."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tableflow.config import EPOCH_INTERVAL, PARALLELISM, Settings
from tableflow.connectors.registry import Sources
from tableflow.physical.build import build_operator
from tableflow.runtime.graph import SinkSpec
from tableflow.runtime.job import Job
from tableflow.runtime.scheduler import WorkerPool
from tableflow.runtime.sink import SinkWriter
from tableflow.runtime.write_behind import BlockingSink
from tableflow.session.job_result import JobResult
from tableflow.session.planned import Planned


class Jobs:
    """Used from one thread, except :meth:`cancel`."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._pool: WorkerPool | None = None
        self._running: list[JobResult] = []
        self._numbers = itertools.count(1)
        self._interrupted = threading.Event()
        self.remembered: list[JobResult] | None = None
        """All jobs that were started, if somebody wants to know."""
        self._observed: list[tuple[Planned, JobResult]] | None = None

    def start(self, planned: Planned, script: str, settings: Settings) -> JobResult:
        """Sets a plan going; its sinks and sources are opened under these settings."""
        sources = self.sources.with_settings(settings)
        graph, workers = planned.lowered.graph, self._workers(settings)
        interval = settings.get(EPOCH_INTERVAL) if planned.waits_for_epochs or planned.endless else None
        job = Job(
            graph,
            build_operator,
            sources.open,
            settings,
            workers,
            sinks=sources.open_sink,
            lookups=sources.open_lookup,
            epoch_interval=interval,
        )
        number = next(self._numbers) if planned.endless else 0
        result = JobResult(job, planned, script, self._running.remove, number)
        self._running.append(result)
        if self.remembered is not None:
            self.remembered.append(result)
        if self._observed is not None:
            self._observed.append((planned, result))
        job.start()
        return result

    @contextmanager
    def observing(self) -> Iterator[list[tuple[Planned, JobResult]]]:
        """All jobs that start inside the with block, in order."""
        seen: list[tuple[Planned, JobResult]] = []
        self._observed = seen
        try:
            yield seen
        finally:
            self._observed = None

    @property
    def observed(self) -> bool:
        """Whether jobs are to be seen at work: then nothing is done without one."""
        return self._observed is not None

    def open_sink(self, spec: SinkSpec, task_index: int) -> SinkWriter:
        """The writer of a sink for a statement without a job."""
        writer = self.sources.open_sink(spec, task_index)
        assert not isinstance(writer, BlockingSink)  # only managed tables are written to without a job
        return writer

    @property
    def running(self) -> list[JobResult]:
        """Those at work, or whose rows wait; from any thread."""
        return list(self._running)

    @property
    def endless(self) -> list[JobResult]:
        """The queries without end that run, in the order in which they began."""
        return [result for result in self._running if result.endless]

    def _workers(self, settings: Settings) -> WorkerPool:
        threads = settings.get(PARALLELISM)
        if self._pool is not None and self._pool.threads != threads and not self._running:
            self._pool.close()
            self._pool = None
        if self._pool is None:
            self._pool = WorkerPool(threads)
        return self._pool

    def begin_statement(self) -> None:
        """What was cancelled before is of no concern to the statement that begins now."""
        self._interrupted.clear()

    @property
    def interrupted(self) -> bool:
        """Whether the statement that runs is to end."""
        return self._interrupted.is_set()

    def cancel(self) -> None:
        """Stops everything that runs or waits, from any thread."""
        self._interrupted.set()
        for result in list(self._running):
            result.cancel()

    def close(self) -> None:
        """Cancels what runs and ends the worker threads."""
        for result in list(self._running):
            result.close()
        if self._pool is not None:
            self._pool.close()
            self._pool = None
