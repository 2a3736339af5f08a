"""The memory budget that everything draws on: operators' structures, queued batches, unread results.

Invariant: ``used`` is the sum of all reservations and all accounted bytes.  Growing structures hold a
:class:`Reservation` and may be refused; what credits bound already (queued batches) is only accounted, because a
refusal there could not be answered by giving anything back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from tableflow.errors import MemoryLimitError


class MemoryPool:
    """Counts bytes against a limit; one per process or per job, shared by all threads."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._used = 0
        self._peak = 0

    @property
    def used(self) -> int:
        """Bytes in use now."""
        return self._used

    @property
    def peak(self) -> int:
        """The most bytes that were in use at once."""
        return self._peak

    def account(self, bytes: int) -> None:
        """Adds (or, negative, takes off) bytes that cannot be refused."""
        with self._lock:
            self._used += bytes
            if self._used > self._peak:
                self._peak = self._used

    def reserve(self, owner: str, bytes: int = 0) -> PoolReservation:
        """A reservation that errors call ``owner``."""
        reservation = PoolReservation(self, owner)
        if bytes:
            reservation.resize(bytes)
        return reservation

    def resize(self, reservation: PoolReservation, bytes: int) -> None:
        """Changes a reservation, or raises :class:`~tableflow.errors.MemoryLimitError` and changes nothing."""
        with self._lock:
            by = bytes - reservation.bytes
            if by <= 0 or self._used + by <= self.limit:
                reservation.bytes = bytes
                self._used += by
                if self._used > self._peak:
                    self._peak = self._used
                return
            used = self._used
        raise MemoryLimitError(
            f"{reservation.owner} was refused {by} bytes of memory",
            detail=f"{used} bytes are in use and memory.limit is {self.limit} bytes",
            hint="raise memory.limit, or let the query work on less at once",
        )


class PoolReservation:
    """Bytes held by one structure; tasks that seal a build together may resize the same one."""

    __slots__ = ("_pool", "adopted", "bytes", "owner", "rows")

    def __init__(self, pool: MemoryPool, owner: str) -> None:
        self._pool = pool
        self.owner = owner
        """Who holds it, as errors say."""
        self.bytes = 0
        """Bytes held now; changed by :meth:`resize` only."""
        self.adopted = False
        """Whether it outlives the task that made it, because a published build took it over."""
        self.rows: Callable[[], int] | None = None
        """How many rows or groups are in it, where whoever holds it can say; asked by anybody, and may be a moment behind."""

    def resize(self, bytes: int) -> None:
        """Holds ``bytes`` from now on, or raises and holds what it held."""
        self._pool.resize(self, bytes)

    def release(self) -> None:
        """Gives everything back."""
        self._pool.resize(self, 0)
