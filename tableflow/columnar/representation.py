"""How the values of a SQL type may be stored in a column.

The representation of a column is its Arrow storage type:

=================  =========================================================================
SQL type           storage types (canonical first)
=================  =========================================================================
BOOLEAN            bool
integers           the declared width, or any narrower signed width
DECIMAL(p, s)      decimal128(p, s), or the scaled integer as int64, int32, int16 or int8
FLOAT, DOUBLE      float32 / float64
STRING, CHAR, JSON string, large_string, or dictionary(int8 to int32, string), codes local to the batch
BYTES              binary, large_binary, or dictionary(int8 to int32, binary)
DATE               int32 days (date32)
TIME, TIMESTAMP    int64 (time64 / timestamp with the unit of the precision)
INTERVAL           month_day_nano_interval
nested             list, map, struct of canonical children
=================  =========================================================================

Results never depend on the representation; :func:`widen` gives the canonical one, and :func:`boundary` what leaves
the engine.
"""

from __future__ import annotations

from functools import lru_cache

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import compute as pc
from tableflow.columnar.column import Column
from tableflow.errors import UnsupportedError

_INTEGERS = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
_CODES = (pa.int32(), pa.int16(), pa.int8())


def canonical(of: t.SqlType) -> pa.DataType:
    """The storage type every operator must accept, and Arrow users see."""
    match of:
        case t.NullType():
            return pa.null()
        case t.BooleanType():
            return pa.bool_()
        case t.IntegerType(bits=bits):
            return _INTEGERS[bits]
        case t.FloatType(bits=bits):
            return pa.float32() if bits == 32 else pa.float64()
        case t.DecimalType(precision=precision, scale=scale):
            return pa.decimal128(precision, scale)
        case t.StringType() | t.JsonType():
            return pa.string()
        case t.BytesType():
            return pa.binary()
        case t.DateType():
            return pa.date32()
        case t.TimeType(precision=precision):
            return pa.time64("us" if precision <= 6 else "ns")
        case t.TimestampType(precision=precision, zoned=zoned):
            return pa.timestamp("us" if precision <= 6 else "ns", tz="UTC" if zoned else None)
        case t.IntervalType():
            return pa.month_day_nano_interval()
        case t.ArrayType(element=element):
            return pa.list_(canonical(element))
        case t.MapType(key=key, value=value):
            return pa.map_(canonical(key), canonical(value))
        case t.RowType(fields=fields):
            return pa.struct([pa.field(f.name, canonical(f.type)) for f in fields])
    raise UnsupportedError(f"type {of} has no storage")


def declared(of: t.SqlType, zone: str = "UTC") -> pa.DataType:
    """The Arrow type that leaves the engine: times and timestamps in the unit of their precision, instants in the zone."""
    match of:
        case t.TimeType(precision=precision):
            return pa.time32(_unit(precision)) if precision <= 3 else pa.time64(_unit(precision))
        case t.TimestampType(precision=precision, zoned=zoned):
            return pa.timestamp(_unit(precision), tz=zone if zoned else None)
        case t.ArrayType(element=element):
            return pa.list_(declared(element, zone))
        case t.MapType(key=key, value=value):
            return pa.map_(declared(key, zone), declared(value, zone))
        case t.RowType(fields=fields):
            return pa.struct([pa.field(f.name, declared(f.type, zone)) for f in fields])
        case _:
            return canonical(of)


def _unit(precision: int) -> str:
    return ("s", "ms", "us", "ns")[(precision + 2) // 3]


@lru_cache(maxsize=512)
def from_arrow_type(of: pa.DataType) -> t.SqlType:
    """The SQL type of an Arrow type; unsigned integers become the next wider signed type."""
    p = pa.types
    simple: dict[pa.DataType, t.SqlType] = {
        pa.null(): t.NULL, pa.bool_(): t.BOOLEAN, pa.int8(): t.TINYINT, pa.int16(): t.SMALLINT, pa.int32(): t.INT,
        pa.int64(): t.BIGINT, pa.uint8(): t.SMALLINT, pa.uint16(): t.INT, pa.uint32(): t.BIGINT,
        pa.uint64(): t.DecimalType(20, 0), pa.float16(): t.FLOAT, pa.float32(): t.FLOAT, pa.float64(): t.DOUBLE,
        pa.string(): t.STRING, pa.large_string(): t.STRING, pa.string_view(): t.STRING, pa.binary(): t.BYTES,
        pa.large_binary(): t.BYTES, pa.binary_view(): t.BYTES, pa.date32(): t.DATE, pa.date64(): t.DATE,
        pa.month_day_nano_interval(): t.INTERVAL,
    }  # fmt: skip
    if of in simple:
        return simple[of]
    if p.is_decimal(of) and of.precision <= t.MAX_DECIMAL_PRECISION and 0 <= of.scale <= of.precision:
        return t.DecimalType(of.precision, of.scale)
    if p.is_timestamp(of):
        return t.TimestampType({"s": 0, "ms": 3, "us": 6, "ns": 9}[of.unit], of.tz is not None)
    if p.is_time(of):
        return t.TimeType({"s": 0, "ms": 3, "us": 6, "ns": 9}[of.unit])
    if p.is_dictionary(of):
        return from_arrow_type(of.value_type)
    if p.is_fixed_size_binary(of):
        return t.BytesType(of.byte_width)
    if p.is_map(of):
        return t.MapType(from_arrow_type(of.key_type), from_arrow_type(of.item_type))
    if (
        p.is_list(of)
        or p.is_large_list(of)
        or p.is_fixed_size_list(of)
        or p.is_list_view(of)
        or p.is_large_list_view(of)
    ):
        return t.ArrayType(from_arrow_type(of.value_type))
    if p.is_struct(of):
        return t.RowType(tuple(t.RowField(f.name, from_arrow_type(f.type)) for f in of))
    raise UnsupportedError(f"Arrow type {of} has no SQL type", hint="cast the column before it is read")


def _scaled(array: pa.Array, of: pa.DataType) -> pa.Array:
    """Scaled integers (any width) as decimal128 without changing a digit."""
    wide = array.cast(pa.int64()).cast(pa.decimal128(19, 0))
    # Same digits, another point: reinterpret the buffers under the declared type.
    return pa.Array.from_buffers(of, len(wide), wide.buffers(), wide.null_count, wide.offset)


def widen(column: Column) -> Column:
    """The column in its canonical representation; itself when it already is."""
    target = canonical(column.type)
    array = column.array
    if array.type == target:
        return column
    if pa.types.is_decimal128(target) and pa.types.is_integer(array.type):
        return Column(column.type, _scaled(array, target))
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type != target:
        array = pc.cast(array, target, safe=True)
    return Column(column.type, array)


def stored_as(column: Column) -> str:
    """``dictionary``, ``canonical``, or ``narrow`` for what is stored shorter than its type says."""
    stored = column.array.type
    if pa.types.is_dictionary(stored):
        return "dictionary"
    return "canonical" if stored == canonical(column.type) else "narrow"


def boundary(column: Column, keep_dictionaries: bool = False, zone: str = "UTC") -> pa.Array:
    """What leaves the engine: declared precision and zone, dictionaries decoded unless they are asked for."""
    if keep_dictionaries and pa.types.is_dictionary(column.array.type):
        return column.array
    array, target = widen(column).array, declared(column.type, zone)
    # What lies below the declared precision is no part of the value.
    return array if array.type == target else pc.cast(array, target, safe=False)


def from_arrow(array: pa.Array, of: t.SqlType | None = None) -> Column:
    """A column over an Arrow array; copies only where the storage type is not one of the representations."""
    sql = from_arrow_type(array.type) if of is None else of
    if array.type in _storages(sql):
        return Column(sql, array)
    if pa.types.is_dictionary(array.type) and pa.types.is_string(array.type.value_type):
        return Column(sql, array.cast(pa.dictionary(pa.int32(), array.type.value_type)))
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return Column(sql, array.cast(canonical(sql)))


def _storages(of: t.SqlType) -> tuple[pa.DataType, ...]:
    first = canonical(of)
    match of:
        case t.IntegerType(bits=bits):
            return tuple(kind for width, kind in _INTEGERS.items() if width <= bits)
        case t.DecimalType():
            return (first, *_INTEGERS.values())
        case t.StringType() | t.JsonType():
            return (first, pa.large_string(), *(pa.dictionary(codes, pa.string()) for codes in _CODES))
        case t.BytesType():
            return (first, pa.large_binary(), *(pa.dictionary(codes, pa.binary()) for codes in _CODES))
        case _:
            return (first,)
