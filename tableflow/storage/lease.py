r"""Who writes: one process at a time, by a lock on the file ``lease``.

The file says who holds it, for the error that a second writer gets.  Where the file system has no locks, what it says
decides: who was seen within :data:`SILENCE` holds it, unless it was a process of this machine that is gone.  What
follows from what is found is a pure function.

::

    wanted --> REFUSED
      \--> HELD, TAKEN_OVER --(its file is replaced, or another is in it)--> LOST
"""

from __future__ import annotations

import enum
import json
import os
import socket
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime

from tableflow.errors import ConnectorError
from tableflow.records import dataclass, replace
from tableflow.storage.disk import Disk, Lock
from tableflow.storage.failure import disk_error

LEASE = "lease"
SILENCE = 30_000_000
"""Microseconds after which one who gives no sign of life is taken for gone, where there are no locks."""

_READS = 20
"""How often a file that makes no sense is read again: it is being written."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds (or held) a lease; times in microseconds since 1970 (UTC).

    ``address``: the socket at which it answers questions about its jobs, a path (older versions: from the database's folder); empty: it has none.
    """

    pid: int
    host: str
    started: int
    heartbeat: int
    token: str
    address: str = ""
    user: int | None = None
    """The number of the user who has it; older versions do not say."""

    @property
    def near(self) -> bool:
        """Whether it is a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def gone(self) -> bool:
        """Whether it was a process of this machine and does not run any more."""
        if not self.near:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


class Outcome(enum.Enum):
    """What became of the wish to write, or of a lease that was held."""

    HELD = "held"
    TAKEN_OVER = "taken over"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LeaseFacts:
    """What was found.

    ``held``: whether it was ours before.  ``locked``: whether the lock is ours now, None where there are none.  ``named``:
    whether its file still has its name.  ``holder`` wrote into it last, ``silence`` us ago; ``gone``: it was a process of
    this machine and does not run.
    """

    held: bool
    locked: bool | None
    named: bool
    token: str
    holder: Holder | None
    silence: int = 0
    gone: bool = False


def decide(facts: LeaseFacts) -> Outcome:
    """What follows.  A lock ends with its process, so whoever has it may write, whatever the file says."""
    others = facts.holder is not None and facts.holder.token != facts.token
    if facts.held:
        return Outcome.HELD if facts.named and not (others and facts.locked is None) else Outcome.LOST
    if facts.locked is False or not facts.named:
        return Outcome.REFUSED
    if not others:
        return Outcome.HELD
    if facts.locked or facts.gone or facts.silence > SILENCE:
        return Outcome.TAKEN_OVER
    return Outcome.REFUSED


class Lease:
    """The right to write to a database, while :meth:`holds`."""

    def __init__(self, disk: Disk, lock: Lock, holder: Holder, outcome: Outcome, before: Holder | None = None) -> None:
        self.outcome = outcome
        self.before = before
        """Who had it, and did not give it back."""
        self.holder = holder
        self._disk = disk
        self._lock = lock
        self._writing = threading.Lock()

    @classmethod
    def acquire(cls, disk: Disk, now: int, token: str) -> Lease:
        """Takes the lease; :class:`~tableflow.errors.ConnectorError` names who has it."""
        try:
            before = _read(disk)
            lock = disk.lock(LEASE)
        except OSError as error:
            raise disk_error(disk, error, "take the lease of its writer") from error
        locked = False if lock is None else True if lock.certain else None
        silence = 0 if before is None else now - before.heartbeat
        named = lock is None or lock.holds()
        outcome = decide(
            LeaseFacts(
                held=False,
                locked=locked,
                named=named,
                token=token,
                holder=before,
                silence=silence,
                gone=before is not None and before.gone,
            )
        )
        if lock is None or outcome is Outcome.REFUSED:
            if lock is not None:
                lock.release()
            raise refused(disk, before)
        holder = Holder(os.getpid(), socket.gethostname(), now, now, token, user=os.getuid())
        lease = cls(disk, lock, holder, outcome, before)
        lock.write(json.dumps(asdict(holder)).encode() + b"\n")
        return lease

    def holds(self) -> bool:
        """Whether nobody has replaced or removed the file, or (where there are no locks) taken it over."""
        certain = self._lock.certain
        holder = None if certain else _read(self._disk)
        facts = LeaseFacts(
            held=True,
            locked=True if certain else None,
            named=self._lock.holds(),
            token=self.holder.token,
            holder=holder,
        )
        return decide(facts) is Outcome.HELD

    def beat(self, now: int) -> bool:
        """Says that the holder is alive; False if the lease is lost."""
        if not self.holds():
            return False
        with self._writing:
            self._say(replace(self.holder, heartbeat=now))
        return True

    def announce(self, address: str) -> None:
        """Says where questions about jobs are answered, or (empty) that they are no longer."""
        if self.holds():
            with self._writing:
                self.holder = replace(self.holder, address=address)
                self._say(self.holder)

    def _say(self, holder: Holder) -> None:
        self._lock.write(json.dumps(asdict(holder)).encode() + b"\n")

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


class Life(enum.Enum):
    """What can be told of who wrote into a lease last."""

    CLOSED = "closed"
    """Nobody: it was given back, or never taken."""
    ENDED = "ended"
    """A process that has ended without giving it back."""
    WRITING = "writing"


def last_holder(disk: Disk, now: int) -> tuple[Life, Holder | None]:
    """Who writes to a database or was the last to do so, seen from a process that does not; :class:`OSError` if it cannot be found out."""
    holder = _read(disk)
    for _ in range(_READS):
        if holder is not None or not getattr(disk.facts(LEASE), "size", 0):
            break
        time.sleep(0.001)
        holder = _read(disk)
    if holder is None:
        return Life.CLOSED, None
    locked = disk.locked(LEASE)
    if locked is None:
        locked = not holder.gone and now - holder.heartbeat <= SILENCE
    return (Life.WRITING if locked else Life.ENDED), holder


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
        hint="close that one, or connect with read_only (on the command line with --read-only) to read beside it",
    )


def _read(disk: Disk) -> Holder | None:
    if disk.facts(LEASE) is None:
        return None
    try:
        found = json.loads(disk.read(LEASE))
        return Holder(**{name: found[name] for name in Holder.__slots__ if name in found})
    except (ValueError, TypeError):
        return None
