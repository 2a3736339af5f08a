"""How many distinct values a column of Parquet files has, estimated from the sizes of a few dictionaries.

A column chunk whose pages are all dictionary-encoded has exactly its dictionary's entries as distinct values.  What
that says about all row groups depends on how values are spread: where ranges of row groups do not overlap, counts add
up; otherwise values are taken to be drawn evenly from D, of which n rows show D * (1 - (1 - 1/D)^n) (the
expectation of the occupancy problem), and D is solved for.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from typing import Any

from tableflow.columnar._native import parse_thrift
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn

_SAMPLES = 3
_HEADER_BYTES = 256
_DICTIONARY_HEADER, _ENTRIES = 7, 1
_ALL_DIFFERENT = 0.95


def estimate_distinct(footers: Sequence[Footer], places: Sequence[FooterColumn], rows: int) -> float | None:
    """The estimate for one column, ``places`` being where each file has it; None if dictionaries say nothing."""
    groups = [
        (footer, place, group)
        for footer, place in zip(footers, places, strict=True)
        for group, count in enumerate(footer.group_rows)
        if count
    ]
    chosen = sorted({i * (len(groups) - 1) // max(1, _SAMPLES - 1) for i in range(_SAMPLES)}) if groups else []
    counts: list[tuple[int, int]] = []
    for i in chosen:
        footer, place, group = groups[i]
        entries = dictionary_entries(footer, place, group)
        if entries is None:
            return None
        counts.append((entries, footer.group_rows[group]))
    if not counts:
        return None
    if len(counts) == 1 or _are_disjoint([groups[i] for i in chosen]):
        share = sum(entries for entries, _ in counts) / sum(count for _, count in counts)
        return min(float(rows), max(1.0, share * rows))
    return min(float(rows), max(_drawn_from(entries, count) for entries, count in counts))


def dictionary_entries(footer: Footer, place: FooterColumn, group: int) -> int | None:
    """Entries of a chunk's dictionary; None if not all of its values are in one."""
    chunk = footer.chunk(group, place)
    if chunk is None or chunk.elsewhere or chunk.dictionary_offset is None or chunk.plain_pages is not False:
        return None
    try:
        fd = os.open(footer.file.path, os.O_RDONLY)
        try:
            data = os.pread(fd, _HEADER_BYTES, chunk.dictionary_offset)
        finally:
            os.close(fd)
        entries = parse_thrift(data)[_DICTIONARY_HEADER][_ENTRIES]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return entries if isinstance(entries, int) and 0 <= entries <= footer.group_rows[group] else None


def _are_disjoint(groups: Sequence[tuple[Footer, FooterColumn, int]]) -> bool:
    """Whether the ranges of some row groups surely do not overlap."""
    ranges = [footer.range(group, place) for footer, place, group in groups]
    bounds: list[tuple[Any, Any]] = [(one.minimum, one.maximum) for one in ranges]
    if any(low is None or high is None for low, high in bounds):
        return False
    bounds.sort(key=lambda bound: bound[0])
    return all(before[1] < after[0] for before, after in itertools.pairwise(bounds))


def _drawn_from(seen: int, rows: int) -> float:
    """How many values ``rows`` rows were drawn from if ``seen`` different ones appeared."""
    if seen <= 1 or seen >= rows * _ALL_DIFFERENT:
        return math.inf if seen > 1 else float(seen)
    low, high = float(seen), float(rows) * 100
    for _ in range(60):
        middle = (low + high) / 2
        expected = -middle * math.expm1(rows * math.log1p(-1 / middle))
        low, high = (middle, high) if expected < seen else (low, middle)
    return low
