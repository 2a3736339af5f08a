"""Which casts exist, which are implicit, and which can fail for a row.

Implicit casts never lose a digit of an exact number.
"""

from __future__ import annotations

from tableflow import types as t
from tableflow.types import TypeFamily as F

_SCALARS = (F.BOOLEAN, F.INTEGER, F.DECIMAL, F.FLOAT, F.DATE, F.TIME, F.TIMESTAMP, F.INTERVAL, F.JSON)
_NUMBERS = frozenset({F.INTEGER, F.DECIMAL, F.FLOAT})
_EXPLICIT: dict[F, frozenset[F]] = {
    F.BOOLEAN: _NUMBERS | {F.BOOLEAN, F.STRING},
    F.INTEGER: _NUMBERS | {F.BOOLEAN, F.STRING},
    F.DECIMAL: _NUMBERS | {F.BOOLEAN, F.STRING},
    F.FLOAT: _NUMBERS | {F.BOOLEAN, F.STRING},
    F.STRING: frozenset({*_SCALARS, F.STRING, F.BYTES}),
    F.BYTES: frozenset({F.BYTES, F.STRING}),
    F.DATE: frozenset({F.DATE, F.TIMESTAMP, F.STRING}),
    F.TIME: frozenset({F.TIME, F.STRING}),
    F.TIMESTAMP: frozenset({F.TIMESTAMP, F.DATE, F.TIME, F.STRING}),
    F.INTERVAL: frozenset({F.INTERVAL, F.STRING}),
    F.JSON: frozenset({F.JSON, F.STRING}),
}


def can_cast(source: t.SqlType, to: t.SqlType, implicit: bool) -> bool:
    """Whether a cast exists; with ``implicit`` whether it is inserted without being asked for."""
    if source == to or isinstance(source, t.NullType):
        return True
    if isinstance(to, t.NullType):
        return False
    if isinstance(source, t.ArrayType) and isinstance(to, t.ArrayType):
        return can_cast(source.element, to.element, implicit)
    if isinstance(source, t.MapType) and isinstance(to, t.MapType):
        return can_cast(source.key, to.key, implicit) and can_cast(source.value, to.value, implicit)
    if isinstance(source, t.RowType) and isinstance(to, t.RowType):
        return len(source.fields) == len(to.fields) and all(
            can_cast(a.type, b.type, implicit) for a, b in zip(source.fields, to.fields, strict=True)
        )
    if implicit:
        return _implicit(source, to)
    return t.family(to) in _EXPLICIT.get(t.family(source), frozenset())


def _implicit(source: t.SqlType, to: t.SqlType) -> bool:
    match source, to:
        case t.IntegerType(), t.IntegerType():
            return source.bits <= to.bits
        case t.IntegerType(), t.DecimalType():
            return to.precision - to.scale >= source.digits
        case t.DecimalType(), t.DecimalType():
            return to.scale >= source.scale and to.precision - to.scale >= source.precision - source.scale
        case ((t.IntegerType() | t.DecimalType()), t.FloatType()):
            return True
        case t.FloatType(), t.FloatType():
            return source.bits <= to.bits
        case t.StringType(), t.StringType():
            return to.length is None or (source.length is not None and source.length <= to.length)
        case t.BytesType(), t.BytesType():
            return to.length is None
        case t.JsonType(), t.StringType():
            return to.length is None
        case t.DateType(), t.TimestampType():
            return True
        case t.TimestampType(), t.TimestampType():
            return source.precision <= to.precision
        case t.TimeType(), t.TimeType():
            return source.precision <= to.precision
        case _:
            return False


def zone_matters(source: t.SqlType, to: t.SqlType) -> bool:
    """Whether a cast goes by the session's wall clock: one side has instants where the other has none."""
    match source, to:
        case (t.NullType(), _) | (_, t.NullType()):
            return False
        case t.ArrayType(), t.ArrayType():
            return zone_matters(source.element, to.element)
        case t.MapType(), t.MapType():
            return zone_matters(source.key, to.key) or zone_matters(source.value, to.value)
        case t.RowType(), t.RowType():
            return any(zone_matters(a.type, b.type) for a, b in zip(source.fields, to.fields, strict=False))
        case _:
            return is_instant(source) != is_instant(to)


def is_instant(of: t.SqlType) -> bool:
    """Whether values are instants, which a wall clock shows in its zone."""
    return isinstance(of, t.TimestampType) and of.zoned


def cast_can_fail(source: t.SqlType, to: t.SqlType) -> bool:
    """Whether some value of the source type does not fit into the target type."""
    if source == to or isinstance(source, t.NullType) or {t.family(source), t.family(to)} == {F.NESTED, F.BYTES}:
        return False  # keys of nested values, see tableflow.expressions.keys
    if isinstance(to, t.StringType):
        return isinstance(source, t.BytesType)
    if isinstance(to, t.BooleanType):
        return isinstance(source, t.StringType)
    match source, to:
        case t.BooleanType(), t.DecimalType():
            return to.precision == to.scale
        case t.BooleanType(), _:
            return False
        case t.FloatType(), t.FloatType():
            return source.bits > to.bits
        case t.DecimalType(), t.FloatType():
            return to.bits == 32 and source.precision - source.scale > 38
        case t.DecimalType(), t.DecimalType():
            # Rounding to fewer digits may carry into one more.
            carry = 1 if to.scale < source.scale else 0
            return to.precision - to.scale < source.precision - source.scale + carry
        case t.DecimalType(), t.IntegerType():
            return to.digits - 1 < source.precision - source.scale + (1 if source.scale else 0)
        case t.TimestampType(), (t.DateType() | t.TimeType()):
            return False
        case t.DateType(), t.TimestampType():
            return to.precision > 6
        case t.TimestampType(), t.TimestampType():
            return source.precision <= 6 < to.precision
        case t.StringType(), t.BytesType():
            return False
        case _:
            return not can_cast(source, to, implicit=True)
