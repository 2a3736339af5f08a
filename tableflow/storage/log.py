"""The log: files of records, each whole or not there.

A record is a frame (magic, length, sequence, the sequence that was durable when it was written, checksum over all of it)
and a payload.  Records follow one another, and sequences count up without gaps; what comes after the last whole record
(zeros, since the file is made longer than what it holds; a torn record; an older one) is not there for readers, and is
cut by the next writer, unless something whole behind it says that what is torn was durable: then the file is damaged.
The last record of a file may be a *link*: the log goes on in the file of the next number.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Iterator

from xxhash import xxh3_64_intdigest

from tableflow.records import dataclass
from tableflow.storage.damage import damaged
from tableflow.storage.disk import Disk, Writable

FOLDER = "log"
_FRAME = struct.Struct("<4sIQQQ")
_MAGIC = b"TFr1"
_LINK = b"TFn1"
_RESERVED = 1 << 20
_LARGEST_BLOCK = 1 << 20
LARGEST_RECORD = 1 << 30
"""Most bytes of a record's payload; what is larger goes into files."""


def log_name(number: int) -> str:
    """The file of a log by number."""
    return f"{FOLDER}/{number:08}.log"


def _frame(magic: bytes, sequence: int, durable: int, payload: bytes) -> bytes:
    start = struct.pack("<4sIQQ", magic, len(payload), sequence, durable)
    checksum = xxh3_64_intdigest(payload, xxh3_64_intdigest(start))
    return start + checksum.to_bytes(8, "little")


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record and where it ends."""

    sequence: int
    payload: bytes
    end: int


class LogWriter:
    """Appends records to one log file.  Not thread-safe but for :meth:`sync`, which may run beside :meth:`append`."""

    def __init__(self, disk: Disk, number: int, file: Writable) -> None:
        self.disk = disk
        self.number = number
        self._file = file
        self._reserved = file.tell()

    @classmethod
    def create(cls, disk: Disk, number: int) -> LogWriter:
        """An empty log whose name is durable."""
        file = disk.create(log_name(number))
        writer = cls(disk, number, file)
        writer._make_room(1)
        file.sync()
        disk.sync_folder(FOLDER)
        return writer

    @classmethod
    def resume(cls, disk: Disk, number: int, end: int) -> LogWriter:
        """A log to be written on behind its last whole record; what is there of another is cut."""
        file = disk.append(log_name(number), end)
        file.truncate(end)
        file.sync()
        return cls(disk, number, file)

    @property
    def position(self) -> int:
        """Where the next record goes."""
        return self._file.tell()

    def append(self, sequence: int, payload: bytes, durable: int) -> None:
        """Writes a record, which is durable after :meth:`sync`; ``durable`` is the newest that is so already."""
        if len(payload) > LARGEST_RECORD:
            raise OSError(errno.EFBIG, "a record of the log is too large")
        self._make_room(len(payload) + _FRAME.size)
        self._file.write(_frame(_MAGIC, sequence, durable, payload) + payload)

    def link(self, sequence: int) -> None:
        """Says that the log goes on in the file of the next number; nothing may follow, so the room for it is given back."""
        self._file.write(_frame(_LINK, sequence, sequence - 1, b""))
        self._reserved = self._file.tell()
        self._file.truncate(self._reserved)
        self._file.sync()

    def sync(self) -> None:
        """Returns when every record appended before the call is durable."""
        self._file.sync()

    def cut(self, position: int) -> None:
        """Takes back, durably, what was written after a position."""
        self._file.truncate(position)
        self._reserved = position
        self._file.sync()

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _make_room(self, size: int) -> None:
        if self._file.tell() + size > self._reserved:
            self._reserved = (self._file.tell() + size + _RESERVED) // _RESERVED * _RESERVED
            self._file.reserve(self._reserved)


class LogReader:
    """Follows a log from file to file; also while it is written, by this process or another."""

    def __init__(self, disk: Disk, number: int, sequence: int) -> None:
        """Begins at the start of file ``number``, whose first record should have ``sequence``."""
        self.disk = disk
        self.number = number
        self.position = 0
        self.sequence = sequence
        self._last: tuple[int, bytes] | None = None
        self._block: tuple[int, int, bytes] = (-1, 0, b"")

    def unchanged(self) -> bool:
        """Whether the record that was read last is still there: a writer takes records back that it could not sync."""
        if self._last is None:
            return True
        start, frame = self._last
        return self.disk.read(log_name(self.number), start, _FRAME.size) == frame

    def records(self, trusted: Callable[[int], bool] = lambda _: True) -> Iterator[Record]:
        """The whole records that have come since, up to the first whose sequence is not ``trusted``.

        Raises :class:`FileNotFoundError` if the file is gone.
        """
        self._block = (-1, 0, b"")  # what lay there before may have been written over
        while (found := self._next(trusted)) is not None:
            magic, payload = found
            if magic == _LINK:
                self.number += 1
                self.position = 0
                self._last = None
                continue
            self.sequence += 1
            yield Record(self.sequence - 1, payload, self.position)

    def check_end(self) -> None:
        """:class:`~tableflow.errors.ConnectorError` if what follows the last whole record was durable once."""
        name = log_name(self.number)
        rest = self.disk.read(name, self.position)
        if not rest.strip(b"\0"):
            return
        for magic in (_MAGIC, _LINK):
            at = rest.find(magic)
            while at >= 0:
                frame = rest[at : at + _FRAME.size]
                if len(frame) == _FRAME.size:
                    _, length, sequence, durable, _ = _FRAME.unpack(frame)
                    payload = rest[at + _FRAME.size : at + _FRAME.size + length]
                    if durable >= self.sequence and _frame(magic, sequence, durable, payload) == frame:
                        if self._next_is_whole():  # a writer goes on meanwhile
                            return
                        raise damaged(name, f"commit {self.sequence} was durable and cannot be read")
                at = rest.find(magic, at + 1)

    def _next_is_whole(self) -> bool:
        again = LogReader(self.disk, self.number, self.sequence)
        again.position = self.position
        return again._next() is not None

    def _next(self, trusted: Callable[[int], bool] = lambda _: True) -> tuple[bytes, bytes] | None:
        """The magic and payload of the next whole record, and steps over it."""
        frame = self._read(self.position, _FRAME.size)
        if len(frame) < _FRAME.size:
            return None
        magic, length, sequence, durable, _ = _FRAME.unpack(frame)
        if magic not in {_MAGIC, _LINK} or sequence != self.sequence or length > LARGEST_RECORD:
            return None
        payload = self._read(self.position + _FRAME.size, length)
        if len(payload) < length or _frame(magic, sequence, durable, payload) != frame:
            return None
        if magic == _MAGIC and not trusted(sequence):
            return None
        self._last = (self.position, frame)
        self.position += _FRAME.size + length
        return magic, payload

    def _read(self, start: int, length: int) -> bytes:
        """Bytes of the file, read in blocks when there are many small records."""
        number, at, block = self._block
        if number != self.number or start < at or start + length > at + len(block):
            ahead = min(max(length, 2 * len(block)), _LARGEST_BLOCK)  # blocks grow while the log is read on
            block = self.disk.read(log_name(self.number), start, max(length, ahead))
            at = start
            self._block = (self.number, at, block)
        return block[start - at : start - at + length]
