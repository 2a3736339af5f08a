r"""Sinks that must block: a plain ``write()`` in a thread of its own, seen by the task as a writer that has room or has not.

Invariants: the connector's sink is used by one thread at a time and in the order in which the task wrote; the mailbox is bounded,
so a sink that stalls holds back its task, the channels before it and in the end the sources; what went wrong in the thread is
raised by the task's next call.

::

    waiting --batch, epoch--> writing --done--> waiting
       |                         \--error--> failed (everything else is dropped)
       \--abort() or close()--> sink aborted unless it was finished, closed, thread gone
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from tableflow.columnar.batch import Batch
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.wake import Signal

LAST = -1
"""The epoch of what came after all others: with it the sink is finished."""
_MAILBOX = 4
_JOIN_SECONDS = 1.0


class BlockingSink(ABC):
    """What a connector implements whose writes may block; one for each task."""

    @abstractmethod
    def write(self, batch: Batch) -> None:
        """Takes rows."""

    def publish(self, epoch: int) -> None:  # noqa: B027 - optional
        """Makes all that was written up to an epoch count, as far as its rows count epoch by epoch."""

    def finish(self) -> Any:
        """No more rows come; the token of what is to be committed, if anything."""
        return None

    def abort(self) -> None:  # noqa: B027 - optional
        """What was not published is not wanted; instead of :meth:`finish`."""

    def close(self) -> None:  # noqa: B027 - optional
        """Gives files and connections back; called once."""


class Delivery:
    """An epoch on its way through the thread; implements :class:`~tableflow.runtime.sink.Publishing`."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.error: TableFlowError | None = None
        self._there = Signal()

    @property
    def ready(self) -> bool:
        """Whether it is over."""
        return self._there.ready

    def subscribe(self, callback: Any) -> None:
        """Calls ``callback`` when it is over."""
        self._there.subscribe(callback)

    def end(self, error: TableFlowError | None = None) -> None:
        """It is over."""
        self.error = error
        self._there.set()

    def result(self) -> None:
        """Raises what went wrong."""
        if self.error is not None:
            raise self.error


class WriteBehind:
    """Runs a blocking sink in a thread; implements :class:`~tableflow.runtime.sink.EpochWriter`."""

    def __init__(self, sink: BlockingSink, memory: MemoryPool, name: str) -> None:
        self._sink = sink
        self._memory = memory
        self._mailbox: deque[Batch | Delivery] = deque()
        self._changed = threading.Condition()
        self._room: Signal | None = None
        self._error: TableFlowError | None = None
        self._stopped = False
        self._finished = False
        self._token: Any = None
        self._thread = threading.Thread(target=self._work, name=f"tableflow-write-{name}", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> None:
        """Puts rows into the mailbox; :attr:`room` says whether more are welcome."""
        with self._changed:
            if self._error is not None:
                raise self._error
            self._memory.account(batch.nbytes)
            self._mailbox.append(batch)
            self._changed.notify()

    @property
    def room(self) -> Signal | None:
        """What to wait for before the next rows; None if they may come at once."""
        with self._changed:
            if self._error is not None or len(self._mailbox) < _MAILBOX:
                return None
            if self._room is None:
                self._room = Signal()
            return self._room

    def publish(self, epoch: int) -> Delivery:
        """See :class:`~tableflow.runtime.sink.EpochWriter`; with the epoch :data:`LAST` the sink is finished."""
        delivery = Delivery(epoch)
        with self._changed:
            if self._error is None:
                self._mailbox.append(delivery)
                self._changed.notify()
                return delivery
        delivery.end(self._error)
        return delivery

    def prepare(self) -> Any:
        """The token; everything was published as :data:`LAST` before."""
        if self._error is not None:
            raise self._error
        return self._token

    def abort(self) -> None:
        """See :class:`BlockingSink`; in the thread."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def close(self) -> None:
        """Waits a moment for the thread; one that is stuck in foreign code is left behind, with nothing to write any more."""
        self.abort()
        self._thread.join(_JOIN_SECONDS)

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._handle(item)
        except Exception as error:  # noqa: BLE001 - it belongs to the task
            self._fail(_said(error))
        finally:
            try:
                if not self._finished:
                    self._sink.abort()
                self._sink.close()
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(_said(error))
            self._drop()

    def _next(self) -> Batch | Delivery | None:
        with self._changed:
            while not self._mailbox and not self._stopped:
                self._changed.wait()
            return None if self._stopped else self._mailbox[0]

    def _handle(self, item: Batch | Delivery) -> None:
        if isinstance(item, Batch):
            self._sink.write(item)
        else:
            self._sink.publish(item.epoch)
            if item.epoch == LAST:
                self._token, self._finished = self._sink.finish(), True
        # Only now: what is being written counts as waiting.
        with self._changed:
            if self._mailbox and self._mailbox[0] is item:
                self._mailbox.popleft()
                if isinstance(item, Batch):
                    self._memory.account(-item.nbytes)
            room, self._room = self._room, None
        if isinstance(item, Delivery):
            item.end()
        if room is not None:
            room.set()

    def _fail(self, error: TableFlowError) -> None:
        with self._changed:
            self._error = self._error or error

    def _drop(self) -> None:
        """Nothing of the mailbox will be written: whoever waits goes on."""
        with self._changed:
            self._stopped = True
            left = list(self._mailbox)
            self._mailbox.clear()
            room, self._room = self._room, None
        for item in left:
            if isinstance(item, Batch):
                self._memory.account(-item.nbytes)
            else:
                item.end(self._error)
        if room is not None:
            room.set()


class WriteInline:
    """The same in the caller's thread, for a simulation, where nothing else may decide the order."""

    def __init__(self, sink: BlockingSink) -> None:
        self._sink = sink
        self._token: Any = None
        self._finished = False

    def write(self, batch: Batch) -> None:
        """Writes, waiting for it."""
        try:
            self._sink.write(batch)
        except Exception as error:
            raise _said(error) from error

    def publish(self, epoch: int) -> Delivery:
        """Publishes, waiting for it."""
        delivery = Delivery(epoch)
        try:
            self._sink.publish(epoch)
            if epoch == LAST:
                self._token, self._finished = self._sink.finish(), True
        except Exception as error:  # noqa: BLE001 - it belongs to the task
            delivery.end(_said(error))
        else:
            delivery.end()
        return delivery

    def prepare(self) -> Any:
        """The token."""
        return self._token

    def abort(self) -> None:
        """See :class:`BlockingSink`."""
        if not self._finished:
            self._sink.abort()

    def close(self) -> None:
        """Closes the sink."""
        self._sink.close()


def _said(error: BaseException) -> TableFlowError:
    """What is raised by a connector, or by the program behind it, as an error for people."""
    if isinstance(error, TableFlowError):
        return error
    made = ConnectorError("a sink failed", detail=f"{type(error).__name__}: {error}"[:500])
    made.__cause__ = error
    return made
