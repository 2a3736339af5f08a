"""Columns of every SQL type for files, and a disk in memory that is nothing but a dictionary."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tableflow.storage.disk import FileFacts


class Files:
    """A disk whose files can be looked at and damaged; nothing is ever lost."""

    place = "memory"

    def __init__(self) -> None:
        self.content: dict[str, bytearray] = {}
        self.synced: set[str] = set()

    def create(self, name: str) -> _File:
        self.content[name] = bytearray()
        return _File(self, name)

    def append(self, name: str) -> _File:
        return _File(self, name)

    def read(self, name: str, start: int = 0, length: int = -1) -> bytes:
        end = None if length < 0 else start + length
        return bytes(self._find(name)[start:end])

    def map(self, name: str) -> pa.Buffer:
        return pa.py_buffer(bytes(self._find(name)))

    def facts(self, name: str) -> FileFacts | None:
        return FileFacts(len(self.content[name]), 0, name) if name in self.content else None

    def names(self, folder: str) -> list[str]:
        return sorted(name for name in self.content if name.startswith(f"{folder}/"))

    def sync(self, name: str) -> None:
        self.synced.add(name)

    def sync_folder(self, folder: str) -> None:
        pass

    def rename(self, old: str, new: str) -> None:
        self.content[new] = self.content.pop(old)

    def remove(self, name: str) -> None:
        self.content.pop(name, None)

    def _find(self, name: str) -> bytearray:
        if name not in self.content:
            raise FileNotFoundError(2, "no such file", name)
        return self.content[name]


class _File:
    def __init__(self, files: Files, name: str) -> None:
        self._files = files
        self._name = name
        self.closed = False

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._files.content[self._name] += view
        return len(view)

    def flush(self) -> None:
        pass

    def tell(self) -> int:
        return len(self._files.content[self._name])

    def truncate(self, size: int) -> int:
        del self._files.content[self._name][size:]
        return size

    def sync(self) -> None:
        self._files.synced.add(self._name)

    def close(self) -> None:
        self.closed = True
