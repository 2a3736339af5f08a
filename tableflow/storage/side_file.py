"""The side file of a file of rows: where its parts lie, their checksums, zone maps, statistics, indexes.

Two lines of JSON: what every reader needs, and the statistics, which only planners ask for.  Its own checksum is in
the manifest, so what is read here is what was written.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, overload

from tableflow.records import dataclass
from tableflow.serialization import decode, encode
from tableflow.storage.data_file import FORMAT_VERSION
from tableflow.storage.zones import Zone, bound_from_json, bound_to_json
from tableflow.types import SqlType


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes ``[start, end)`` of the rows' file, and their checksum."""

    start: int
    end: int
    checksum: int


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """A column of the file, as the type it was written: its extent and zone in every chunk, and its dictionary's extent."""

    id: int
    type: SqlType
    extents: tuple[Extent, ...]
    zones: tuple[Zone, ...]
    dictionary: Extent | None


@dataclass(frozen=True, slots=True)
class IndexPart:
    """An index: its columns, the types whose values were hashed, the checksum of its head."""

    columns: tuple[int, ...]
    types: tuple[SqlType, ...]
    checksum: int


@dataclass(frozen=True, slots=True)
class SideFile:
    """See the module; ``ids`` are those of the columns, in order.

    ``row_ids`` has the first and last row id and the extent of every chunk of a file that stores them; ``head`` is what comes before the first message; ``structure`` are the messages' metadata and the footer.
    """

    rows: tuple[int, ...]
    ids: tuple[int, ...]
    columns: Sequence[ColumnPart]
    row_ids: tuple[tuple[int, int, Extent], ...] | None
    indexes: tuple[IndexPart, ...]
    head: Extent
    structure: tuple[Extent, ...]
    compressed: bool


Statistics = dict[int, tuple[int, bytes | None]]
"""By column id: bytes of the values, and the sketch."""


def write_side(side: SideFile, statistics: Statistics) -> bytes:
    """The content of the side file."""
    first = {
        "version": FORMAT_VERSION,
        "rows": side.rows,
        "ids": side.ids,
        "columns": [_column_to_json(column) for column in side.columns],
        "row_ids": None
        if side.row_ids is None
        else [[first, last, *_extent(extent)] for first, last, extent in side.row_ids],
        "indexes": [[i.columns, [encode(of) for of in i.types], i.checksum] for i in side.indexes],
        "head": _extent(side.head),
        "structure": [_extent(part) for part in side.structure],
        "compressed": side.compressed,
    }
    second = [
        [column, size, None if sketch is None else base64.b64encode(sketch).decode()]
        for column, (size, sketch) in statistics.items()
    ]
    return "\n".join(json.dumps(line, separators=(",", ":")) for line in (first, second)).encode()


class _Columns(Sequence[ColumnPart]):
    """The columns of a side file, each made when it is asked for: most queries want few of many."""

    def __init__(self, documents: list[Any], rows: tuple[int, ...]) -> None:
        self._documents = documents
        self._rows = rows
        self._made: list[ColumnPart | None] = [None] * len(documents)

    def __len__(self) -> int:
        return len(self._documents)

    @overload
    def __getitem__(self, number: int) -> ColumnPart: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[ColumnPart]: ...
    def __getitem__(self, number: int | slice) -> ColumnPart | Sequence[ColumnPart]:
        if isinstance(number, slice):
            return [self[i] for i in range(len(self))[number]]
        made = self._made[number]
        if made is None:
            made = self._made[number] = _column_from_json(self._documents[number], self._rows)
        return made


def read_side(content: bytes) -> tuple[SideFile, bytes]:
    """The side file, and the line of statistics for :func:`read_statistics`."""
    line, _, statistics = content.partition(b"\n")
    document = json.loads(line)
    if document["version"] != FORMAT_VERSION:
        raise ValueError(f"format version {document['version']}, this is version {FORMAT_VERSION}")
    rows = tuple(document["rows"])
    side = SideFile(
        rows,
        tuple(document["ids"]),
        _Columns(document["columns"], rows),
        None
        if document["row_ids"] is None
        else tuple((first, last, Extent(*rest)) for first, last, *rest in document["row_ids"]),
        tuple(IndexPart(tuple(columns), decode(types), head) for columns, types, head in document["indexes"]),
        Extent(*document["head"]),
        tuple(Extent(*part) for part in document["structure"]),
        bool(document["compressed"]),
    )
    return side, statistics


def read_statistics(line: bytes) -> Statistics:
    """The statistics of a side file's second line."""
    return {
        column: (size, None if sketch is None else base64.b64decode(sketch))
        for column, size, sketch in json.loads(line)
    }


def _extent(of: Extent) -> list[int]:
    return [of.start, of.end, of.checksum]


def _column_to_json(column: ColumnPart) -> dict[str, Any]:
    return {
        "id": column.id,
        "type": encode(column.type),
        "extents": [_extent(extent) for extent in column.extents],
        "zones": [[bound_to_json(z.minimum), bound_to_json(z.maximum), z.nulls] for z in column.zones],
        "dictionary": None if column.dictionary is None else _extent(column.dictionary),
    }


def _column_from_json(document: dict[str, Any], rows: tuple[int, ...]) -> ColumnPart:
    return ColumnPart(
        document["id"],
        decode(document["type"]),
        tuple(Extent(*extent) for extent in document["extents"]),
        tuple(
            Zone(bound_from_json(low), bound_from_json(high), nulls, count)
            for (low, high, nulls), count in zip(document["zones"], rows, strict=True)
        ),
        None if document["dictionary"] is None else Extent(*document["dictionary"]),
    )
