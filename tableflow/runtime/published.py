"""The runtime's side of :class:`~tableflow.runtime.publication.Publication`.

Invariants: ``plan`` and ``finish`` run once each, ``seal`` once per part, each in exactly one task; nobody
sees the handle before ``finish`` has returned; it is dropped when the last of its readers has closed.  The lock
guards only the bookkeeping and is never held while the sealer works.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from tableflow.errors import InternalError, TableFlowError
from tableflow.runtime.memory import PoolReservation
from tableflow.runtime.operator import Suspend
from tableflow.runtime.publication import Sealer
from tableflow.runtime.wake import READY, Signal


class PublishedBuild:
    """One published build of a job; see the diagram in :mod:`tableflow.runtime.publication`."""

    def __init__(self, key: str, contributors: int, readers: int) -> None:
        self.key = key
        self._lock = threading.Lock()
        self._partials: list[Any] = [None] * contributors
        self._contributed = [False] * contributors
        self._readers = readers
        self._sealer: Sealer[Any, Any] | None = None
        self._parts = 0
        self._taken = 0
        self._sealed_parts = 0
        self._planned = Signal()
        self._sealed = Signal()
        self._handle: Any = None
        self._freed = False
        self._error: TableFlowError | None = None
        self._adopted: list[PoolReservation] = []

    @property
    def sealed(self) -> Signal:
        """Ready once the handle is there, or never will be."""
        return self._sealed

    @property
    def freed(self) -> bool:
        """Whether the last reader has closed."""
        return self._freed

    def contribute(self, task_index: int, partial: Any, sealer: Sealer[Any, Any]) -> Iterator[Suspend]:
        """Hands in a partial, seals parts while there are any, and returns when the handle is there."""
        if self._hand_in(task_index, partial):
            self._sealer = sealer
            partials, self._partials = self._partials, []
            self._parts = sealer.plan(partials)
            del partials
            if self._parts == 0:
                self._finish()
            self._planned.set()
        del partial, sealer
        while not self._planned.ready:
            yield Suspend(self._planned)
        while (part := self._take()) is not None:
            assert self._sealer is not None
            for _ in self._sealer.seal(part) or ():
                yield Suspend(READY)
            if self._part_done():
                self._finish()
            yield Suspend(READY)
        while not self._sealed.ready:
            yield Suspend(self._sealed)
        self._check()

    def _hand_in(self, task_index: int, partial: Any) -> bool:
        """Stores the partial; whether it was the last."""
        with self._lock:
            if self._contributed[task_index]:
                raise InternalError(f"task {task_index} contributed twice to the build {self.key!r}")
            self._contributed[task_index] = True
            self._partials[task_index] = partial
            return all(self._contributed)

    def _take(self) -> int | None:
        with self._lock:
            if self._taken >= self._parts or self._error is not None:
                return None
            self._taken += 1
            return self._taken - 1

    def _part_done(self) -> bool:
        with self._lock:
            self._sealed_parts += 1
            return self._sealed_parts == self._parts

    def _finish(self) -> None:
        assert self._sealer is not None
        handle = self._sealer.finish()
        self._sealer = None
        with self._lock:
            if not self._freed:
                self._handle = handle
        self._sealed.set()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error

    def handle(self) -> Any:
        """The sealed result; raises the error that prevented it, or InternalError if it is not there."""
        self._check()
        if not self._sealed.ready or self._freed:
            raise InternalError(f"the build {self.key!r} is read {'after its end' if self._freed else 'too early'}")
        return self._handle

    def adopt(self, reservation: Any) -> None:
        """Takes over a reservation until the build is freed."""
        with self._lock:
            reservation.adopted = True
            if not self._freed:
                self._adopted.append(reservation)
                return
        reservation.release()

    def fail(self, error: TableFlowError) -> None:
        """There will be no handle; wakes all who wait, who get the error."""
        with self._lock:
            if self._sealed.ready or self._error is not None:
                return
            self._error = error
        self._planned.set()
        self._sealed.set()

    def reader_closed(self) -> None:
        """One of the reading tasks has ended; the last one frees the build."""
        with self._lock:
            self._readers -= 1
            if self._readers != 0:
                return
        self.free()

    def free(self) -> None:
        """Drops the handle and gives its memory back; called again it does nothing."""
        with self._lock:
            self._freed = True
            self._handle = None
            self._partials = []
            adopted, self._adopted = self._adopted, []
        for reservation in adopted:
            reservation.release()
