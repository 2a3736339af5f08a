"""A bounded first-in-first-out queue of events between two tasks.

Invariants: order is never changed; putting never blocks (the producer asks :attr:`Channel.full` before it makes
more); each end is used by one task at a time, so the queue itself needs no lock.  Control events travel in band and
may exceed the capacity by a few, because a task makes none without having had room before.

::

    open --end--> ended --next() took the last event--> drained
      |             |
      +---close()---+--> closed: the consumer wants nothing more; what is queued is dropped, puts do nothing

An *unbounded* channel is never full, and what it holds is a reservation that can be refused.  A *blocking* one is
unbounded and hands nothing on before its producer has ended.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol

from tableflow.columnar.batch import Batch
from tableflow.runtime.events import EndOfInput, Event, Watermark
from tableflow.runtime.memory import MemoryPool, PoolReservation


class Wakeable(Protocol):
    """A task, or whatever else sits at the end of a channel."""

    def wake(self) -> None:
        """Something it may have waited for has happened."""
        ...


_SPEECH = (Batch, Watermark)


class _Nobody:
    def wake(self) -> None:
        """Nobody waits."""


NOBODY = _Nobody()


class Channel:
    """See the module; ``consumer`` and ``producer`` are set when the tasks at both ends exist."""

    __slots__ = (
        "_held", "_lock", "_low", "_memory", "_queue", "_starved", "_visible", "capacity", "closed", "consumer", "fullest",
        "producer",
    )  # fmt: skip

    def __init__(
        self, capacity: int, memory: MemoryPool, unbounded: str | None = None, *, blocking: bool = False
    ) -> None:
        """``unbounded`` names the holder of the reservation."""
        self.capacity = capacity
        self.closed = False
        self.fullest = 0
        """The most events that were here when a batch came, that batch included."""
        self.consumer: Wakeable = NOBODY
        self.producer: Wakeable = NOBODY
        self._queue: deque[tuple[Event, int]] = deque()
        self._memory = memory
        # The producer is woken when half of the queue is free again, so that it does more than one batch per step.
        self._low = capacity // 2
        self._starved = False
        self._held: PoolReservation | None = memory.reserve(unbounded) if unbounded is not None else None
        self._visible = not blocking
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether the producer must wait; it is then woken when there is room."""
        if len(self._queue) < self.capacity or self.closed or self._held is not None:
            return False
        self._starved = True
        # The consumer may have taken events before it could see the flag.
        return len(self._queue) > self._low and not self.closed

    @property
    def ready(self) -> bool:
        """Whether the consumer would get an event."""
        return self._visible and bool(self._queue)

    @property
    def speaks(self) -> bool:
        """Whether rows or time wait here, be it behind an epoch; asked by the consumer, who alone takes events away."""
        return self._visible and any(self._queue[i][0].__class__ in _SPEECH for i in range(len(self._queue)))

    @property
    def rows(self) -> int:
        """How many rows wait here; asked by anybody."""
        try:
            events = tuple(self._queue)
        except RuntimeError:  # it changed meanwhile
            return 0
        return sum(event.rows for event, _ in events if isinstance(event, Batch))

    def put(self, event: Event, size: int = 0) -> None:
        """Appends an event (a batch of ``size`` bytes) and wakes the consumer."""
        if self.closed:
            return
        if size:
            self._account(size)
        self._queue.append((event, size))
        if size and len(self._queue) > self.fullest:
            self.fullest = len(self._queue)
        if self.closed:  # closed meanwhile by the consumer's thread, which may have missed this one
            self._drop()
        elif self._visible:
            self.consumer.wake()
        elif event.__class__ is EndOfInput:
            self._visible = True
            self.consumer.wake()

    def next(self) -> tuple[Event, int]:
        """The oldest event and its bytes; only when :attr:`ready`."""
        event, size = self._queue.popleft()
        if size:
            self._account(-size)
        if self._starved and len(self._queue) <= self._low:
            self._starved = False
            self.producer.wake()
        return event, size

    def close(self) -> None:
        """The consumer wants nothing more: drops what is queued and lets the producer find out."""
        if not self.closed:
            self.closed = True
            self._drop()
            self.producer.wake()

    def dispose(self) -> None:
        """Gives back what is left and forgets both ends; only when no task runs any more."""
        self.closed = True
        self.consumer = self.producer = NOBODY
        self._drop()

    def _drop(self) -> None:
        while self._queue:
            try:
                _, size = self._queue.popleft()
            except IndexError:  # the other end drops at the same moment
                return
            if size:
                self._account(-size)

    def _account(self, size: int) -> None:
        if self._held is None:
            self._memory.account(size)
            return
        with self._lock:  # both ends change the reservation
            self._held.resize(self._held.bytes + size)
