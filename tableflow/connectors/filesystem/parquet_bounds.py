"""Statistics of a Parquet column chunk as bounds that can be relied on.

A bound is used to prove that nothing overflows, so it must really be one.  Unknown count: bounds in an order that is
not the type's (columns without a declared order, legacy fields of types whose order they got wrong), upper bounds of
floating point columns (NaN sorts above all numbers and is not counted in), bounds that are not UTF-8.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.kernels.parquet_metadata import Leaf
from tableflow.connectors.pruning import ColumnRange

_LEGACY_MAXIMUM, _LEGACY_MINIMUM, _NULLS, _MAXIMUM, _MINIMUM, _MAXIMUM_EXACT, _MINIMUM_EXACT = 1, 2, 3, 5, 6, 7, 8
_LEGACY = frozenset({"BOOLEAN", "INT32", "INT64", "FLOAT", "DOUBLE"})
_FORMATS = {"BOOLEAN": "<?", "INT32": "<i", "INT64": "<q", "FLOAT": "<f", "DOUBLE": "<d"}
_MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 1}


def chunk_range(statistics: Mapping[int, Any], leaf: Leaf, of: t.SqlType, arrow: pa.DataType, rows: int) -> ColumnRange:
    """The range of a chunk from the fields of its statistics."""
    nulls = statistics.get(_NULLS)
    if leaf.definition_levels == 0:
        nulls = 0
    elif not isinstance(nulls, int) or not 0 <= nulls <= rows:
        nulls = None
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    low, high = _raw_bounds(statistics, leaf, arrow)
    minimum = _storage_value(low, leaf.physical, of, arrow, upper=False)
    maximum = _storage_value(high, leaf.physical, of, arrow, upper=True)
    return ColumnRange(of, minimum, maximum, nulls, rows)


def bounds_are_values(statistics: Mapping[int, Any], leaf: Leaf, of: t.SqlType) -> bool:
    """Whether the bounds of a chunk are its least and greatest value.

    Texts and numbers of many bytes may have been cut, so that the writer has to say that they were not; integers only have room to be
    themselves.  Floating-point bounds tell neither NaN nor the sign of zero.
    """
    if not leaf.ordered or _MINIMUM not in statistics or _MAXIMUM not in statistics:
        return False
    said = statistics.get(_MINIMUM_EXACT), statistics.get(_MAXIMUM_EXACT)
    match of:
        case t.IntegerType() | t.DateType() | t.TimeType() | t.TimestampType() | t.BooleanType() | t.DecimalType():
            narrow = leaf.physical in {"BOOLEAN", "INT32", "INT64"}
            return False not in said if narrow else said == (True, True)
        case t.StringType(fixed=False):
            return said == (True, True)
        case _:
            return False


def _raw_bounds(statistics: Mapping[int, Any], leaf: Leaf, arrow: pa.DataType) -> tuple[Any, Any]:
    if leaf.ordered and (_MINIMUM in statistics or _MAXIMUM in statistics):
        return statistics.get(_MINIMUM), statistics.get(_MAXIMUM)
    if leaf.physical in _LEGACY and not pa.types.is_unsigned_integer(arrow):
        return statistics.get(_LEGACY_MINIMUM), statistics.get(_LEGACY_MAXIMUM)
    return None, None


def _storage_value(raw: Any, physical: str, of: t.SqlType, arrow: pa.DataType, *, upper: bool) -> Any:
    """A bound as a storage value of the column's type; None if it cannot be relied on."""
    if not isinstance(raw, bytes):
        return None
    if physical in _FORMATS:
        if len(raw) != struct.calcsize(_FORMATS[physical]):
            return None
        return _from_number(struct.unpack(_FORMATS[physical], raw)[0], of, arrow, upper=upper)
    match of:
        case t.DecimalType() if physical in {"FIXED_LEN_BYTE_ARRAY", "BYTE_ARRAY"} and raw:
            return int.from_bytes(raw, "big", signed=True)
        case t.StringType() | t.JsonType() if physical == "BYTE_ARRAY":
            try:
                return raw.decode()
            except UnicodeDecodeError:
                return None
        case t.BytesType() if physical in {"FIXED_LEN_BYTE_ARRAY", "BYTE_ARRAY"}:
            return raw
        case _:
            return None


def _from_number(number: Any, of: t.SqlType, arrow: pa.DataType, *, upper: bool) -> Any:
    match of:
        case t.FloatType() if isinstance(number, float):
            return None if upper or math.isnan(number) else number
        case t.BooleanType() if isinstance(number, bool):
            return number
        case t.TimestampType() | t.TimeType() if isinstance(number, int):
            return number * _MICROSECONDS[arrow.unit]
        case t.IntegerType() | t.DateType() | t.DecimalType() if isinstance(number, int):
            if pa.types.is_unsigned_integer(arrow):
                return number & (2**arrow.bit_width - 1)
            return number
        case _:
            return None
