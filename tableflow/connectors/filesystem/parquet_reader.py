"""Reading rows of one row group, at most a batch at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.parquet_column import ArrowColumns, NativeColumn
from tableflow.connectors.filesystem.parquet_filter import (
    WORTHWHILE,
    DictionaryFilter,
    Filter,
    IntervalFilter,
    ScanFilters,
    ValueFilter,
)
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.filesystem.parquet_pruning import Rows
from tableflow.connectors.filesystem.parquet_statistics import declared_range
from tableflow.connectors.filesystem.parquet_together import ColumnsTogether
from tableflow.connectors.filesystem.path import OpenFiles
from tableflow.connectors.pruning import ColumnRange
from tableflow.connectors.reading import Chunk
from tableflow.connectors.storage import NATURAL, convert, represent
from tableflow.errors import ConnectorError

_WIDEST = 8
_SURELY = 2
"""Several batches are read at once where so many times the rows that are expected would still fit one."""


class FileColumns:
    """Which columns of a file are read, into which representation, and conjuncts that may be used on the way."""

    def __init__(
        self,
        footer: Footer,
        columns: Sequence[FileColumn],
        places: Sequence[FooterColumn],
        filters: ScanFilters,
        representation: str,
        files: OpenFiles,
    ) -> None:
        self.files = files
        self.footer = footer
        self.columns = columns
        self.places = places
        self.filters = filters
        self._representation = representation
        # what both kinds of readers give of such a column needs no other form
        stored = [place.type == column.type for place, column in zip(places, columns, strict=True)]
        self._stored = [representation == NATURAL and one for one in stored]

    def range_of(self, group: int, position: int) -> ColumnRange:
        """What statistics say of a column of a row group under the type of the table."""
        known = self.footer.range(group, self.places[position])
        return declared_range(known, self.columns[position].type)

    def is_stored(self, position: int) -> bool:
        """Whether a column is used as the file stores it, so that what is read of it may be compared at once."""
        return self._stored[position]

    def declared(self, position: int, column: Column) -> Column:
        """What was read of a column as the type of the table."""
        if self._stored[position]:
            return column
        place, declared = self.places[position], self.columns[position]
        try:
            if place.type != declared.type:
                column = convert(column, declared.type)
            return represent(column, self._representation)
        except (pa.ArrowException, ValueError) as error:
            raise ConnectorError(
                f"column {place.name!r} of file {self.footer.file.path!r} could not be read as {declared.type}",
                detail=" ".join(str(error).split())[:300],
            ) from error


class GroupScan(NamedTuple):
    """One reading of a row group."""

    of: FileColumns
    group: int
    batch_rows: int
    counts: Counter[str]
    before: int | None = None
    """Rows of the file before the row group, where places of rows are told."""

    def places(self, position: int, rows: int, at: Selection | None) -> npt.NDArray[np.int64] | None:
        """Places in the file of some rows of the row group from a position on: those ``at`` (None: all)."""
        if self.before is None:
            return None
        first = self.before + position
        return np.arange(first, first + rows) if at is None else at + np.int64(first)


def read_rows(scan: GroupScan, ranges: Sequence[Rows], start: int, done: int) -> Iterator[Chunk]:
    """Rows of the (ascending) ranges from ``start + done`` on; the resume token is where the next begin after start.

    It fails if the file has changed, whether or not rows are wanted of it.
    """
    wanted = [(max(first, start + done), last) for first, last in ranges if last > start + done]
    if not (scan.of.columns and wanted):
        scan.of.footer.file.check()
        for first, last in wanted:
            yield from bare_rows(scan, first, last, start)
        return
    reader = GroupReader(scan)
    try:
        for first, last in wanted:
            reader.seek(first)
            position = first
            while position < last:
                rows = min(reader.step, last - position)
                columns, found, at = reader.read(rows)
                places = scan.places(position, rows, at)
                if found:
                    yield from pieces(columns, found, at, scan.batch_rows, position - start, rows, places)
                position += rows
    finally:
        reader.close()


def wider(batch_rows: int, expected: float) -> int:
    """How many rows to read at once where this share of them is expected to be left."""
    return batch_rows * min(_WIDEST, max(1, int(1 / max(expected * _SURELY, 1 / _WIDEST))))


def pieces(
    columns: Sequence[Column],
    found: int,
    at: Selection | None,
    most: int,
    first: int,
    rows: int,
    places: npt.NDArray[np.int64] | None,
) -> Iterator[Chunk]:
    """What is left of ``rows`` from a token on, as chunks of ``most`` rows; each is followed by the next row that is left."""
    if found <= most:
        yield Chunk(list(columns), found, first + rows, places=places)
        return
    for begin in range(0, found, most):
        count = min(most, found - begin)
        end = begin + count
        resume = rows if end == found else end if at is None else int(at[end])
        part = None if places is None else places[begin:end]
        yield Chunk([column.slice(begin, count) for column in columns], count, first + resume, places=part)


class GroupReader:
    """All wanted columns of a row group: each natively where possible, the others together through pyarrow."""

    def __init__(self, scan: GroupScan) -> None:
        self._scan = scan
        self._of = scan.of
        self._native: dict[int, NativeColumn] = {}
        self._arrow: ArrowColumns | None = None
        self._together: ColumnsTogether | None = None
        self._others: list[int] = []
        of, group, counts = scan.of, scan.group, scan.counts
        footer = of.footer
        self._file = of.files.open(footer.file)
        try:
            for i, place in enumerate(of.places):
                plan = footer.plan(group, place)
                if plan is None:
                    self._others.append(i)
                else:
                    self._native[i] = NativeColumn(
                        footer, group, place, plan, self._file.descriptor, scan.batch_rows, counts
                    )
            if self._others:
                counts["pyarrow_chunks"] += len(self._others)
                others = [of.places[i] for i in self._others]
                self._arrow = ArrowColumns(footer, group, others, 0, scan.batch_rows)
            rows = footer.group_rows[group]
            self._filters = of.filters.of_group(
                self._native, of.declared, lambda position: of.range_of(group, position), rows
            )
            quick = by_codes_and_bounds(of, (group,), self._filters)
            if quick is not None:
                self._together = ColumnsTogether.of(self._native, quick, of.is_stored)
        except BaseException:
            self.close()
            raise
        self._position = self._seen = self._kept = 0
        self._in_vain = self._resting = 0

    def seek(self, row: int) -> None:
        """Goes on at a row that is not before the current one."""
        for column in self._native.values():
            column.seek(row)
        if self._together is not None and not self._together.whole:
            self._together = None
        if self._arrow is not None:
            self._arrow.skip(row - self._position)
        self._position = row

    @property
    def step(self) -> int:
        """How many rows are best read at once: more than a batch where filters leave so few that batches would be tiny."""
        most = self._scan.batch_rows
        if not self._filters or self._resting:
            return most
        return wider(most, self._kept / self._seen if self._seen else math.prod(one.share for one in self._filters))

    def read(self, rows: int) -> tuple[list[Column], int, Selection | None]:
        """Of the next rows those that may match, in the order of the places, their number, and which they are (None: all)."""
        self._position += rows
        found: dict[int, Column] = {}
        at: Selection | None = None
        filters = self._filters_for_next()
        if self._together is not None:
            at = self._read_together(rows, found, filters)
        elif filters:
            at = self._read_filtered(rows, found, filters)
        for i, column in self._native.items():
            if i not in found:
                found[i] = column.read(rows) if at is None else column.read_at(rows, at)
        if self._arrow is not None:
            read = self._arrow.read(rows)
            found.update(zip(self._others, read if at is None else [take(one, at) for one in read], strict=True))
        left = rows if at is None else len(at)
        declared = self._of.declared
        return [declared(i, found[i]) for i in range(len(found))], left, at

    def _filters_for_next(self) -> Sequence[Filter]:
        """The filters, or none while they rest."""
        if not self._resting:
            return self._filters
        self._resting -= 1
        return ()

    def _read_together(self, rows: int, found: dict[int, Column], filters: Sequence[Filter]) -> Selection | None:
        """Reads all native columns at once; those behind one that gives up are left, and read one by one from now on."""
        assert self._together is not None
        read, at, after, complete = self._together.read(rows, filtered=bool(filters))
        found.update(read)
        self._of.filters.observe_each(filters, rows, after)
        if complete:
            if filters:
                self._judge(rows, at)
            return at
        self._together = None
        return self._read_filtered(rows, found, filters[len(after) :], at) if filters else at

    def _read_filtered(
        self, rows: int, found: dict[int, Column], filters: Sequence[Filter], at: Selection | None = None
    ) -> Selection | None:
        """Reads columns that have filters, and gives the places of the rows that they leave; None: all.

        Filters before may have left the rows ``at``.
        """
        for one in filters:
            column, kept = self._read_one(one, rows, at)
            if kept is not None:
                for i, before in found.items():
                    found[i] = take(before, kept)
                at = kept if at is None else at[kept]
            found[one.position] = column
        self._judge(rows, at)
        return at

    def _judge(self, rows: int, at: Selection | None) -> None:
        """Counts what the filters have left of some rows, and lets them rest where that is more than was promised or hoped for.

        Rows that are alike lie together in many files, so the next ones are tried at once; what is in vain again and again rests longer each time.
        """
        left = rows if at is None else len(at)
        self._scan.counts["rows_filtered"] += rows - left
        self._of.filters.observe(rows, left)
        self._seen, self._kept = rows, left
        if left > rows * WORTHWHILE:
            self._resting = (1 << self._in_vain) - 1
            self._in_vain += 1
        else:
            self._in_vain = 0

    def _read_one(self, one: Filter, rows: int, at: Selection | None) -> tuple[Column, Selection | None]:
        """A column with a filter at some (None: all) of the next rows, and which of these it keeps (None: all)."""
        native, before = self._native[one.position], None
        if isinstance(one, DictionaryFilter):
            column, before, exact = native.read_matching(rows, at, one.accepted)
            if exact or not one.refines:
                return column, before
        else:
            column = native.read(rows) if at is None else native.read_at(rows, at)
        declared = self._of.declared(one.position, column)
        kept = one.kept(declared) if isinstance(one, IntervalFilter) else one.of.matching(declared)
        if kept is None:
            return column, None
        return take(column, kept), kept if before is None else before[kept]

    def close(self) -> None:
        """Closes all files; further calls do nothing."""
        for column in self._native.values():
            column.close()
        if self._arrow is not None:
            self._arrow.close()


def by_codes_and_bounds(
    of: FileColumns, groups: Sequence[int], filters: Sequence[Filter]
) -> list[DictionaryFilter | IntervalFilter] | None:
    """The filters, if in none of these row groups conjuncts are asked about values that they let through."""
    found: list[DictionaryFilter | IntervalFilter] = []
    for one in filters:
        if isinstance(one, ValueFilter):
            return None
        if isinstance(one, DictionaryFilter) and one.refines:
            chunks = [of.footer.chunk(group, of.places[one.position]) for group in groups]
            if any(chunk is None or chunk.plain_pages is not False for chunk in chunks):
                return None
        found.append(one)
    return found


def bare_rows(scan: GroupScan, first: int, last: int, start: int) -> Iterator[Chunk]:
    """Rows without columns, as COUNT(*) reads them: the footer knows how many."""
    for position in range(first, last, scan.batch_rows):
        rows = min(scan.batch_rows, last - position)
        yield Chunk([], rows, position + rows - start, places=scan.places(position, rows, None))
