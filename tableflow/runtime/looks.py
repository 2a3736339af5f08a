"""How long a task works between two looks at cancellation, in processor time of its thread.

A query that is cancelled goes on until each of its tasks has looked, so the longest of these times is what cancelling
takes on a machine with time to spare, however busy this one is.  Looks are many: the processor's clock, which is dear, is
asked only after more than ``LONG`` nanoseconds have passed.  So a time is never told too short, and too long by no more
than the short looks of one turn.
"""

from __future__ import annotations

from time import perf_counter_ns, thread_time_ns

from tableflow.runtime.counters import OperatorBlock, TaskBlock

LONG = 1_000_000
"""Nanoseconds; what takes less is not counted."""


class Looks:
    """The looks of one task; ``at`` is the last one (of ``perf_counter_ns``), written by whoever looks."""

    __slots__ = ("_block", "_spent", "at")

    def __init__(self, block: TaskBlock | None = None) -> None:
        self._block = block
        self.at = 0
        self._spent = 0

    def begin(self, now: int) -> None:
        """A turn begins, perhaps on another thread than the last one."""
        self.at = now
        self._spent = thread_time_ns()

    def look(self, now: int, ran: OperatorBlock | None) -> None:
        """Looks now; ``ran`` has worked most of the time since the last look."""
        if now - self.at > LONG:
            self.was_long(now, ran)
        self.at = now

    def was_long(self, now: int, ran: OperatorBlock | None) -> None:
        """The last look was long ago: counts how much of that was work."""
        spent = thread_time_ns()
        step = min(now - self.at, spent - self._spent)
        self._spent = spent
        if self._block is not None and step > self._block.longest:
            self._block.longest = step
        if ran is not None and step > ran.longest:
            ran.longest = step

    def closing(self) -> None:
        """The task closes from now on; see :meth:`closed`."""
        self.was_long(perf_counter_ns(), None)

    def closed(self) -> None:
        """The task has closed, in one piece."""
        spent = thread_time_ns()
        if self._block is not None:
            self._block.closing += spent - self._spent
        self.at, self._spent = perf_counter_ns(), spent


def elapsed(looks: Looks, ran: OperatorBlock | None) -> int:
    """Looks at the time; see :meth:`Looks.look`."""
    now = perf_counter_ns()
    looks.look(now, ran)
    return now
