"""What is known of a version's columns without reading rows: the union of what segments know.

Deletes make bounds and counts of NULLs bounds only, and numbers of distinct values estimates.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tableflow.catalog.provider import ColumnStatistics, TableStatistics
from tableflow.records import dataclass
from tableflow.storage import distinct
from tableflow.storage.description import StoredColumn
from tableflow.storage.segment import Segment
from tableflow.storage.zones import Zone, merged


@dataclass(frozen=True, slots=True)
class SegmentStatistics:
    """A column in a segment; ``sketch`` is None for nested types and where it is not known."""

    zone: Zone
    average_bytes: float | None
    sketch: bytes | None


def table_statistics(segments: Sequence[Segment], columns: Sequence[StoredColumn], rows: int) -> TableStatistics:
    """Statistics by column name of a version with so many rows in these segments."""
    exact = sum(segment.rows for segment in segments) == rows
    return TableStatistics(rows, {column.name: _column(segments, column, rows, exact) for column in columns})


def _column(segments: Sequence[Segment], column: StoredColumn, rows: int, exact: bool) -> ColumnStatistics:
    parts = [segment.statistics(column) for segment in segments]
    if not parts:
        return ColumnStatistics(nulls=0, distinct=0.0)
    zone = merged(part.zone for part in parts)
    sizes = [(part.average_bytes, part.zone.rows) for part in parts]
    known = [(size, count) for size, count in sizes if size is not None and count]
    average = sum(size * count for size, count in known) / sum(count for _, count in known) if known else None
    sketches = tuple(part.sketch for part in parts if part.sketch is not None)
    number = min(_distinct(sketches), float(rows)) if len(sketches) == len(parts) else None
    nulls = zone.nulls if exact or zone.nulls == 0 else None
    return ColumnStatistics(zone.minimum, zone.maximum, nulls, number, average)


@lru_cache(maxsize=4096)
def _distinct(sketches: tuple[bytes, ...]) -> float:
    return distinct.estimate(sketches[0] if len(sketches) == 1 else distinct.union(sketches))
