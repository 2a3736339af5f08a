"""Operands: what kernels take and give, values for a number of rows or one constant for all of them.

A constant operand holds one value, which numpy and Arrow broadcast.  ``errors`` marks rows whose value could not be
computed; such rows are NULL in ``array``, so a kernel need not look at its arguments' errors.  Exact numbers are
seen as int64 where all of them fit, else as Python integers (dtype object): never rounded, never wrapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, widen

Array: TypeAlias = npt.NDArray[Any]
Mask: TypeAlias = npt.NDArray[np.bool_]

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1
INTERVAL_STORAGE = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])


class Operand:
    """Values of one SQL type in any of its representations; see the module."""

    __slots__ = ("array", "constant", "errors", "type")

    def __init__(self, type: t.SqlType, array: pa.Array, *, constant: bool = False, errors: Mask | None = None) -> None:
        self.type = type
        self.array = array
        self.constant = constant
        self.errors = errors

    def __len__(self) -> int:
        return len(self.array)

    @property
    def plain(self) -> pa.Array:
        """The values in the canonical representation."""
        return widen(Column(self.type, self.array)).array

    @property
    def datum(self) -> Any:
        """What Arrow's kernels broadcast: a scalar if constant, else the canonical array."""
        return self.plain[0] if self.constant else self.plain

    @property
    def valid(self) -> Mask | None:
        """Which rows are not NULL; None means all."""
        return validity(self.array)

    @property
    def value(self) -> Any:
        """The Arrow scalar's Python value of the first row (constants)."""
        return self.plain[0].as_py()

    def with_type(self, of: t.SqlType) -> Operand:
        """The same storage under another type (VARCHAR as STRING)."""
        return Operand(of, self.array, constant=self.constant, errors=self.errors)


def validity(array: pa.Array) -> Mask | None:
    """Rows that are not NULL, or None when there is no NULL."""
    if array.null_count == 0:
        return None
    mask: Mask = array.is_valid().to_numpy(zero_copy_only=False)
    return mask


def both(*masks: Mask | None) -> Mask | None:
    """Rows that all masks hold; None is all rows."""
    result: Mask | None = None
    for mask in masks:
        if mask is not None:
            result = mask if result is None else result & mask
    return result


def either(*masks: Mask | None) -> Mask | None:
    """Rows that any mask holds; None is no row."""
    result: Mask | None = None
    for mask in masks:
        if mask is not None:
            result = mask if result is None else result | mask
    return result


def _buffer(array: pa.Array, dtype: Any) -> Array:
    data = array.buffers()[1]
    if data is None or len(array) == 0:
        return np.zeros(len(array), dtype)
    kind = np.dtype(dtype)
    return np.frombuffer(data, kind, len(array), array.offset * kind.itemsize)


def _decimals(array: pa.Array) -> Array:
    pairs = _buffer(array, np.dtype([("low", "<u8"), ("high", "<i8")]))
    low, high = pairs["low"].copy(), pairs["high"].copy()
    valid = validity(array)
    if valid is not None:
        low[~valid] = 0
        high[~valid] = 0
    narrow: Array = low.view(np.int64)
    if bool((high == (narrow >> 63)).all()):
        return narrow
    wide: Array = high.astype(object) * 2**64 + low.astype(object)
    return wide


_STORAGE: dict[pa.DataType, Any] = {
    pa.int8(): np.int8, pa.int16(): np.int16, pa.int32(): np.int32, pa.int64(): np.int64, pa.float32(): np.float32,
    pa.float64(): np.float64, pa.date32(): np.int32, pa.month_day_nano_interval(): INTERVAL_STORAGE,
}  # fmt: skip


def numbers(of: Operand) -> Array:
    """Storage values as numpy: integers and temporals as int64, decimals as scaled int64 or objects, floats as they are.

    Slots of NULL hold anything, but are 0 in arrays of objects.
    """
    array = of.array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64)
    if pa.types.is_boolean(array.type):
        filled: Array = array.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
        return filled
    if pa.types.is_decimal(array.type):
        return _decimals(array)
    values = _buffer(array, _STORAGE.get(array.type, np.int64))
    return values.astype(np.int64) if values.dtype.kind == "i" and values.dtype.itemsize < 8 else values


def _bitmap(valid: Mask | None) -> pa.Buffer | None:
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())


def _narrowed(values: Array) -> Array:
    """Objects as int64 when every one fits."""
    if values.dtype == object and (len(values) == 0 or (min(values) >= INT64_MIN and max(values) <= INT64_MAX)):
        return values.astype(np.int64)
    return values


def _decimal_array(of: t.DecimalType, values: Array, valid: Mask | None) -> pa.Array:
    values = _narrowed(values)
    if values.dtype != object:
        values = np.ascontiguousarray(values, np.int64)
        return pa.Array.from_buffers(pa.int64(), len(values), [_bitmap(valid), pa.py_buffer(values)])
    pairs = np.empty(len(values), np.dtype([("low", "<u8"), ("high", "<i8")]))
    pairs["low"] = values & (2**64 - 1)
    pairs["high"] = values >> 64
    return pa.Array.from_buffers(canonical(of), len(values), [_bitmap(valid), pa.py_buffer(pairs)])


def build(
    of: t.SqlType, values: Array, valid: Mask | None = None, errors: Mask | None = None, *, constant: bool = False
) -> Operand:
    """An operand from storage values as :func:`numbers` gives them; rows with errors become NULL."""
    n = len(values)
    if errors is not None:
        errors = np.broadcast_to(errors, n)
        errors = errors if valid is None else errors & valid
        valid = ~errors if valid is None else valid & ~errors
        errors = errors if errors.any() else None
    if valid is not None:
        valid = np.broadcast_to(valid, n)
    storage = canonical(of)
    if pa.types.is_null(storage):
        array = pa.nulls(n)
    elif pa.types.is_boolean(storage):
        array = pa.array(values.astype(np.bool_), mask=None if valid is None else ~valid)
    elif isinstance(of, t.DecimalType):
        array = _decimal_array(of, values if valid is None else np.where(valid, values, 0), valid)
    else:
        if values.dtype == object:
            values = values if valid is None else np.where(valid, values, 0)
        data = np.ascontiguousarray(values, _STORAGE.get(storage, np.int64))
        array = pa.Array.from_buffers(storage, n, [_bitmap(valid), pa.py_buffer(data)])
    return Operand(of, array, constant=constant, errors=errors)


def from_arrow(of: t.SqlType, values: Any, errors: Mask | None = None) -> Operand:
    """An operand from what an Arrow kernel gave: an array, or a scalar when all arguments were constants."""
    if isinstance(values, pa.Scalar):
        values = pa.repeat(values, 1)
    elif isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    storage = canonical(of)
    if values.type != storage and not (isinstance(of, t.DecimalType) and pa.types.is_integer(values.type)):
        values = values.cast(storage)
    if errors is not None and errors.any():
        errors = np.broadcast_to(errors, len(values))
        errors = both(errors, validity(values))
        return Operand(of, blank(values, errors), errors=errors)
    return Operand(of, values)


def blank(array: pa.Array, rows: Mask | None) -> pa.Array:
    """The array with these rows NULL."""
    if rows is None or not rows.any():
        return array
    numbers = np.arange(len(array), dtype=np.int64)
    return array.take(pa.array(numbers, mask=np.broadcast_to(rows, len(array))))


def repeated(one: pa.Array, rows: int) -> pa.Array:
    """The first value of an array, for so many rows."""
    return pa.repeat(one[0], rows) if rows else one.slice(0, 0)


def rows_of(*operands: Operand) -> int:
    """Rows that a kernel over these operands yields."""
    lengths = [len(operand) for operand in operands if not operand.constant]
    return lengths[0] if lengths else 1


def rowwise(of: t.SqlType, args: Sequence[Operand], function: Any) -> Operand:
    """``function`` applied to each row's Python values: for rare paths only.  A ValueError is that row's error.

    NULL arguments give NULL.  The function returns a Python value of the canonical storage.
    """
    n = rows_of(*args)
    columns = [arg.plain.to_pylist() for arg in args]
    columns = [column * n if arg.constant else column for arg, column in zip(args, columns, strict=True)]
    results: list[Any] = []
    errors = np.zeros(n, np.bool_)
    for i, values in enumerate(zip(*columns, strict=True)):
        result = None
        if all(value is not None for value in values):
            try:
                result = function(*values)
            except (ValueError, OverflowError, ArithmeticError):
                errors[i] = True
        results.append(result)
    return Operand(of, pa.array(results, canonical(of)), errors=errors if errors.any() else None)
