"""From what a reader decoded to columns in a representation the engine computes in.

A value comes in as one of its type: what a time has below the precision that was declared is cut off, towards the past, as CAST does it.

``natural`` takes what is cheapest to compute in: DECIMAL up to 18 digits as int64 scaled integers, strings as they
were decoded.  ``wide`` gives canonical representations, ``dictionary`` makes every string a dictionary; both exist so
that tests can show that results do not depend on it (setting ``debug.representation``).
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import _native
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, from_arrow, from_arrow_type, widen

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
    """The column as a type that holds its values, or as a time of fewer digits."""
    if is_finer(column.type, declared):
        if not isinstance(declared, _NESTED):
            return Column(declared, vector=_coarser(column, declared))
        return Column(declared, fitted(widen(column).array, declared).cast(canonical(declared)))
    if _same_storage(column.type, declared):
        return Column(declared, column.array)
    return Column(declared, widen(column).array.cast(canonical(declared)))


def is_finer(of: t.SqlType, declared: t.SqlType) -> bool:
    """Whether times of a type, however deep, have digits that those of the declared type have not."""
    return as_fine(declared, of) != declared


def as_fine(declared: t.SqlType, given: t.SqlType) -> t.SqlType:
    """The declared type with the digits that times of what is given have, where these are more."""
    match declared, given:
        case t.TimestampType(precision=kept, zoned=zoned), t.TimestampType(precision=digits):
            return t.TimestampType(max(kept, digits), zoned)
        case t.TimeType(precision=kept), t.TimeType(precision=digits):
            return t.TimeType(max(kept, digits))
        case t.ArrayType(), t.ArrayType():
            return t.ArrayType(as_fine(declared.element, given.element))
        case t.MapType(), t.MapType():
            return t.MapType(as_fine(declared.key, given.key), as_fine(declared.value, given.value))
        case t.RowType(), t.RowType() if len(declared.fields) == len(given.fields):
            pairs = zip(declared.fields, given.fields, strict=True)
            return t.RowType(tuple(t.RowField(a.name, as_fine(a.type, b.type)) for a, b in pairs))
        case _:
            return declared


def coarser_steps(stored: int, declared: t.TimeType | t.TimestampType) -> tuple[int, int]:
    """What a time of so many stored digits of a second is divided by, rounded down, and multiplied with to be of the declared type."""
    digits = 6 if declared.precision <= 6 else 9
    return 10 ** max(stored - declared.precision, 0), 10 ** max(digits - declared.precision, 0)


def _coarser(column: Column, declared: t.SqlType) -> _native.Vector:
    assert isinstance(declared, t.TimeType | t.TimestampType)
    stored = 9 if column.vector.format[2] == "n" else 6
    zone = ":UTC" if isinstance(declared, t.TimestampType) and declared.zoned else ":"
    unit = "u" if declared.precision <= 6 else "n"
    stored_as = f"ts{unit}{zone}" if isinstance(declared, t.TimestampType) else f"tt{unit}"
    return _native.coarser(column.vector, *coarser_steps(stored, declared), stored_as)


def fitted(array: pa.Array, of: t.SqlType) -> pa.Array:
    """An array of the type, or of one that has finer times in its place, whose times have no digits that the type has not."""
    match of:
        case t.TimeType() | t.TimestampType() if pa.types.is_temporal(array.type):
            given = from_arrow_type(array.type)
            return pa.array(_coarser(from_arrow(array, given), of)) if is_finer(given, of) else array
        case t.ArrayType(element=element) if pa.types.is_list(array.type):
            own = array.values
            values = fitted(own, element)
            return array if values is own else _rebuilt(array, pa.list_(values.type), values)
        case t.MapType(key=key, value=value) if pa.types.is_map(array.type):
            own_keys, own_items = array.keys, array.items
            keys, items = fitted(own_keys, key), fitted(own_items, value)
            if keys is own_keys and items is own_items:
                return array
            kind = pa.map_(keys.type, items.type)
            return _rebuilt(
                array, kind, pa.StructArray.from_arrays([keys, items], fields=[kind.key_field, kind.item_field])
            )
        case t.RowType(fields=fields) if pa.types.is_struct(array.type) and fields:
            inner = [array.field(i) for i in range(len(fields))]
            parts = [fitted(part, field.type) for part, field in zip(inner, fields, strict=True)]
            if all(part is before for part, before in zip(parts, inner, strict=True)):
                return array
            kinds = [pa.field(field.name, part.type) for field, part in zip(fields, parts, strict=True)]
            return pa.StructArray.from_arrays(parts, fields=kinds, mask=array.is_null() if array.null_count else None)
        case _:
            return array


def _rebuilt(array: pa.Array, of: pa.DataType, values: pa.Array) -> pa.Array:
    """A list or map with other values."""
    return pa.Array.from_buffers(of, len(array), array.buffers()[:2], array.null_count, array.offset, children=[values])


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
