"""All durable effects of a database go through a :class:`Disk`: one folder, files by relative name with ``/``.

Nothing is durable before it is synced: the bytes of a file by :meth:`Disk.sync` or :meth:`Writable.sync`, its name by
:meth:`Disk.sync_folder`.  The local disk, memory and the simulated disk of the tests implement the same protocol,
so that every path of the storage can be cut at each write, sync and rename.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa

from tableflow.records import dataclass


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Size in bytes, time of the last change in microseconds since 1970, and what tells two files of one name apart."""

    size: int
    modified: int
    identity: Any


class Writable(Protocol):
    """A file open for writing; a file-like object for Arrow's writers."""

    closed: bool

    def write(self, data: Any) -> int:
        """Adds bytes at the end."""
        ...

    def flush(self) -> None:
        """Hands buffered bytes on; says nothing about durability."""
        ...

    def tell(self) -> int:
        """The size so far."""
        ...

    def truncate(self, size: int) -> int:
        """Cuts the file; the next write goes there."""
        ...

    def reserve(self, size: int) -> None:
        """Makes the file as long as this, with zeros, so that syncing writes below needs no change of its length.

        A wish: what a disk cannot do it leaves out.  :meth:`tell` stays as it is.
        """
        ...

    def overwrite(self, data: bytes) -> None:
        """Replaces the first bytes of the file, for whoever reads it meanwhile; nothing is said about durability."""
        ...

    def sync(self) -> None:
        """Returns when all bytes written so far are durable."""
        ...

    def close(self) -> None:
        """Closes it, without syncing."""
        ...


class PlainFile:
    """What every :class:`Writable` answers alike: it keeps its position, buffers nothing, and is written in order."""

    def __init__(self, position: int) -> None:
        self.closed = False
        self._position = position

    def flush(self) -> None:
        """See :class:`Writable`."""

    def tell(self) -> int:
        """See :class:`Writable`."""
        return self._position

    def writable(self) -> bool:
        """True; Arrow's writers ask."""
        return True

    def readable(self) -> bool:
        """False; Arrow's writers ask."""
        return False

    def seekable(self) -> bool:
        """False; Arrow's writers ask."""
        return False


class Lock(Protocol):
    """A lock that is held until it is released or its process ends.

    It is not ``certain`` on a file system that has no locks: then others may have it too.
    """

    certain: bool

    def write(self, data: bytes) -> None:
        """Replaces the bytes of the locked file."""
        ...

    def holds(self) -> bool:
        """Whether the file that is locked still has its name."""
        ...

    def release(self) -> None:
        """Lets others have it."""
        ...


class Disk(Protocol):
    """The folder of a database.  Every failure is an :class:`OSError` (``errno`` says which)."""

    @property
    def place(self) -> str:
        """What messages call it: the folder's path, or ``memory``."""
        ...

    @property
    def shared(self) -> bool:
        """Whether other processes may read it."""
        ...

    @property
    def boot(self) -> str:
        """Names the time since the machine was started; empty if nobody knows."""
        ...

    def create(self, name: str) -> Writable:
        """A new empty file; its folder is made if need be."""
        ...

    def append(self, name: str, size: int = -1) -> Writable:
        """A file that exists, to be written at its end or, if that comes first, from byte ``size`` on."""
        ...

    def lock(self, name: str) -> Lock | None:
        """Takes the lock of a file, which is made if need be; None if another holds it."""
        ...

    def locked(self, name: str) -> bool | None:
        """Whether somebody holds the lock of a file that is there; None where there are no locks."""
        ...

    def read(self, name: str, start: int = 0, length: int = -1) -> bytes:
        """Bytes of a file; fewer at its end."""
        ...

    def map(self, name: str) -> pa.Buffer:
        """The whole file as read-only memory that stays valid after the file is removed."""
        ...

    def facts(self, name: str) -> FileFacts | None:
        """What is known of a file; None if there is none."""
        ...

    def names(self, folder: str) -> Sequence[str]:
        """Names (relative to the disk) of the files in a folder, sorted; none if there is no such folder."""
        ...

    def folders(self, folder: str) -> Sequence[str]:
        """Names (relative to the disk) of the folders in a folder, sorted."""
        ...

    def sync(self, name: str) -> None:
        """Makes a file's bytes durable."""
        ...

    def sync_folder(self, folder: str) -> None:
        """Makes names in a folder durable: files made, renamed or removed there."""
        ...

    def rename(self, old: str, new: str) -> None:
        """Gives a file another name, replacing what had it, in one step."""
        ...

    def remove(self, name: str) -> None:
        """Removes a file; nothing happens if it is gone."""
        ...

    def remove_folder(self, folder: str) -> None:
        """Removes a folder if it is there and empty."""
        ...
