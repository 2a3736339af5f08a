"""A column: a SQL type, and values in one of the type's representations.

The values live in an Arrow array (Python's view) and in a native :class:`~tableflow.columnar._native.Vector`
(the kernels' view, with its pointers resolved).  Each is made from the other without copying, on first use, and kept.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tableflow.columnar._native import Vector
from tableflow.types import SqlType

_TEXTS = (pa.StringArray, pa.BinaryArray, pa.LargeStringArray, pa.LargeBinaryArray)


class Column:
    """Immutable values of one SQL type; see :mod:`tableflow.columnar.representation` for how they are stored."""

    __slots__ = ("_array", "_nbytes", "_vector", "type")

    def __init__(self, type: SqlType, array: pa.Array | None = None, vector: Vector | None = None) -> None:
        self.type = type
        self._array: Any = array
        self._vector: Any = vector
        self._nbytes = -1

    @property
    def array(self) -> pa.Array:
        """The values as Arrow sees them, in their representation."""
        if self._array is None:
            self._array = pa.array(self._vector)
        return self._array

    @property
    def vector(self) -> Vector:
        """The values as kernels see them; not available for nested types (:class:`TypeError`)."""
        if self._vector is None:
            self._vector = Vector(self._array)
            if _owns_texts(self._array):
                self._vector.allow_keeping()
        vector: Vector = self._vector
        return vector

    def __len__(self) -> int:
        return len(self._vector) if self._array is None else len(self._array)

    @property
    def nbytes(self) -> int:
        """Bytes of the buffers this column keeps alive, shared ones counted in full."""
        if self._nbytes < 0:  # asked for at every exchange, and slow to answer for Arrow
            self._nbytes = int(self._array.nbytes if self._vector is None else self._vector.nbytes)
        return self._nbytes

    def nbytes_of(self, rows: int) -> int:
        """About how many bytes so many of its rows take; a dictionary counts in full, each of them may have any of its values."""
        length = len(self)
        coded = self._vector.dictionary if self._array is None else pa.types.is_dictionary(self._array.type)
        return self.nbytes if coded or rows >= length else -(-self.nbytes * rows // length)

    def slice(self, offset: int, length: int) -> Column:
        """Rows ``[offset, offset + length)`` without copying."""
        return Column(self.type, self.array.slice(offset, length))

    def to_pylist(self) -> list[Any]:
        """The stored values (not the SQL values) as Python objects, for tests and messages."""
        values: list[Any] = self.array.to_pylist()
        return values

    def __repr__(self) -> str:
        return f"Column({self.type}, {self.array.type}, {len(self)} rows)"


def _owns_texts(array: pa.Array) -> bool:
    """Whether the memory of an array's texts is its own, so that it may be kept as long as any of them is wanted.

    What is mapped from a file changes with the file; what is a part of something larger would keep that alive.
    """
    texts = array.dictionary if isinstance(array, pa.DictionaryArray) else array
    if not isinstance(texts, _TEXTS) or texts.offset:
        return False
    _, offsets, data = texts.buffers()
    if offsets is None or data is None or offsets.parent is not None or data.parent is not None:
        return False
    width = 8 if isinstance(texts, (pa.LargeStringArray, pa.LargeBinaryArray)) else 4
    return bool(offsets.size <= 2 * width * (len(texts) + 64))
