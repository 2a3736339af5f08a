"""A column: a SQL type, and values in one of the type's representations.

The values live in an Arrow array (Python's view) and in a native :class:`~tableflow.columnar._native.Vector`
(the kernels' view, with its pointers resolved).  Each is made from the other without copying, on first use, and kept.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tableflow.columnar._native import Vector
from tableflow.types import SqlType


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

    def slice(self, offset: int, length: int) -> Column:
        """Rows ``[offset, offset + length)`` without copying."""
        return Column(self.type, self.array.slice(offset, length))

    def to_pylist(self) -> list[Any]:
        """The stored values (not the SQL values) as Python objects, for tests and messages."""
        values: list[Any] = self.array.to_pylist()
        return values

    def __repr__(self) -> str:
        return f"Column({self.type}, {self.array.type}, {len(self)} rows)"
