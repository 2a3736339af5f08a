"""Which types of a file may be read as which declared types: those that lose nothing, but for digits of a second."""

from __future__ import annotations

from tableflow import types as t


def fits(of: t.SqlType, declared: t.SqlType) -> bool:
    """Whether every value of a file's type is a value of the declared type."""
    match of, declared:
        case t.NullType(), _:
            return True
        case t.IntegerType(), t.IntegerType():
            return declared.bits >= of.bits
        case t.IntegerType(), t.DecimalType():
            return declared.precision - declared.scale >= of.digits
        case t.IntegerType(bits=bits), t.FloatType():
            return declared.bits == 64 and bits <= 32
        case t.FloatType(), t.FloatType():
            return declared.bits >= of.bits
        case t.DecimalType(), t.DecimalType():
            return declared.scale >= of.scale and declared.precision - declared.scale >= of.precision - of.scale
        case t.StringType() | t.JsonType(), t.StringType():
            return True  # lengths are not stored in files
        case t.StringType(), t.JsonType():
            return True
        case (t.BytesType(), t.BytesType()) | (t.StringType(), t.BytesType()):
            return True
        case t.TimestampType(), t.TimestampType():
            return declared.zoned == of.zoned  # digits below the declared precision are cut off
        case t.TimeType(), t.TimeType():
            return True  # so are theirs
        case t.ArrayType(), t.ArrayType():
            return fits(of.element, declared.element)
        case t.MapType(), t.MapType():
            return fits(of.key, declared.key) and fits(of.value, declared.value)
        case t.RowType(), t.RowType():
            return len(of.fields) == len(declared.fields) and all(
                a.name == b.name and fits(a.type, b.type) for a, b in zip(of.fields, declared.fields, strict=True)
            )
        case _:
            return of == declared
