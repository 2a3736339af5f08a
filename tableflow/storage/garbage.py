"""Files that nothing names any more: removed once nobody can be about to open them.

Readers of this process are known, since they hold the objects that stand for the files; to those of other processes
``delay`` is given.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable

from tableflow.records import dataclass
from tableflow.storage.disk import Disk


@dataclass(frozen=True, slots=True)
class _Discarded:
    names: tuple[str, ...]
    since: int
    holders: tuple[Callable[[], object | None], ...]


class Garbage:
    """What is to be removed, and when.  Thread-safe."""

    def __init__(self, disk: Disk, delay: int, clock: Callable[[], int]) -> None:
        """``delay`` in microseconds, as ``clock``."""
        self._disk = disk
        self.delay = delay
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: list[_Discarded] = []

    def add(self, names: Iterable[str], holders: Iterable[object] = (), since: int | None = None) -> None:
        """Files that are not named since a time (now); they stay while one of ``holders`` lives."""
        since = self._clock() if since is None else since
        with self._lock:
            self._waiting.append(_Discarded(tuple(names), since, tuple(weakref.ref(holder) for holder in holders)))

    def collect(self) -> int:
        """Removes what is due; how many files that were.  What cannot be removed stays for the next time."""
        now = self._clock()
        with self._lock:
            waiting, self._waiting = self._waiting, []
        removed = 0
        for each in waiting:
            if each.since + self.delay > now or any(holder() is not None for holder in each.holders):
                self._keep(each)
                continue
            try:
                for name in each.names:
                    self._disk.remove(name)
                    removed += 1
            except OSError:
                self._keep(each)
        return removed

    def _keep(self, each: _Discarded) -> None:
        with self._lock:
            self._waiting.append(each)

    @property
    def waiting(self) -> int:
        """How many files are to be removed."""
        with self._lock:
            return sum(len(each.names) for each in self._waiting)
