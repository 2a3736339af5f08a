"""A disk that forgets, tears and reorders what was not synced, and fails at a chosen step.

Durable are the bytes of a file at its last sync and the names of a folder at its last sync.  When the machine stops,
of the writes since then any subset is there, the last bytes of each perhaps not; of the changes of names in a folder any
prefix is there; files and folders are independent of each other.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tableflow.storage.disk import FileFacts, PlainFile

ERROR, FULL, CRASH = "error", "full", "crash"


class Crash(BaseException):
    """The machine stopped."""


class _Inode:
    def __init__(self, number: int, durable: bytes = b"") -> None:
        self.number = number
        self.durable = durable
        self.data = bytearray(durable)
        self.pending: list[tuple[int, bytes | None]] = []  # (at, bytes written), or (size, None) for a truncation

    def write(self, at: int, data: bytes) -> None:
        self.pending.append((at, data))
        _apply(self.data, at, data)

    def after_crash(self, dice: random.Random) -> bytes:
        data = bytearray(self.durable)
        for at, written in self.pending:
            if dice.random() < 0.5:
                continue
            if written is not None and dice.random() < 0.5:
                written = written[: dice.randrange(len(written) + 1)]
            _apply(data, at, written)
        return bytes(data)


def _apply(data: bytearray, at: int, written: bytes | None) -> None:
    if written is None:
        del data[at:]
        data.extend(bytes(at - len(data)))
    else:
        data.extend(bytes(max(0, at - len(data))))
        data[at : at + len(written)] = written


class SimulatedDisk:
    """See :class:`~tableflow.storage.disk.Disk`; ``steps`` counts what changes or syncs something."""

    place = "simulated"
    shared = True

    def __init__(self, fail_at: int = -1, fault: str = CRASH, seed: int = 0) -> None:
        self.steps = 0
        self.boot = "1"
        self.fail_at = fail_at
        self.fault = fault
        self.dice = random.Random(seed)
        self._crashed = False
        self._names: dict[str, _Inode] = {}
        self._durable: dict[str, _Inode] = {}
        self._pending: list[tuple[str, str, _Inode | None]] = []  # (folder, name, what the name then means)
        self._numbers = 0
        self._locked: set[str] = set()

    def after_crash(self, seed: int) -> SimulatedDisk:
        """What is found when the machine runs again."""
        dice = random.Random(seed)
        names = dict(self._durable)
        stopped: set[str] = set()
        for folder, name, inode in self._pending:
            if folder in stopped or dice.random() < 0.3:
                stopped.add(folder)
            elif inode is None:
                names.pop(name, None)
            else:
                names[name] = inode
        found = SimulatedDisk()
        found.boot = self.boot + "1"
        for name, inode in names.items():
            found._numbers += 1
            fresh = _Inode(found._numbers, inode.after_crash(dice))
            found._names[name] = found._durable[name] = fresh
        return found

    def look_back(self) -> None:
        """What another process could read when the machine stopped may be read now."""
        self._crashed = False

    def _step(self, *, room: bool = False) -> bool:
        """Counts; True if this is the step that fails halfway (a crash or an error)."""
        if self._crashed:
            raise Crash
        self.steps += 1
        if self.fault == FULL:
            if self.fail_at >= 0 and self.steps > self.fail_at and room:
                raise OSError(errno.ENOSPC, "no space left on device")
            return False
        return self.steps - 1 == self.fail_at

    def _fail(self) -> None:
        if self.fault == CRASH:
            self._crashed = True
            raise Crash
        raise OSError(errno.EIO, "input/output error")

    def _look(self) -> None:
        if self._crashed:
            raise Crash

    def create(self, name: str) -> _File:
        if self._step(room=True):
            self._fail()
        self._numbers += 1
        inode = _Inode(self._numbers)
        self._name(name, inode)
        return _File(self, inode, 0)

    def append(self, name: str, size: int = -1) -> _File:
        self._look()
        inode = self._inode(name)
        length = len(inode.data)
        return _File(self, inode, length if size < 0 else min(size, length))

    def lock(self, name: str) -> _Lock | None:
        self._look()
        if name in self._locked:
            return None
        if name not in self._names:
            self.create(name)
        self._locked.add(name)
        return _Lock(self, name, self._names[name])

    def locked(self, name: str) -> bool | None:
        self._look()
        return name in self._locked

    def read(self, name: str, start: int = 0, length: int = -1) -> bytes:
        self._look()
        data = self._inode(name).data
        return bytes(data[start:] if length < 0 else data[start : start + length])

    def map(self, name: str) -> pa.Buffer:
        return pa.py_buffer(self.read(name))

    def facts(self, name: str) -> FileFacts | None:
        self._look()
        inode = self._names.get(name)
        return None if inode is None else FileFacts(len(inode.data), 0, inode.number)

    def names(self, folder: str) -> Sequence[str]:
        self._look()
        return sorted(name for name in self._names if name.rpartition("/")[0] == folder)

    def folders(self, folder: str) -> Sequence[str]:
        self._look()
        start = f"{folder}/" if folder else ""
        inside = (name[len(start) :] for name in self._names if name.startswith(start))
        return sorted({start + rest.partition("/")[0] for rest in inside if "/" in rest})

    def sync(self, name: str) -> None:
        self._sync(self._inode(name))

    def sync_folder(self, folder: str) -> None:
        if self._step():
            self._fail()
        for at, name, inode in self._pending:
            if at == folder:
                self._durably(name, inode)
        self._pending = [each for each in self._pending if each[0] != folder]

    def rename(self, old: str, new: str) -> None:
        if self._step():
            self._fail()
        inode = self._inode(old)
        self._name(new, inode)
        del self._names[old]
        self._pending.append((old.rpartition("/")[0], old, None))

    def remove(self, name: str) -> None:
        if self._step():
            self._fail()
        if self._names.pop(name, None) is not None:
            self._pending.append((name.rpartition("/")[0], name, None))

    def remove_folder(self, folder: str) -> None:
        self._look()

    def _inode(self, name: str) -> _Inode:
        try:
            return self._names[name]
        except KeyError:
            raise FileNotFoundError(errno.ENOENT, "no such file", name) from None

    def _name(self, name: str, inode: _Inode) -> None:
        self._names[name] = inode
        self._pending.append((name.rpartition("/")[0], name, inode))

    def _durably(self, name: str, inode: _Inode | None) -> None:
        if inode is None:
            self._durable.pop(name, None)
        else:
            self._durable[name] = inode

    def _sync(self, inode: _Inode) -> None:
        if self._step():
            self._fail()
        inode.durable = bytes(inode.data)
        inode.pending = []

    def _write(self, inode: _Inode, at: int, data: bytes) -> int:
        if self._step(room=True):
            inode.write(at, data[: self.dice.randrange(len(data) + 1)])
            self._fail()
        inode.write(at, data)
        return len(data)

    def _truncate(self, inode: _Inode, size: int) -> None:
        if self._step():
            self._fail()
        inode.pending.append((size, None))
        _apply(inode.data, size, None)


class _File(PlainFile):
    def __init__(self, disk: SimulatedDisk, inode: _Inode, position: int) -> None:
        super().__init__(position)
        self._disk = disk
        self._inode = inode

    def write(self, data: Any) -> int:
        written = self._disk._write(self._inode, self._position, bytes(memoryview(data).cast("B")))
        self._position += written
        return written

    def truncate(self, size: int) -> int:
        self._disk._truncate(self._inode, size)
        self._position = min(self._position, size)
        return size

    def overwrite(self, data: bytes) -> None:
        self._disk._look()
        self._inode.write(0, data)

    def reserve(self, size: int) -> None:
        self._disk._look()
        length = len(self._inode.data)
        if size > length and self._disk.fault != FULL:
            self._inode.write(length, bytes(min(size - length, 4096)))

    def sync(self) -> None:
        self._disk._sync(self._inode)

    def close(self) -> None:
        self.closed = True


class _Lock:
    certain = True

    def __init__(self, disk: SimulatedDisk, name: str, inode: _Inode) -> None:
        self._disk = disk
        self._name = name
        self._inode = inode

    def write(self, data: bytes) -> None:
        self._disk._look()
        self._inode.data = bytearray(data)

    def holds(self) -> bool:
        self._disk._look()
        return self._disk._names.get(self._name) is self._inode

    def release(self) -> None:
        self._disk._locked.discard(self._name)
