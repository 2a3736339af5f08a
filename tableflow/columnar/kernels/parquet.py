"""Decoding column chunks of Parquet files natively: which can be, and how.

What is not covered (nested columns, other encodings, INT96, ...) the caller reads through pyarrow.  A reader raises
NotImplementedError for what it only finds out on the way, and ValueError where the file contradicts itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tableflow.columnar._native import ParquetColumnReader
from tableflow.columnar.kernels.parquet_metadata import (
    BIT_PACKED,
    PLAIN,
    PLAIN_DICTIONARY,
    RLE,
    RLE_DICTIONARY,
    ChunkMetadata,
    Leaf,
)

__all__ = ["ChunkPlan", "ParquetColumnReader", "open_chunk", "plan_chunk"]

_ENCODINGS = frozenset({PLAIN, RLE, BIT_PACKED, PLAIN_DICTIONARY, RLE_DICTIONARY})
_CODECS = {"ZSTD": "zstd", "GZIP": "gzip", "BROTLI": "brotli", "LZ4_RAW": "lz4_raw"}
_INT32 = {
    pa.int8(): ("i32:i8", "c"), pa.int16(): ("i32:i16", "s"), pa.int32(): ("i32", "i"), pa.uint8(): ("u8:i16", "s"),
    pa.uint16(): ("u16:i32", "i"), pa.uint32(): ("u32:i64", "l"), pa.date32(): ("i32", "tdD"),
    pa.time32("ms"): ("i32*1000", "ttu"),
}  # fmt: skip
_INT64 = {pa.int64(): ("i64", "l"), pa.time64("us"): ("i64", "ttu"), pa.time64("ns"): ("i64", "ttn")}
_OTHER = {
    ("BOOLEAN", pa.bool_()): ("bool", "b"),
    ("FLOAT", pa.float32()): ("f32", "f"),
    ("DOUBLE", pa.float64()): ("f64", "g"),
}
_TIMESTAMPS = {"ms": ("i64*1000", "tsu:"), "us": ("i64", "tsu:"), "ns": ("i64", "tsn:")}
_MOST_DIGITS = {"INT32": 9, "INT64": 18}


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
    if chunk.codec in {"UNCOMPRESSED", "SNAPPY"}:
        codec, pyarrow_codec = {"UNCOMPRESSED": "none", "SNAPPY": "snappy"}[chunk.codec], None
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
        if physical in _MOST_DIGITS and of.precision <= _MOST_DIGITS[physical]:
            return ("i32", "i") if physical == "INT32" else ("i64", "l")
        if physical != "FIXED_LEN_BYTE_ARRAY" or not 1 <= length <= 16:
            return None
        return ("fixed:i64", "l") if of.precision <= 18 else ("fixed:i128", f"d:{of.precision},{of.scale}")
    if physical == "INT64" and pa.types.is_timestamp(of) and of.unit in _TIMESTAMPS:
        conversion, naive = _TIMESTAMPS[of.unit]
        return conversion, naive + ("UTC" if of.tz is not None else "")
    if physical == "BYTE_ARRAY":
        if pa.types.is_string(of) or pa.types.is_large_string(of) or pa.types.is_string_view(of):
            return "string", "u"
        if pa.types.is_binary(of) or pa.types.is_large_binary(of) or pa.types.is_binary_view(of):
            return "string", "z"
        return None
    if physical == "INT32":
        return _INT32.get(of)
    if physical == "INT64":
        return _INT64.get(of)
    return _OTHER.get((physical, of))


def open_chunk(fd: int, plan: ChunkPlan) -> ParquetColumnReader:
    """A reader at the first row of a chunk; it keeps a descriptor of its own."""
    decompress = None
    if plan.pyarrow_codec is not None:
        codec = pa.Codec(plan.pyarrow_codec)

        def decompress(data: bytes, size: int) -> Any:
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
    )
