"""Who runs tasks: a pool of worker threads.

Runnable tasks are taken round robin from one queue that all workers share.  The pool outlives jobs, so that a
query starts in microseconds; idle workers sleep.  Invariant: a task is in the queue at most once (the task sees to it).
"""

from __future__ import annotations

import atexit
import sys
import threading
import time
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from tableflow.recursion import STACK_BYTES, stack_of
from tableflow.runtime.chain import Budget
from tableflow.runtime.timers import TimerQueue

STEP_NANOSECONDS = 5_000_000
"""How long a step may go on before other tasks get their turn."""

_SWITCH_INTERVAL = 0.0005
_NO_LIMIT = 1 << 62


class Runnable(Protocol):
    """What a scheduler runs."""

    def run(self) -> None:
        """One turn; submits itself again if there is more to do."""
        ...


class Scheduler(Protocol):
    """What tasks need of a scheduler, be it threads or a simulation."""

    def now(self) -> int:
        """Microseconds since 1970; never turns back."""
        ...

    def submit(self, task: Runnable) -> None:
        """Runs the task soon."""
        ...

    def call_at(self, time: int, callback: Callable[[], Any]) -> int:
        """Calls ``callback`` at ``time``; the handle goes to :meth:`cancel_call`."""
        ...

    def cancel_call(self, handle: int) -> None:
        """Forgets a call that has not come yet."""
        ...

    def budget(self) -> Budget:
        """How much the next step may do."""
        ...


_ALIKE_NANOSECONDS = 1_000_000
"""Clocks so close to each other show the same time."""
_LONGEST_SLEEP = 1.0
"""Seconds after which a worker looks at the clock again when a timer is set: it may have been put forward."""


class _Nudge:
    """Makes a sleeping worker look at the timers again."""

    def run(self) -> None:
        """Nothing else to do."""


_NUDGE = _Nudge()
_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()


@atexit.register
def _close_pools() -> None:
    """Ends the workers before the interpreter goes: a thread that comes back from a kernel after that ends the process."""
    for pool in list(_pools):
        pool.close()


class Clock:
    """Microseconds since 1970 by the clock on the wall, which never turn back.

    A machine that has slept wakes up late, and a clock may be put forward: then time goes there at once.  Where the clock is put back
    time goes on, a tenth slower until the clock has caught up, so that timers come that were set before.
    """

    __slots__ = ("_at", "_lock", "_steady", "_time", "_wall")

    def __init__(self, wall: Callable[[], int] = time.time_ns, steady: Callable[[], int] = time.monotonic_ns) -> None:
        """Both give nanoseconds; ``steady`` from any moment on, it may stand while the machine sleeps."""
        self._wall = wall
        self._steady = steady
        self._lock = threading.Lock()
        self._time = wall()
        self._at = steady()

    def now(self) -> int:
        """Never less than before, in any thread."""
        with self._lock:
            # In this order: who is stopped in between has seen a wall clock that is behind, which changes nothing.
            wall, steady = self._wall(), self._steady()
            passed = steady - self._at
            self._at = steady
            ahead = self._time + passed - wall
            if ahead > _ALIKE_NANOSECONDS:
                passed -= min(passed // 10, ahead)
            self._time = max(self._time + passed, wall)
            return self._time // 1000


class WorkerPool:
    """Threads that run the tasks of any number of jobs."""

    def __init__(self, threads: int, clock: Clock | None = None) -> None:
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._queue: SimpleQueue[Runnable | None] = SimpleQueue()
        self._timers = TimerQueue()
        self._clock = Clock() if clock is None else clock
        self._threads = [
            threading.Thread(target=self._work, name=f"tableflow-worker-{i}", daemon=True) for i in range(threads)
        ]
        with stack_of(STACK_BYTES):
            for thread in self._threads:
                thread.start()
        _pools.add(self)

    @property
    def threads(self) -> int:
        """How many workers there are."""
        return len(self._threads)

    def now(self) -> int:
        """Microseconds since 1970, see :class:`Clock`."""
        return self._clock.now()

    def submit(self, task: Runnable) -> None:
        """Runs the task on the next free worker."""
        self._queue.put(task)

    def call_at(self, time: int, callback: Callable[[], Any]) -> int:
        """Calls ``callback`` on a worker once :meth:`now` has reached ``time``."""
        first = self._timers.next_time()
        handle = self._timers.add(time, callback)
        # A worker looks at the timers by itself before it sleeps; others may sleep past the new one.
        if (first is None or time < first) and threading.current_thread() not in self._threads:
            self._queue.put(_NUDGE)
        return handle

    def cancel_call(self, handle: int) -> None:
        """Forgets a call that has not come yet."""
        self._timers.cancel(handle)

    def budget(self) -> Budget:
        """5 ms."""
        return Budget(time.perf_counter_ns() + STEP_NANOSECONDS, _NO_LIMIT)

    def close(self) -> None:
        """Ends the threads, after the turns that run now; jobs must have ended."""
        _pools.discard(self)
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while True:
            try:
                task = self._queue.get(timeout=self._call_due())
            except Empty:
                continue
            if task is None:
                return
            task.run()
            del task  # a worker that waits holds on to nothing: not to files that a table has replaced, nor to memory

    def _call_due(self) -> float | None:
        """Calls what is due; the seconds until the next timer."""
        while len(self._timers):
            now = self.now()
            callbacks = self._timers.due(now)
            if not callbacks:
                following = self._timers.next_time()
                return None if following is None else min(max(0.0, (following - now) / 1e6), _LONGEST_SLEEP)
            for callback in callbacks:
                callback()
        return None
