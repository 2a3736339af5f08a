"""The footer of a Parquet file as plain values, parsed from untrusted bytes.

Only what scans need; see parquet.thrift of the format for the field numbers.  Any contradiction is a ValueError.
pyarrow's metadata objects are not used for this: they end the process for some damaged footers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tableflow.columnar._native import parse_footer_thrift, parse_thrift
from tableflow.records import dataclass

PHYSICAL = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW")
PLAIN, PLAIN_DICTIONARY, RLE, BIT_PACKED, RLE_DICTIONARY = 0, 2, 3, 4, 8
DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT = 5, 6, 7, 9
_OPTIONAL, _REPEATED = 1, 2
_CONVERTED_ENUM, _LOGICAL_ENUM = 4, 4
_DATA_PAGES = frozenset({0, 3})
_MOST_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column of values: its storage, and how many levels of NULL and repetition lie above it."""

    name: str
    physical: str
    type_length: int
    definition_levels: int
    repetition_levels: int
    ordered: bool  # bounds of this column follow the order of its type
    enum: bool = False  # texts, although no reader is told so


@dataclass(frozen=True, slots=True)
class FilePart:
    """Bytes of a file, as its footer states them."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ChunkMetadata:
    """One column chunk.  ``statistics`` are the raw fields by number; ``plain_pages`` is None if nobody says."""

    physical: str
    codec: str
    encodings: frozenset[int]
    num_values: int
    compressed_size: int
    uncompressed_size: int
    data_offset: int
    dictionary_offset: int | None
    statistics: dict[int, Any]
    plain_pages: bool | None
    elsewhere: bool  # in another file, or encrypted
    column_index: FilePart | None
    offset_index: FilePart | None
    bloom_filter: FilePart | None  # its size is 0 if nobody says


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """Leaves in order, and by row group its rows and its chunks (one per leaf), parsed when they are asked for."""

    rows: int
    leaves: tuple[Leaf, ...]
    group_rows: tuple[int, ...]
    _chunks: tuple[tuple[bytes, ...], ...]

    def chunk(self, group: int, leaf: int) -> ChunkMetadata:
        """The chunk of a leaf in a row group; :class:`ValueError` if its metadata make no sense."""
        return _chunk(parse_thrift(self._chunks[group][leaf]))


def parse_footer(data: bytes) -> FileMetadata:
    """The metadata from the bytes of a footer (without length and magic)."""
    fields = parse_footer_thrift(data)
    orders = fields.get(7)
    leaves = tuple(_leaves(_list(fields, 2), orders if isinstance(orders, list) else []))
    groups = _list(fields, 4)
    chunks: list[tuple[bytes, ...]] = []
    group_rows: list[int] = []
    for group in groups:
        rows = _int(group, 3)
        found = _list(group, 1)
        if rows < 0 or len(found) != len(leaves) or not all(isinstance(chunk, bytes) for chunk in found):
            raise ValueError("a row group does not have the columns of the file")
        group_rows.append(rows)
        chunks.append(tuple(found))
    rows = _int(fields, 3)
    if rows != sum(group_rows):
        raise ValueError(f"the file has {rows} rows, but its row groups have {sum(group_rows)}")
    return FileMetadata(rows, leaves, tuple(group_rows), tuple(chunks))


def _leaves(schema: Sequence[Any], orders: Sequence[Any]) -> Iterator[Leaf]:
    """The leaves of the schema tree, which is stored depth first."""
    elements = iter(schema)
    count = 0

    def below(children: int, definition: int, repetition: int, depth: int) -> Iterator[Leaf]:
        nonlocal count
        if depth > _MOST_DEPTH:
            raise ValueError("the schema is nested too deeply")
        for _ in range(children):
            element = next(elements, None)
            if element is None:
                raise ValueError("the schema has fewer elements than it says")
            kind = _int(element, 3, 0)
            d = definition + (kind in {_OPTIONAL, _REPEATED})
            r = repetition + (kind == _REPEATED)
            inner = _int(element, 5, 0)
            if inner:
                yield from below(inner, d, r, depth + 1)
                continue
            if 1 not in element:  # a group without fields holds no values
                continue
            physical = _choice(PHYSICAL, _int(element, 1), "type")
            ordered = count < len(orders) and isinstance(orders[count], dict) and 1 in orders[count]
            count += 1
            logical = element.get(10)
            enum = element.get(6) == _CONVERTED_ENUM or (isinstance(logical, dict) and _LOGICAL_ENUM in logical)
            yield Leaf(_text(element, 4), physical, _int(element, 2, 0), d, r, ordered, enum)

    root = next(elements, None)
    if root is None:
        raise ValueError("the schema is empty")
    yield from below(_int(root, 5, 0), 0, 0, 0)


def _chunk(chunk: dict[int, Any]) -> ChunkMetadata:
    fields = chunk.get(3)
    if not isinstance(fields, dict):
        raise ValueError("a column chunk has no metadata")  # noqa: TRY004
    encodings = [item for item in _list(fields, 2) if isinstance(item, int)]
    statistics = fields.get(12)
    numbers = {number: _int(fields, number) for number in (5, 6, 7, 9)}
    if min(numbers.values()) < 0:
        raise ValueError("a column chunk has a negative size or position")
    dictionary = fields.get(11)
    return ChunkMetadata(
        _choice(PHYSICAL, _int(fields, 1), "type"),
        _choice(CODECS, _int(fields, 4), "codec"),
        frozenset(encodings),
        numbers[5],
        numbers[7],
        numbers[6],
        numbers[9],
        dictionary if isinstance(dictionary, int) and dictionary > 0 else None,
        statistics if isinstance(statistics, dict) else {},
        _plain_pages(fields.get(13)),
        bool(chunk.get(1)) or 8 in chunk or 9 in chunk,
        _part(chunk.get(6), chunk.get(7)),
        _part(chunk.get(4), chunk.get(5)),
        _part(fields.get(14), fields.get(15, 0)),
    )


def _part(offset: Any, size: Any) -> FilePart | None:
    if not isinstance(offset, int) or not isinstance(size, int) or offset <= 0 or size < 0:
        return None
    return FilePart(offset, size)


def _plain_pages(statistics: Any) -> bool | None:
    """Whether a data page is not dictionary-encoded."""
    if not isinstance(statistics, list) or not statistics:
        return None
    dictionary = {PLAIN_DICTIONARY, RLE_DICTIONARY}
    return any(
        isinstance(item, dict) and item.get(1) in _DATA_PAGES and item.get(2) not in dictionary for item in statistics
    )


def _list(fields: Any, id: int) -> list[Any]:
    value = fields.get(id) if isinstance(fields, dict) else None
    if not isinstance(value, list):
        raise ValueError("a list of the metadata is missing")  # noqa: TRY004 - a fault of the data
    return value


def _int(fields: Any, id: int, default: int | None = None) -> int:
    if not isinstance(fields, dict):
        raise ValueError("a struct of the metadata is missing")  # noqa: TRY004
    value = fields.get(id, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a number of the metadata is missing")  # noqa: TRY004
    return value


def _text(fields: dict[int, Any], id: int) -> str:
    value = fields.get(id)
    if not isinstance(value, bytes):
        raise ValueError("a name of the metadata is missing")  # noqa: TRY004
    return value.decode(errors="replace")


def _choice(names: Sequence[str], number: int, what: str) -> str:
    if not 0 <= number < len(names):
        raise ValueError(f"the metadata has an unknown {what} {number}")
    return names[number]
