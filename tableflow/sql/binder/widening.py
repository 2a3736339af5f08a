"""Which changes of a column's type leave everything that is stored as it is."""

from __future__ import annotations

from tableflow import types as t


def widens(old: t.SqlType, new: t.SqlType) -> bool:
    """Whether every value of the old type is a value of the new one."""
    match old, new:
        case t.FloatType(), t.FloatType():
            return new.bits >= old.bits
        case t.IntegerType(), t.IntegerType():
            return new.bits >= old.bits
        case t.DecimalType(), t.DecimalType():
            return new.scale == old.scale and new.precision >= old.precision
        case t.StringType(fixed=False), t.StringType(fixed=False):
            return new.length is None or (old.length is not None and new.length >= old.length)
        case t.TimestampType(), t.TimestampType():
            return (
                old.zoned == new.zoned and old.precision <= new.precision and (old.precision > 6) == (new.precision > 6)
            )
        case t.TimeType(), t.TimeType():
            return old.precision <= new.precision and (old.precision > 6) == (new.precision > 6)
        case t.BytesType(), t.BytesType(length=None):
            return True
    return old == new
