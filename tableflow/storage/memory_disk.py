"""A folder that lives in memory: what ``tableflow.connect()`` without a path uses, and many tests."""

from __future__ import annotations

import errno
import itertools
import threading
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tableflow.storage.disk import FileFacts, Lock, PlainFile


class MemoryDisk:
    """See :class:`~tableflow.storage.disk.Disk`; nothing survives the object, and all is durable at once."""

    shared = False
    boot = ""

    def __init__(self, place: str = "memory") -> None:
        self.place = place
        self._files: dict[str, _Content] = {}
        self._locked: set[str] = set()
        self._identities = itertools.count(1)
        self._lock = threading.Lock()

    def create(self, name: str) -> MemoryFile:
        """See :class:`~tableflow.storage.disk.Disk`."""
        content = _Content(next(self._identities))
        self._files[name] = content
        return MemoryFile(content, 0)

    def append(self, name: str, size: int = -1) -> MemoryFile:
        """See :class:`~tableflow.storage.disk.Disk`."""
        content = self._content(name)
        content.data = bytearray(content.data)
        length = len(content.data)
        return MemoryFile(content, length if size < 0 else min(size, length))

    def lock(self, name: str) -> Lock | None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        with self._lock:
            if name in self._locked:
                return None
            self._locked.add(name)
        if name not in self._files:
            self.create(name)
        return _MemoryLock(self, name, self._files[name])

    def locked(self, name: str) -> bool | None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        return name in self._locked

    def read(self, name: str, start: int = 0, length: int = -1) -> bytes:
        """See :class:`~tableflow.storage.disk.Disk`."""
        data = self._content(name).data
        return bytes(data[start:] if length < 0 else data[start : start + length])

    def map(self, name: str) -> pa.Buffer:
        """See :class:`~tableflow.storage.disk.Disk`."""
        data = self._content(name).data
        return pa.py_buffer(data if isinstance(data, bytes) else bytes(data))

    def facts(self, name: str) -> FileFacts | None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        content = self._files.get(name)
        return None if content is None else FileFacts(len(content.data), 0, content.identity)

    def names(self, folder: str) -> Sequence[str]:
        """See :class:`~tableflow.storage.disk.Disk`."""
        return sorted(name for name in list(self._files) if name.rpartition("/")[0] == folder)

    def folders(self, folder: str) -> Sequence[str]:
        """See :class:`~tableflow.storage.disk.Disk`."""
        start = f"{folder}/" if folder else ""
        inside = (name[len(start) :] for name in list(self._files) if name.startswith(start))
        return sorted({start + rest.partition("/")[0] for rest in inside if "/" in rest})

    def sync(self, name: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        self._content(name)

    def sync_folder(self, folder: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""

    def rename(self, old: str, new: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        self._files[new] = self._content(old)
        del self._files[old]

    def remove(self, name: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""
        self._files.pop(name, None)

    def remove_folder(self, folder: str) -> None:
        """See :class:`~tableflow.storage.disk.Disk`."""

    def _content(self, name: str) -> _Content:
        try:
            return self._files[name]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "no such file", name) from None


class _Content:
    __slots__ = ("data", "identity")

    def __init__(self, identity: int) -> None:
        self.data: bytearray | bytes = bytearray()
        self.identity = identity


class MemoryFile(PlainFile):
    """See :class:`~tableflow.storage.disk.Writable`."""

    def __init__(self, content: _Content, position: int) -> None:
        super().__init__(position)
        self._content = content

    def write(self, data: Any) -> int:
        """See :class:`~tableflow.storage.disk.Writable`."""
        view = memoryview(data).cast("B")
        kept = self._content.data
        assert isinstance(kept, bytearray)
        kept[self._position : self._position + len(view)] = view
        self._position += len(view)
        return len(view)

    def truncate(self, size: int) -> int:
        """See :class:`~tableflow.storage.disk.Writable`."""
        kept = self._content.data
        assert isinstance(kept, bytearray)
        del kept[size:]
        self._position = min(self._position, size)
        return size

    def reserve(self, size: int) -> None:
        """See :class:`~tableflow.storage.disk.Writable`."""

    def overwrite(self, data: bytes) -> None:
        """See :class:`~tableflow.storage.disk.Writable`."""
        content = bytearray(self._content.data)
        content[: len(data)] = data
        self._content.data = content

    def sync(self) -> None:
        """See :class:`~tableflow.storage.disk.Writable`."""

    def close(self) -> None:
        """See :class:`~tableflow.storage.disk.Writable`; what is closed can be mapped without copying."""
        if not self.closed:
            self.closed = True
            self._content.data = bytes(self._content.data)


class _MemoryLock:
    certain = True

    def __init__(self, disk: MemoryDisk, name: str, content: _Content) -> None:
        self._disk = disk
        self._name = name
        self._content = content

    def write(self, data: bytes) -> None:
        self._content.data = bytearray(data)

    def holds(self) -> bool:
        return self._disk._files.get(self._name) is self._content

    def release(self) -> None:
        self._disk._locked.discard(self._name)
