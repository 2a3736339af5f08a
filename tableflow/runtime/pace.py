r"""How far sources may read on while an epoch has not passed everywhere.

::

    free --an epoch is sent from the source--> ahead --patience over--> waiting --the epoch has passed--> free
                                                 \--the epoch has passed-------------------------------> free

Channels hold back whoever fills them; but an operator that makes few rows of many (a grouping) fills nothing for long, and what
waits for the end of its epoch takes rows all the while.  So a source that has sent an epoch reads on for so long as epochs usually take,
and then waits until this one has passed.

Invariant: a source waits only for an epoch that it has sent itself.  One that has not sent it reads on, whatever the others
do; so nobody waits for a source that waits, except those who wait for a source's end, which is why sources of published builds and
before blocking exchanges do not wait (:meth:`~tableflow.runtime.topology.Topology.keeps_pace`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import perf_counter_ns

from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.timers import Timekeeper

_LEAST = 1_000_000
_MOST = 10_000_000
"""Microseconds: between these a source waits once an epoch takes twice as long as the one before."""


class Pace:
    """Of one job; used by its epochs and by all tasks of its sources."""

    def __init__(self, interval: int | None, clock: Timekeeper) -> None:
        """``interval`` is that of the epochs: an epoch more is always read."""
        self._interval = interval or 0
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[Callable[[], None]] = []
        self._began = 0
        self._last = 0
        self.travelling = 0
        """The number of the epoch that is on its way, 0: none is."""

    def begins(self, number: int) -> None:
        """An epoch begins its way."""
        self._began = self._clock.now()
        self.travelling = number

    def passed(self) -> None:
        """The epoch has passed everywhere: whoever waits goes on."""
        with self._lock:
            self._last = self._clock.now() - self._began
            self.travelling = 0
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def limit(self) -> int:
        """Until when a source that has sent the travelling epoch may read on (microseconds)."""
        patience = min(_MOST, max(_LEAST, 2 * self._last))
        return self._began + max(self._interval, patience)

    def wait(self, sent: int, wake: Callable[[], None]) -> bool:
        """Whether a source whose newest epoch is ``sent`` must read nothing more for now; it is woken when it may."""
        if not sent or sent != self.travelling or self._clock.now() < self.limit():
            return False
        with self._lock:
            if sent != self.travelling:
                return False
            if wake not in self._waiting:
                self._waiting.append(wake)
        return True

    def dispose(self) -> None:
        """Forgets whom it would wake."""
        with self._lock:
            self._waiting.clear()


class Pause:
    """Of one task of a source: whether it reads nothing because an epoch that it has sent has not passed."""

    def __init__(self, pace: Pace, wake: Callable[[], None], block: OperatorBlock) -> None:
        self._pace = pace
        self._wake = wake
        self._block = block
        self._sent = 0
        self._since = 0
        """Nanoseconds of the performance counter; 0: it reads."""

    def sent(self, number: int) -> None:
        """It has sent this epoch."""
        self._sent = number

    def holds(self) -> bool:
        """Whether nothing may be read for now; what that is for, and how long it was, is counted."""
        if self._pace.wait(self._sent, self._wake):
            self._since = self._since or perf_counter_ns()
            self._block.waits = f"epoch {self._sent} to pass", self._since
            return True
        self.ends()
        return False

    def ends(self) -> None:
        """It reads on, or has nothing more to read."""
        if self._since:
            self._block.named["paused_ms"] += (perf_counter_ns() - self._since) // 1_000_000
            self._since = 0
            self._block.waits = None
