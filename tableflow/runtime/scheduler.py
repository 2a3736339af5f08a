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


class WorkerPool:
    """Threads that run the tasks of any number of jobs."""

    def __init__(self, threads: int) -> None:
        sys.setswitchinterval(_SWITCH_INTERVAL)
        self._queue: SimpleQueue[Runnable | None] = SimpleQueue()
        self._timers = TimerQueue()
        self._offset = time.time_ns() - time.monotonic_ns()
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
        """Microseconds since 1970, counted by the monotonic clock."""
        return (time.monotonic_ns() + self._offset) // 1000

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
                return None if following is None else max(0.0, (following - now) / 1e6)
            for callback in callbacks:
                callback()
        return None
