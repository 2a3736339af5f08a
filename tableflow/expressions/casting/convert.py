"""One entry for all casts of values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.column import Column
from tableflow.columnar.keys import decode, encode
from tableflow.columnar.representation import canonical
from tableflow.errors import InternalError
from tableflow.expressions.casting import calendar_text, parsing, temporal
from tableflow.expressions.casting.formatting import format_value, limited
from tableflow.expressions.casting.numbers import convert_number
from tableflow.expressions.operand import Mask, Operand, either
from tableflow.types import TypeFamily as F

_PARSERS: dict[F, Callable[..., Operand]] = {
    F.BOOLEAN: parsing.parse_boolean,
    F.INTEGER: parsing.parse_exact,
    F.DECIMAL: parsing.parse_exact,
    F.FLOAT: parsing.parse_float,
    F.DATE: calendar_text.parse_date,
    F.TIME: calendar_text.parse_time,
    F.INTERVAL: temporal.parse_interval,
    F.JSON: parsing.parse_json,
    F.BYTES: parsing.parse_bytes,
}
_NUMBERS = frozenset({F.BOOLEAN, F.INTEGER, F.DECIMAL, F.FLOAT})
_TEMPORAL = frozenset({F.DATE, F.TIME, F.TIMESTAMP})


def convert(of: Operand, to: t.SqlType, zone: str | None = None) -> Operand:
    """The operand's values as values of another type; rows that do not fit are errors (and NULL).

    TIMESTAMP_LTZ becomes what is not, and the other way round, by the wall clock of the zone (UTC if there is none).
    """
    if of.type == to:
        return of
    result = _convert(of, to, zone)
    result.constant = of.constant
    result.errors = either(result.errors, of.errors)
    return result


def _convert(of: Operand, to: t.SqlType, zone: str | None) -> Operand:
    source, target = t.family(of.type), t.family(to)
    if source is F.NULL:
        return Operand(to, pa.nulls(len(of), canonical(to)))
    if source is F.STRING and isinstance(to, t.TimestampType):
        return calendar_text.parse_timestamp(of, to, zone)
    if source is F.STRING and target is not F.STRING:
        return _PARSERS[target](of, to)
    if isinstance(to, t.StringType):
        if source is F.STRING:
            return Operand(to, of.array if to.length is None else limited(of.plain, to))
        return parsing.decode_bytes(of, to) if source is F.BYTES else format_value(of, to, zone)
    if source in _NUMBERS and target in _NUMBERS:
        return convert_number(of, to)
    if source in _TEMPORAL and target in _TEMPORAL:
        return temporal.convert_temporal(of, to, zone)
    if source is F.NESTED and target is F.BYTES:
        return Operand(to, encode(Column(of.type, of.array)))
    if source is F.BYTES and target is F.NESTED:
        return Operand(to, decode(of.plain, to))
    if source is target is F.NESTED:
        return _nested(of, to, zone)
    if source is target is F.BYTES:
        return of.with_type(to)
    raise InternalError(f"there is no cast from {of.type} to {to}")


def _nested(of: Operand, to: t.SqlType, zone: str | None) -> Operand:
    """Elementwise; an error in an element is an error of the row."""
    array = of.plain
    match of.type, to:
        case t.ArrayType(), t.ArrayType():
            inner = convert(Operand(of.type.element, array.values), to.element, zone)
            values = Operand(to.element, inner.array).plain
            # A mask wants offsets of its own, not a slice of longer ones.
            offsets = pa.array(array.offsets.to_numpy())
            made = pa.ListArray.from_arrays(offsets, values, mask=array.is_null())
            return Operand(to, made.cast(canonical(to)), errors=_rows_with(inner.errors, array))
        case t.RowType(), t.RowType():
            pairs = zip(array.flatten(), of.type.fields, to.fields, strict=True)
            parts = [convert(Operand(a.type, values), b.type, zone) for values, a, b in pairs]
            arrays = [Operand(b.type, part.array).plain for part, b in zip(parts, to.fields, strict=True)]
            made = pa.StructArray.from_arrays(arrays, names=[f.name for f in to.fields], mask=array.is_null())
            return Operand(to, made, errors=either(*(part.errors for part in parts)))
        case _:
            raise InternalError(f"there is no cast from {of.type} to {to}")


def _rows_with(errors: Mask | None, array: pa.ListArray) -> Mask | None:
    if errors is None:
        return None
    running = np.concatenate([[0], np.cumsum(errors)])
    offsets = array.offsets.to_numpy()
    found: Mask = running[offsets[1:]] > running[offsets[:-1]]
    return found if found.any() else None
