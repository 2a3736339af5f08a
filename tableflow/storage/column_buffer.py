"""A column of a file that is being written: its chunks, each as narrow as it can be, and what is known of them.

What the whole file has is decided at the end: integers and scaled decimals get the widest width that a chunk
needed, text one dictionary where that is smaller.  Until then chunks are held as narrow as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.representation import canonical, widen
from tableflow.storage.description import StoredColumn
from tableflow.storage.distinct import DistinctSketch
from tableflow.storage.zones import Zone, bounds

_WIDTHS = ((8, pa.int8()), (16, pa.int16()), (32, pa.int32()), (64, pa.int64()))
_CODES = ((1 << 7, pa.int8()), (1 << 15, pa.int16()), (1 << 31, pa.int32()))
_SAMPLE = 8192
"""Rows of a column's first chunk that decide whether a dictionary is tried."""


def column_buffer(column: StoredColumn) -> ColumnBuffer:
    """The buffer for a column of its type."""
    match column.type:
        case t.IntegerType() | t.DecimalType():
            return NumberBuffer(column)
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
        hashed = not isinstance(column.type, t.ArrayType | t.MapType | t.RowType)
        self.sketch = DistinctSketch() if hashed else None

    def add(self, column: Column) -> None:
        """One chunk."""
        array = widen(column).array
        self._keep(array, *bounds(array, self.type))
        self._sketch(array)

    def finish(self) -> list[pa.Array]:
        """All chunks as one type."""
        return self._chunks

    def _keep(self, array: pa.Array, low: Any, high: Any) -> None:
        self._chunks.append(array)
        self.zones.append(Zone(low, high, array.null_count, len(array)))
        size = array.nbytes
        self.bytes += size
        self.value_bytes += size

    def _sketch(self, values: pa.Array) -> None:
        if self.sketch is not None and len(values) > values.null_count:
            hashes = hash_rows([Column(self.type, values)])
            self.sketch.add(hashes[values.is_valid().to_numpy(zero_copy_only=False)] if values.null_count else hashes)


class NumberBuffer(ColumnBuffer):
    """Integers and decimals: the least width that holds the values."""

    def add(self, column: Column) -> None:
        """One chunk."""
        array = column.array
        if pa.types.is_decimal(array.type):
            array = _low_words(array)
        low, high = bounds(array, self.type)
        if pa.types.is_integer(array.type):
            array = _narrowed(array, low or 0, high or 0)
        self._keep(array, low, high)
        self._sketch(array)

    def finish(self) -> list[pa.Array]:
        """All chunks in the widest width of any."""
        if any(pa.types.is_decimal(chunk.type) for chunk in self._chunks):
            return [widen(Column(self.type, chunk)).array for chunk in self._chunks]
        if not self._chunks:
            return []
        widest = max((chunk.type for chunk in self._chunks), key=lambda of: int(of.bit_width))
        return [chunk if chunk.type == widest else chunk.cast(widest) for chunk in self._chunks]


def _low_words(array: pa.Array) -> pa.Array:
    """A decimal128 array as scaled int64 integers; itself if a value does not fit."""
    data = array.buffers()[1]
    if data is None or not len(array):
        return pa.nulls(len(array), pa.int64())
    words = np.frombuffer(data, np.int64, 2 * len(array), 16 * array.offset)
    low = np.ascontiguousarray(words[::2])
    beyond = words[1::2] != low >> 63
    if array.null_count:
        beyond &= array.is_valid().to_numpy(zero_copy_only=False)
    if bool(beyond.any()):
        return array
    return pa.Array.from_buffers(pa.int64(), len(array), [_validity(array), pa.py_buffer(low)], array.null_count)


def _validity(array: pa.Array) -> pa.Buffer | None:
    """The bits of a column's validity from its first row on."""
    if not array.null_count:
        return None
    bits = array.buffers()[0]
    if array.offset % 8 == 0:
        return bits.slice(array.offset // 8)
    return array.is_valid().buffers()[1]


def _narrowed(array: pa.Array, low: int, high: int) -> pa.Array:
    """Integers in the least width for the range ``[low, high]``; what NULL rows hold does not matter."""
    target = next(of for bits, of in _WIDTHS if -(1 << (bits - 1)) <= low and high < 1 << (bits - 1))
    if array.type.bit_width <= target.bit_width:
        return array
    source = np.dtype(f"i{array.type.bit_width // 8}")
    data = array.buffers()[1]
    values: npt.NDArray[Any] = np.frombuffer(data, source, len(array), array.offset * source.itemsize)
    cut = values.astype(f"i{target.bit_width // 8}")
    return pa.Array.from_buffers(target, len(array), [_validity(array), pa.py_buffer(cut)], array.null_count)


class TextBuffer(ColumnBuffer):
    """Text and bytes: by dictionary as long as that seems smaller."""

    def __init__(self, column: StoredColumn) -> None:
        super().__init__(column)
        self._plain = canonical(column.type)
        self._coded: bool | None = None
        self._entry_bytes = 0

    def add(self, column: Column) -> None:
        """One chunk."""
        array = column.array
        if pa.types.is_dictionary(array.type) and (array.dictionary.null_count or not len(array)):
            array = array.dictionary_decode()
        if self._coded is None and len(array) > array.null_count:
            self._coded = _repeats(array, self.type)
        if self._coded:
            coded = array if pa.types.is_dictionary(array.type) else array.cast(self._plain).dictionary_encode()
            self._add_coded(_used(coded, self._plain))
            return
        plain = widen(Column(self.type, array)).array
        self._keep(plain, *bounds(plain, self.type))
        self._sketch(plain)

    def _add_coded(self, coded: pa.DictionaryArray) -> None:
        entries = coded.dictionary
        low, high = bounds(entries, self.type)
        self._chunks.append(coded)
        self.zones.append(Zone(low, high, coded.null_count, len(coded)))
        lengths = pc.binary_length(entries).to_numpy()
        codes = _codes(coded)
        text = int(lengths[codes[codes < len(lengths)]].sum()) + 4 * len(coded)
        self.value_bytes += text
        self.bytes += coded.nbytes
        self._entry_bytes += entries.nbytes
        self._sketch(entries)
        if 2 * self._entry_bytes > self.value_bytes:  # the rest is not worth looking for repetitions
            self._coded = False

    def finish(self) -> list[pa.Array]:
        """All chunks with one dictionary, or all plain."""
        chunks = self._chunks
        if self._coded:
            # What came before it was decided has NULLs only.
            chunks = [c if pa.types.is_dictionary(c.type) else c.dictionary_encode() for c in chunks]
            chunks = pa.chunked_array(chunks).unify_dictionaries().chunks
            entries = chunks[0].dictionary
            codes = next(of for most, of in _CODES if len(entries) <= most)
            if entries.nbytes + sum(map(len, chunks)) * codes.bit_width // 8 < self.value_bytes:
                return [_with_codes(chunk, entries, codes) for chunk in chunks]
        return [widen(Column(self.type, chunk)).array for chunk in chunks]


def _codes(coded: pa.DictionaryArray) -> npt.NDArray[Any]:
    """Codes of a dictionary array; those of NULL rows are any."""
    indices = coded.indices
    kind = np.dtype(f"i{indices.type.bit_width // 8}")
    codes = np.frombuffer(indices.buffers()[1], kind, len(indices), indices.offset * kind.itemsize)
    if coded.null_count:
        codes = codes[coded.is_valid().to_numpy(zero_copy_only=False)]
    return codes


def _repeats(array: pa.Array, of: t.SqlType) -> bool:
    """Whether values repeat in the first rows so often that a dictionary may be smaller."""
    sample = array.slice(0, _SAMPLE)
    return bool(len(np.unique(hash_rows([Column(of, sample)]))) <= max(1, len(sample) // 2))


def _used(coded: pa.DictionaryArray, plain: pa.DataType) -> pa.DictionaryArray:
    """The same rows with int32 codes into a dictionary that has only entries that occur."""
    entries = coded.dictionary.cast(plain)
    marks = np.zeros(len(entries), np.bool_)
    marks[_codes(coded)] = True
    indices = coded.indices.cast(pa.int32())
    if not bool(marks.all()):
        numbers = np.cumsum(marks, dtype=np.int32) - np.int32(1)
        indices = pa.array(numbers).take(indices) if len(entries) else indices
        entries = entries.filter(pa.array(marks))
    return pa.DictionaryArray.from_arrays(indices, entries)


def _with_codes(coded: pa.DictionaryArray, entries: pa.Array, of: pa.DataType) -> pa.DictionaryArray:
    indices = coded.indices
    narrow = _narrowed(indices, 0, (1 << (of.bit_width - 1)) - 1)
    return pa.DictionaryArray.from_arrays(narrow, entries)
