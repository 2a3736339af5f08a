"""A scheduler of one thread whose every decision follows from a seed.

The caller's thread drives it.  Which runnable task is next, and how long its step may be, is drawn from the seed;
time is simulated and moves only when nothing can run.  The same job with the same seed takes the same course.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Any

from tableflow.runtime.chain import Budget
from tableflow.runtime.scheduler import Runnable
from tableflow.runtime.timers import TimerQueue

_FAR = 1 << 62
_MOST_PULLS = 8
_EPOCH = 1_600_000_000_000_000
"""Simulated time begins in September 2020: after most data, and the same in every run."""


class SimulatedScheduler:
    """See the module."""

    def __init__(self, seed: int) -> None:
        self.drawn = 0
        """How many steps have been drawn."""
        self._random = random.Random(seed)
        self._runnable: list[Runnable] = []
        self._timers = TimerQueue()
        self._now = _EPOCH
        self._submitted = threading.Event()

    def now(self) -> int:
        """Simulated microseconds since 1970."""
        return self._now

    def submit(self, task: Runnable) -> None:
        """Makes a task runnable; from any thread, though only the driver's own calls are reproducible."""
        self._runnable.append(task)
        self._submitted.set()

    def call_at(self, time: int, callback: Callable[[], Any]) -> int:
        """Calls ``callback`` when simulated time has reached ``time``."""
        return self._timers.add(time, callback)

    def cancel_call(self, handle: int) -> None:
        """Forgets a call that has not come yet."""
        self._timers.cancel(handle)

    def budget(self) -> Budget:
        """A few pulls."""
        return Budget(_FAR, self._random.randint(1, _MOST_PULLS))

    def advance(self) -> bool:
        """Runs one task, or else moves time to the next timer; whether there was anything to do."""
        if self._runnable:
            self.drawn += 1
            chosen = self._random.randrange(len(self._runnable))
            self._runnable.pop(chosen).run()
            return True
        following = self._timers.next_time()
        if following is None:
            return False
        self._now = max(self._now, following)
        for callback in self._timers.due(self._now):
            callback()
        return True

    def wait(self, timeout: float | None) -> bool:
        """Waits until another thread (blocking I/O) has made a task runnable; whether it did."""
        self._submitted.clear()
        if self._runnable:
            return True
        return self._submitted.wait(timeout)
