"""When a task gets its turn: the state machine between those that wake it and the workers that run it.

::

    waiting --wake()--> runnable --a worker takes it--> running --wake()--> notified
       ^                   ^                              | |                  |
       |                   +---- step: more to do --------+ |                  |
       +------------------------ step: nothing to do -------+                  |
                           ^                                                   |
                           +---- step: nothing to do, or more -----------------+
                                 step: ended, failed, cancelled --> ended

Invariants: a task is in the scheduler's queue at most once and runs on at most one thread; a wake-up between its last
look at an input and its going to sleep is never lost.
"""

from __future__ import annotations

import enum
import threading


class State(enum.Enum):
    """See the diagram above."""

    WAITING = enum.auto()
    RUNNABLE = enum.auto()
    RUNNING = enum.auto()
    NOTIFIED = enum.auto()
    ENDED = enum.auto()


class Outcome(enum.Enum):
    """What a step says."""

    WAIT = enum.auto()
    MORE = enum.auto()
    ENDED = enum.auto()


_WAITING, _RUNNABLE, _RUNNING = State.WAITING, State.RUNNABLE, State.RUNNING


class Turns:
    """The state of one task; whoever is told True must hand it to the scheduler."""

    __slots__ = ("_lock", "state")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.state = State.WAITING

    def wake(self) -> bool:
        """Something has happened that the task may wait for; from any thread."""
        state = self.state
        # A task that is runnable looks at everything again anyway: no need for the lock.
        if state is not _WAITING and state is not _RUNNING:
            return False
        with self._lock:
            if self.state is _RUNNING:
                self.state = State.NOTIFIED
            if self.state is not _WAITING:
                return False
            self.state = _RUNNABLE
            return True

    def begin(self) -> None:
        """A worker has taken the task out of the queue; nobody else changes a runnable task."""
        self.state = _RUNNING

    def settle(self, outcome: Outcome) -> bool:
        """A step is over; whether the task is to run again."""
        with self._lock:
            if outcome is Outcome.ENDED:
                self.state = State.ENDED
                return False
            if outcome is Outcome.WAIT and self.state is _RUNNING:
                self.state = _WAITING
                return False
            self.state = _RUNNABLE
            return True
