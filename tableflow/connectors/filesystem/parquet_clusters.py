"""Whether row groups follow each other in the values of a column, and where its ranges are best cut.

It is a guess from statistics that others wrote: who uses it must be right when they lie.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types as t
from tableflow.catalog.clustering import Boundaries
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.filesystem.parquet_statistics import declared_range

_RANGE_ROWS = 1 << 17
"""About what is read as one split: so tasks that read neighbouring splits fill different ranges."""
_MOST_RANGES = 2048
_MOST_OVERLAP = 0.1
"""Of the rows, that lie in a row group where the values of another one may be."""


def cluster_boundaries(footers: Sequence[Footer], places: Sequence[FooterColumn], of: t.SqlType) -> Boundaries:
    """Values between ranges of the column, ``places`` in the files; none if row groups overlap, or nothing is known of one."""
    groups = _groups(footers, places, of)
    if groups is None or len(groups) < 2 or _overlap(groups) > _MOST_OVERLAP:
        return ()
    size = max(_RANGE_ROWS, sum(rows for _, _, rows in groups) // _MOST_RANGES)
    boundaries: list[int] = []
    waiting = size  # rows since the last boundary
    for low, high, rows in groups:
        if waiting + rows // 2 >= size:
            boundaries.append(low)
            waiting = 0
        parts = max(1, round(rows / size))
        boundaries += [low + (high - low) * part // parts for part in range(1, parts)]
        waiting += rows // parts
    return tuple(sorted({boundary for boundary in boundaries if boundary > groups[0][0]}))


def _groups(
    footers: Sequence[Footer], places: Sequence[FooterColumn], of: t.SqlType
) -> list[tuple[int, int, int]] | None:
    """Least and greatest value and rows of all row groups with values, ascending."""
    found = []
    for footer, place in zip(footers, places, strict=True):
        for group, rows in enumerate(footer.group_rows):
            known = declared_range(footer.range(group, place), of)
            if not rows or known.all_null:
                continue
            low, high = known.minimum, known.maximum
            if not (isinstance(low, int) and isinstance(high, int) and -(2**63) <= low <= high < 2**63):
                return None
            found.append((low, high, rows))
    return sorted(found)


def _overlap(groups: Sequence[tuple[int, int, int]]) -> float:
    """The part of the rows that lie below the greatest value of the row groups before, if values are spread evenly."""
    rows = overlapping = 0.0
    highest = groups[0][0]
    for low, high, count in groups:
        rows += count
        if highest > low:
            overlapping += count * (1.0 if highest >= high else (highest - low) / (high - low))
        highest = max(highest, high)
    return overlapping / rows
