"""A data file as a segment of a table: opened when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_columns
from tableflow.errors import ConnectorError
from tableflow.storage.data_file import DataFile
from tableflow.storage.description import StoredColumn
from tableflow.storage.disk import Disk
from tableflow.storage.failure import missing_file
from tableflow.storage.file_reader import DataFileReader
from tableflow.storage.key_index import Probes
from tableflow.storage.segment import Ids, Pairs
from tableflow.storage.table_statistics import SegmentStatistics
from tableflow.storage.zones import Zone


class FileSegment:
    """See :class:`~tableflow.storage.segment.Segment`; ``first`` is the first row's id unless the file has ids of its own."""

    def __init__(self, disk: Disk, file: DataFile, first: int) -> None:
        self.file = file
        self.rows = file.rows
        self.first = first if file.row_ids is None else file.row_ids[0]
        self.end = first + file.rows if file.row_ids is None else file.row_ids[1] + 1
        self._disk = disk
        self._lock = threading.Lock()
        self._reader: DataFileReader | None = None
        self._starts: Ids | None = None
        self._statistics: dict[StoredColumn, SegmentStatistics] = {}

    @property
    def reader(self) -> DataFileReader:
        """The open file; :class:`~tableflow.errors.ConnectorError` if it is missing or damaged."""
        if self._reader is None:
            with self._lock:
                if self._reader is None:
                    self._reader = self._open()
        return self._reader

    def _open(self) -> DataFileReader:
        with self._telling_missing():
            return DataFileReader.open(self._disk, self.file)

    @contextmanager
    def _telling_missing(self) -> Iterator[None]:
        """A file that is not there is another error than one that cannot be read."""
        try:
            yield
        except ConnectorError as error:
            missing = [name for name in self.file.names if self._disk.facts(name) is None]
            if missing:
                raise missing_file(self._disk, missing[0]) from error
            raise

    @property
    def chunks(self) -> Sequence[int]:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return self.reader.chunks

    def chunk_bytes(self, chunk: int, columns: Sequence[StoredColumn]) -> int:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return self.reader.chunk_bytes(chunk, columns)

    def read(self, chunk: int, columns: Sequence[StoredColumn]) -> list[Column]:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return self.reader.read(chunk, columns)

    def row_ids(self, chunk: int) -> Ids:
        """See :class:`~tableflow.storage.segment.Segment`."""
        stored = self.reader.row_ids(chunk)
        if stored is not None:
            return stored
        start = self.first + int(self._chunk_starts()[chunk])
        return np.arange(start, start + self.chunks[chunk], dtype=np.int64)

    def zone(self, chunk: int | None, column: StoredColumn) -> Zone | None:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return self.statistics(column).zone if chunk is None else self.reader.zone(chunk, column)

    def statistics(self, column: StoredColumn) -> SegmentStatistics:
        """See :class:`~tableflow.storage.segment.Segment`."""
        kept = self._statistics.get(column)
        if kept is None:
            found = self.reader.statistics(column)
            kept = SegmentStatistics(found.zone, found.average_bytes, found.sketch)
            self._statistics[column] = kept
        return kept

    def take(self, positions: Ids, columns: Sequence[StoredColumn]) -> list[Column]:
        """See :class:`~tableflow.storage.segment.Segment`."""
        starts = self._chunk_starts()
        bounds = np.searchsorted(positions, starts)
        batches = []
        for chunk in range(len(self.chunks)):
            inside = positions[bounds[chunk] : bounds[chunk + 1]] - starts[chunk]
            if len(inside):
                batches.append(Batch(take_columns(self.read(chunk, columns), inside), len(inside)))
        return list(batches[0].columns) if len(batches) == 1 or not columns else list(concat(batches).columns)

    def positions(self, row_ids: Ids) -> Ids:
        """See :class:`~tableflow.storage.segment.Segment`."""
        if self.file.row_ids is None:
            return np.where((row_ids >= self.first) & (row_ids < self.end), row_ids - self.first, -1)
        starts = self._chunk_starts()
        found = np.full(len(row_ids), -1, np.int64)
        for chunk in range(len(self.chunks)):
            low, high = self.reader.row_id_bounds(chunk) or (0, -1)
            here = np.flatnonzero((row_ids >= low) & (row_ids <= high))
            if len(here):
                held = self.row_ids(chunk)
                at = np.searchsorted(held, row_ids[here])
                hit = held[np.minimum(at, len(held) - 1)] == row_ids[here]
                found[here[hit]] = at[hit] + starts[chunk]
        return found

    def ids_at(self, positions: Ids) -> Ids:
        """The row ids at these positions."""
        if self.file.row_ids is None:
            return positions + self.first
        starts = self._chunk_starts()
        found = np.empty(len(positions), np.int64)
        chunks = np.searchsorted(starts, positions, "right") - 1
        for chunk in np.unique(chunks).tolist():
            here = chunks == chunk
            found[here] = self.row_ids(chunk)[positions[here] - starts[chunk]]
        return found

    def find(self, key: Sequence[StoredColumn], hashes: Probes) -> Pairs:
        """See :class:`~tableflow.storage.segment.Segment`."""
        with self._telling_missing():
            numbers, positions = self.reader.key_index(key).find(hashes)
        return numbers, (self.ids_at(positions) if len(positions) else positions)

    def _chunk_starts(self) -> Ids:
        """The position of each chunk's first row, and the number of rows."""
        if self._starts is None:
            self._starts = np.concatenate([[0], np.cumsum(self.chunks)]).astype(np.int64)
        return self._starts
