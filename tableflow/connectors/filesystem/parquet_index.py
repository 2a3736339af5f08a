"""The page index of a Parquet file: what each page of a column chunk holds, and where it lies.

An index that contradicts itself or the footer is as good as none.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import os
from typing import Any

from tableflow.columnar._native import parse_thrift
from tableflow.columnar.kernels.parquet_metadata import FilePart
from tableflow.connectors.filesystem.parquet_bounds import chunk_range
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.pruning import ColumnRange
from tableflow.records import dataclass

_LARGEST = 64 << 20
_REMEMBERED = 2048
"""Chunks whose pages are kept for the next scan."""
_NULL_PAGES, _MINIMA, _MAXIMA, _NULL_COUNTS = 1, 2, 3, 5
_LOCATIONS, _OFFSET, _FIRST_ROW = 1, 1, 3
_NULLS, _MAXIMUM, _MINIMUM = 3, 5, 6


@dataclass(frozen=True, slots=True)
class PageLocations:
    """First rows (ascending from 0, within the row group) and file offsets of the pages of a chunk."""

    first_rows: tuple[int, ...]
    offsets: tuple[int, ...]

    def page_of(self, row: int) -> int:
        """The page that holds a row."""
        return bisect.bisect_right(self.first_rows, row) - 1


def read_part(footer: Footer, part: FilePart) -> bytes | None:
    """These bytes of the file; None if it does not have them."""
    if part.size > _LARGEST or part.offset + part.size > footer.file.size:
        return None
    try:
        fd = os.open(footer.file.path, os.O_RDONLY)
        try:
            data = os.pread(fd, part.size, part.offset)
        finally:
            os.close(fd)
    except OSError:
        return None
    return data if len(data) == part.size else None


def page_locations(footer: Footer, group: int, place: FooterColumn) -> PageLocations | None:
    """Where the pages of a chunk begin; None if the file does not say."""
    return None if place.leaf is None else _page_locations(footer, group, place.leaf)


@functools.lru_cache(maxsize=_REMEMBERED)
def _page_locations(footer: Footer, group: int, leaf: int) -> PageLocations | None:
    found = _read_page_locations(footer, group, footer.column_of(leaf))
    footer.file.check()  # what another version says must not be remembered for this one
    return found


def _read_page_locations(footer: Footer, group: int, place: FooterColumn) -> PageLocations | None:
    chunk = footer.chunk(group, place)
    if chunk is None or chunk.offset_index is None or chunk.elsewhere:
        return None
    found = _struct(footer, chunk.offset_index)
    locations = None if found is None else found.get(_LOCATIONS)
    if not isinstance(locations, list) or not all(isinstance(one, dict) for one in locations):
        return None
    offsets = [one.get(_OFFSET) for one in locations]
    rows = [one.get(_FIRST_ROW) for one in locations]
    if not all(isinstance(one, int) for one in (*offsets, *rows)) or not rows or rows[0] != 0:
        return None
    ascending = all(a < b for column in (rows, offsets) for a, b in itertools.pairwise(column))
    if not ascending or rows[-1] >= footer.group_rows[group]:
        return None
    return PageLocations(tuple(rows), tuple(offsets))


def page_ranges(
    footer: Footer, group: int, place: FooterColumn
) -> tuple[PageLocations, tuple[ColumnRange, ...]] | None:
    """The pages of a chunk and what is known of each; None if the file has no index for it."""
    return None if place.leaf is None else _page_ranges(footer, group, place.leaf)


@functools.lru_cache(maxsize=_REMEMBERED)
def _page_ranges(footer: Footer, group: int, leaf: int) -> tuple[PageLocations, tuple[ColumnRange, ...]] | None:
    found = _read_page_ranges(footer, group, footer.column_of(leaf), leaf)
    footer.file.check()  # as above
    return found


def _read_page_ranges(
    footer: Footer, group: int, place: FooterColumn, leaf: int
) -> tuple[PageLocations, tuple[ColumnRange, ...]] | None:
    chunk = footer.chunk(group, place)
    if chunk is None or chunk.column_index is None:
        return None
    locations = page_locations(footer, group, place)
    if locations is None or len(locations.first_rows) < 2:  # one page is what the chunk's statistics speak of
        return None
    found = _struct(footer, chunk.column_index)
    if found is None:
        return None
    pages = len(locations.first_rows)
    lists: list[Any] = [found.get(number) for number in (_NULL_PAGES, _MINIMA, _MAXIMA)]
    if not all(isinstance(one, list) and len(one) == pages for one in lists):
        return None
    counts = found.get(_NULL_COUNTS)
    nulls: list[Any] = counts if isinstance(counts, list) and len(counts) == pages else [None] * pages
    ends = (*locations.first_rows[1:], footer.group_rows[group])
    ranges: list[ColumnRange] = []
    for first, end, empty, low, high, missing in zip(locations.first_rows, ends, *lists, nulls, strict=True):
        rows = end - first
        statistics = {_NULLS: rows} if empty is True else {_NULLS: missing, _MAXIMUM: high, _MINIMUM: low}
        ranges.append(chunk_range(statistics, footer.metadata.leaves[leaf], place.type, place.arrow, rows))
    return locations, tuple(ranges)


def _struct(footer: Footer, part: FilePart) -> dict[int, Any] | None:
    data = read_part(footer, part)
    if data is None:
        return None
    try:
        found: dict[int, Any] = parse_thrift(data)
    except ValueError:
        return None
    return found
