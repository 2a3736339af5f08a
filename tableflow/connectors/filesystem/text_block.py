"""Text files in bounded blocks of whole records.

A block begins and ends at a line end that is outside quotes; blocks follow each other without gap, so
``(offset of a block, rows of it delivered)`` is all that is needed to go on.  Outside quotes means: an even number of
quote characters lies before it, which holds for files where quotes enclose fields and are doubled inside.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from tableflow.columnar.kernels.text import count_byte
from tableflow.connectors.filesystem.path import FileVersion
from tableflow.errors import ConnectorError
from tableflow.records import dataclass

BLOCK_BYTES = 4 << 20
LONGEST_RECORD = 256 << 20
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of whole records at an offset of the file."""

    offset: int
    read: bytes
    size: int

    @property
    def data(self) -> bytes:
        """A copy of the bytes."""
        return self.read[: self.size]

    @property
    def view(self) -> memoryview:
        """The bytes where they are; what was read behind them is left out."""
        return memoryview(self.read)[: self.size]


def read_blocks(file: FileVersion, start: int, end: int, quote: bytes | None) -> Iterator[Block]:
    """The blocks of ``[start, end)``; both must be at the beginning of a record, or the end of the file."""
    with open(file.path, "rb", buffering=0) as opened:  # noqa: PTH123 - paths are text here
        offset, wanted = start, BLOCK_BYTES
        while offset < end:
            data = os.pread(opened.fileno(), min(wanted, end - offset), offset)
            if not data:
                return
            last = offset + len(data) >= end or len(data) < wanted
            cut = len(data) if last else last_record_end(data, quote)
            if cut == 0:
                if len(data) > LONGEST_RECORD:
                    raise ConnectorError(
                        f"file {file.path!r} has a record longer than {LONGEST_RECORD >> 20} MB",
                        detail=f"it begins on line {line_of(file, offset)}",
                        hint="is a quote missing?" if quote else None,
                    )
                wanted *= 2
                continue
            yield Block(offset, data, cut)
            offset, wanted = offset + cut, BLOCK_BYTES


def last_record_end(data: bytes, quote: bytes | None) -> int:
    """The position after the last line end outside quotes; 0 if there is none."""
    end = data.rfind(b"\n") + 1
    if quote is None:
        return end
    odd = count_byte(data, 0, end, quote[0]) % 2
    while odd and end:
        before = data.rfind(b"\n", 0, end - 1) + 1
        odd ^= data.count(quote, before, end) % 2
        end = before
    return end


def split_records(data: bytes, quote: bytes | None) -> Iterator[bytes]:
    """The records of a block, each with its line end."""
    position = 0
    while position < len(data):
        end = position
        while True:
            newline = data.find(b"\n", end)
            end = len(data) if newline < 0 else newline + 1
            if quote is None or newline < 0 or data.count(quote, position, end) % 2 == 0:
                break
        yield data[position:end]
        position = end


def record_starts(file: FileVersion, start: int, every: int, quote: bytes | None) -> Iterator[int]:
    """Beginnings of records, ``start`` first and then about ``every`` bytes apart; found as they are asked for."""
    yield start
    if file.size - start <= every + every // 2:
        return
    with open(file.path, "rb") as opened:  # noqa: PTH123
        position, odd, target = start, 0, start + every
        while True:
            if quote is None:  # what lies before need not be read
                position = max(position, target)
            opened.seek(position)
            data = opened.read(BLOCK_BYTES)
            if not data:
                return
            if position + len(data) > target:
                found = _first_end(data, max(0, target - position), odd, quote)
                if found is not None and position + found < file.size:
                    yield position + found
                    target = position + found + every
            if quote is not None:
                odd ^= count_byte(data, 0, len(data), quote[0]) % 2
            position += len(data)


def _first_end(data: bytes, at: int, odd: int, quote: bytes | None) -> int | None:
    if quote is not None:
        odd ^= count_byte(data, 0, at, quote[0]) % 2
    while (newline := data.find(b"\n", at)) >= 0:
        if quote is not None:
            odd ^= data.count(quote, at, newline) % 2
        if not odd:
            return newline + 1
        at = newline + 1
    return None


def content_start(file: FileVersion) -> int:
    """3 if the file begins with a byte order mark, else 0."""
    with open(file.path, "rb") as opened:  # noqa: PTH123
        return len(BYTE_ORDER_MARK) if opened.read(3) == BYTE_ORDER_MARK else 0


def line_of(file: FileVersion, offset: int) -> int:
    """The number, from 1, of the line at an offset; reads the file up to there."""
    line, left = 1, offset
    with open(file.path, "rb") as opened:  # noqa: PTH123
        while left > 0 and (data := opened.read(min(left, BLOCK_BYTES))):
            line += data.count(b"\n")
            left -= len(data)
    return line
