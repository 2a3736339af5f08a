"""A column of a file that is being written: its chunks, each as narrow as it can be, and what is known of them.

What the whole file has is decided at the end: integers and scaled decimals get the widest width that a chunk
needed, text one dictionary where that is smaller.  Until then chunks are held as narrow as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.kernels.narrowing import TextCodes, joined, narrow
from tableflow.columnar.representation import canonical, widen
from tableflow.storage.description import StoredColumn
from tableflow.storage.distinct import DistinctSketch
from tableflow.storage.zones import Zone, bounds, text_zone

_CODES = ((1 << 7, pa.int8()), (1 << 15, pa.int16()), (1 << 31, pa.int32()))
_DICTIONARY = 1 << 30
"""Bytes that a dictionary never exceeds by much: its offsets have 32 bits."""
_SAMPLE = 8192
"""Rows of a column's first piece that decide whether a dictionary is tried."""


def column_buffer(column: StoredColumn) -> ColumnBuffer:
    """The buffer for a column of its type."""
    match column.type:
        case t.IntegerType() | t.DecimalType():
            return NumberBuffer(column)
        case t.DateType() | t.TimeType() | t.TimestampType():
            return TimeBuffer(column)
        case t.StringType() | t.JsonType() | t.BytesType():
            return TextBuffer(column)
        case _:
            return ColumnBuffer(column)


class ColumnBuffer:
    """Chunks kept as they are: everything that has one representation."""

    def __init__(self, column: StoredColumn) -> None:
        self.id = column.id
        self.type = column.type
        self.bytes = 0
        self.value_bytes = 0
        self.zones: list[Zone] = []
        self._chunks: list[pa.Array] = []
        self._sketch = DistinctSketch()

    def add(self, pieces: Sequence[Column]) -> None:
        """One chunk, of one or more pieces."""
        column = widen(joined(pieces))
        self._keep(column, *bounds(column))

    def finish(self) -> list[pa.Array]:
        """All chunks as one type."""
        return self._chunks

    def sketch(self) -> bytes | None:
        """The distinct values' sketch; None for nested types."""
        return None if isinstance(self.type, t.ArrayType | t.MapType | t.RowType) else self._sketch.serialize()

    def _keep(self, column: Column, low: Any, high: Any) -> None:
        array = column.array
        self._chunks.append(array)
        self.zones.append(Zone(low, high, array.null_count, len(array)))
        size = array.nbytes
        self.bytes += size
        self.value_bytes += size
        if not is_nested(column):
            self._sketch.add(column)


class NumberBuffer(ColumnBuffer):
    """Integers and decimals: the least width that holds the values."""

    def add(self, pieces: Sequence[Column]) -> None:
        """One chunk."""
        self._keep(*narrow(pieces))

    def finish(self) -> list[pa.Array]:
        """All chunks in the widest width of any."""
        if any(pa.types.is_decimal(chunk.type) for chunk in self._chunks):
            return [widen(Column(self.type, chunk)).array for chunk in self._chunks]
        return _as_wide(self._chunks)


class TimeBuffer(ColumnBuffer):
    """Days and times: one width, bounds as numbers."""

    def add(self, pieces: Sequence[Column]) -> None:
        """One chunk."""
        self._keep(*narrow(pieces, keep=True))


class TextBuffer(ColumnBuffer):
    """Text and bytes: by dictionary as long as that seems smaller."""

    def __init__(self, column: StoredColumn) -> None:
        super().__init__(column)
        self._coded: bool | None = None
        self._codes = TextCodes(column.type)

    def add(self, pieces: Sequence[Column]) -> None:
        """One chunk."""
        if self._coded is None:
            self._coded = _repeats(pieces)
        if not self._coded:
            column = widen(joined(pieces))
            self._keep(column, *bounds(column))
            return
        before = self._dictionary_bytes
        codes, low, high, size = self._codes.add(pieces)
        narrowed, _, _ = narrow([codes])
        array = narrowed.array
        self._chunks.append(array)
        self.zones.append(Zone(*text_zone(low, high, self.type), array.null_count, len(array)))
        self.value_bytes += size + 4 * len(array)
        self.bytes += array.nbytes + self._dictionary_bytes - before
        repetitive = 2 * self._dictionary_bytes <= self.value_bytes
        if not repetitive or self._codes.entry_bytes > _DICTIONARY:  # the rest is not worth looking for repetitions
            self._decode()

    @property
    def _dictionary_bytes(self) -> int:
        return self._codes.entry_bytes + 4 * self._codes.entries

    def finish(self) -> list[pa.Array]:
        """All chunks with one dictionary, or all plain."""
        if self._coded and self._chunks:
            width = next(of for most, of in _CODES if self._codes.entries <= most)
            rows = sum(map(len, self._chunks))
            if self._dictionary_bytes + rows * width.bit_width // 8 < self.value_bytes:
                entries = self._entries()
                chunks = _as_wide(self._chunks, width)
                return [pa.DictionaryArray.from_arrays(codes, entries) for codes in chunks]
            self._decode()
        return self._chunks

    def sketch(self) -> bytes | None:
        """The distinct values' sketch."""
        if self._codes.entries:
            self._sketch.add(self._codes.dictionary())
        return super().sketch()

    def _entries(self) -> pa.Array:
        array = self._codes.dictionary().array
        return array if array.type == canonical(self.type) else array.cast(canonical(self.type))

    def _decode(self) -> None:
        entries = self._entries()
        decoded = [entries.take(codes) for codes in self._chunks]
        self.bytes = sum(array.nbytes for array in decoded)
        self._chunks = decoded
        self._coded = False


def _repeats(pieces: Sequence[Column]) -> bool:
    """Whether values repeat in the first rows so often that a dictionary may be smaller."""
    sample = next((piece for piece in pieces if len(piece) > piece.vector.null_count), None)
    if sample is None:
        return True
    hashes = hash_rows([sample.slice(0, _SAMPLE)])
    return bool(len(np.unique(hashes)) <= max(1, len(hashes) // 2))


def _as_wide(arrays: Sequence[pa.Array], width: pa.DataType | None = None) -> list[pa.Array]:
    """Integers of several widths in the widest, or in one that is at least as wide."""
    widest = width or max((array.type for array in arrays), key=lambda of: int(of.bit_width), default=pa.int8())
    return [array if array.type == widest else array.cast(widest) for array in arrays]
