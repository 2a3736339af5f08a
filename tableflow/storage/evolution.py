"""Columns of a file as the table has them now: added since, or of a wider type, without touching the file."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, widen
from tableflow.errors import InternalError
from tableflow.expressions.casting.convert import convert
from tableflow.expressions.literals import operand_of, storage_values
from tableflow.expressions.nodes import Literal
from tableflow.expressions.operand import Operand
from tableflow.storage.description import StoredColumn
from tableflow.storage.zones import Zone


def initial_column(column: StoredColumn, rows: int) -> Column:
    """The value that rows written before the column was added have, so many times."""
    if column.initial is None:
        return Column(column.type, pa.nulls(rows, canonical(column.type)))
    one = operand_of(Literal(column.type, column.initial))
    array = widen(Column(column.type, one.array)).array
    if isinstance(column.type, t.StringType | t.JsonType | t.BytesType):
        return Column(column.type, pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int8)), array))
    return Column(column.type, pa.repeat(array[0], rows))


def as_type(array: pa.Array, written: t.SqlType, now: t.SqlType) -> Column:
    """An array of a file as a column of the type that the column has now."""
    if written == now or _same_values(written, now):
        if pa.types.is_decimal(array.type) and array.type != canonical(now):
            array = pa.Array.from_buffers(canonical(now), len(array), array.buffers(), array.null_count, array.offset)
        return Column(now, array)
    wider = convert(Operand(written, array), now)
    if wider.errors is not None and bool(wider.errors.any()):
        raise InternalError(f"a value of type {written} does not fit {now}")
    return Column(now, wider.array)


def zone_as_type(zone: Zone, written: t.SqlType, now: t.SqlType) -> Zone:
    """A zone of a file in storage values of the type that the column has now."""
    if written == now or _same_values(written, now):
        return zone
    return Zone(_value(zone.minimum, written, now), _value(zone.maximum, written, now), zone.nulls, zone.rows)


def initial_zone(column: StoredColumn, rows: int) -> Zone:
    """The zone of rows that all have the initial value."""
    value = column.initial
    bound = None if isinstance(value, tuple | list) or value != value else value
    return Zone(bound, bound, rows if value is None else 0, rows)


def same_hashes(written: t.SqlType, now: t.SqlType) -> bool:
    """Whether values hash alike as either type."""
    return written == now or _same_values(written, now) or (_is(t.FloatType, written, now))


def _same_values(written: t.SqlType, now: t.SqlType) -> bool:
    """Whether the storage values, and what represents them, are those of both types."""
    match written, now:
        case t.IntegerType(), t.IntegerType():
            return now.bits >= written.bits
        case t.DecimalType(), t.DecimalType():
            return now.scale == written.scale and now.precision >= written.precision
        case t.StringType(), t.StringType():
            return written.fixed == now.fixed and (
                now.length is None or now.length >= (written.length or now.length + 1)
            )
        case t.BytesType(), t.BytesType():
            return now.length is None or now.length >= (written.length or now.length + 1)
        case t.TimeType(), t.TimeType():
            return written.precision <= now.precision and canonical(written) == canonical(now)
        case t.TimestampType(), t.TimestampType():
            return written.precision <= now.precision and canonical(written) == canonical(now)
        case _:
            return False


def _is(kind: type, *types: t.SqlType) -> bool:
    return all(isinstance(of, kind) for of in types)


def _value(value: Any, written: t.SqlType, now: t.SqlType) -> Any:
    """A bound as the other type; None (unknown) where order is not that of values, or it does not convert."""
    ordered = (t.IntegerType, t.DecimalType, t.FloatType, t.DateType, t.TimestampType, t.TimeType)
    if value is None or not isinstance(written, ordered) or not isinstance(now, ordered):
        return None
    converted = convert(operand_of(Literal(written, value)), now)
    if converted.errors is not None and bool(converted.errors.any()):
        return None
    return storage_values(converted)[0]
