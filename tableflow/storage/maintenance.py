"""Folding, removal and the heartbeat of a writable database, behind the statements that write.

Everything here can also be called by hand, which is what simulated runs do: then there is no thread.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tableflow.errors import CancelledError, TableFlowError
from tableflow.storage.failure import disk_error, log_is_full
from tableflow.storage.sweeping import listing, unnamed_files

if TYPE_CHECKING:
    from tableflow.storage.committer import Committer
    from tableflow.storage.database_state import TableCell
    from tableflow.storage.disk import Disk
    from tableflow.storage.folding import Folder, FoldPolicy
    from tableflow.storage.garbage import Garbage
    from tableflow.storage.lease import Lease

HEARTBEAT = 5.0
"""Seconds between two signs of life."""
CLOSING_SHARE = 8
"""When the database is closed, a log with this part of what makes a fold due is folded."""
LAGGING, FULL = 4, 16
"""Commits wait when the log has so many times what makes a fold due; they fail when it has and folding fails."""
FILES = 16
"""A fold is due when commits have written so many files, which it may join."""
_LEAST = 1 << 20
_LOOK = 0.05
_running: weakref.WeakSet[Maintenance] = weakref.WeakSet()


@atexit.register
def _halt_all() -> None:
    """Ends the threads before the interpreter goes; what is not folded is in the log."""
    for maintenance in list(_running):
        maintenance.halt()


def describe_error(error: BaseException) -> str:
    """What went wrong, in one line."""
    if isinstance(error, TableFlowError):
        return error.message + (f" ({error.detail})" if error.detail else "")
    return f"{type(error).__name__}: {error}"


class Maintenance:
    """See the module; thread-safe."""

    def __init__(
        self, disk: Disk, committer: Committer, folder: Folder, garbage: Garbage, lease: Lease, token: str,
        clock: Callable[[], int], due: tuple[int, int], folded: Callable[[], object],
    ) -> None:  # fmt: skip
        """A fold is due after so many (records, bytes); ``folded`` is called after each."""
        self.error: BaseException | None = None
        """Why the last fold failed, wholly or for a table; None if it did not."""
        self.failing = False
        """Whether the last fold did nothing."""
        self.folds = 0
        self._disk = disk
        self._committer = committer
        self._folder = folder
        self._garbage = garbage
        self._lease = lease
        self._token = token
        self._clock = clock
        self._due = due
        self._folded = folded
        self._swept = False
        self._work = threading.Lock()
        self._wake = threading.Event()
        self._room = threading.Condition()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def configure(self, due: tuple[int, int], policy: FoldPolicy, delay: int) -> None:
        """From now on it works by these; ``delay`` is how long garbage stays."""
        self._due = due
        self._folder.policy = policy
        self._garbage.delay = delay
        self._wake.set()

    def start(self) -> None:
        """From now on work is done by a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="tableflow-storage", daemon=True)
        self._thread.start()
        _running.add(self)

    def stop(self) -> None:
        """Ends the thread after what it is doing, and folds a log that is long."""
        self.halt()
        if self._thread is not None and self._is_due(CLOSING_SHARE):
            self._try_fold()

    def halt(self) -> None:
        """Ends the thread after what it is doing."""
        _running.discard(self)
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def dropped(self, table: int, cell: TableCell) -> None:
        """Called when a table was dropped, with what it was last."""
        self._folder.dropped(table, cell)

    def committed(self) -> None:
        """Called after every commit; wakes the thread when there is enough to do."""
        if self._is_due():
            self._wake.set()

    def fold(self, everything: frozenset[int] = frozenset()) -> None:
        """Folds now; :class:`~tableflow.errors.ConnectorError` if it cannot be done."""
        with self._work:
            try:
                self._committer.check_lease()
                self._folder.fold(everything)
            except OSError as error:
                raise disk_error(self._disk, error, "write its log into files") from error
            self.folds += 1
            self.failing = False
            self._folded()
            with self._room:
                self._room.notify_all()
            for damage in self.damage.values():
                raise damage  # all others are folded

    @property
    def damage(self) -> Mapping[int, TableFlowError]:
        """What is damaged of tables, as far as the last fold met it."""
        return self._folder.problems

    def make_room(self, cancelled: Callable[[], bool] | None = None) -> None:
        """Waits while the log is much longer than what makes a fold due, so that it never grows without bound.

        Called before a transaction takes its turn.  :class:`~tableflow.errors.ConnectorError` if folding fails and the log
        is too long already; :class:`~tableflow.errors.CancelledError`.
        """
        while self._thread is not None and self._is_overdue(LAGGING) and not self._stopping.is_set():
            if self.failing:
                if self._is_overdue(FULL):
                    raise log_is_full(self._disk, self.error)
                return
            if cancelled is not None and cancelled():
                raise CancelledError("the statement was cancelled while it waited for the log to be folded")
            self._wake.set()
            with self._room:
                self._room.wait(_LOOK)

    def collect(self) -> int:
        """Removes what is due; how many files that were."""
        with self._work:
            if not self._swept:
                self._sweep()
            return self._garbage.collect()

    def beat(self) -> bool:
        """A sign of life; False if the lease is lost."""
        return self._lease.beat(self._clock())

    def _is_overdue(self, times: int) -> bool:
        records, size = self._due
        return self._committer.records >= times * records or self._committer.log.position >= times * max(size, _LEAST)

    def _is_due(self, share: int = 1) -> bool:
        records, size = self._due
        if share == 1 and self._committer.files >= FILES:
            return True
        return self._committer.records * share >= records or self._committer.log.position * share >= size

    def _sweep(self) -> None:
        """Finds what others left; see :mod:`tableflow.storage.sweeping`."""
        self._swept = True
        listed = listing(self._disk)
        root, state = self._folder.root, self._committer.published
        unnamed = unnamed_files(listed, state, dict(root.manifests), root.log, self._token)
        for name in unnamed:
            facts = self._disk.facts(name)
            if facts is not None:
                self._garbage.add([name], since=facts.modified)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.beat()
                self.collect()
            except Exception as error:  # noqa: BLE001 - the next round has to come, whatever it is
                self.error = error
            self._wake.wait(HEARTBEAT)
            self._wake.clear()
            if not self._stopping.is_set() and self._is_due():
                self._try_fold()
                if self.failing:
                    self._stopping.wait(HEARTBEAT)  # a disk that is full stays so for a while

    def _try_fold(self) -> None:
        try:
            self.fold()
            self.error = None
        except Exception as error:  # noqa: BLE001
            self.failing = not self.damage
            self.error = error  # nothing is lost: the log is longer, and the next one tries again
