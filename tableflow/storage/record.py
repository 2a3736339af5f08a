"""One commit as the bytes of a log record.

The payload is the length of a header, the header (JSON) and a body: Arrow record batches without their schema, and arrays
of row ids.  The header names for each column the representation in which it lies in the body; offsets in the body are
multiples of eight.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.catalog.change import CatalogChange
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical, widen
from tableflow.records import dataclass
from tableflow.serialization import decode, encode
from tableflow.storage.data_file import DataFile
from tableflow.storage.description import ChangeKind, TableDescription
from tableflow.storage.memory_segment import MemorySegment
from tableflow.types import SqlType

RowIds = npt.NDArray[np.int64]
NO_IDS: RowIds = np.zeros(0, np.int64)
_WIDTHS = {pa.int8(): 1, pa.int16(): 2, pa.int32(): 4, pa.int64(): 8}
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)
_BY_WIDTH = {width: kind for kind, width in _WIDTHS.items()}


@dataclass(frozen=True, slots=True)
class TableChange:
    """What a commit did to one table.

    Rows got the ids from ``first`` on, those in ``rows`` before those in ``files``.  ``deleted`` are row ids, ascending; a
    truncation deletes all older rows.
    """

    table: int
    version: int
    kind: ChangeKind
    first: int
    rows: MemorySegment | None = None
    files: tuple[DataFile, ...] = ()
    deleted: RowIds = field(default_factory=lambda: NO_IDS)
    truncated: bool = False
    description: TableDescription | None = None

    @property
    def added(self) -> int:
        """Row ids that it used."""
        inline = 0 if self.rows is None else self.rows.rows
        return inline + sum(file.rows for file in self.files)


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one transaction did, in order (several changes of a table are versions of it); ``time`` in microseconds since 1970 (UTC)."""

    time: int
    tables: tuple[TableChange, ...]
    catalog: tuple[CatalogChange, ...] = ()


class _Body:
    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.size = 0

    def add(self, data: Any, size: int) -> list[int]:
        """[offset, size] of the bytes, for the header."""
        at = self.size
        padding = -size % 8
        self.parts.append(data)
        if padding:
            self.parts.append(bytes(padding))
        self.size += size + padding
        return [at, size]

    def add_ids(self, ids: RowIds) -> list[int]:
        return self.add(ids.astype("<i8", copy=False).tobytes(), 8 * len(ids))


def encode_commit(commit: Commit) -> bytes:
    """The payload of the commit's record."""
    body = _Body()
    header: dict[str, Any] = {"time": commit.time, "tables": [_encode_table(change, body) for change in commit.tables]}
    if commit.catalog:
        header["catalog"] = [encode(change) for change in commit.catalog]
    text = _JSON.encode(header).encode()
    text += b" " * (-(len(text) + 4) % 8)
    return b"".join([len(text).to_bytes(4, "little"), text, *body.parts])


def _encode_table(change: TableChange, body: _Body) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "table": change.table, "version": change.version, "kind": change.kind.value, "first": change.first,
    }  # fmt: skip
    if change.rows is not None:
        entry["rows"] = change.rows.rows
        if change.rows.ids:
            entry["columns"] = change.rows.ids
            entry["stored"], data = encode_rows(change.rows.columns)
            entry["batch"] = body.add(data, data.size)
    if change.files:
        entry["files"] = [encode(file) for file in change.files]
    if len(change.deleted):
        entry["deleted"] = body.add_ids(change.deleted)
    if change.truncated:
        entry["truncated"] = True
    if change.description is not None:
        entry["description"] = encode(change.description)
    return entry


def encode_rows(columns: Sequence[Column]) -> tuple[list[int], pa.Buffer]:
    """How each column lies there (0: canonical, else the bytes of its integers), and an Arrow record batch message."""
    arrays = [_plain(column) for column in columns]
    kinds = tuple(array.type for array in arrays)
    stored = [
        0 if kind == canonical(column.type) else _WIDTHS[kind] for kind, column in zip(kinds, columns, strict=True)
    ]
    return stored, pa.RecordBatch.from_arrays(arrays, schema=_schema(kinds)).serialize()


def _plain(column: Column) -> pa.Array:
    """The array of a column, neither a dictionary nor a large string."""
    array = column.array
    return array if array.type in _WIDTHS else widen(column).array


@lru_cache(maxsize=256)
def _schema(kinds: tuple[pa.DataType, ...]) -> pa.Schema:
    return pa.schema([pa.field(str(i), kind) for i, kind in enumerate(kinds)])


class Payload:
    """A record that is read: the header at once, what is in the body when it is asked for."""

    def __init__(self, payload: bytes) -> None:
        length = int.from_bytes(payload[:4], "little")
        self.bytes = payload
        """The record's payload, as it is in the log."""
        self._start = 4 + length
        header = json.loads(payload[4 : 4 + length])
        self.time: int = header["time"]
        self.tables: list[dict[str, Any]] = header["tables"]
        self.catalog: tuple[CatalogChange, ...] = tuple(decode(change) for change in header.get("catalog", ()))

    def change(self, entry: dict[str, Any], before: TableDescription | None) -> TableChange:
        """One of :attr:`tables`; ``before`` is what the table was until then."""
        rows = None
        description: TableDescription | None = decode(entry["description"]) if "description" in entry else None
        known = description or before
        if "rows" in entry:
            assert known is not None
            ids = tuple(entry.get("columns", ()))
            kinds = [known.column(each).type for each in ids]
            columns = decode_rows(kinds, entry["stored"], self._bytes(entry["batch"])) if ids else []
            rows = MemorySegment(entry["first"], ids, columns, entry["rows"])
        return TableChange(
            entry["table"], entry["version"], ChangeKind(entry["kind"]), entry["first"], rows,
            tuple(decode(file) for file in entry.get("files", ())), self._ids(entry, "deleted"),
            entry.get("truncated", False), description,
        )  # fmt: skip

    def _bytes(self, place: list[int]) -> bytes:
        at = self._start + place[0]
        return self.bytes[at : at + place[1]]

    def _ids(self, entry: dict[str, Any], key: str) -> RowIds:
        return np.frombuffer(self._bytes(entry[key]), np.int64) if key in entry else NO_IDS


def decode_rows(kinds: Sequence[SqlType], stored: Sequence[int], data: bytes) -> list[Column]:
    """The columns of :func:`encode_rows`."""
    storage = tuple(_BY_WIDTH[width] if width else canonical(kind) for kind, width in zip(kinds, stored, strict=True))
    batch = pa.ipc.read_record_batch(pa.py_buffer(data), _schema(storage))
    return [Column(kind, array) for kind, array in zip(kinds, batch.columns, strict=True)]
