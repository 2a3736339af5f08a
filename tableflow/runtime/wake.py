"""What a waiting task subscribes to.

A :class:`Signal` is set once, from any thread; whoever subscribes is called exactly once, before or after.
:class:`After` is a plain delay, which only a task can wait for, because only it knows the clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tableflow.errors import InternalError


class Signal:
    """A one-way switch: not ready, then ready for ever."""

    __slots__ = ("_callbacks", "_lock", "_ready")

    def __init__(self, ready: bool = False) -> None:
        self._lock = threading.Lock()
        self._ready = ready
        self._callbacks: list[Callable[[], Any]] = []

    @property
    def ready(self) -> bool:
        """Whether it was set."""
        return self._ready

    def subscribe(self, callback: Callable[[], Any]) -> None:
        """Calls ``callback()`` once: when it is set, or now if it was."""
        with self._lock:
            if not self._ready:
                self._callbacks.append(callback)
                return
        callback()

    def set(self) -> None:
        """Makes it ready and calls all subscribers; setting it again does nothing."""
        with self._lock:
            self._ready = True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


class Bell:
    """Rings again and again, for any number of threads that wait.

    Who looks at :attr:`rings` first, then at what it waits for, and then waits for more rings than that loses none: not even
    one that another thread has heard in the meantime.
    """

    __slots__ = ("_condition", "rings")

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.rings = 0

    def ring(self) -> None:
        """Wakes everybody who waits."""
        with self._condition:
            self.rings += 1
            self._condition.notify_all()

    def wait(self, heard: int, timeout: float) -> None:
        """Returns when it has rung more often than ``heard``, or after ``timeout`` seconds."""
        with self._condition:
            if self.rings == heard:
                self._condition.wait(timeout)


class After:
    """Ready ``microseconds`` after a task began to wait for it, by the scheduler's clock (real or simulated)."""

    __slots__ = ("microseconds",)

    def __init__(self, microseconds: int) -> None:
        self.microseconds = max(0, microseconds)

    @property
    def ready(self) -> bool:
        """Never by itself: the task that waits counts the time."""
        return False

    def subscribe(self, callback: Callable[[], Any]) -> None:
        """Refused: the delay begins when a task waits for it."""
        raise InternalError("a delay can only be waited for by a task")


READY = Signal(ready=True)
"""A wake that is over already: yielding it gives other tasks a turn."""
