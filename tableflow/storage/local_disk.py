"""A folder of the local file system."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from tableflow.storage.disk import FileFacts, Lock, PlainFile

_TAKEN = {errno.EWOULDBLOCK, errno.EACCES}
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}
_TRIES = 5
"""How often a lock is asked for: somebody who looks whether it is held has it for an instant."""


def _flock(descriptor: int) -> bool:
    """Takes the lock of an open file; False if another holds it."""
    for left in reversed(range(_TRIES)):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            if left:
                time.sleep(0.002)
        else:
            return True
    return False


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class LocalDisk:
    """See :class:`~tableflow.storage.disk.Disk`; the folder itself is made by the first file."""

    shared = True

    def __init__(self, path: str | Path) -> None:
        self.root = Path(path).resolve()
        self._prefix = str(self.root) + "/"

    @property
    def place(self) -> str:
        """The folder's path."""
        return str(self.root)

    @property
    def boot(self) -> str:
        """What Linux calls the time since the machine was started."""
        return _boot()

    def create(self, name: str) -> LocalFile:
        """See :class:`~tableflow.storage.disk.Disk`."""
        path = self._prefix + name
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        try:
            return LocalFile(os.open(path, flags, 0o666), 0)
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            return LocalFile(os.open(path, flags, 0o666), 0)

    def append(self, name: str, size: int = -1) -> LocalFile:
        """See :class:`~tableflow.storage.disk.Disk`."""
        descriptor = os.open(self._prefix + name, os.O_RDWR | os.O_CLOEXEC)
        length = os.fstat(descriptor).st_size
        return LocalFile(descriptor, length if size < 0 else min(size, length))

    def lock(self, name: str) -> Lock | None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._prefix + name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not _flock(descriptor):
                os.close(descriptor)
                return None
        except OSError as error:
            os.close(descriptor)
            if error.errno not in _NO_LOCKS:
                raise
            return _LocalLock(
                self._prefix + name, os.open(self._prefix + name, os.O_RDWR | os.O_CLOEXEC), certain=False
            )
        lock = _LocalLock(self._prefix + name, descriptor)
        if lock.holds():
            return lock
        lock.release()  # it was replaced between opening and locking
        return None

    def locked(self, name: str) -> bool | None:
        """See :class:`~tableflow.storage.disk.Disk`; a lock that others may share is held for an instant."""
        descriptor = os.open(self._prefix + name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS:
                return None
            if error.errno not in _TAKEN:
                raise
            return True
        finally:
            os.close(descriptor)
        return False

    def read(self, name: str, start: int = 0, length: int = -1) -> bytes:
        """See :class:`~tableflow.storage.disk.Disk`."""
        descriptor = os.open(self._prefix + name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if length < 0:
                length = max(0, os.fstat(descriptor).st_size - start)
            data = os.pread(descriptor, length, start)
            while len(data) < length and (more := os.pread(descriptor, length - len(data), start + len(data))):
                data += more
            return data
        finally:
            os.close(descriptor)

    def map(self, name: str) -> pa.Buffer:
        """See :class:`~tableflow.storage.disk.Disk`."""
        with pa.memory_map(self._prefix + name) as mapped:
            return mapped.read_buffer()

    def facts(self, name: str) -> FileFacts | None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        try:
            found = os.stat(self._prefix + name)  # noqa: PTH116 - the log is asked at every statement
        except (FileNotFoundError, NotADirectoryError):
            return None
        return FileFacts(found.st_size, found.st_mtime_ns // 1000, (found.st_dev, found.st_ino))

    def names(self, folder: str) -> Sequence[str]:
        """See :class:`~tableflow.storage.disk.Disk`."""
        start = f"{folder}/" if folder else ""
        try:
            with os.scandir(self._prefix + folder) as found:
                return sorted(start + entry.name for entry in found if entry.is_file())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def folders(self, folder: str) -> Sequence[str]:
        """See :class:`~tableflow.storage.disk.Disk`."""
        start = f"{folder}/" if folder else ""
        try:
            with os.scandir(self._prefix + folder) as found:
                return sorted(start + entry.name for entry in found if entry.is_dir())
        except (FileNotFoundError, NotADirectoryError):
            return []

    def sync(self, name: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        self._sync(self._prefix + name, os.O_RDONLY)

    def sync_folder(self, folder: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`; the folders above are synced too, since they may be new."""
        self._sync(self._prefix + folder, os.O_RDONLY | os.O_DIRECTORY)
        while folder:
            folder = folder.rpartition("/")[0]
            self._sync(self._prefix + folder, os.O_RDONLY | os.O_DIRECTORY)

    def rename(self, old: str, new: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        Path(self._prefix + old).replace(self._prefix + new)

    def remove(self, name: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        Path(self._prefix + name).unlink(missing_ok=True)

    def remove_folder(self, folder: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        with contextlib.suppress(OSError):
            Path(self._prefix + folder).rmdir()

    def _sync(self, path: str, flags: int) -> None:
        descriptor = os.open(path, flags | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class LocalFile(PlainFile):
    """A file written without buffers of its own; see :class:`~tableflow.storage.disk.Writable`."""

    def __init__(self, descriptor: int, position: int) -> None:
        super().__init__(position)
        self._descriptor = descriptor

    def write(self, data: Any) -> int:
        """See :class:`~tableflow.storage.disk.Writable`."""
        rest = memoryview(data).cast("B")
        length = len(rest)
        while rest:
            written = os.pwrite(self._descriptor, rest, self._position)
            self._position += written
            rest = rest[written:]
        return length

    def truncate(self, size: int) -> int:
        """See :class:`~tableflow.storage.disk.Writable`."""
        os.ftruncate(self._descriptor, size)
        self._position = min(self._position, size)
        return size

    def reserve(self, size: int) -> None:
        """See :class:`~tableflow.storage.disk.Writable`."""
        length = os.fstat(self._descriptor).st_size
        if size > length:
            with contextlib.suppress(OSError):  # no such call here, or no room: then the writes themselves will say so
                os.posix_fallocate(self._descriptor, length, size - length)

    def overwrite(self, data: bytes) -> None:
        """See :class:`~tableflow.storage.disk.Writable`."""
        os.pwrite(self._descriptor, data, 0)

    def sync(self) -> None:
        """See :class:`~tableflow.storage.disk.Writable`."""
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """See :class:`~tableflow.storage.disk.Writable`."""
        if not self.closed:
            self.closed = True
            os.close(self._descriptor)


class _LocalLock:
    def __init__(self, path: str, descriptor: int, *, certain: bool = True) -> None:
        self.certain = certain
        self._path = path
        self._descriptor = descriptor
        held = os.fstat(descriptor)
        self._identity = (held.st_dev, held.st_ino)

    def write(self, data: bytes) -> None:
        os.pwrite(self._descriptor, data, 0)
        os.ftruncate(self._descriptor, len(data))

    def holds(self) -> bool:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - asked at every commit
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)  # the lock goes with its descriptor
            self._descriptor = -1
