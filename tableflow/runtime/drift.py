"""Sources that drift apart: a split whose time is far ahead of the slowest of its group is not read on until that one has come near.

Without it the rows of the fast ones wait in the state of windows and joins for the time of the slow ones.  Flink has the same for splits
(FLIP-217); times are compared here whenever one changes, not at intervals.

Invariants: a split that is idle or has ended holds nobody back; the slowest split is never held back itself, so somebody can always be read.
Tasks on other threads tell their times here: what is decided for one split is decided, and whoever is held back is noted, under one lock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, Protocol


class Waking(Protocol):
    """Who wakes a task, once that exists."""

    wake: Callable[[], Any]


class DriftGroup:
    """The times of all splits, of whatever source, that count in one group of a job; in microseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[Hashable, int] = {}
        self._slowest: int | None = None
        self._held: list[Callable[[], None]] = []

    def tell(self, who: Hashable, time: int | None) -> None:
        """How far a split is, or None: it does not count any more.  Wakes those that were held back if the slowest has moved."""
        with self._lock:
            if time is None:
                before = self._times.pop(who, None)
            else:
                before = self._times.get(who)
                self._times[who] = time
            if before != self._slowest and (time is None or (self._slowest is not None and time >= self._slowest)):
                return
            slowest = min(self._times.values(), default=None)
            if slowest == self._slowest:
                return
            self._slowest = slowest
            wakes, self._held = self._held, []
        for wake in wakes:
            wake()

    def holds(self, time: int, most: int, wake: Callable[[], None]) -> bool:
        """Whether a split at ``time`` is more than ``most`` ahead; ``wake`` is then called when that may have changed."""
        with self._lock:
            if self._slowest is None or time - self._slowest <= most:
                return False
            if wake not in self._held:
                self._held.append(wake)
            return True


class SplitDrift:
    """The part of one task: its splits in the group of its source."""

    def __init__(self, group: DriftGroup, most: int, task: Hashable, timers: Waking) -> None:
        """``most``: microseconds; until the first split is opened, or there is none, the task counts as one at the beginning of time."""
        self._group = group
        self._most = most
        self._task = task
        self._timers = timers
        self._told: set[str] = set()

    def tell(self, split: str, time: int) -> None:
        """The split counts, and has come to ``time``."""
        self._told.add(split)
        self._group.tell((self._task, split), time)

    def leave(self, split: str) -> None:
        """The split is idle or has ended."""
        self._told.discard(split)
        self._group.tell((self._task, split), None)

    def holds(self, time: int) -> bool:
        """Whether a split of the task at ``time`` has to wait; the task is woken when that may have changed."""
        return self._group.holds(time, self._most, self._awake)

    def _awake(self) -> None:
        self._timers.wake()

    def close(self) -> None:
        """Nothing of the task counts any more."""
        for split in tuple(self._told):
            self.leave(split)
