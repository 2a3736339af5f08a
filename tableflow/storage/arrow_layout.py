"""Where the parts of an Arrow IPC file lie: what is needed to have a checksum for each.

Only files that were just written are looked at here; readers go by the side file.  The tables are those of
``File.fbs``, ``Message.fbs`` of the Arrow columnar format.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow.records import dataclass

_MAGIC = b"ARROW1"
_BLOCK, _PAIR = 24, 16


@dataclass(frozen=True, slots=True)
class Message:
    """A record batch or dictionary: where its metadata and its body begin and end, and the extent of each column.

    ``dictionary`` is the position of the column whose dictionary it is.
    """

    start: int
    body: int
    end: int
    columns: tuple[tuple[int, int], ...]
    dictionary: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Messages in order, and where the footer begins."""

    dictionaries: tuple[Message, ...]
    chunks: tuple[Message, ...]
    footer: int


def buffers_of(of: pa.DataType) -> int:
    """How many buffers a column of a type has in a message, its children's included."""
    if pa.types.is_null(of):
        return 0
    if pa.types.is_dictionary(of):
        return 2
    if pa.types.is_struct(of):
        return 1 + sum(buffers_of(field.type) for field in of)
    if pa.types.is_map(of):
        return 3 + buffers_of(of.key_type) + buffers_of(of.item_type)
    if pa.types.is_list(of):
        return 2 + buffers_of(of.value_type)
    return 3 if of in _TEXT else 2


_TEXT = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())


def layout(file: pa.Buffer, schema: pa.Schema) -> Layout:
    """The layout of a whole file of this schema."""
    data = memoryview(file).cast("B")
    (length,) = struct.unpack_from("<i", data, len(data) - len(_MAGIC) - 4)
    start = len(data) - len(_MAGIC) - 4 - length
    footer = _Table(data, start + _unsigned(data, start))
    types = [field.type for field in schema]
    dictionaries = tuple(_message(data, block, types) for block in footer.structs(2, _BLOCK))
    chunks = tuple(_message(data, block, types) for block in footer.structs(3, _BLOCK))
    return Layout(dictionaries, chunks, max((m.end for m in (*dictionaries, *chunks)), default=start))


def _message(data: memoryview, block: int, types: Sequence[pa.DataType]) -> Message:
    offset, metadata, body = struct.unpack_from("<qi4xq", data, block)
    message = _Table(data, offset + 8 + _unsigned(data, offset + 8))
    header = message.table(2)
    dictionary = None
    if message.scalar(1, "<B", 0) == 2:
        coded = [i for i, of in enumerate(types) if pa.types.is_dictionary(of)]
        dictionary = coded[header.scalar(0, "<q", 0)]  # ids are given in the order of fields
        types, header = [types[dictionary].value_type], header.table(1)
    at = offset + metadata
    pairs = np.array([struct.unpack_from("<qq", data, p) for p in header.structs(2, _PAIR)], np.int64).reshape(-1, 2)
    ends = [*pairs[1:, 0].tolist(), body]  # padding belongs to the buffer before it
    columns, first = [], 0
    for of in types:
        count = buffers_of(of)
        extent = (int(pairs[first, 0]), ends[first + count - 1]) if count else (0, 0)
        columns.append((at + extent[0], at + extent[1]))
        first += count
    if first != len(pairs):
        raise ValueError(f"{len(pairs)} buffers where the types say {first}")
    return Message(offset, at, at + body, tuple(columns), dictionary)


def _unsigned(data: memoryview, at: int) -> int:
    value: int = struct.unpack_from("<I", data, at)[0]
    return value


class _Table:
    """A table of a flat buffer: fields by number."""

    def __init__(self, data: memoryview, at: int) -> None:
        self._data = data
        self._at = at
        self._vtable = at - struct.unpack_from("<i", data, at)[0]
        self._size = struct.unpack_from("<H", data, self._vtable)[0]

    def _field(self, number: int) -> int:
        slot = 4 + 2 * number
        if slot >= self._size:
            return 0
        offset: int = struct.unpack_from("<H", self._data, self._vtable + slot)[0]
        return offset and self._at + offset

    def scalar(self, number: int, format: str, default: Any) -> Any:
        """A number, or what stands for it when it is left out."""
        at = self._field(number)
        return struct.unpack_from(format, self._data, at)[0] if at else default

    def table(self, number: int) -> _Table:
        """A table within."""
        at = self._field(number)
        return _Table(self._data, at + _unsigned(self._data, at))

    def structs(self, number: int, size: int) -> list[int]:
        """Where the structs of a vector lie."""
        at = self._field(number)
        if not at:
            return []
        at += _unsigned(self._data, at)
        first = at + 4
        return [first + i * size for i in range(_unsigned(self._data, at))]
