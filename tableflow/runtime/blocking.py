"""Sources that must block: a plain ``read()`` in a thread of its own, seen by the task as ``poll()``.

Invariants: the connector's reader is used by one thread at a time; the mailbox is bounded; ``offset`` is that of the
last item that was polled, not of what was read ahead; ``close`` unblocks the thread and waits for it to go.

::

    reading --read() gave rows--> mailbox full? --yes--> waiting for room --poll()--> reading
       |                                                     |
       +--Done, error, or close()----------------------------+--> reader closed, thread gone
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

from tableflow.columnar.batch import Batch
from tableflow.errors import InternalError
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.source import BlockingReader, Done, Later, Poll
from tableflow.runtime.wake import READY, Signal

_MAILBOX = 2
_JOIN_SECONDS = 5.0
_INTERRUPT_SECONDS = 0.01


class ReadAhead:
    """Runs a blocking reader in a thread and gives what it reads without blocking."""

    def __init__(self, reader: BlockingReader, memory: MemoryPool, name: str) -> None:
        self._reader = reader
        self._memory = memory
        self._offset = reader.offset()
        self._mailbox: deque[tuple[Batch | Done | BaseException, Any, int]] = deque()
        self._changed = threading.Condition()
        self._arrival = Signal()
        self._stopped = False
        self._finished = False
        self._asked = self._told = 0
        """Numbers of the last question what there is, and of the last one to which all has been delivered."""
        self._answering: tuple[int, Any] | None = None
        self._delivered = self._polled = self._told_behind = 0
        self._thread = threading.Thread(target=self._work, name=f"tableflow-read-{name}", daemon=True)
        self._thread.start()

    def poll(self) -> Poll:
        """The next item that was read; raises the reader's error."""
        with self._changed:
            if not self._mailbox:
                if self._finished:
                    return Done()
                if self._arrival.ready:
                    self._arrival = Signal()
                return Later(self._arrival)
            item, offset, size = self._mailbox.popleft()
            self._polled += 1
            self._changed.notify()
        if size:
            self._memory.account(-size)
        self._offset = offset
        if isinstance(item, BaseException):
            raise item
        return item

    def offset(self) -> Any:
        """Where reading goes on after what was polled."""
        return self._offset

    def newest(self) -> int:
        """Asks the thread what there is; the number of the question."""
        with self._changed:
            self._asked += 1
            asked = self._asked
        self._reader.interrupt()
        return asked

    def reached(self, position: int) -> bool:
        """Whether all that was there when that was asked has been polled."""
        with self._changed:
            if self._finished:
                return not self._mailbox
            return self._told >= position and self._polled >= self._told_behind

    def close(self) -> None:
        """Stops the thread and returns when it has closed the reader."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        limit = time.monotonic() + _JOIN_SECONDS
        while self._thread.is_alive():
            # again and again: the thread may have found that it goes on, and not have begun to wait yet
            self._reader.interrupt()
            self._thread.join(_INTERRUPT_SECONDS)
            if time.monotonic() > limit:
                raise InternalError(f"the thread {self._thread.name!r} did not stop")
        while self._mailbox:
            self._memory.account(-self._mailbox.popleft()[2])

    def _work(self) -> None:
        item: Batch | Done | BaseException | None
        try:
            while not self._stopped:
                self._answer(empty=False)
                item = self._reader.read()
                if item is not None and not self._deliver(item):
                    break
                self._answer(empty=item is None)
        except BaseException as error:  # noqa: BLE001 - it belongs to the task
            self._deliver(error)
        finally:
            try:
                self._reader.close()
            except BaseException as error:  # noqa: BLE001 - as above
                self._deliver(error)
            with self._changed:
                self._finished = True
                arrival = self._arrival
            arrival.set()

    def _answer(self, *, empty: bool) -> None:
        """Begins with a question that was asked, or says that all that was there then is delivered.

        ``empty``: the reader has just had nothing, which answers a question that was asked before it looked.
        """
        reader: Any = self._reader
        knows = hasattr(reader, "newest")
        if self._answering is None:
            if self._asked == self._told:
                return
            self._answering = (self._asked, reader.newest() if knows else None)
            empty = False
        number, target = self._answering
        if not (reader.reached(target) if knows else empty):
            return
        self._answering = None
        with self._changed:
            self._told, self._told_behind = number, self._delivered
            arrival = self._arrival
        arrival.set()

    def _deliver(self, item: Batch | Done | BaseException) -> bool:
        """Puts an item into the mailbox when there is room; whether reading goes on."""
        size = item.nbytes if isinstance(item, Batch) else 0
        with self._changed:
            while len(self._mailbox) >= _MAILBOX and not self._stopped:
                self._changed.wait()
            if self._stopped:
                return False
            self._memory.account(size)
            offset = self._offset if isinstance(item, BaseException) else self._reader.offset()
            self._mailbox.append((item, offset, size))
            self._delivered += 1
            arrival = self._arrival
        arrival.set()
        return isinstance(item, Batch)


class ReadInline:
    """The same in the caller's thread, for a simulation, where nothing else may decide the order."""

    def __init__(self, reader: BlockingReader) -> None:
        self._reader = reader

    def poll(self) -> Poll:
        """What the reader gives, waiting for it."""
        item = self._reader.read()
        return Later(READY) if item is None else item

    def offset(self) -> Any:
        """Where reading goes on."""
        return self._reader.offset()

    def close(self) -> None:
        """Closes the reader."""
        self._reader.close()
