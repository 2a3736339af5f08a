"""Decoding column chunks of Parquet files natively: which can be, and how.

What is not covered (nested columns, unknown encodings, LZ4 in Hadoop's frames, ...) the caller reads through pyarrow.  A reader raises
NotImplementedError for what it only finds out on the way, and ValueError where the file contradicts itself.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tableflow.columnar._native import PageCache, ParquetColumnReader
from tableflow.columnar.kernels.parquet_metadata import (
    BIT_PACKED,
    BYTE_STREAM_SPLIT,
    DELTA_BINARY_PACKED,
    DELTA_BYTE_ARRAY,
    DELTA_LENGTH_BYTE_ARRAY,
    PLAIN,
    PLAIN_DICTIONARY,
    RLE,
    RLE_DICTIONARY,
    ChunkMetadata,
    Leaf,
)
from tableflow.records import dataclass

__all__ = ["ChunkPlan", "ParquetColumnReader", "open_chunk", "plan_chunk"]

_ENCODINGS = frozenset(
    {
        PLAIN, RLE, BIT_PACKED, PLAIN_DICTIONARY, RLE_DICTIONARY, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY,
        DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT,
    }
)  # fmt: skip
_NATIVE_CODECS = {"UNCOMPRESSED": "none", "SNAPPY": "snappy", "LZ4_RAW": "lz4_raw", "ZSTD": "zstd"}
_CODECS = {"GZIP": "gzip", "BROTLI": "brotli"}
_INT32 = {
    pa.int8(): ("i32:i8", "c"), pa.int16(): ("i32:i16", "s"), pa.int32(): ("i32", "i"), pa.uint8(): ("u8:i16", "s"),
    pa.uint16(): ("u16:i32", "i"), pa.uint32(): ("u32:i64", "l"), pa.date32(): ("i32", "tdD"),
    pa.time32("ms"): ("i32*1000", "ttu"),
}  # fmt: skip
_INT64 = {
    pa.int64(): ("i64", "l"), pa.uint64(): ("u64:i128", "d:20,0"), pa.time64("us"): ("i64", "ttu"),
    pa.time64("ns"): ("i64", "ttn"),
}  # fmt: skip
_OTHER = {
    ("BOOLEAN", pa.bool_()): ("bool", "b"),
    ("FLOAT", pa.float32()): ("f32", "f"),
    ("DOUBLE", pa.float64()): ("f64", "g"),
}
_TIMESTAMPS = {"ms": ("i64*1000", "tsu:"), "us": ("i64", "tsu:"), "ns": ("i64", "tsn:")}
_MOST_DIGITS = {"INT32": 9, "INT64": 18}
_MOST_DECIMAL_DIGITS = 38
_HALF_BYTES = 2


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """Where a column chunk lies and how its values are decoded; see native/parquet_column.h."""

    offset: int
    size: int
    num_values: int
    optional: bool
    conversion: str
    format: str
    type_length: int
    codec: str
    pyarrow_codec: str | None


def plan_chunk(chunk: ChunkMetadata, leaf: Leaf, arrow: pa.DataType, rows: int) -> ChunkPlan | None:
    """The plan for a chunk of a column of an Arrow type in a row group with ``rows``; None if it is not covered."""
    if (
        leaf.repetition_levels
        or leaf.definition_levels > 1
        or chunk.elsewhere
        or chunk.num_values != rows
        or chunk.physical != leaf.physical
        or not chunk.encodings <= _ENCODINGS
    ):
        return None
    if chunk.codec in _NATIVE_CODECS:
        codec, pyarrow_codec = _NATIVE_CODECS[chunk.codec], None
    elif chunk.codec in _CODECS and pa.Codec.is_available(_CODECS[chunk.codec]):
        codec, pyarrow_codec = "other", _CODECS[chunk.codec]
    else:
        return None
    found = _conversion(chunk.physical, leaf.type_length, arrow)
    if found is None or not 0 <= leaf.type_length < 2**31:
        return None
    offset = chunk.data_offset
    if chunk.dictionary_offset is not None and chunk.dictionary_offset < offset:
        offset = chunk.dictionary_offset
    return ChunkPlan(
        offset,
        chunk.compressed_size,
        chunk.num_values,
        leaf.definition_levels == 1,
        *found,
        leaf.type_length,
        codec,
        pyarrow_codec,
    )


def _conversion(physical: str, length: int, of: pa.DataType) -> tuple[str, str] | None:
    """How a stored type becomes the representation of an Arrow type, and the Arrow format of that; None: not here."""
    if pa.types.is_dictionary(of):
        of = of.value_type
    if pa.types.is_decimal(of):
        return _decimal(physical, length, of)
    if pa.types.is_timestamp(of):
        return _timestamp(physical, of)
    if physical == "BYTE_ARRAY":
        if pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of):
            return "string", "u"
        if pa.types.is_binary(of) or pa.types.is_large_binary(of) or pa.types.is_binary_view(of):
            return "string", "z"
        return None
    if physical == "FIXED_LEN_BYTE_ARRAY":
        if pa.types.is_fixed_size_binary(of) and of.byte_width == length > 0:
            return "fixed:string", "z"
        return ("f16", "f") if pa.types.is_float16(of) and length == _HALF_BYTES else None
    if physical == "INT32":
        return _INT32.get(of)
    if physical == "INT64":
        return _INT64.get(of)
    return _OTHER.get((physical, of))


def _decimal(physical: str, length: int, of: pa.DataType) -> tuple[str, str] | None:
    small = of.precision <= _MOST_DIGITS["INT64"]
    if physical in _MOST_DIGITS:
        if of.precision > _MOST_DIGITS[physical]:
            return None
        return ("i32", "i") if physical == "INT32" else ("i64", "l")
    stored = {"FIXED_LEN_BYTE_ARRAY": "fixed", "BYTE_ARRAY": "bytes"}.get(physical)
    if stored is None or (stored == "fixed" and length < 1) or of.precision > _MOST_DECIMAL_DIGITS:
        return None
    return (f"{stored}:i64", "l") if small else (f"{stored}:i128", f"d:{of.precision},{of.scale}")


def _timestamp(physical: str, of: pa.DataType) -> tuple[str, str] | None:
    zone = "UTC" if of.tz is not None else ""
    if physical == "INT96":
        return ("i96", f"tsn:{zone}") if of.unit == "ns" else None
    if physical != "INT64" or of.unit not in _TIMESTAMPS:
        return None
    conversion, naive = _TIMESTAMPS[of.unit]
    return conversion, naive + zone


def open_chunk(fd: int, plan: ChunkPlan, cache: PageCache | None = None) -> ParquetColumnReader:
    """A reader at the first row of a chunk; it keeps a descriptor of its own, and pages in the cache."""
    decompress = None
    if plan.pyarrow_codec is not None:
        codec = pa.Codec(plan.pyarrow_codec)

        def decompress(data: Any, size: int) -> Any:
            return codec.decompress(data, decompressed_size=size)

    return ParquetColumnReader(
        fd,
        plan.offset,
        plan.size,
        plan.num_values,
        plan.optional,
        plan.conversion,
        plan.format,
        plan.type_length,
        plan.codec,
        decompress,
        cache,
    )
