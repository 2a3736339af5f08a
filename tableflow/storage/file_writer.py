"""Writes one file of rows with its side files.

Rows are gathered to chunks of exactly ``chunk_rows`` (fewer in the last one and where text is long), each chunk is
narrowed at once, and the file is written when it is finished, since only then it is known how narrow it can be.  So a
writer holds as many bytes as its file will have; its owner finishes it when it is :attr:`DataFileWriter.full`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow import types as t
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.storage.arrow_layout import Layout, layout
from tableflow.storage.column_buffer import column_buffer
from tableflow.storage.damage import checksum
from tableflow.storage.data_file import DataFile, FileOptions, index_name
from tableflow.storage.description import ROW_ID, TableDescription
from tableflow.storage.disk import Disk
from tableflow.storage.key_index import key_hashes, key_index, write_key_index
from tableflow.storage.side_file import ColumnPart, Extent, IndexPart, SideFile, write_side

Ids = npt.NDArray[np.int64]
_MOST_ROWS = 1 << 31
"""Rows of a file: positions in an index have 32 bits."""
_CHUNK_BYTES = 256 << 20
"""Bytes of text after which a chunk ends: offsets have 32 bits."""


class DataFileWriter:
    """One file; single-owner.  ``write`` and ``finish`` release the GIL in what takes long."""

    def __init__(
        self,
        disk: Disk,
        name: str,
        description: TableDescription,
        options: FileOptions | None = None,
        row_ids: bool = False,
    ) -> None:
        """``name`` without extension; ``row_ids``: every write gives them, ascending, and the file stores them."""
        self._disk = disk
        self._name = name
        self._description = description
        self._options = options or FileOptions()
        self._row_ids: list[Ids] | None = [] if row_ids else None
        self._pending: list[Batch] = []
        self._pending_rows = self._pending_bytes = 0
        self._buffers = [column_buffer(column) for column in description.columns]
        self._positions = {column.id: i for i, column in enumerate(description.columns)}
        self._keys = tuple(dict.fromkeys(key.columns for key in description.keys))
        self._hashes: list[list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32]]]] = [[] for _ in self._keys]
        self._chunk_rows: list[int] = []
        self._made: list[str] = []
        self.rows = 0

    @property
    def bytes(self) -> int:
        """Bytes held, about what the file will have."""
        hashes = sum(h.nbytes + p.nbytes for key in self._hashes for h, p in key)
        pending = self._pending_bytes + 8 * len(self._buffers) * self._pending_rows
        return sum(buffer.bytes for buffer in self._buffers) + pending + hashes

    @property
    def full(self) -> bool:
        """Whether it is time for another file."""
        return self.rows >= min(self._options.file_rows, _MOST_ROWS) or self.bytes >= self._options.file_bytes

    def write(self, columns: Sequence[Column], rows: int, row_ids: Ids | None = None) -> None:
        """Adds rows: one column of any representation for each of the description, in its order."""
        if (row_ids is None) != (self._row_ids is None):
            raise ValueError("a file stores row ids for all of its rows or for none")
        if self._row_ids is not None and row_ids is not None:
            self._row_ids.append(row_ids)
        self._gather(Batch(columns, rows))
        self.rows += rows

    def finish(self) -> DataFile:
        """Writes and syncs everything; the folder is synced by the caller.  Nothing stays when it fails."""
        try:
            return self._finish()
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Forgets the rows and removes what was written, as far as the disk lets it."""
        self._buffers, self._pending, self._hashes = [], [], []
        self._pending_rows = self._pending_bytes = 0
        for name in self._made:
            with contextlib.suppress(OSError):  # what nothing names is removed when the database is opened
                self._disk.remove(name)
        self._made = []

    def _gather(self, batch: Batch) -> None:
        size = _text_bytes(batch)
        if size > _CHUNK_BYTES and batch.length > 1:
            half = batch.length // 2
            self._gather(batch.slice(0, half))
            self._gather(batch.slice(half, batch.length - half))
            return
        if self._pending and self._pending_bytes + size > _CHUNK_BYTES:
            self._chunk()
        while batch.length >= (room := self._options.chunk_rows - self._pending_rows):
            self._pending.append(batch if batch.length == room else batch.slice(0, room))
            self._pending_rows += room
            self._chunk()
            batch = batch.slice(room, batch.length - room)
        if batch.length:
            self._pending.append(batch)
            self._pending_rows += batch.length
            self._pending_bytes += size

    def _chunk(self) -> None:
        pieces, rows = self._pending, self._pending_rows
        self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
        first = sum(self._chunk_rows)
        for key, hashes in zip(self._keys, self._hashes, strict=True):
            at = first
            for piece in pieces:
                found, positions = key_hashes([piece.columns[self._positions[column]] for column in key], piece.length)
                hashes.append((found, positions + np.uint32(at)))
                at += piece.length
        for i, buffer in enumerate(self._buffers):
            buffer.add([piece.columns[i] for piece in pieces])
        self._chunk_rows.append(rows)

    def _finish(self) -> DataFile:
        if self._pending:
            self._chunk()
        indexes = [self._write_index(k) for k in range(len(self._keys))]
        ids = self._chunks_of_ids()
        schema, size = self._write_rows(ids)
        data = self._disk.map(f"{self._name}.arrow")
        side = self._side(data, layout(data, schema), ids, indexes)
        statistics = {buffer.id: (buffer.value_bytes, buffer.sketch()) for buffer in self._buffers}
        content = write_side(side, statistics)
        self._write_file(f"{self._name}.json", content)
        return DataFile(
            self._name,
            self.rows,
            size,
            checksum(content),
            row_ids=(int(ids[0][0]), int(ids[-1][-1])) if ids else None,
            keys=self._keys,
        )

    def _write_rows(self, ids: list[Ids] | None) -> tuple[pa.Schema, int]:
        arrays, fields = [], []
        for buffer, column in zip(self._buffers, self._description.columns, strict=True):
            chunks = buffer.finish()
            arrays.append(chunks)
            fields.append(pa.field(f"c{column.id}", chunks[0].type if chunks else pa.null()))
        if ids is not None:
            arrays.append([pa.array(part, pa.int64()) for part in ids])
            fields.append(pa.field(ROW_ID, pa.int64()))
        schema = pa.schema(fields)
        name = f"{self._name}.arrow"
        self._made.append(name)
        out = self._disk.create(name)
        try:
            compression = None if self._options.compression == "none" else self._options.compression
            options = pa.ipc.IpcWriteOptions(compression=compression, use_threads=False)
            with pa.ipc.new_file(pa.PythonFile(out, mode="w"), schema, options=options) as writer:
                for chunk in range(len(self._chunk_rows)):
                    writer.write_batch(pa.RecordBatch.from_arrays([part[chunk] for part in arrays], schema=schema))
            out.flush()
            size = out.tell()
            out.sync()
        finally:
            out.close()
        return schema, size

    def _write_index(self, k: int) -> IndexPart:
        name = index_name(self._name, k)
        self._made.append(name)
        parts = self._hashes[k] or [(np.zeros(0, np.uint64), np.zeros(0, np.uint32))]
        index = key_index(np.concatenate([h for h, _ in parts]), np.concatenate([p for _, p in parts]))
        types = tuple(self._description.column(column).type for column in self._keys[k])
        return IndexPart(self._keys[k], types, write_key_index(self._disk, name, index))

    def _write_file(self, name: str, content: Any) -> None:
        self._made.append(name)
        out = self._disk.create(name)
        try:
            out.write(content)
            out.sync()
        finally:
            out.close()

    def _chunks_of_ids(self) -> list[Ids] | None:
        if self._row_ids is None:
            return None
        if not self.rows:
            return []
        ids = np.concatenate(self._row_ids)
        if len(ids) != self.rows or bool((np.diff(ids) <= 0).any()):
            raise ValueError("row ids are as many as rows and ascend")
        return np.split(ids, np.cumsum(self._chunk_rows)[:-1])

    def _side(self, data: pa.Buffer, where: Layout, ids: list[Ids] | None, indexes: Sequence[IndexPart]) -> SideFile:
        view = memoryview(data)

        def extent(start: int, end: int) -> Extent:
            return Extent(start, end, checksum(view[start:end]))

        messages = (*where.dictionaries, *where.chunks)
        dictionaries = {message.dictionary: message.columns[0] for message in where.dictionaries}
        columns = tuple(
            ColumnPart(
                buffer.id,
                buffer.type,
                tuple(extent(*chunk.columns[i]) for chunk in where.chunks),
                tuple(buffer.zones),
                extent(*dictionaries[i]) if i in dictionaries else None,
            )
            for i, buffer in enumerate(self._buffers)
        )
        row_ids = None
        if ids is not None:
            row_ids = tuple(
                (int(part[0]), int(part[-1]), extent(*chunk.columns[-1]))
                for part, chunk in zip(ids, where.chunks, strict=True)
            )
        first = min((message.start for message in messages), default=where.footer)
        structure = [extent(message.start, message.body) for message in messages]
        return SideFile(
            tuple(self._chunk_rows),
            tuple(buffer.id for buffer in self._buffers),
            columns,
            row_ids,
            tuple(indexes),
            extent(0, first),
            (*structure, extent(where.footer, len(view))),
            self._options.compression != "none",
        )


def _text_bytes(batch: Batch) -> int:
    """About how many bytes the values of variable size have."""
    total = 0
    for column in batch.columns:
        if isinstance(column.type, t.StringType | t.BytesType | t.JsonType | t.ArrayType | t.MapType | t.RowType):
            array = column.array
            if pa.types.is_dictionary(array.type):
                total += batch.length * array.dictionary.nbytes // max(1, len(array.dictionary))
            else:
                total += array.nbytes
    return total
