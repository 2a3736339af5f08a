"""All jobs of one database, which run while statements come and go.

Invariant: jobs belong to the database and not to the session that began them; a job that reads another's table began after it, so
flushing them in the order in which they began carries every change through all of them.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Container, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tableflow.config import EPOCH_INTERVAL, PARALLELISM, Settings
from tableflow.connectors.registry import Sources
from tableflow.errors import CatalogError, TableFlowError
from tableflow.physical.build import build_operator
from tableflow.runtime.job import Job
from tableflow.runtime.scheduler import WorkerPool
from tableflow.session.awaiting import in_order
from tableflow.session.job_description import JobDescription
from tableflow.session.planned import Planned

if TYPE_CHECKING:
    from tableflow.session.background_job import BackgroundJob


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
        from tableflow.session.background_job import BackgroundJob  # most processes begin none

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
