r"""Jobs that run while statements come and go: what keeps streaming tables, and INSERT from rows without end.

::

    running --all input ended--> finished
       |  \--an error----------> failed
       |---stop(): the epoch under way passes---> stopped
       \---cancel()------------------------------> cancelled

Invariant: jobs belong to the database and not to the session that began them; a job that reads another's table began after it, so
flushing them in the order in which they began carries every change through all of them.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Protocol

from tableflow.config import EPOCH_INTERVAL, PARALLELISM, Settings
from tableflow.connectors.registry import Sources
from tableflow.errors import CatalogError, TableFlowError
from tableflow.physical.build import build_operator
from tableflow.runtime.counters import JobCounters
from tableflow.runtime.job import Job
from tableflow.runtime.scheduler import WorkerPool
from tableflow.session.awaiting import in_order
from tableflow.session.job_description import JobDescription, JobState
from tableflow.session.planned import Planned

_STOP_SECONDS = 10.0
_SAMPLE_SECONDS = 1.0
_SAMPLES = 5
"""How often a job is looked at, and how many looks are kept: rates are of so many seconds."""


class BackgroundJob:
    """A job with a thread that waits for its end."""

    def __init__(self, id: int, description: JobDescription, planned: Planned | None) -> None:
        self.id = id
        self.description = description
        self.planned = planned
        self.state = JobState.RUNNING
        self.error: TableFlowError | None = None
        self.began = time.time()
        self.ended = 0
        """When all its input had ended, in nanoseconds of the performance counter."""
        self.until: float | None = None
        """When it was over, in seconds since 1970."""
        self._job: Job | None = None
        self._thread: threading.Thread | None = None
        self._ending: JobState | None = None
        self._samples: deque[tuple[float, JobCounters]] = deque(maxlen=_SAMPLES)

    def start(self, job: Job) -> None:
        """Sets it going."""
        self._job = job
        if self.description.reading is not None and self.planned is not None:
            self.description.reading.begin(job, self.planned)
        job.start()
        self._thread = threading.Thread(target=self._watch, name=f"tableflow-job-{self.id}", daemon=True)
        self._thread.start()

    def epoch_passed(self, number: int) -> None:
        """All its tasks have passed an epoch."""
        if self.description.reading is not None:
            self.description.reading.epoch_passed(number)

    def lost(self, error: TableFlowError) -> None:
        """It could not be started again."""
        self.state, self.error = JobState.LOST, error

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self.state is JobState.RUNNING

    def advice(self, schema: str) -> str:
        """Where a schema is the current one, how one that has ended goes on, which no statement makes it do; empty while it runs and when it has finished."""
        if self.state in {JobState.RUNNING, JobState.FINISHED}:
            return ""
        if self.description.table is None:
            return f"the INSERT INTO {self.called(schema)} has to be run again"
        anew = f"CREATE OR REPLACE STREAMING TABLE {self.called(schema)} AS ... begins anew"
        if not self.description.replayable:
            return anew
        return f"{anew}; so does the job when the database is opened again and its inputs are there"

    def called(self, schema: str) -> str:
        """What it writes to, as people call it where a schema is the current one."""
        return self.description.called(schema)

    @property
    def replaces(self) -> bool:
        """See :class:`JobDescription`."""
        return self.description.replaces

    def flush(self, interrupted: Callable[[], bool], *, everything: bool = False) -> None:
        """Returns when what its sources had when this was called has had its effect, or when interrupted; ``everything``: see
        :meth:`~tableflow.runtime.job.Job.flush`.
        """
        if self.running and self._job is not None:
            reading = self.description.reading
            again = reading is not None and reading.replacing
            self._job.flush(interrupted=interrupted, everything=everything or again)
            if again and reading is not None and reading.passed:
                self._job.flush(
                    interrupted=interrupted
                )  # the epoch before has found that this one may replace the table
            if self._job.stopping or not self._job.running:
                self.wait()  # SHOW JOBS says afterwards what became of it

    def stop(self) -> None:
        """Ends it when what its sources have given so far is written."""
        if self.running and self._job is not None:
            if self.description.control is not None:
                self.description.control.ending = True
            self._job.flush(_STOP_SECONDS)
            self._end(JobState.STOPPED)

    def cancel(self) -> None:
        """Ends it at once."""
        self._end(JobState.CANCELLED)

    def wait(self, timeout: float | None = None) -> bool:
        """Whether it has ended within so many seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.running

    def counters(self) -> JobCounters | None:
        """What it has done so far."""
        return None if self._job is None else self._job.counters()

    def counters_before(self) -> tuple[float, JobCounters] | None:
        """What it had done some seconds ago, and how many; None if it has just begun."""
        samples = tuple(self._samples)
        return None if not samples else (time.monotonic() - samples[0][0], samples[0][1])

    def _end(self, state: JobState) -> None:
        if not self.running or self._job is None:
            return
        self._ending = state
        self._job.cancel()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)

    def _watch(self) -> None:
        job = self._job
        assert job is not None
        try:
            self._wait(job)
            self.ended = time.perf_counter_ns()
            self._note()
            self._over(self._ending or JobState.FINISHED)
        except TableFlowError as error:
            error.script = error.script or self.description.script or self.description.text
            self._note()
            self.error = None if self._ending else error
            self._over(self._ending or JobState.FAILED)
        finally:
            job.close()

    def _over(self, state: JobState) -> None:
        """It has ended; whoever sees the state sees the rest."""
        self.until = time.time()
        self.state = state

    def _note(self) -> None:
        if self.description.reading is not None:
            self.description.reading.note()

    def _wait(self, job: Job) -> None:
        """Until it has ended; looks now and then at what it has done, so that it can be said how fast it is."""
        while True:
            try:
                if job.next_batch(_SAMPLE_SECONDS) is None:
                    return
            except TimeoutError:
                self._samples.append((time.monotonic(), job.counters()))


class Door(Protocol):
    """What lets other processes ask about jobs."""

    def close(self) -> None:
        """Ends that."""
        ...


class JobKeeper:
    """All jobs of one database, on worker threads of their own, numbered from ``first``; ``door`` lets others ask about them."""

    def __init__(self, first: int = 1, door: Callable[[JobKeeper], Door] | None = None) -> None:
        self._lock = threading.Lock()
        self._jobs: list[BackgroundJob] = []
        self._ids = itertools.count(first)
        self._pool: WorkerPool | None = None
        self._open_door = door
        self._door: Door | None = None
        self.unheard: OSError | None = None
        """Why no other process can ask."""

    @property
    def jobs(self) -> Sequence[BackgroundJob]:
        """All of them in the order in which they began, also those that have ended."""
        with self._lock:
            return tuple(self._jobs)

    @property
    def running(self) -> Sequence[BackgroundJob]:
        """Those at work."""
        return [job for job in self.jobs if job.running]

    def start(
        self, description: JobDescription, planned: Planned, sources: Sources, settings: Settings
    ) -> BackgroundJob:
        """Sets a plan going."""
        begun = self._new(description, planned)
        opened = sources.with_settings(settings)
        job = Job(
            planned.lowered.graph,
            build_operator,
            opened.open,
            settings,
            self._workers(settings),
            sinks=opened.open_sink,
            lookups=opened.open_lookup,
            epoch_interval=settings.get(EPOCH_INTERVAL),
            on_epoch=begun.epoch_passed,
        )
        begun.start(job)
        return begun

    def lose(self, description: JobDescription, error: TableFlowError) -> None:
        """Remembers a job that cannot be started again."""
        self._new(description, None).lost(error)

    def _new(self, description: JobDescription, planned: Planned | None) -> BackgroundJob:
        with self._lock:
            job = BackgroundJob(next(self._ids), description, planned)
            self._jobs.append(job)
            if self._open_door is not None and self._door is None:
                try:
                    self._door = self._open_door(self)
                except OSError as error:  # the jobs themselves are none the worse
                    self._open_door, self.unheard = None, error
        return job

    def find(self, id: int) -> BackgroundJob:
        """The job of this number."""
        for job in self.jobs:
            if job.id == id:
                return job
        raise CatalogError(f"there is no job {id}", hint="SHOW JOBS lists all")

    def of_table(self, table: int) -> BackgroundJob | None:
        """The newest job that keeps a table."""
        return next((job for job in reversed(self.jobs) if job.description.table == table), None)

    def check_unread(self, tables: Mapping[int, str], doing: str, schema: str) -> None:
        """Refuses to do something to tables, by id and name, whose changes another running job takes; ``schema`` is the current one."""
        for table, name in tables.items():
            writers = [job for job in self.running if table in job.description.late_rows]
            if any(job.description.table not in tables for job in writers):
                raise CatalogError(
                    f"table {name!r} cannot be {doing} while job {writers[0].id} writes its late rows to it",
                    hint=f"STOP JOB {writers[0].id} first",
                )
            readers = [job for job in self.running if table in job.description.reads]
            readers = [job for job in readers if job.description.table not in tables]
            if readers:
                job = readers[0]
                target = job.called(schema)
                kept = job.description.table is not None
                raise CatalogError(
                    f"table {name!r} cannot be {doing} while {'streaming table' if kept else 'the job that writes to'}"
                    f" {target!r} reads it",
                    hint=f"{f'DROP TABLE {target}' if kept else f'STOP JOB {job.id}'} first",
                )

    def check_unused(self, names: Mapping[tuple[str, str], str], gone: Container[int], schema: str) -> None:
        """Refuses to drop what a running job reads or an INSERT writes; but for jobs of the managed tables ``gone``."""
        for job in self.running:
            about = job.description
            for doing, used in (("reads", about.sources), ("writes to", about.targets)):
                found = sorted(names.keys() & used)
                if found and about.table not in gone:
                    raise CatalogError(
                        f"table {names[found[0]]!r} cannot be dropped while job {job.id} {doing} it",
                        detail=f"the job keeps {job.called(schema)!r} up to date" if doing == "reads" else None,
                        hint=f"STOP JOB {job.id} first"
                        + ("" if about.table is None else f", or DROP TABLE {job.called(schema)}"),
                    )

    def flush(
        self, interrupted: Callable[[], bool], jobs: Sequence[BackgroundJob] | None = None, *, everything: bool = False
    ) -> None:
        """Waits until every change that is committed has had its effect on all tables, or on those that some ``jobs`` keep.

        ``everything``: and all that there is to read besides.  It gives up when interrupted.
        """
        chosen = self.running if jobs is None else jobs
        for job in in_order(sorted(chosen, key=lambda one: one.description.table is not None)):
            job.flush(interrupted, everything=everything)

    def forget(self, table: int) -> None:
        """Ends the job of a table that is to be dropped, and does not list those that it had."""
        job = self.of_table(table)
        if job is not None:
            job.cancel()
        with self._lock:
            self._jobs = [one for one in self._jobs if one.description.table != table]

    def stop(self) -> None:
        """Stops all jobs at an epoch, the last one first."""
        for job in reversed(self.running):
            job.stop()

    def close(self) -> None:
        """Stops all jobs, and ends the worker threads."""
        with self._lock:
            door, self._door, self._open_door = self._door, None, None
        if door is not None:
            door.close()
        self.stop()
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _workers(self, settings: Settings) -> WorkerPool:
        with self._lock:
            if self._pool is None:
                self._pool = WorkerPool(settings.get(PARALLELISM))
            return self._pool
