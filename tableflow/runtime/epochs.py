r"""When a running job's epochs begin, and when each has passed everywhere.

::

    resting --interval over, or asked for--> travelling --every last task has passed it--> resting
                                                 \--asked for meanwhile: the next begins at once--/

Invariant: one epoch travels at a time, so a sink that is slow makes epochs rare and not many.  What has ended has passed every
epoch.  Pure bookkeeping over a clock; the job sends the events.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from tableflow.runtime.checkpoint import TaskId
from tableflow.runtime.events import Epoch
from tableflow.runtime.timers import Timekeeper


def _nobody(_told: Epoch | int) -> None:
    """Nobody is told any more."""


class Epochs:
    """Epochs of one job, counted from 1; safe from any thread."""

    def __init__(
        self,
        interval: int | None,
        clock: Timekeeper,
        last_tasks: Iterable[TaskId],
        send: Callable[[Epoch], None],
        passed: Callable[[int], None],
    ) -> None:
        """``interval`` in microseconds, None: only those that are asked for.  ``passed`` is told the number of each."""
        self._interval = interval
        self._clock = clock
        self._open = set(last_tasks)
        self._send = send
        self._passed = passed
        self._lock = threading.Lock()
        self._number = 0
        self._awaited: set[TaskId] | None = None
        self._wanted = False
        self._call: int | None = None
        self._closed = False

    def start(self) -> None:
        """Begins to count the time."""
        with self._lock:
            self._rest()

    def ask(self) -> int:
        """The number of an epoch that begins after this call: at once, or when the one that travels has passed."""
        with self._lock:
            if self._awaited is not None:
                self._wanted = True
                return self._number + 1
            epoch = self._begin()
        self._travel(epoch)
        return epoch.number

    def arrived(self, number: int, task: TaskId) -> None:
        """One of the last tasks has passed an epoch."""
        self._leave(task, number)

    def ended(self, task: TaskId) -> None:
        """A task has ended: nobody waits for it."""
        with self._lock:
            self._open.discard(task)
        self._leave(task, self._number)

    def close(self) -> None:
        """No more epochs."""
        with self._lock:
            self._closed = True
            self._stop_clock()

    def dispose(self) -> None:
        """Forgets whom it told: nobody asks any more."""
        self._send = self._passed = _nobody

    def _leave(self, task: TaskId, number: int) -> None:
        with self._lock:
            if self._awaited is None or number != self._number:
                return
            self._awaited.discard(task)
            if self._awaited:
                return
            self._awaited = None
        self._passed(number)
        with self._lock:
            if not self._wanted or self._closed or self._awaited is not None:
                self._rest()
                return
            epoch = self._begin()
        self._travel(epoch)

    def _begin(self) -> Epoch:
        self._stop_clock()
        self._wanted = False
        self._number += 1
        self._awaited = set(self._open)
        return Epoch(self._number, time=self._clock.now())

    def _travel(self, epoch: Epoch) -> None:
        self._send(epoch)
        # With nobody left to pass it, it has passed.
        self._leave((-1, -1), epoch.number)

    def _rest(self) -> None:
        if self._interval is not None and not self._closed and self._call is None and self._open:
            self._call = self._clock.call_at(self._clock.now() + self._interval, self._due)

    def _due(self) -> None:
        with self._lock:
            self._call = None
            if self._closed or self._awaited is not None:
                return
            epoch = self._begin()
        self._travel(epoch)

    def _stop_clock(self) -> None:
        if self._call is not None:
            self._clock.cancel_call(self._call)
            self._call = None
