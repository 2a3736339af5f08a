"""Processing-time timers: the queue of a scheduler, and what one task waits for.

Invariant: a callback runs at most once, never before its time, in the order of times (equal ones in the order set).
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from typing import Any, Protocol

from tableflow.runtime.operator import Wake
from tableflow.runtime.wake import After, Signal


class TimerQueue:
    """Callbacks by time; safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: list[tuple[int, int]] = []
        self._callbacks: dict[int, Callable[[], Any]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._callbacks)

    def add(self, time: int, callback: Callable[[], Any]) -> int:
        """Calls ``callback`` when :meth:`due` is asked at ``time`` or later; gives a handle."""
        with self._lock:
            self._count += 1
            handle = self._count
            self._callbacks[handle] = callback
            heapq.heappush(self._entries, (time, handle))
            return handle

    def cancel(self, handle: int) -> None:
        """Forgets a callback; what has run already is ignored."""
        with self._lock:
            self._callbacks.pop(handle, None)
            while self._entries and self._entries[0][1] not in self._callbacks:
                heapq.heappop(self._entries)

    def next_time(self) -> int | None:
        """When the next callback is due."""
        with self._lock:
            return self._entries[0][0] if self._entries else None

    def due(self, now: int) -> list[Callable[[], Any]]:
        """Takes out everything that is due."""
        taken: list[Callable[[], Any]] = []
        with self._lock:
            while self._entries and self._entries[0][0] <= now:
                _, handle = heapq.heappop(self._entries)
                callback = self._callbacks.pop(handle, None)
                if callback is not None:
                    taken.append(callback)
        return taken


class Timekeeper(Protocol):
    """The part of a scheduler that timers need."""

    def now(self) -> int:
        """Microseconds since 1970; never turns back."""
        ...

    def call_at(self, time: int, callback: Callable[[], Any]) -> int:
        """Calls ``callback`` at ``time``."""
        ...

    def cancel_call(self, handle: int) -> None:
        """Forgets a call that has not come yet."""
        ...


class TimedChain(Protocol):
    """Who gets a timer that has come."""

    def timer(self, position: int, time: int) -> None:
        """A timer of the operator at ``position``."""
        ...

    def ready(self, position: int) -> None:
        """What the operator at ``position`` waits for has come."""
        ...


def _nobody() -> None:
    """Nobody waits yet."""


class TaskTimers:
    """The timers of one task: its operators', and one call of the scheduler for the earliest thing it waits for."""

    def __init__(self, scheduler: Timekeeper) -> None:
        self.wake: Callable[[], Any] = _nobody
        self._scheduler = scheduler
        self._timers: list[tuple[int, int]] = []
        self._known: set[tuple[int, int]] = set()
        self._armed: tuple[int, int] | None = None
        self._delays: list[int] = []
        self._awaited: list[tuple[Wake, int]] = []

    @property
    def pending(self) -> bool:
        """Whether any operator has a timer, or waits for something."""
        return bool(self._timers or self._awaited)

    def notify(self, wake: Wake, position: int) -> None:
        """Tells the operator at ``position`` once when ``wake`` is ready."""
        self._awaited.append((wake, position))
        wake.subscribe(self.wake)

    def set(self, time: int, position: int) -> None:
        """A timer of the operator at ``position``; equal ones are one."""
        if (time, position) not in self._known:
            self._known.add((time, position))
            heapq.heappush(self._timers, (time, position))

    def deliver(self, chain: TimedChain) -> bool:
        """Hands something that has come to the chain: what an operator waits for, or the earliest timer; whether there was any."""
        for at, (wake, position) in enumerate(self._awaited):
            if wake.ready:
                del self._awaited[at]
                chain.ready(position)
                return True
        if not self._timers or self._timers[0][0] > self._scheduler.now():
            return False
        time, position = heapq.heappop(self._timers)
        self._known.discard((time, position))
        chain.timer(position, time)
        return True

    def arm(self, deadline: int | None) -> None:
        """Wakes the task at ``deadline`` or its earliest timer, whichever comes first."""
        if self._timers and (deadline is None or self._timers[0][0] < deadline):
            deadline = self._timers[0][0]
        if deadline is None:
            return
        armed = self._armed
        if armed is not None:
            if armed[0] <= deadline:
                return
            self._scheduler.cancel_call(armed[1])
        self._armed = (deadline, self._scheduler.call_at(deadline, self._fire))

    def _fire(self) -> None:
        self._armed = None
        self.wake()

    def after(self, delay: After) -> Signal:
        """A signal that is set when the delay is over."""
        signal = Signal()
        self._delays.append(self._scheduler.call_at(self._scheduler.now() + delay.microseconds, signal.set))
        del self._delays[:-8]  # older ones are over: a task waits for a few things at a time
        return signal

    def close(self) -> None:
        """Forgets everything, the task too."""
        self.wake = _nobody
        self._timers.clear()
        self._awaited.clear()
        if self._armed is not None:
            self._scheduler.cancel_call(self._armed[1])
            self._armed = None
        for handle in self._delays:
            self._scheduler.cancel_call(handle)
        self._delays.clear()
