"""What a scan need not read: row groups by their statistics and Bloom filters, rows by the index of their pages.

Sound, never complete: whatever is left out has no row for which every conjunct is TRUE.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tableflow import types as t
from tableflow.connectors.filesystem.parquet_bloom import bloom_excludes
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.filesystem.parquet_index import page_ranges
from tableflow.connectors.filesystem.parquet_statistics import declared_range
from tableflow.connectors.part_matcher import Matcher, matcher
from tableflow.connectors.pruning import ColumnRange
from tableflow.connectors.storage import is_finer
from tableflow.expressions.nodes import ColumnRef, Expression, walk
from tableflow.records import replace

Places = Mapping[str, tuple[FooterColumn, t.SqlType]]
"""By name the columns that conjuncts speak of: where they are in the file, and the types the table declares."""
_PATIENCE = 2
Rows = tuple[int, int]
"""Rows of a row group: the first, and the one after the last."""


def columns_of(predicates: Sequence[Expression]) -> frozenset[str]:
    """Names of the columns that conjuncts speak of."""
    return frozenset(node.name for one in predicates for node in walk(one) if isinstance(node, ColumnRef))


def matching_groups(
    footer: Footer, predicates: Sequence[Expression], places: Places, counts: Counter[str]
) -> Iterator[int]:
    """Row groups that have rows and may hold one that satisfies every conjunct."""
    matchers = [matcher(one) for one in predicates]
    everywhere = _may_be_everywhere(footer, matchers, places)
    for group, rows in enumerate(footer.group_rows):
        if not rows:
            continue
        if everywhere:
            yield group
            continue
        ranges = {name: declared_range(footer.range(group, place), of) for name, (place, of) in places.items()}
        if not all(matches(ranges.get) for matches in matchers):
            counts["row_groups_pruned"] += 1
        elif not _bloom_admits(footer, group, matchers, places, ranges):
            counts["row_groups_pruned_by_bloom"] += 1
        else:
            yield group


def _may_be_everywhere(footer: Footer, matchers: Sequence[Matcher], places: Places) -> bool:
    """Whether no row group can be ruled out, as where values are in no order: told by one look instead of one for each of them."""
    common: dict[str, ColumnRange] = {}
    for name, (place, of) in places.items():
        found = footer.common_range(place)
        if found is None:
            return False
        common[name] = declared_range(found, of)
    return all(matches(common.get) for matches in matchers)


def _bloom_admits(
    footer: Footer,
    group: int,
    matchers: Sequence[Matcher],
    places: Places,
    ranges: Mapping[str, ColumnRange],
) -> bool:
    chunks = [footer.chunk(group, place) for place, _ in places.values()]
    if all(chunk is None or chunk.bloom_filter is None for chunk in chunks):
        return True
    filtered = {
        name: replace(ranges[name], excludes=functools.partial(bloom_excludes, footer, group, place))
        for (name, (place, of)), chunk in zip(places.items(), chunks, strict=True)
        # of a time that is cut the filter knows the finer values, and nothing of what they become
        if chunk is not None and chunk.bloom_filter is not None and not is_finer(place.type, of)
    }
    known = {**ranges, **filtered}
    return all(matches(known.get) for matches in matchers)


class Pages:
    """Which rows of the row groups of a file lie in pages that may hold a matching row.

    Where the index of some row groups has ruled nothing out it will hardly do so for the others, and reading it takes
    longer than decoding some rows: then it is left alone.
    """

    def __init__(self, footer: Footer, predicates: Sequence[Expression], places: Places) -> None:
        self._footer = footer
        self._matchers = [matcher(one) for one in predicates]
        self._places = places
        self._useless = 0
        self._useful = False

    def rows(self, group: int) -> tuple[Rows, ...]:
        """Ascending ranges of rows of a row group."""
        whole = ((0, self._footer.group_rows[group]),)
        if not self._places or (self._useless >= _PATIENCE and not self._useful):
            return whole
        found = self._matching(group)
        if found is None or found == whole:
            self._useless += 1
            return whole
        self._useful = True
        return found

    def _matching(self, group: int) -> tuple[Rows, ...] | None:
        footer, places = self._footer, self._places
        indexes = {name: page_ranges(footer, group, place) for name, (place, _) in places.items()}
        paged = {name: found for name, found in indexes.items() if found is not None}
        if not paged:
            return None
        known = {
            name: declared_range(footer.range(group, place), of)
            for name, (place, of) in places.items()
            if name not in paged
        }
        starts = sorted({row for locations, _ in paged.values() for row in locations.first_rows})
        found: list[Rows] = []
        for start, end in zip(starts, (*starts[1:], footer.group_rows[group]), strict=True):
            for name, (locations, ranges) in paged.items():
                known[name] = declared_range(ranges[locations.page_of(start)], places[name][1])
            if not all(matches(known.get) for matches in self._matchers):
                continue
            if found and found[-1][1] == start:
                start = found.pop()[0]
            found.append((start, end))
        return tuple(found)
