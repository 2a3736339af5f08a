r"""A running job: tasks, its result, and how it ends.

::

    made --start()--> running --all tasks ended--> done --close()--> closed
                        |  \--a task failed------> stopping --all tasks ended--> done
                        |---cancel()--------------> stopping
                        \---result complete, no side effects elsewhere--> stopping (quietly)

Invariants: the first error wins; after :meth:`Job.close` no reservation is held, every operator and reader was closed
and no thread works for the job any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tableflow.columnar.batch import Batch
from tableflow.config import CHANNEL_BATCHES, MEMORY_LIMIT, SCHEDULER_SEED, Settings
from tableflow.errors import CancelledError, InternalError, TableFlowError
from tableflow.runtime.channel import Channel
from tableflow.runtime.checkpoint import Acknowledgement, Beginning, Checkpoints, TaskId, TaskSnapshot
from tableflow.runtime.counts import JobCounters
from tableflow.runtime.deployment import Build, Deployment, Sources, Surroundings
from tableflow.runtime.epochs import Epochs
from tableflow.runtime.events import EndOfInput, Epoch
from tableflow.runtime.graph import JobGraph
from tableflow.runtime.lookup import Lookups, no_lookups
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.pace import Pace
from tableflow.runtime.scheduler import WorkerPool
from tableflow.runtime.simulation import SimulatedScheduler
from tableflow.runtime.sink import Prepared, Sinks, no_sinks
from tableflow.runtime.task import Task
from tableflow.runtime.wake import Bell

OnCheckpoint: TypeAlias = Callable[[int, tuple[TaskSnapshot, ...]], None]

_SLICE_SECONDS = 0.5
_STUCK_SECONDS = 60.0
_CANCEL_SECONDS = 60.0


class Job:
    """One execution of a job graph; used from one thread, except :meth:`cancel`, which any thread may call."""

    def __init__(
        self,
        graph: JobGraph,
        build: Build,
        sources: Sources,
        settings: Settings,
        pool: WorkerPool | None,
        *,
        memory: MemoryPool | None = None,
        on_checkpoint: OnCheckpoint | None = None,
        restored: Sequence[TaskSnapshot] = (),
        sinks: Sinks = no_sinks,
        lookups: Lookups = no_lookups,
        epoch_interval: int | None = None,
        on_epoch: Callable[[int], None] | None = None,
    ) -> None:
        """``pool`` may be None when ``settings`` give a seed; ``memory`` is shared with other jobs if given.
        ``sinks`` opens the writers of tasks that write.  Epochs begin every ``epoch_interval`` microseconds; ``on_epoch`` is
        told the number of each when all has passed it, on a worker's thread.

        ``on_checkpoint`` gets the snapshots of all tasks when a checkpoint is complete; ``restored`` are such
        snapshots, of the same graph, to begin from.
        """
        self.stopping = False
        self.memory = MemoryPool(settings.get(MEMORY_LIMIT)) if memory is None else memory
        self._lock = threading.Lock()
        self._error: TableFlowError | None = None
        self._complete = False
        self._bell = Bell()
        seed = settings.get(SCHEDULER_SEED)
        self._simulation = SimulatedScheduler(seed) if seed >= 0 else None
        scheduler = self._simulation or pool
        if scheduler is None:
            raise InternalError("a job needs a worker pool or a seed")
        self._clock = scheduler
        self._driver = threading.RLock()
        self._result = Channel(settings.get(CHANNEL_BATCHES), self.memory)
        self._result.consumer = self
        self._pace = Pace(epoch_interval, scheduler)
        saved = {snapshot.task: snapshot for snapshot in restored}
        keeps = on_checkpoint is not None
        around = Surroundings(
            build, sources, settings, scheduler, self.memory, self, self._result, keeps_snapshots=keeps, restored=saved,
            sinks=sinks,
            lookups=lookups,
            pace=self._pace,
        )  # fmt: skip
        self._deployment = Deployment(graph, around)
        self._open_tasks = {task.id for task in self._deployment.tasks}
        self._on_checkpoint = on_checkpoint
        self._checkpoints = Checkpoints([task.id for task in self._deployment.tasks])
        last = [task for task in self._deployment.tasks if task.id[0] in self._deployment.topology.last_stages]
        self._on_epoch = on_epoch
        self._passed = 0
        self.epochs = Epochs(
            epoch_interval, scheduler, [task.id for task in last], self._send_epoch, self._epoch_passed
        )
        for task in last:
            task.report_epochs(self.epochs.arrived)

    def start(self, *, open_all: bool = False) -> None:
        """Sets the tasks going; returns at once.  ``open_all``: also those that have to wait for rows open their writers now."""
        for task in tuple(self._deployment.tasks if open_all else self._deployment.first):
            task.wake()
        self.epochs.start()

    def begun(self) -> bool:
        """Whether all tasks have had a turn, or the job has ended."""
        return not self._open_tasks or all(task.begun for task in tuple(self._deployment.tasks))

    def next_batch(self, timeout: float | None = None, epoch: int | None = None) -> Batch | None:
        """The next batch of the result, or None at its end or that of an ``epoch``; raises the job's error, or TimeoutError.

        Producers wait while results are unread.  An interrupt (KeyboardInterrupt) cancels the job.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        try:
            while True:
                heard = self._bell.rings
                # Looked at first: what the tasks left behind when they ended is found below, not overlooked.
                ended = not self._open_tasks or (epoch is not None and self._passed >= epoch)
                if self._error is not None and not self._complete:
                    raise self._error
                if self._result.ready:
                    event, _ = self._result.next()
                    if isinstance(event, Batch):
                        return event
                    if isinstance(event, EndOfInput):
                        self._completed()
                elif ended:
                    return None
                else:
                    self._wait(heard, limit)
        except (KeyboardInterrupt, SystemExit):
            self.cancel()
            raise

    def _completed(self) -> None:
        """The result is complete: what still runs is of no use, unless it has effects of its own."""
        if not self._deployment.topology.has_side_effects:
            self._complete = True
            self._stop(None)

    def _wait(self, heard: int, limit: float | None) -> None:
        """Waits for something to happen; drives the tasks if nobody else does."""
        remaining = None if limit is None else limit - time.monotonic()
        if remaining is not None and remaining <= 0:
            raise TimeoutError("no batch of the result has come in time")
        if self._simulation is None:
            # In slices, so that a signal that another thread received is noticed.
            self._bell.wait(heard, _SLICE_SECONDS if remaining is None else min(remaining, _SLICE_SECONDS))
            return
        with self._driver:
            if self._simulation.advance() or not self._open_tasks:
                return
        if not self._simulation.wait(_STUCK_SECONDS if remaining is None else remaining) and remaining is None:
            raise InternalError("the job is stuck: no task can run")

    def cancel(self) -> None:
        """Stops every task and returns when all have closed; readers of the result get CancelledError."""
        self._stop(CancelledError("the query was cancelled"))
        self._await_end()

    def close(self) -> None:
        """Ends the job in whatever state it is and gives everything back; called again it does nothing."""
        self._stop(None if self._complete else CancelledError("the query was closed"))
        self._await_end()
        self._deployment.dispose()
        self._result.dispose()
        self.epochs.dispose()
        self._pace.dispose()

    def wait(self, timeout: float | None = None) -> None:
        """Drops the rest of the result and returns when the job has ended; raises its error."""
        while self.next_batch(timeout) is not None:
            pass

    @property
    def prepared(self) -> Sequence[Prepared]:
        """What the tasks' sinks have ready to be committed, by stage and task; complete once the job has ended."""
        return sorted(self._deployment.prepared, key=lambda one: (one.stage, one.task_index))

    def counters(self) -> JobCounters:
        """What the job has done so far."""
        return self._deployment.counters()

    def inject(self, epoch: Epoch) -> None:
        """Sends an epoch through all sources; with a checkpoint use :meth:`checkpoint`."""
        for task in self._deployment.tasks:
            task.inject(epoch)

    def flush(
        self,
        timeout: float | None = None,
        interrupted: Callable[[], bool] = lambda: False,
        *,
        everything: bool = False,
    ) -> bool:
        """Waits until all that the sources have given so far has had its effect; False if that took longer, or never will.

        It is an epoch: everything before it has passed every operator and sink.  It passes a source when all changes of a
        managed table that are committed, and all rows that were handed to its reader, are before it; with ``everything`` it begins
        when what else there is to read (files, whatever has an end) has been given as well.
        """
        limit = None if timeout is None else time.monotonic() + timeout
        if everything and not self._await(self.ask_sources(), limit, interrupted):
            return False
        number = self.epochs.ask()
        return self._await(lambda: self._passed >= number, limit, interrupted)

    def ask_sources(self) -> Callable[[], bool]:
        """Asks all sources what there is to read now; tells whether all of that has been given."""
        left: set[TaskId] = set()

        def told(task: TaskId) -> None:
            left.discard(task)
            self._bell.ring()

        for task in self._deployment.tasks:
            if task.id in self._open_tasks:
                left.add(task.id)
                if not task.ask(told):
                    left.discard(task.id)
        return lambda: not left & self._open_tasks

    def _await(self, come: Callable[[], bool], limit: float | None, interrupted: Callable[[], bool]) -> bool:
        """Waits for something to come, which the end of the job does; whether it has, or the job has ended without an error."""
        while True:
            heard = self._bell.rings
            if come() or not self._open_tasks:
                return come() or self._error is None
            if interrupted() or (limit is not None and time.monotonic() > limit):
                return False
            if self._simulation is not None:
                with self._driver:
                    if self._simulation.advance():
                        continue
            self._bell.wait(heard, 0.05)

    def _send_epoch(self, epoch: Epoch) -> None:
        self._pace.begins(epoch.number)
        self.inject(epoch)

    def _epoch_passed(self, number: int) -> None:
        self._pace.passed()
        if self._on_epoch is not None:
            self._on_epoch(number)
        self._passed = max(self._passed, number)  # another thread may have told of a later one already
        self._bell.ring()

    def checkpoint(self, epoch: int, checkpoint: int) -> Beginning:
        """Begins a checkpoint with epoch number ``epoch``, or says why not; needs ``on_checkpoint``."""
        unsealed = [key for key, build in self._deployment.builds.items() if not build.sealed.ready]
        with self._lock:
            ending = self.stopping or not self._open_tasks or self._on_checkpoint is None
            decision = self._checkpoints.begin(checkpoint, ending=ending, unsealed=unsealed)
        if decision is Beginning.BEGUN:
            self.inject(Epoch(epoch, checkpoint, self._clock.now()))
            for task in self._deployment.tasks:
                self._acknowledge_ended(task)
        return decision

    def acknowledged(self, checkpoint: int, snapshot: TaskSnapshot) -> None:
        """A task has saved its state."""
        with self._lock:
            outcome, snapshots = self._checkpoints.acknowledge(checkpoint, snapshot)
        if outcome is Acknowledgement.COMPLETE and self._on_checkpoint is not None:
            self._on_checkpoint(checkpoint, snapshots)

    def _acknowledge_ended(self, task: Task) -> None:
        """A task that has ended acknowledges every checkpoint with its final state."""
        if task.final is not None:
            for checkpoint in self._checkpoints.awaiting(task.id):
                self.acknowledged(checkpoint, task.final)

    @property
    def running(self) -> bool:
        """Whether any task has not ended."""
        return bool(self._open_tasks)

    def _await_end(self) -> None:
        if self._simulation is not None:
            self._drive_to_end(self._simulation)
        limit = time.monotonic() + _CANCEL_SECONDS
        while True:
            heard = self._bell.rings
            if not self._open_tasks:
                return
            self._bell.wait(heard, _SLICE_SECONDS)
            if time.monotonic() > limit:
                raise InternalError("a task did not stop", detail=f"open tasks: {sorted(self._open_tasks)}")

    def _drive_to_end(self, simulation: SimulatedScheduler) -> None:
        """Lets every task close itself, and closes those whose turn was interrupted and never will come again."""
        with self._driver:
            while self._open_tasks and simulation.advance():
                pass
            for task in self._deployment.tasks:
                if task.id in self._open_tasks:
                    task.abandon()
                    self.ended(task)

    def _stop(self, error: TableFlowError | None) -> None:
        """Makes every task close; an error is kept if it is the first and the job was still at work."""
        with self._lock:
            if error is not None and self._error is None and not self._complete and self._open_tasks:
                self._error = error
            if self.stopping or not self._open_tasks:
                return
            self.stopping = True
        self.epochs.close()
        for build in self._deployment.builds.values():
            build.fail(self._error or CancelledError("the query has its result"))
        for task in self._deployment.tasks:
            task.wake()
        self._bell.ring()

    def wake(self) -> None:
        """The result's channel has something."""
        self._bell.ring()

    def failed(self, error: TableFlowError) -> None:
        """A task failed: keeps the first error and stops the others."""
        self._stop(error)

    def ended(self, task: Task) -> None:
        """A task has closed everything."""
        self._acknowledge_ended(task)
        with self._lock:
            self._open_tasks.discard(task.id)
        self.epochs.ended(task.id)
        if not self._open_tasks:
            self.epochs.close()
            self._bell.ring()
