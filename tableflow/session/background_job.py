r"""A job that runs while statements come and go: what keeps a streaming table, or an INSERT from rows without end.

::

    running --all input ended--> finished
       |  \--an error----------> failed
       |---stop(): the epoch under way passes---> stopped
       \---cancel()------------------------------> cancelled

Invariant: when :meth:`BackgroundJob.wait` has said that it has ended, its state and error are what became of it, and nothing works for
it any more.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from tableflow.errors import CancelledError, TableFlowError
from tableflow.runtime.counts import JobCounters
from tableflow.runtime.job import Job
from tableflow.session.job_description import JobDescription, JobState
from tableflow.session.planned import Planned

_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.002
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
        job.start(open_all=True)
        self._thread = threading.Thread(target=self._watch, name=f"tableflow-job-{self.id}", daemon=True)
        self._thread.start()

    def await_begin(self, timeout: float, more: float) -> None:
        """Returns when all its tasks are open, ``more`` seconds later, or when it has ended."""
        limit = time.monotonic() + timeout
        while self.running and self._job is not None and not self._job.begun() and time.monotonic() < limit:
            if self.wait(_LOOK_SECONDS):
                return
        self.wait(more)

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
            if not self._job.running:
                self.wait(_STOP_SECONDS)  # it has failed or finished meanwhile
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
            ending = self._ending if isinstance(error, CancelledError) else None
            self.error = None if ending else error
            self._over(ending or JobState.FAILED)
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
