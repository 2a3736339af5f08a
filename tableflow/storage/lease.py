"""Who writes: one process at a time, by a lock on the file ``lease``.

The file says who holds it, for the error that a second writer gets.  What follows from what is found is decided by a
pure function.
"""

from __future__ import annotations

import enum
import json
import os
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from tableflow.errors import ConnectorError
from tableflow.storage.disk import Disk, Lock
from tableflow.storage.failure import disk_error

LEASE = "lease"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds (or held) a lease; times in microseconds since 1970 (UTC)."""

    pid: int
    host: str
    started: int
    heartbeat: int
    token: str


class Outcome(enum.Enum):
    """What became of the wish to write, or of a lease that was held."""

    HELD = "held"
    TAKEN_OVER = "taken over"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LeaseFacts:
    """What was found: whether the lock is ours, whether its file still has its name, and who wrote into it last."""

    locked: bool
    named: bool
    holder: Holder | None
    token: str


def decide(facts: LeaseFacts) -> Outcome:
    """What follows.  A lock ends with its process, so whoever has it may write, whatever the file says."""
    if not facts.locked:
        return Outcome.REFUSED
    if not facts.named:
        return Outcome.LOST
    if facts.holder is None or facts.holder.token in {facts.token, ""}:
        return Outcome.HELD
    return Outcome.TAKEN_OVER


class Lease:
    """The right to write to a database, while :meth:`holds`."""

    def __init__(self, disk: Disk, lock: Lock, holder: Holder, outcome: Outcome) -> None:
        self.outcome = outcome
        self.holder = holder
        self._disk = disk
        self._lock = lock

    @classmethod
    def acquire(cls, disk: Disk, now: int, token: str) -> Lease:
        """Takes the lease; :class:`~tableflow.errors.ConnectorError` names who has it."""
        try:
            before = _read(disk)
            lock = disk.lock(LEASE)
        except OSError as error:
            raise disk_error(disk, error, "take the lease of its writer") from error
        outcome = decide(LeaseFacts(lock is not None, lock is not None and lock.holds(), before, token))
        if lock is None or outcome is Outcome.REFUSED:
            raise refused(disk, before)
        holder = Holder(os.getpid(), socket.gethostname(), now, now, token)
        lease = cls(disk, lock, holder, outcome)
        lease.beat(now)
        return lease

    def holds(self) -> bool:
        """Whether nobody has replaced or removed the file."""
        return decide(LeaseFacts(locked=True, named=self._lock.holds(), holder=None, token="")) is Outcome.HELD

    def beat(self, now: int) -> bool:
        """Says that the holder is alive; False if the lease is lost."""
        if not self.holds():
            return False
        holder = Holder(self.holder.pid, self.holder.host, self.holder.started, now, self.holder.token)
        self._lock.write(json.dumps(asdict(holder)).encode() + b"\n")
        return True

    def release(self) -> None:
        """Gives the lease back."""
        if self.holds():
            self._lock.write(b"")
        self._lock.release()

    def lost(self) -> ConnectorError:
        """The error for a lease that is lost."""
        return ConnectorError(
            f"database {self._disk.place!r} is no longer ours to write",
            detail="its file 'lease' was removed or replaced while it was open; nothing of the statement was kept",
            hint="close the connection and open it again",
        )


def refused(disk: Disk, holder: Holder | None) -> ConnectorError:
    """The error for a second writer."""
    who = "another process has it open for writing"
    if holder is not None:
        since = datetime.fromtimestamp(holder.started / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        beat = datetime.fromtimestamp(holder.heartbeat / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        who = f"process {holder.pid} on {holder.host} has it open for writing since {since}, last seen {beat}"
    return ConnectorError(
        f"database {disk.place!r} has a writer already",
        detail=who,
        hint="close that one, or connect with read_only to read beside it",
    )


def _read(disk: Disk) -> Holder | None:
    if disk.facts(LEASE) is None:
        return None
    try:
        return Holder(**json.loads(disk.read(LEASE)))
    except (ValueError, TypeError):
        return None
