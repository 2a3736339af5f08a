"""From what a reader decoded to columns in a representation the engine computes in.

``natural`` takes what is cheapest to compute in: DECIMAL up to 18 digits as int64 scaled integers, strings as they
were decoded.  ``wide`` gives canonical representations, ``dictionary`` makes every string a dictionary; both exist so
that tests can show that results do not depend on it (setting ``debug.representation``).
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, from_arrow, widen

NATURAL, WIDE, DICTIONARY = "natural", "wide", "dictionary"
_NESTED = (t.ArrayType, t.MapType, t.RowType)
SCALED_DIGITS = 18
"""Most digits of a decimal that surely fits int64."""


def column_from_arrow(array: pa.Array, of: t.SqlType, declared: t.SqlType, representation: str) -> Column:
    """A column of type ``declared`` over values decoded as type ``of``; may raise :class:`pyarrow.ArrowInvalid`."""
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_string_view(array.type) or pa.types.is_binary_view(array.type):
        array = array.cast(canonical(of))
    if pa.types.is_list_view(array.type) or pa.types.is_large_list_view(array.type):
        array = listed(array)
    column = from_arrow(array, of)
    if of != declared:
        column = convert(column, declared)
    return represent(column, representation)


def listed(array: pa.Array) -> pa.Array:
    """A list view as a list; pyarrow's own cast loses elements behind an empty or missing list."""
    there = array.is_valid().to_numpy(zero_copy_only=False)
    sizes = np.where(there, array.sizes.to_numpy(zero_copy_only=False), 0)
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int32())
    return pa.ListArray.from_arrays(offsets, array.flatten(), mask=pa.array(~there))


def convert(column: Column, declared: t.SqlType) -> Column:
    """The column as a wider or equally stored type."""
    if _same_storage(column.type, declared):
        return Column(declared, column.array)
    return Column(declared, widen(column).array.cast(canonical(declared)))


def _same_storage(of: t.SqlType, declared: t.SqlType) -> bool:
    if isinstance(of, t.DecimalType) and isinstance(declared, t.DecimalType):
        return of.scale == declared.scale and of.precision == declared.precision
    return bool(canonical(of) == canonical(declared))


def represent(column: Column, representation: str) -> Column:
    """The column in the wanted representation."""
    if representation == WIDE:
        return widen(column)
    if representation == DICTIONARY and isinstance(column.type, t.StringType | t.JsonType):
        wide = column.array
        if pa.types.is_dictionary(wide.type):
            return column
        return Column(column.type, widen(column).array.dictionary_encode())
    if (
        isinstance(column.type, t.DecimalType)
        and column.type.precision <= SCALED_DIGITS
        and column.vector.format.startswith("d:")
    ):
        return Column(column.type, scaled_integers(column.array))
    return column


def scaled_integers(array: pa.Array) -> pa.Array:
    """A decimal array of at most 18 digits as int64 scaled integers; integers pass."""
    if pa.types.is_integer(array.type):
        return array
    if not pa.types.is_decimal128(array.type):
        array = array.cast(pa.decimal128(array.type.precision, array.type.scale))
    validity, data = array.buffers()
    if data is None or len(array) == 0:
        return pa.nulls(len(array), pa.int64())
    words = np.frombuffer(data, dtype=np.int64)
    low = words[2 * array.offset : 2 * (array.offset + len(array)) : 2].copy()  # little-endian: the low half is first
    if validity is not None and array.offset:
        validity = array.is_valid().buffers()[1]
    return pa.Array.from_buffers(pa.int64(), len(array), [validity, pa.py_buffer(low)], array.null_count)


def scaled_integer(value: Decimal, scale: int) -> int:
    """A decimal's digits as an integer, exactly (arithmetic of Decimal would round to its context)."""
    sign, digits, exponent = value.as_tuple()
    magnitude: int = int("".join(map(str, digits)) or "0") * 10 ** (int(exponent) + scale)
    return -magnitude if sign else magnitude


def null_count(column: Column) -> int:
    """NULLs of a column, nested ones too."""
    if isinstance(column.type, _NESTED):
        return int(column.array.null_count)
    return column.vector.null_count
