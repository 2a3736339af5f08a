"""Text decoded into columns natively: which types can be, and how.

A decoder takes blocks of whole lines or records.  In front of a line that is not plain (a value that does not fit its type as it stands, text that is
no JSON) it stops, and its caller reads that line by slower means.  Digits below the precision of a time are cut off, as a CAST does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar import _native
from tableflow.columnar._native import Vector
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical

__all__ = ["CsvRecords", "JsonLines", "count_byte", "is_utf8"]

is_utf8 = _native.is_utf8
count_byte = _native.count_byte
_SCALED_DIGITS = 18
_LONGEST_NULL = 32
_NOT_BETWEEN = b"+-.: \r\n"
"""No delimiters for the native decoder: they are parts of numbers and times, or end records."""
_Definition = tuple[str, str, str, int, int, tuple[Any, ...]]
_INTEGERS = {8: ("i8", "c"), 16: ("i16", "s"), 32: ("i32", "i"), 64: ("i64", "l")}
_REALS = {32: ("f32", "f"), 64: ("f64", "g")}


def _definition(name: str, of: t.SqlType, *, inside: bool) -> _Definition | None:
    """What the native decoder makes of a type; None if it has no way to."""
    kind, arrow, precision, scale = "", "", 0, 0
    children: list[_Definition | None] = []
    match of:
        case t.BooleanType():
            kind, arrow = "bool", "b"
        case t.IntegerType(bits=bits):
            kind, arrow = _INTEGERS[bits]
        case t.FloatType(bits=bits):
            kind, arrow = _REALS[bits]
        case t.DecimalType(precision=precision, scale=scale):
            scaled = precision <= _SCALED_DIGITS and not inside
            kind, arrow = ("decimal64", "l") if scaled else ("decimal128", f"d:{precision},{scale}")
        case t.StringType():
            kind, arrow = "string", "u"
        case t.BytesType():
            kind, arrow = "bytes", "z"
        case t.DateType():
            kind, arrow = "date", "tdD"
        case t.TimeType(precision=digits):
            kind, arrow, precision, scale = ("time", "ttu", 6, digits) if digits <= 6 else ("time", "ttn", 9, digits)
        case t.TimestampType(precision=digits, zoned=zoned):
            unit, precision, scale = ("u", 6, digits) if digits <= 6 else ("n", 9, digits)
            kind, arrow = "timestamp", f"ts{unit}:{'UTC' if zoned else ''}"
        case t.ArrayType(element=element):
            kind, children = "array", [_definition("", element, inside=True)]
        case t.MapType(key=t.StringType() as key, value=value):
            kind, children = "map", [_definition("", key, inside=True), _definition("", value, inside=True)]
        case t.RowType(fields=fields) if len({field.name for field in fields}) == len(fields):
            kind, children = "row", [_definition(field.name, field.type, inside=True) for field in fields]
        case _:
            return None
    known = tuple(child for child in children if child is not None)
    return None if len(known) < len(children) else (name, kind, arrow, precision, scale, known)


def _definitions(fields: Sequence[tuple[str, t.SqlType]]) -> tuple[_Definition, ...] | None:
    made = [_definition(name, of, inside=False) for name, of in fields]
    known = tuple(one for one in made if one is not None)
    return None if len(known) < len(made) else known


class _Decoder:
    """What the decoders have in common: text goes in, columns are taken out."""

    def __init__(self, types: Sequence[t.SqlType], native: _native.JsonLines | _native.CsvRecords) -> None:
        self._types = types
        self._native = native

    def decode(self, data: bytes | memoryview, at: int) -> int:
        """Decodes UTF-8 from an offset on; where the first line or record begins that is not plain, or the end of the data."""
        return self._native.decode(data, at)

    def take(self) -> tuple[list[Column], int]:
        """The columns of the rows so far, and their number; decimals of at most 18 digits are scaled integers."""
        rows = self._native.rows
        return [_column(of, given) for of, given in zip(self._types, self._native.finish(), strict=True)], rows


class JsonLines(_Decoder):
    """Decodes the named fields of objects, one a line; those that are not named are passed over."""

    @classmethod
    def of(cls, fields: Sequence[tuple[str, t.SqlType]], *, complete: bool = False) -> JsonLines | None:
        """A decoder; None if a type has no native one.  ``complete``: a line without one of the fields is not plain."""
        definitions = _definitions(fields)
        if definitions is None or len({name for name, _ in fields}) < len(fields):
            return None
        return cls([of for _, of in fields], _native.JsonLines(definitions, complete))


class CsvRecords(_Decoder):
    """Decodes the fields at some places of delimited records."""

    @classmethod
    def of(
        cls, columns: Sequence[tuple[int, t.SqlType]], fields: int, *, delimiter: bytes, quote: bytes, null: bytes
    ) -> CsvRecords | None:
        """A decoder of records with so many fields; None if it has no way with a type or with such marks."""
        plain = (
            len(delimiter) == 1 and delimiter.isascii() and (not delimiter.isalnum()) and delimiter not in _NOT_BETWEEN
        )
        plain = plain and len(quote) <= 1 and quote.isascii() and quote not in (delimiter, b"\r", b"\n")
        plain = plain and len(null) <= _LONGEST_NULL and not any(end in null for end in b"\r\n") and fields > 0
        nested = any(isinstance(of, (t.ArrayType, t.MapType, t.RowType)) for _, of in columns)
        texts = [("", t.STRING if isinstance(of, t.JsonType) else of) for _, of in columns]
        definitions = None if nested or not plain else _definitions(texts)
        places = [place for place, _ in columns]
        if definitions is None or len(set(places)) < len(places):
            return None
        return cls([of for _, of in columns], _native.CsvRecords(definitions, places, fields, delimiter, quote, null))


def _column(of: t.SqlType, given: Any) -> Column:
    if isinstance(given, Vector):
        return Column(of, vector=given)
    return Column(of, _array(canonical(of), given))


def _array(of: pa.DataType, given: Any) -> pa.Array:
    """Arrow's view of what was decoded; nothing is copied."""
    if isinstance(given, Vector):
        return pa.array(given)
    length, nulls, validity, offsets, children = given
    buffers = [_buffer(validity)] if offsets is None else [_buffer(validity), _buffer(offsets)]
    if pa.types.is_struct(of):
        inner = [_array(field.type, child) for field, child in zip(of, children, strict=True)]
    elif pa.types.is_map(of):
        key, value = _array(of.key_type, children[0]), _array(of.item_type, children[1])
        entries = pa.struct([of.key_field, of.item_field])
        inner = [pa.StructArray.from_buffers(entries, len(key), [None], 0, children=[key, value])]
    else:
        inner = [_array(of.value_type, children[0])]
    return pa.Array.from_buffers(of, length, buffers, nulls, children=inner)


def _buffer(values: np.ndarray[Any, Any] | None) -> pa.Buffer | None:
    return None if values is None else pa.py_buffer(values)
