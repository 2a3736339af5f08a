"""Bloom filters of Parquet column chunks: split-block filters over the XXH64 of a value's PLAIN bytes.

A value that the filter does not know is surely absent; whatever is not understood may be present.
Format: github.com/apache/parquet-format/blob/master/BloomFilter.md.
"""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import pyarrow as pa
import xxhash

from tableflow import types as t
from tableflow.columnar._native import parse_thrift_prefix
from tableflow.columnar.kernels.parquet_metadata import FilePart
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.filesystem.parquet_index import read_part
from tableflow.expressions.nodes import Literal

_HEADER_BYTES = 64
_BLOCK_BYTES = 32
_WORDS = 8
_SALT = (0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31)
_BYTES, _ALGORITHM, _HASH, _COMPRESSION = 1, 2, 3, 4
_UNITS = {"ms": 1_000_000, "us": 1000, "ns": 1}


def bloom_excludes(footer: Footer, group: int, place: FooterColumn, literal: Literal) -> bool:
    """Whether the chunk's Bloom filter shows that no row has the value of the literal."""
    chunk = footer.chunk(group, place)
    if chunk is None or chunk.bloom_filter is None or place.leaf is None:
        return False
    stored = _stored(literal, place, footer.metadata.leaves[place.leaf].type_length, chunk.physical)
    if stored is None:
        return False
    bits = _bits(footer, chunk.bloom_filter)
    return bits is not None and not any(_contains(footer, bits, value) for value in stored)


def _bits(footer: Footer, part: FilePart) -> FilePart | None:
    """Where the blocks of a filter lie; None if it is of a kind that is not known."""
    data = read_part(footer, FilePart(part.offset, min(_HEADER_BYTES, footer.file.size - part.offset)))
    if data is None:
        return None
    try:
        fields, used = parse_thrift_prefix(data)
    except ValueError:
        return None
    size = fields.get(_BYTES)
    known = all(isinstance(fields.get(one), dict) and 1 in fields[one] for one in (_ALGORITHM, _HASH, _COMPRESSION))
    if not known or not isinstance(size, int) or size < _BLOCK_BYTES or size % _BLOCK_BYTES:
        return None
    return FilePart(part.offset + used, size)


def _contains(footer: Footer, bits: FilePart, value: bytes) -> bool:
    hashed = xxhash.xxh64_intdigest(value)
    block = (hashed >> 32) * (bits.size // _BLOCK_BYTES) >> 32
    data = read_part(footer, FilePart(bits.offset + block * _BLOCK_BYTES, _BLOCK_BYTES))
    if data is None:
        return True
    low = hashed & 0xFFFFFFFF
    words = struct.unpack(f"<{_WORDS}I", data)
    return all(word >> ((low * salt & 0xFFFFFFFF) >> 27) & 1 for word, salt in zip(words, _SALT, strict=True))


def _stored(literal: Literal, place: FooterColumn, length: int, physical: str) -> list[bytes] | None:
    """What a value equal to the literal could be stored as; empty: as nothing at all; None: not known."""
    arrow = place.arrow.value_type if pa.types.is_dictionary(place.arrow) else place.arrow
    value = literal.value
    match literal.type, place.type:
        case t.StringType(fixed=False), t.StringType() if physical == "BYTE_ARRAY" and isinstance(value, str):
            return [value.encode()]
        case t.BytesType(), t.BytesType() | t.StringType() if isinstance(value, bytes):
            return [value]
        case t.FloatType(), t.FloatType() if physical in {"FLOAT", "DOUBLE"} and isinstance(value, float):
            return _floats(value, "<f" if physical == "FLOAT" else "<d")
        case (t.IntegerType() | t.DecimalType(), t.IntegerType()) | (
            t.IntegerType() | t.DecimalType(),
            t.DecimalType(),
        ):
            scale = literal.type.scale if isinstance(literal.type, t.DecimalType) else 0
            digits = place.type.scale if isinstance(place.type, t.DecimalType) else 0
            return _integer(Fraction(value, 10**scale) * 10**digits, physical, length, arrow)
        case t.DateType(), t.DateType():
            return _integer(Fraction(value), physical, length, arrow)
        case (t.TimestampType(precision=precision), t.TimestampType()) | (
            t.TimeType(precision=precision),
            t.TimeType(),
        ) if arrow.unit in _UNITS:
            nanoseconds = value * (1000 if precision <= 6 else 1)
            return _integer(Fraction(nanoseconds, _UNITS[arrow.unit]), physical, length, arrow)
    return None


def _floats(value: float, format: str) -> list[bytes] | None:
    if value != value:
        return None  # NaN has many representations
    try:
        stored = struct.pack(format, value)
    except OverflowError:
        return []
    if struct.unpack(format, stored)[0] != value:
        return []
    return [struct.pack(format, 0.0), struct.pack(format, -0.0)] if value == 0 else [stored]


def _integer(value: Fraction, physical: str, length: int, arrow: Any) -> list[bytes] | None:
    if value.denominator != 1:
        return []
    number = int(value)
    try:
        if physical == "FIXED_LEN_BYTE_ARRAY":
            return [number.to_bytes(length, "big", signed=True)]
        size = {"INT32": 4, "INT64": 8}.get(physical)
        if size is None:
            return None
        return [number.to_bytes(size, "little", signed=not pa.types.is_unsigned_integer(arrow))]
    except OverflowError:
        return []
