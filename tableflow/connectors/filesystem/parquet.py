"""The Parquet format: splits are row groups, pruned by their statistics; columns are read on demand."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tableflow.catalog.clustering import Boundaries
from tableflow.catalog.known_values import KnownRows
from tableflow.catalog.provider import TableStatistics
from tableflow.columnar.batch import Batch
from tableflow.connectors.filesystem.column_conjuncts import is_cheap
from tableflow.connectors.filesystem.format import FileColumn, FileScan, Format, Reading
from tableflow.connectors.filesystem.matching import listed
from tableflow.connectors.filesystem.parquet_clusters import cluster_boundaries
from tableflow.connectors.filesystem.parquet_fetch import fetch_rows
from tableflow.connectors.filesystem.parquet_filter import ScanFilters
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn, read_footer
from tableflow.connectors.filesystem.parquet_groups import GroupsScan, read_groups
from tableflow.connectors.filesystem.parquet_known import known_rows
from tableflow.connectors.filesystem.parquet_pruning import Pages, columns_of, matching_groups
from tableflow.connectors.filesystem.parquet_reader import FileColumns, GroupScan, read_rows
from tableflow.connectors.filesystem.parquet_statistics import table_statistics
from tableflow.connectors.filesystem.path import FileVersion, OpenFiles
from tableflow.connectors.filesystem.widening import fits
from tableflow.connectors.pruning import can_prune
from tableflow.connectors.reading import Chunk
from tableflow.errors import ConnectorError
from tableflow.expressions.nodes import Expression
from tableflow.nearest import nearest
from tableflow.runtime.source import Split
from tableflow.types import SqlType

SPLIT_ROWS = 1 << 18
"""A row group with more rows is cut, so that tasks share it, unless that would mean to decode rows twice."""


MIDDLING_ROWS = 1 << 17
"""Row groups with at most so many rows make splits together,"""
TOGETHER_ROWS = 1 << 20
"""which have at most so many, and towards the end of a file fewer, so that tasks end at the same time."""
_TURNS = 2
"""Splits of the rows that are left, for each task."""


class ParquetFormat(Format):
    """See the module."""

    name = "parquet"

    def infer(self, files: Sequence[FileVersion], options: Mapping[str, Any]) -> tuple[FileColumn, ...]:
        """The columns of the first file; all files must have them."""
        first = tuple(FileColumn(c.name, c.type, c.nullable) for c in read_footer(files[0]).columns)
        if len(files) == 1:
            return first
        before: dict[str, int] = {}
        found_first: list[FileColumn] = []
        for c in first:
            occurrence = before.get(c.name, 0)
            before[c.name] = occurrence + 1
            found_first.append(FileColumn(c.name, c.type, c.nullable, c.name, occurrence))
        columns = tuple(found_first)
        nullable = [column.nullable for column in columns]
        for file in files[1:]:
            found = place_columns(read_footer(file), columns, files[0].path)
            nullable = [known or place.nullable for known, place in zip(nullable, found, strict=True)]
        return tuple(FileColumn(c.name, c.type, may) for c, may in zip(columns, nullable, strict=True))

    def resolve(
        self, files: Sequence[FileVersion], columns: tuple[FileColumn, ...], options: Mapping[str, Any]
    ) -> tuple[FileColumn, ...]:
        """Declared columns are found by name, exactly or else without regard to case; types may widen."""
        if not files:
            return columns
        names = [column.name for column in read_footer(files[0]).columns]
        by_folded = {name.lower(): name for name in reversed(names)}
        resolved = tuple(
            FileColumn(
                column.name,
                column.type,
                column.nullable,
                column.name if column.name in names else by_folded.get(column.name.lower(), column.name),
            )
            for column in columns
        )
        for file in files:
            place_columns(read_footer(file), resolved, None)
        return resolved

    def statistics(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> TableStatistics:
        """Merged from all footers."""
        return _statistics(tuple(files), tuple(columns))

    def known(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> KnownRows | None:
        """From all footers."""
        return _known(tuple(files), tuple(columns))

    def rows_of(self, file: FileVersion) -> int:
        """As its footer says."""
        return read_footer(file).rows

    def never_null(self, file: FileVersion, columns: Sequence[FileColumn]) -> frozenset[int]:
        """Those whose chunks have no place to say that a value is missing."""
        footer = read_footer(file)
        leaves = [place.leaf for place in place_columns(footer, columns, None)]
        known = footer.metadata.leaves
        return frozenset([i for i, leaf in enumerate(leaves) if leaf is not None and not known[leaf].definition_levels])

    def boundaries(self, files: Sequence[FileVersion], column: FileColumn) -> Boundaries:
        """From the ranges of row groups, where they follow each other."""
        return _boundaries(tuple(files), column)

    def prunes(self, predicate: Expression) -> bool:
        """Row groups are skipped by what :mod:`tableflow.connectors.pruning` understands, rows by cheap conjuncts over one column."""
        return can_prune(predicate) or is_cheap(predicate)

    def splits(self, scan: FileScan, counts: Counter[str], tasks: int) -> Iterator[Split]:
        """One per row group, more for a big one, one for several others; none for groups that cannot match, or after the limit."""
        left = scan.limit
        for number, file in enumerate(scan.files):
            file.check()
            footer = read_footer(file)
            several: list[int] = []
            waiting = 0
            for group in _matching_groups(footer, scan, counts):
                if left is not None and left <= 0:
                    break
                rows = footer.group_rows[group]
                if left is not None:
                    left -= rows
                if several and (rows > MIDDLING_ROWS or waiting + rows > _together_rows(footer, several[0], tasks)):
                    yield _together(file, number, several, waiting)
                    several, waiting = [], 0
                if rows <= MIDDLING_ROWS:
                    several.append(group)
                    waiting += rows
                    continue
                part = SPLIT_ROWS if rows > SPLIT_ROWS and _skips_cheaply(footer, group, scan) else rows
                for start in range(0, rows, part):
                    count = min(part, rows - start)
                    yield Split(f"{file.path}#{group}+{start}", [number, group, start, count])
            if several:
                yield _together(file, number, several, waiting)

    def read(
        self, scan: FileScan, split: Split, offset: Any, batch_rows: int, representation: str, reading: Reading
    ) -> Iterator[Chunk]:
        """Rows of one row group or of several without those of pages that cannot match."""
        number, group, start, count = split.definition
        file = scan.files[number]
        known: _FileScan | None = reading.shared.get(number)
        # each file of a folder that is watched is number 0 of a scan of its own
        if known is None or (known.file is not file and known.file != file):
            known = reading.shared[number] = self._file_scan(scan, file, reading, representation)
        if isinstance(group, list):
            several = GroupsScan(known.columns, group, known.pages.rows, batch_rows, reading.counts, scan.numbered)
            return read_groups(several, offset or 0)
        end = start + count
        ranges = tuple((max(a, start), min(b, end)) for a, b in known.pages.rows(group) if a < end and b > start)
        pruned = 0 if offset else count - sum(b - a for a, b in ranges)
        if pruned:
            reading.counts["rows_pruned_by_page"] += pruned
        before = known.columns.footer.group_starts[group] if scan.numbered else None
        wanted = GroupScan(known.columns, group, batch_rows, reading.counts, before)
        return read_rows(wanted, ranges, start, offset or 0)

    def fetchable(self, files: Sequence[FileVersion], columns: Sequence[FileColumn]) -> frozenset[str]:
        """Those that are decoded natively, as far as the first row group tells."""
        if not files:
            return frozenset()
        footer = read_footer(files[0])
        placed = zip(columns, place_columns(footer, columns, None), strict=True)
        return frozenset([column.name for column, place in placed if footer.group_rows and footer.plan(0, place)])

    def fetch(
        self,
        scan: FileScan,
        number: int,
        places: npt.NDArray[np.int64],
        representation: str,
        stopped: Callable[[], bool],
    ) -> list[Batch]:
        """See :class:`~tableflow.connectors.filesystem.format.Format`."""
        file = scan.files[number]
        file.check()
        footer, columns = read_footer(file), scan.read_columns
        found = place_columns(footer, columns, None)
        read = FileColumns(footer, columns, found, ScanFilters((), columns, ()), representation, OpenFiles())
        return list(fetch_rows(read, places, stopped))

    def _file_scan(self, scan: FileScan, file: FileVersion, reading: Reading, representation: str) -> _FileScan:
        file.check()  # before the footer of another version could be called damaged
        footer = read_footer(file)
        columns = scan.read_columns
        filters = reading.shared.get("filters")
        if filters is None:
            filters = reading.shared["filters"] = ScanFilters(scan.predicates, columns, reading.lists)
        opened = reading.shared.setdefault("opened", OpenFiles())
        places = place_columns(footer, columns, None)
        return _FileScan(
            file,
            FileColumns(footer, columns, places, filters, representation, opened),
            Pages(footer, scan.predicates, _places(footer, scan)),
        )


def _together_rows(footer: Footer, group: int, tasks: int) -> int:
    """How many rows the split that begins with a row group may have."""
    left = footer.rows - footer.group_starts[group]
    return max(MIDDLING_ROWS, min(TOGETHER_ROWS, left // (tasks * _TURNS)))


def _together(file: FileVersion, number: int, groups: list[int], rows: int) -> Split:
    """Also of one row group alone: one call reads it, as it reads several, if it is no larger than a batch."""
    return Split(f"{file.path}#{groups[0]}+0", [number, groups, 0, rows])


class _FileScan(NamedTuple):
    """What all readers of a scan need to know of one file."""

    file: FileVersion
    columns: FileColumns
    pages: Pages


@functools.lru_cache(maxsize=256)
def _statistics(files: tuple[FileVersion, ...], columns: tuple[FileColumn, ...]) -> TableStatistics:
    footers = [read_footer(file) for file in files]
    return table_statistics(footers, columns, [place_columns(footer, columns, None) for footer in footers])


@functools.lru_cache(maxsize=256)
def _known(files: tuple[FileVersion, ...], columns: tuple[FileColumn, ...]) -> KnownRows:
    footers = [read_footer(file) for file in files]
    return known_rows(footers, columns, [place_columns(footer, columns, None) for footer in footers])


@functools.lru_cache(maxsize=1024)
def _boundaries(files: tuple[FileVersion, ...], column: FileColumn) -> Boundaries:
    footers = [read_footer(file) for file in files]
    return cluster_boundaries(footers, [place_columns(footer, (column,), None)[0] for footer in footers], column.type)


def _skips_cheaply(footer: Footer, group: int, scan: FileScan) -> bool:
    """Whether all columns are decoded natively: pyarrow would decode what it passes over."""
    places = place_columns(footer, scan.read_columns, None)
    return all(footer.plan(group, place) is not None for place in places)


def _matching_groups(footer: Footer, scan: FileScan, counts: Counter[str]) -> Iterator[int]:
    return matching_groups(footer, scan.predicates, _places(footer, scan), counts)


def _places(footer: Footer, scan: FileScan) -> dict[str, tuple[FooterColumn, SqlType]]:
    """Where the columns of the conjuncts are."""
    names = columns_of(scan.predicates)
    columns = [column for column in scan.columns if column.name in names]
    places = place_columns(footer, columns, None)
    return {column.name: (place, column.type) for column, place in zip(columns, places, strict=True)}


def place_columns(footer: Footer, columns: Sequence[FileColumn], reference: str | None) -> tuple[FooterColumn, ...]:
    """Where a file has the table's columns; a missing one or another type is named.

    With ``reference`` types must be those of that file, else they may widen to what was declared.
    """
    by_key: dict[tuple[str, int], FooterColumn] = {}
    for present in footer.columns:
        occurrence = 0
        while (present.name, occurrence) in by_key:
            occurrence += 1
        by_key[present.name, occurrence] = present
    return tuple(_place(footer, by_key, column, reference) for column in columns)


def _place(
    footer: Footer, by_key: Mapping[tuple[str, int], FooterColumn], column: FileColumn, reference: str | None
) -> FooterColumn:
    path = footer.file.path
    found = by_key.get(column.key)
    if found is None:
        near = nearest(column.key[0], [name for name, _ in by_key])
        if reference is not None:
            raise ConnectorError(
                f"file {path!r} has no column {column.key[0]!r}",
                detail=f"file {reference!r}, read as the same table, has it",
            )
        raise ConnectorError(
            f"file {path!r} has no column {column.name!r}",
            detail=f"it has {listed([name for name, _ in by_key])}",
            hint=f"did you mean {near!r}?" if near else "declare the columns that the file has",
        )
    if not (found.type == column.type or (reference is None and fits(found.type, column.type))):
        detail = "that was declared" if reference is None else f"that file {reference!r} has"
        raise ConnectorError(
            f"column {found.name!r} of file {path!r} is {found.type}, not the {column.type} {detail}",
            hint=f"declare it as {found.type}, and CAST it in a query or view" if reference is None else None,
        )
    return found
