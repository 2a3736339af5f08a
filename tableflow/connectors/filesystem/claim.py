"""Who writes hidden files in a directory, and whether he still lives: what a crash left behind is removed by the next writer.

A writer's hidden files begin with its prefix.  Beside them, in the root of the table, lies a file ``.<prefix>.writing`` that the writer
holds locked.  Invariant: the lock is there before the first hidden file and goes after the last one, or with its process; so
hidden files whose lock can be had belong to nobody.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

HIDDEN = ".inprogress"
_ENDING = ".writing"
_BEGIN = ".part-"


class Claim:
    """A writer's lock; given back once, by :meth:`release`.  In a file system without locks there is none, and nothing is swept."""

    def __init__(self, directory: Path, prefix: str) -> None:
        """Takes the lock; :class:`OSError` if the directory does not let one write."""
        self._path = directory / f".{prefix}{_ENDING}"
        while True:
            self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            except OSError:
                self._path.unlink(missing_ok=True)
                return
            if _is_there(self._path, self._descriptor):
                return
            os.close(self._descriptor)  # somebody took it for one left behind, before it was locked

    def release(self) -> None:
        """The writer has no hidden file any more."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def sweep(directory: Path) -> None:
    """Removes what dead writers left in a directory and below; what cannot be removed stays."""
    with contextlib.suppress(OSError):
        found = [
            one.name for one in os.scandir(directory) if one.name.startswith(_BEGIN) and one.name.endswith(_ENDING)
        ]
        for name in found:
            _sweep_after(directory, directory / name)


def _sweep_after(directory: Path, lock: Path) -> None:
    try:
        descriptor = os.open(lock, os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_there(lock, descriptor):
            return
        begin = lock.name.removesuffix(_ENDING) + "-"
        for root, _, names in os.walk(directory):
            for name in names:
                if name.startswith(begin) and name.endswith(HIDDEN):
                    Path(root, name).unlink(missing_ok=True)
        lock.unlink(missing_ok=True)
    except BlockingIOError:
        return  # its writer lives
    finally:
        os.close(descriptor)


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether the name still means the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
