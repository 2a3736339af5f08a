"""Rows that are only in the log yet: neighbouring row ids, columns in memory.

Segments of similar size are merged as they pile up, so that after n commits there are about ``log n`` of them and each
row was copied about ``log n`` times.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, is_nested, take_columns
from tableflow.storage.description import StoredColumn
from tableflow.storage.distinct import DistinctSketch
from tableflow.storage.evolution import as_type, initial_column
from tableflow.storage.key_index import Hashes, Probes, key_hashes, key_index
from tableflow.storage.segment import Ids, Pairs
from tableflow.storage.table_statistics import SegmentStatistics
from tableflow.storage.zones import Zone, bounds

Positions = npt.NDArray[np.uint32]
MERGED_AT_ONCE = 8
"""So many neighbours of one size class become one segment."""
FEW = 64
"""Segments of so many rows remember the hashes of their keys."""
LARGEST_MERGED = 65_536
"""Segments of so many rows are merged no more."""


class MemorySegment:
    """Rows with the ids ``[first, end)`` and the columns ``ids``, in this order; immutable."""

    __slots__ = ("_hashes", "_numbers", "_statistics", "columns", "end", "first", "ids", "kind", "rows")

    def __init__(self, first: int, ids: tuple[int, ...], columns: Sequence[Column], rows: int) -> None:
        self.first = first
        self.ids = ids
        self.columns = tuple(columns)
        self.rows = rows
        self.end = first + rows
        self.kind = (ids, [column.type for column in self.columns])
        self._statistics: dict[StoredColumn, SegmentStatistics] = {}
        self._numbers = {column: number for number, column in enumerate(ids)}
        self._hashes: dict[tuple[StoredColumn, ...], tuple[Hashes, Positions]] = {}

    @property
    def bytes(self) -> int:
        """Bytes of the columns."""
        return sum(column.nbytes for column in self.columns)

    @property
    def chunks(self) -> Sequence[int]:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return (self.rows,)

    def chunk_bytes(self, chunk: int, columns: Sequence[StoredColumn]) -> int:
        """See :class:`~tableflow.storage.segment.Segment`."""
        held = (self._numbers.get(column.id) for column in columns)
        return sum(self.columns[number].nbytes for number in held if number is not None)

    def read(self, chunk: int, columns: Sequence[StoredColumn]) -> list[Column]:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return [self._column(column) for column in columns]

    def zone(self, chunk: int | None, column: StoredColumn) -> Zone | None:
        """Nothing is known: looking at so few rows costs as much as reading them."""
        return None

    def statistics(self, column: StoredColumn) -> SegmentStatistics:
        """See :class:`~tableflow.storage.segment.Segment`; computed once."""
        kept = self._statistics.get(column)
        if kept is None:
            held = self._column(column)
            nulls = held.array.null_count
            if pa.types.is_dictionary(held.array.type):
                nulls = pc.sum(pc.is_null(held.array.dictionary_decode())).as_py() or 0
            sketch = None
            if not is_nested(held):
                made = DistinctSketch()
                made.add(held)
                sketch = made.serialize()
            zone = Zone(*bounds_of(held), nulls, self.rows)
            kept = self._statistics[column] = SegmentStatistics(zone, held.nbytes / max(self.rows, 1), sketch)
        return kept

    def take(self, positions: Ids, columns: Sequence[StoredColumn]) -> list[Column]:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return take_columns(self.read(0, columns), positions)

    def positions(self, row_ids: Ids) -> Ids:
        """See :class:`~tableflow.storage.segment.Segment`."""
        inside = (row_ids >= self.first) & (row_ids < self.end)
        return np.where(inside, row_ids - self.first, -1)

    def find(self, key: Sequence[StoredColumn], hashes: Probes) -> Pairs:
        """See :class:`~tableflow.storage.segment.Segment`; by looking at every row, for the newest there is an index."""
        probes, found = key_index(*self.key_hashes(key)).find(hashes)
        return probes, found + self.first

    def key_hashes(self, key: Sequence[StoredColumn]) -> tuple[Hashes, Positions]:
        """Hashes of a key and the positions they are of; kept where a commit's check and the index ask one after the other."""
        if self.rows > FEW:
            return key_hashes(self.read(0, key), self.rows)
        name = tuple(key)
        kept = self._hashes.get(name)
        if kept is None:
            kept = self._hashes[name] = key_hashes(self.read(0, key), self.rows)
        return kept

    def _column(self, column: StoredColumn) -> Column:
        number = self._numbers.get(column.id)
        if number is None:
            return initial_column(column, self.rows)
        held = self.columns[number]
        return held if held.type == column.type else as_type(held.array, held.type, column.type)

    def row_ids(self, chunk: int = 0) -> Ids:
        """See :class:`~tableflow.storage.segment.Segment`."""
        return np.arange(self.first, self.end, dtype=np.int64)

    def slice(self, first: int, end: int) -> MemorySegment:
        """The rows with ids in ``[first, end)``."""
        first, end = max(first, self.first), min(end, self.end)
        if (first, end) == (self.first, self.end):
            return self
        columns = [column.slice(first - self.first, end - first) for column in self.columns]
        return MemorySegment(first, self.ids, columns, end - first)


def bounds_of(column: Column) -> tuple[Any, Any]:
    """A lower and an upper bound of the storage values; None if there is none or nothing is known."""
    return bounds(column)


def merge(segments: Sequence[MemorySegment]) -> MemorySegment:
    """Neighbours with the same columns as one segment."""
    first = segments[0]
    rows = sum(segment.rows for segment in segments)
    if not first.ids:
        return MemorySegment(first.first, (), (), rows)
    whole = concat([Batch(segment.columns, segment.rows) for segment in segments])
    return MemorySegment(first.first, first.ids, whole.columns, rows)


def size_class(rows: int) -> int:
    """Segments of one class have about the same size: powers of :data:`MERGED_AT_ONCE`."""
    return (rows.bit_length() - 1) // 3


def appended(segments: tuple[Any, ...], added: MemorySegment) -> tuple[Any, ...]:
    """The segments of a table and one more behind them; memory segments at the end are merged as they should be."""
    segments = (*segments, added)
    while len(segments) >= MERGED_AT_ONCE:
        last = segments[-MERGED_AT_ONCE:]
        wanted = size_class(last[-1].rows) if isinstance(last[-1], MemorySegment) else -1
        if not all(
            isinstance(segment, MemorySegment)
            and segment.rows <= LARGEST_MERGED
            and size_class(segment.rows) <= wanted
            and segment.kind == added.kind
            for segment in last
        ):
            break
        segments = (*segments[:-MERGED_AT_ONCE], merge(last))
    return segments
