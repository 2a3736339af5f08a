"""Rows of Python values out of Arrow batches.

Invariant: a value that Python has no object for (a date after the year 9999) is an error that names its column, never
another value.  Only the nanoseconds of TIME and TIMESTAMP with a precision above 6 are cut to microseconds, which is all
that ``datetime`` holds; Arrow results and rows for printing have them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.representation import from_arrow
from tableflow.errors import DataError
from tableflow.expressions.casting import convert
from tableflow.expressions.operand import Operand
from tableflow.types import STRING

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row: TypeAlias = tuple[Any, ...]


def rows(batch: pa.RecordBatch) -> list[Row]:
    """The batch as tuples: maps and rows are dictionaries, arrays are lists."""
    return _tuples(batch, [_values(n, c) for n, c in zip(batch.schema.names, batch.columns, strict=True)])


def printable_rows(batch: pa.RecordBatch) -> list[Row]:
    """The same for display: what Python's dates and times cannot hold is text."""
    return _tuples(batch, [_printable(n, c) for n, c in zip(batch.schema.names, batch.columns, strict=True)])


def _tuples(batch: pa.RecordBatch, columns: list[list[Any]]) -> list[Row]:
    return list(zip(*columns, strict=True)) if columns else [()] * batch.num_rows


def _values(name: str, column: pa.Array) -> list[Any]:
    held = _held(column.type)
    try:
        if held != column.type:
            column = pc.cast(column, held, safe=False)
        if pa.types.is_timestamp(held) and held.tz is not None:
            return _instants(column)
        return list(column.to_pylist(maps_as_pydicts="strict"))
    except (OverflowError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"a value of column {name!r} cannot be a Python object",
            detail=str(error),
            hint="fetch_arrow_table() gives it as Arrow",
        ) from None


def _printable(name: str, column: pa.Array) -> list[Any]:
    if _held(column.type) == column.type:
        try:
            return _values(name, column)
        except DataError:
            if not pa.types.is_temporal(column.type):
                raise
    if not pa.types.is_temporal(column.type):
        return _values(name, column)
    plain = from_arrow(column)
    texts = convert(Operand(plain.type, plain.array), STRING, getattr(column.type, "tz", None))
    return list(texts.plain.to_pylist())


def _instants(column: pa.Array) -> list[datetime | None]:
    """Aware datetimes in the column's zone."""
    zone = UTC if column.type.tz == "UTC" else ZoneInfo(column.type.tz)
    unit = timedelta(microseconds={"s": 1_000_000, "ms": 1000, "us": 1}[column.type.unit])
    counts = column.cast(pa.int64()).to_pylist()
    return [None if count is None else (_EPOCH + count * unit).astimezone(zone) for count in counts]


def _held(of: pa.DataType) -> pa.DataType:
    """The type with microseconds where it has nanoseconds."""
    kinds = pa.types
    if kinds.is_timestamp(of) and of.unit == "ns":
        return pa.timestamp("us", of.tz)
    if kinds.is_time64(of) and of.unit == "ns":
        return pa.time64("us")
    if kinds.is_list(of):
        return pa.list_(_held(of.value_type))
    if kinds.is_map(of):
        return pa.map_(_held(of.key_type), _held(of.item_type))
    if kinds.is_struct(of):
        return pa.struct([pa.field(field.name, _held(field.type)) for field in of])
    return of
