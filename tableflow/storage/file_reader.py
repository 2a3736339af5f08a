"""Reads a file of rows from its mapping: columns as they are stored, without copying; what is touched first is verified.

Nothing of the file is interpreted before its checksum fits, so Arrow never sees a damaged byte: the structure
(footer, metadata of all messages) at the first read, every dictionary and every column of every chunk when it is first
asked for.  A reader may be used by many threads; two that verify the same part at once do it twice.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.column import Column
from tableflow.errors import ConnectorError
from tableflow.records import dataclass
from tableflow.storage.damage import checksum, damaged, guarded
from tableflow.storage.data_file import FORMAT_VERSION, DataFile, index_name
from tableflow.storage.description import ROW_ID, StoredColumn
from tableflow.storage.disk import Disk
from tableflow.storage.evolution import as_type, initial_column, initial_zone, same_hashes, zone_as_type
from tableflow.storage.key_index import KeyIndex, StoredKeyIndex, key_hashes, key_index, open_key_index
from tableflow.storage.side_file import ColumnPart, Extent, SideFile, Statistics, read_side, read_statistics
from tableflow.storage.zones import Zone, merged
from tableflow.types import SqlType

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FileStatistics:
    """What a file knows of a column; ``sketch`` is a theta sketch (:mod:`tableflow.storage.distinct`), None for nested types."""

    zone: Zone
    average_bytes: float | None
    sketch: bytes | None


class DataFileReader:
    """See the module; made by :meth:`open`, kept by its owner."""

    def __init__(self, disk: Disk, file: DataFile, data: pa.Buffer, side: SideFile, statistics: bytes) -> None:
        self.file = file
        self.chunks: tuple[int, ...] = side.rows
        self._disk = disk
        self._data = data
        self._bytes = memoryview(data).cast("B")
        self._side = side
        self._statistics_line = statistics
        self._statistics: Statistics | None = None
        self._numbers = {column: number for number, column in enumerate(side.ids)}
        self._verified: set[Extent] = set()
        self._lock = threading.Lock()
        self._readers: dict[tuple[int, ...], Any] = {}
        self._indexes: dict[tuple[tuple[int, SqlType], ...], KeyIndex] = {}
        self._batches: list[pa.RecordBatch | None] = [None] * len(side.rows)

    @classmethod
    def open(cls, disk: Disk, file: DataFile) -> DataFileReader:
        """Reads the side file and maps the rows; raises :class:`~tableflow.errors.ConnectorError`."""
        if file.format_version != FORMAT_VERSION:
            raise ConnectorError(
                f"file {file.data_name!r} has format version {file.format_version}, this is version {FORMAT_VERSION}",
                hint="open the database with the version that wrote it",
            )
        with guarded(file.side_name, "it cannot be read"):
            content = disk.read(file.side_name)
            if checksum(content) != file.checksum:
                raise damaged(file.side_name, "its checksum does not fit")
            side, statistics = read_side(content)
        with guarded(file.data_name, "it cannot be mapped"):
            data = disk.map(file.data_name)
        if data.size != file.bytes:
            raise damaged(file.data_name, f"it has {data.size} bytes instead of {file.bytes}")
        return cls(disk, file, data, side, statistics)

    def read(self, chunk: int, columns: Sequence[StoredColumn]) -> list[Column]:
        """Columns of a chunk in the table's order and types, in the representation in which they are stored."""
        present = tuple(sorted(self._numbers[c.id] for c in columns if c.id in self._numbers))
        arrays = self._arrays(chunk, present) if present else {}
        return [
            as_type(arrays[f"c{column.id}"], part.type, column.type)
            if (part := self._part(column)) is not None
            else initial_column(column, self.chunks[chunk])
            for column in columns
        ]

    def row_ids(self, chunk: int) -> Ids | None:
        """Row ids of a chunk, ascending; None when they follow each other and the owner knows the first."""
        if self._side.row_ids is None:
            return None
        ids: Ids = self._arrays(chunk, (len(self._side.ids),))[ROW_ID].to_numpy()
        return ids

    def row_id_bounds(self, chunk: int) -> tuple[int, int] | None:
        """The first and last row id of a chunk, of a file that stores them."""
        return None if self._side.row_ids is None else self._side.row_ids[chunk][:2]

    def zone(self, chunk: int, column: StoredColumn) -> Zone:
        """What is known of a column in a chunk, in storage values of the type that the column has now."""
        part = self._part(column)
        if part is None:
            return initial_zone(column, self.chunks[chunk])
        return zone_as_type(part.zones[chunk], part.type, column.type)

    def chunk_bytes(self, chunk: int, columns: Sequence[StoredColumn]) -> int:
        """Bytes that reading these columns touches, dictionaries left out."""
        extents = [part.extents[chunk] for column in columns if (part := self._part(column)) is not None]
        return sum(extent.end - extent.start for extent in extents)

    def statistics(self, column: StoredColumn) -> FileStatistics:
        """What is known of a column in the whole file."""
        part = self._part(column)
        if part is None:
            return FileStatistics(initial_zone(column, self.file.rows), None, None)
        if self._statistics is None:
            with guarded(self.file.side_name, "its statistics cannot be read"):
                self._statistics = read_statistics(self._statistics_line)
        size, sketch = self._statistics[column.id]
        return FileStatistics(
            zone_as_type(merged(part.zones), part.type, column.type),
            size / self.file.rows if self.file.rows else None,
            sketch if same_hashes(part.type, column.type) else None,
        )

    def key_index(self, columns: Sequence[StoredColumn]) -> KeyIndex:
        """The index of a key: the file's, or one that is made now for a key that came (or whose type changed) later."""
        key = tuple((column.id, column.type) for column in columns)
        kept = self._indexes.get(key)
        if kept is None:
            kept = self._indexes[key] = self._open_index(columns) or self._make_index(columns)
        return kept

    def verify(self) -> None:
        """Looks at everything; raises :class:`~tableflow.errors.ConnectorError` for the first damage."""
        self._check(self._side.head, "its beginning")
        self._open_structure()
        with guarded(self.file.side_name, "its statistics cannot be read"):
            read_statistics(self._statistics_line)
        numbers = tuple(range(len(self._side.ids) + (self._side.row_ids is not None)))
        for chunk in range(len(self.chunks)):
            for column in self._arrays(chunk, numbers).values():
                with guarded(self.file.data_name, f"chunk {chunk} is not well formed"):
                    column.validate(full=True)
        for k, part in enumerate(self._side.indexes):
            open_key_index(self._disk, index_name(self.file.name, k), part.checksum).verify()

    def _open_index(self, columns: Sequence[StoredColumn]) -> StoredKeyIndex | None:
        key = tuple(column.id for column in columns)
        for k, part in enumerate(self._side.indexes):
            if part.columns == key and all(map(same_hashes, part.types, (column.type for column in columns))):
                return open_key_index(self._disk, index_name(self.file.name, k), part.checksum)
        return None

    def _make_index(self, columns: Sequence[StoredColumn]) -> KeyIndex:
        hashes, positions, first = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint32)], 0
        for chunk, rows in enumerate(self.chunks):
            found, at = key_hashes(self.read(chunk, columns), rows)
            hashes.append(found)
            positions.append(at + np.uint32(first))
            first += rows
        return key_index(np.concatenate(hashes), np.concatenate(positions))

    def _arrays(self, chunk: int, numbers: tuple[int, ...]) -> dict[str, pa.Array]:
        """Columns of the file by name, verified."""
        for number in numbers:
            self._check_column(number, chunk)
        batch = self._batches[chunk] or self._batch(chunk, numbers)
        names = [self._name(number) for number in numbers]
        with guarded(self.file.data_name, f"chunk {chunk} cannot be read"):
            return {name: batch.column(name) for name in names}

    def _name(self, number: int) -> str:
        return f"c{self._side.ids[number]}" if number < len(self._side.ids) else ROW_ID

    def _part(self, column: StoredColumn) -> ColumnPart | None:
        number = self._numbers.get(column.id)
        return None if number is None else self._side.columns[number]

    def _batch(self, chunk: int, numbers: tuple[int, ...]) -> pa.RecordBatch:
        """The chunk as Arrow sees it: all columns, kept, as nothing is copied; of a compressed file only those asked for."""
        wanted = numbers if self._side.compressed else ()
        reader = self._readers.get(wanted)
        with guarded(self.file.data_name, f"chunk {chunk} cannot be read"):
            batch = self._open_reader(wanted, chunk) if reader is None else reader.get_batch(chunk)
        if not self._side.compressed:
            self._batches[chunk] = batch
        return batch

    def _open_reader(self, numbers: tuple[int, ...], chunk: int) -> pa.RecordBatch:
        """A chunk by a new reader of Arrow's for these columns, which is shared after it has read dictionaries."""
        with self._lock:
            self._open_structure()
            options = pa.ipc.IpcReadOptions(included_fields=list(numbers), use_threads=False)
            reader = pa.ipc.open_file(pa.BufferReader(self._data), options=options)
            if reader.num_record_batches != len(self.chunks):
                raise damaged(self.file.data_name, f"it has {reader.num_record_batches} chunks")
            batch = reader.get_batch(chunk)
            self._readers[numbers] = reader
            return batch

    def _open_structure(self) -> None:
        for extent in self._side.structure:
            self._check(extent, "its structure")
        if self._side.compressed:  # dictionaries are read whenever the file is
            for number in range(len(self._side.ids)):
                self._check_dictionary(self._side.columns[number])

    def _check_dictionary(self, part: ColumnPart) -> None:
        if part.dictionary is not None:
            self._check(part.dictionary, f"the dictionary of column {part.id}")

    def _check_column(self, number: int, chunk: int) -> None:
        if number < len(self._side.ids):
            part = self._side.columns[number]
            self._check_dictionary(part)
            self._check(part.extents[chunk], f"column {part.id} of chunk {chunk}")
        elif self._side.row_ids is not None:
            self._check(self._side.row_ids[chunk][2], f"row ids of chunk {chunk}")

    def _check(self, extent: Extent, what: str) -> None:
        if extent in self._verified:
            return
        if checksum(self._bytes[extent.start : extent.end]) != extent.checksum:
            raise damaged(self.file.data_name, f"the checksum of {what} does not fit")
        self._verified.add(extent)
