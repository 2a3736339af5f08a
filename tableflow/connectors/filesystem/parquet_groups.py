"""Several row groups at once: small ones as many as make a batch, larger ones where filters leave few rows of each.

What a row group costs besides its bytes is paid once for all of them: one native call opens the chunks, looks at dictionaries, filters,
decodes and puts the rows together.  It is all or nothing: when a chunk refuses, or larger groups have filters that only Python can
apply, the groups are read one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tableflow.columnar._native import ParquetGroupsReader
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.connectors.filesystem.page_cache import count_pages, page_cache
from tableflow.connectors.filesystem.parquet_column import REFUSALS
from tableflow.connectors.filesystem.parquet_filter import WORTHWHILE, Filter, IntervalFilter, ValueFilter
from tableflow.connectors.filesystem.parquet_footer import Layout
from tableflow.connectors.filesystem.parquet_pruning import Rows
from tableflow.connectors.filesystem.parquet_reader import (
    FileColumns,
    GroupScan,
    bare_rows,
    by_codes_and_bounds,
    pieces,
    read_rows,
    wider,
)
from tableflow.connectors.filesystem.parquet_together import Bounds, add_filter, bounds_of
from tableflow.connectors.pruning import ColumnRange
from tableflow.connectors.reading import Chunk
from tableflow.records import dataclass, replace

SMALL_ROWS = 1 << 14
"""Row groups with at most so many rows are read together although values would have to be asked about by Python, which is then not done."""


@dataclass(frozen=True, slots=True)
class GroupsScan:
    """One reading of row groups of a file, whose rows are numbered through all of them."""

    of: FileColumns
    groups: Sequence[int]
    ranges: Callable[[int], Sequence[Rows]]
    """The rows of a row group that lie in pages that may hold a matching row."""
    batch_rows: int
    counts: Counter[str]
    numbered: bool = False


class _Places:
    """Places in the file of rows that are numbered through some row groups, where they are told."""

    def __init__(self, scan: GroupsScan, rows: Sequence[int]) -> None:
        self._numbered = scan.numbered
        if not self._numbered:
            return
        self._begins = np.cumsum([0, *rows[:-1]])
        self._shifts = np.array([scan.of.footer.group_starts[group] for group in scan.groups]) - self._begins

    def of(self, first: int, rows: int, at: Selection | None) -> npt.NDArray[np.int64] | None:
        """Those of some rows from a number on: of the ones ``at`` (None: of all)."""
        if not self._numbered:
            return None
        numbers = np.arange(first, first + rows) if at is None else at + np.int64(first)
        # of several row groups that begin at a number the last one has rows
        found: npt.NDArray[np.int64] = numbers + self._shifts[np.searchsorted(self._begins, numbers, side="right") - 1]
        return found


def read_groups(scan: GroupsScan, done: int) -> Iterator[Chunk]:
    """The rows from ``done`` on; the resume token of a chunk is the number of the next row."""
    of = scan.of
    rows = [of.footer.group_rows[group] for group in scan.groups]
    places = _Places(scan, rows)
    if not of.columns:
        of.footer.file.check()
        for chunk in bare_rows(GroupScan(of, 0, scan.batch_rows, scan.counts), done, sum(rows), 0):
            yield replace(chunk, places=places.of(chunk.resume - chunk.rows, chunk.rows, None))
        return
    layouts = [of.footer.layout(place) for place in of.places]
    # one row group of several batches is decoded batch by batch
    alone = len(rows) == 1 and rows[0] > scan.batch_rows
    together = _Together(scan, layouts) if not alone and all(layout is not None for layout in layouts) else None
    first = begin = 0
    while first < len(rows):
        if begin + rows[first] <= done:
            begin += rows[first]
            first += 1
            continue
        last = first
        inside = 0
        most = scan.batch_rows if together is None or begin < done else together.step
        while (
            last < len(rows) and begin >= done and _is_whole(scan, last) and (inside + rows[last] <= most or not inside)
        ):
            inside += rows[last]
            last += 1
        read = None if together is None or last == first else together.read(scan.groups[first:last], inside)
        if read is None:
            last = max(last, first + 1)
            inside = sum(rows[first:last])
            yield from _one_by_one(scan, scan.groups[first:last], begin, done)
        else:
            columns, found, at = read
            if found:
                told = places.of(begin, inside, at)
                yield from pieces(columns, found, at, scan.batch_rows, begin, inside, told)
        begin += inside
        first = last


def _is_whole(scan: GroupsScan, number: int) -> bool:
    """Whether no page of a row group is left out."""
    group = scan.groups[number]
    rows = scan.of.footer.group_rows[group]
    return rows <= SMALL_ROWS or tuple(scan.ranges(group)) == ((0, rows),)


def _one_by_one(scan: GroupsScan, groups: Sequence[int], begin: int, done: int) -> Iterator[Chunk]:
    for group in groups:
        rows = scan.of.footer.group_rows[group]
        before = scan.of.footer.group_starts[group] if scan.numbered else None
        one = GroupScan(scan.of, group, scan.batch_rows, scan.counts, before)
        passed = max(0, done - begin)
        ranges = scan.ranges(group)
        pruned = 0 if passed else rows - sum(b - a for a, b in ranges)
        if pruned:
            scan.counts["rows_pruned_by_page"] += pruned
        for chunk in read_rows(one, ranges, 0, passed):
            yield Chunk(chunk.columns, chunk.rows, begin + chunk.resume, places=chunk.places)
        begin += rows


class _Entries:
    """The dictionaries of a column in all row groups of one reading; the native reader looks for bounds there by itself."""

    bounds_its_entries = True

    def __init__(self, reader: ParquetGroupsReader, number: int, layout: Layout) -> None:
        self._reader = reader
        self._number = number
        self._layout = layout

    def dictionary(self) -> Column | None:
        """All entries; None if a row group has none."""
        if not self._layout.coded:
            return None
        vector = self._reader.dictionary(self._number)
        return None if vector is None else Column(self._layout.place.type, vector=vector)


class _Together:
    """Reads several row groups in one call, with the filters that are worth it."""

    def __init__(self, scan: GroupsScan, layouts: Sequence[Layout | None]) -> None:
        self._scan = scan
        self._layouts = [layout for layout in layouts if layout is not None]
        self._columns = [
            (plan.optional, plan.conversion, plan.format, plan.type_length, plan.codec)
            for plan in (layout.plan for layout in self._layouts)
        ]
        self._types = [layout.place.type for layout in self._layouts]
        self._stored = all(map(scan.of.is_stored, range(len(self._types))))
        self._again: list[tuple[IntervalFilter, Bounds]] = []
        self._alike = all(layout.all_alike for layout in self._layouts)
        self._file = scan.of.files.open(scan.of.footer.file)
        self._seen = self._kept = 0
        self._filters = True
        self._alone = False

    @property
    def step(self) -> int:
        """How many rows are best read at once: more than a batch where filters leave few."""
        return wider(self._scan.batch_rows, self._kept / self._seen if self._seen else 1.0)

    def read(self, groups: Sequence[int], total: int) -> tuple[list[Column], int, Selection | None] | None:
        """The rows that may match of ``total``, how many, and which of all they are (None: all); None: these are better not read together."""
        if self._alone:
            return None
        first, last = groups[0], groups[-1] + 1
        # Row groups mostly follow each other: then nothing is copied out of the arrays.
        numbers: Any = slice(first, last) if last - first == len(groups) else np.array(groups)
        if not (self._alike or all(bool(layout.alike[numbers].all()) for layout in self._layouts)):
            return None
        try:
            reader = ParquetGroupsReader(
                self._file.descriptor,
                self._columns,
                [layout.offsets[numbers] for layout in self._layouts],
                [layout.sizes[numbers] for layout in self._layouts],
                self._layouts[0].rows[numbers],
                page_cache(),
            )
            filters = self._add_filters(reader, groups, total) if self._filters else []
            if filters is None:
                self._alone = True
                return None
            vectors, at, after, _ = reader.read()
        except REFUSALS:
            return None
        of, counts = self._scan.of, self._scan.counts
        counts["native_chunks"] += len(groups) * len(vectors)
        count_pages(reader.pages, counts)
        left = total if at is None else len(at)
        if filters:
            of.filters.observe_each(filters, total, after)
            counts["rows_filtered"] += total - left
            of.filters.observe(total, left)
            self._seen += total
            self._kept += left
            self._filters = self._kept <= self._seen * WORTHWHILE
        columns = [Column(of_type, None, vector) for of_type, vector in zip(self._types, vectors, strict=True)]
        if not self._stored:
            columns = [of.declared(i, column) for i, column in enumerate(columns)]
        return columns, left, at

    def _add_filters(self, reader: ParquetGroupsReader, groups: Sequence[int], rows: int) -> list[Filter] | None:
        """Has the reader apply what it can; which filters these are, None if large groups have others that are worth more.

        Bounds that were worth it are those of the next groups: statistics of these would hardly tell more.
        """
        if self._again:
            for known, bounds in self._again:
                reader.among(known.position, *bounds)
            return [known for known, _ in self._again]
        of = self._scan.of
        entries = {i: _Entries(reader, i, layout) for i, layout in enumerate(self._layouts)}
        found: list[Filter] = of.filters.of_group(entries, of.declared, _ranges(of, groups), rows)
        if rows > SMALL_ROWS * len(groups) and by_codes_and_bounds(of, groups, found) is None:
            return None
        added: list[Filter] = []
        for one in found:
            if isinstance(one, ValueFilter):
                continue
            if add_filter(reader, one.position, one, stored=of.is_stored(one.position)):
                added.append(one)
            elif rows > SMALL_ROWS * len(groups):
                return None
        again = [(one, bounds_of(one)) for one in added if isinstance(one, IntervalFilter)]
        if len(again) == len(found):
            self._again = [(one, bounds) for one, bounds in again if bounds is not None]
        return added


def _ranges(of: FileColumns, groups: Sequence[int]) -> Callable[[int], ColumnRange]:
    """What statistics say of a column in all of some row groups."""

    def hull(position: int) -> ColumnRange:
        if len(groups) == 1:
            return of.range_of(groups[0], position)
        ranges = [of.range_of(group, position) for group in groups]
        lows, highs = [one.minimum for one in ranges], [one.maximum for one in ranges]
        integers = all(isinstance(bound, int) for bound in (*lows, *highs))
        if not integers:
            return ColumnRange(ranges[0].type)
        return ColumnRange(ranges[0].type, min(lows), max(highs))

    return hull
