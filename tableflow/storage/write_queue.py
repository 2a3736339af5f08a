"""Who may write to a table: one transaction at a time, in the order in which they asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from tableflow.errors import CancelledError, ConnectorError

CATALOG = 0
"""The queue of changes of the catalog, which is acquired before those of tables."""
_LOOK = 0.05


class WriteQueues:
    """Queues by table id.  They are acquired in order of id, so transactions never wait in a circle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[int, deque[threading.Event]] = {}

    def acquire(
        self, ids: Sequence[int], timeout: float | None = None, cancelled: Callable[[], bool] | None = None
    ) -> WriteTurn:
        """Waits until it is this caller's turn in all queues (``ids`` ascend).

        :class:`~tableflow.errors.ConnectorError`, which is worth another try, after ``timeout`` seconds;
        :class:`~tableflow.errors.CancelledError` when ``cancelled()``, which is asked now and then.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        turn = WriteTurn(self)
        try:
            for table in ids:
                turn.events[table] = self._enter(table)
                _wait(turn.events[table], deadline, cancelled)
        except BaseException:
            turn.release()
            raise
        return turn

    def leave(self, id: int, event: threading.Event) -> None:
        """Leaves a queue, at its head or not."""
        with self._lock:
            queue = self._queues[id]
            first = queue[0] is event
            queue.remove(event)
            if not queue:
                del self._queues[id]
            elif first:
                queue[0].set()

    def _enter(self, id: int) -> threading.Event:
        event = threading.Event()
        with self._lock:
            queue = self._queues.setdefault(id, deque())
            queue.append(event)
            if queue[0] is event:
                event.set()
        return event


class WriteTurn:
    """The queues that one transaction stands at the head of."""

    def __init__(self, queues: WriteQueues) -> None:
        self.events: dict[int, threading.Event] = {}
        self._queues = queues

    def release(self) -> None:
        """Lets the next ones go on; harmless when repeated."""
        while self.events:
            self._queues.leave(*self.events.popitem())


def _wait(event: threading.Event, deadline: float | None, cancelled: Callable[[], bool] | None) -> None:
    while not event.is_set():
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            error = ConnectorError(
                "another statement is writing to the table",
                detail="it did not end in the time that this one may wait",
                hint="try again",
            )
            error.retryable = True
            raise error
        if cancelled is not None and cancelled():
            raise CancelledError("the statement was cancelled while it waited for another to write")
        event.wait(left if cancelled is None else _LOOK if left is None else min(left, _LOOK))
