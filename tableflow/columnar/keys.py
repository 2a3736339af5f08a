"""Arrays and rows as byte strings that are equal, and in order, exactly when the values are.

A member is a mark and its bytes: 1 before a value, 2 for NULL, which is above all values; an array ends with 0, so that
it is below those that begin with it.  Numbers are big-endian with the sign turned, floats their ordered bits (-0.0 is 0.0,
one NaN, above all numbers), texts have zero bytes escaped and end with two of them.  Encoding goes column by column.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, widen

_VALUE, _NULL, _END = b"\x01", b"\x02", b"\x00"
_TEXT_END = b"\x00\x00"
_SIGN = 1 << 63


def has_key(of: t.SqlType) -> bool:
    """Whether values of the type have such bytes: arrays and rows of what has an order of its own."""
    match of:
        case t.ArrayType(element=element):
            return has_key(element)
        case t.RowType(fields=fields):
            return all(has_key(field.type) for field in fields)
        case t.MapType() | t.JsonType() | t.IntervalType():
            return False
        case _:
            return True


def encode(column: Column) -> pa.Array:
    """One byte string for each value, NULL for NULL."""
    return _encoded(widen(column).array, column.type)


def _encoded(array: pa.Array, of: t.SqlType) -> pa.Array:
    match of:
        case t.ArrayType(element=element):
            lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False)
            offsets = pa.array(np.append(0, np.cumsum(lengths)).astype(np.int32))
            joined = pc.binary_join(pa.ListArray.from_arrays(offsets, _marked(array.flatten(), element)), b"")
            return _only_valid(array, pc.binary_join_element_wise(joined, _END, b""))
        case t.RowType(fields=fields):
            members = [_marked(member, field.type) for member, field in zip(array.flatten(), fields, strict=True)]
            return _only_valid(array, pc.binary_join_element_wise(*members, b""))
        case t.StringType() | t.BytesType():
            escaped = pc.replace_substring(array.cast(pa.binary()), _END, b"\x00\xff")
            return pc.binary_join_element_wise(escaped, _TEXT_END, b"")
        case _:
            return _fixed(array, of)


def _marked(array: pa.Array, of: t.SqlType) -> pa.Array:
    if isinstance(of, t.NullType):
        return pa.repeat(pa.scalar(_NULL, pa.binary()), len(array))
    return pc.binary_join_element_wise(_VALUE, _encoded(array, of), b"").fill_null(_NULL)


def _only_valid(array: pa.Array, encoded: pa.Array) -> pa.Array:
    return encoded if array.null_count == 0 else pc.if_else(array.is_valid(), encoded, pa.scalar(None, pa.binary()))


def _fixed(array: pa.Array, of: t.SqlType) -> pa.Array:
    """Values of one width."""
    rows = len(array)
    match of:
        case t.BooleanType():
            data = array.fill_null(fill_value=False).to_numpy(zero_copy_only=False).astype(np.uint8)
        case t.DecimalType():
            pairs = np.frombuffer(array.buffers()[1] or b"", "<u8")[2 * array.offset : 2 * (array.offset + rows)]
            data = np.stack([pairs[1::2] ^ np.uint64(_SIGN), pairs[0::2]], axis=1).astype(">u8")
        case t.FloatType():
            data = _ordered(array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False))
        case _:
            whole = (
                array.cast(pa.int64())
                if not pa.types.is_date32(array.type)
                else array.view(pa.int32()).cast(pa.int64())
            )
            data = (whole.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64) ^ np.uint64(_SIGN)).astype(
                ">u8"
            )
    width = data.nbytes // rows if rows else 8
    made = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(data.tobytes())])
    return _only_valid(array, made.cast(pa.binary()))


def _ordered(values: Any) -> Any:
    """The bits of floats so that they sort as the numbers do."""
    bits = np.where(np.isnan(values), np.nan, values + 0.0).view(np.uint64)
    return np.where(bits >> np.uint64(63), ~bits, bits | np.uint64(_SIGN)).astype(">u8")


def decode(keys: pa.Array, of: t.SqlType) -> pa.Array:
    """The values again, in the canonical representation."""
    values = [None if key is None else _read(key, 0, of)[0] for key in keys.to_pylist()]
    return pa.array(values, canonical(of))


def _read(key: bytes, at: int, of: t.SqlType) -> tuple[Any, int]:
    """A value and the position behind it."""
    match of:
        case t.ArrayType(element=element):
            items: list[Any] = []
            while key[at : at + 1] != _END:
                item, at = _member(key, at, element)
                items.append(item)
            return items, at + 1
        case t.RowType(fields=fields):
            row: dict[str, Any] = {}
            for field in fields:
                row[field.name], at = _member(key, at, field.type)
            return row, at
        case t.StringType() | t.BytesType():
            end = key.index(_TEXT_END, at)  # a zero byte of the text is never followed by another
            text = key[at:end].replace(b"\x00\xff", _END)
            return text if isinstance(of, t.BytesType) else text.decode(), end + 2
        case t.BooleanType():
            return key[at] == 1, at + 1
        case t.DecimalType(scale=scale):
            value = int.from_bytes(key[at : at + 16], "big") - (1 << 127)
            return Decimal((value < 0, tuple(map(int, str(abs(value)))), -scale)), at + 16
        case _:
            return _READERS.get(type(of), _whole)(key[at : at + 8]), at + 8


def _member(key: bytes, at: int, of: t.SqlType) -> tuple[Any, int]:
    return (None, at + 1) if key[at : at + 1] == _NULL else _read(key, at + 1, of)


def _whole(data: bytes) -> int:
    return int.from_bytes(data, "big") - _SIGN


def _float(data: bytes) -> float:
    bits = int.from_bytes(data, "big")
    bits = bits ^ _SIGN if bits & _SIGN else bits ^ (1 << 64) - 1
    value: float = struct.unpack(">d", bits.to_bytes(8, "big"))[0]
    return value


_READERS: dict[type[t.SqlType], Callable[[bytes], Any]] = {t.FloatType: _float}
