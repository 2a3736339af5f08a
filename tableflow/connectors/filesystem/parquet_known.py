"""What footers of Parquet files tell of all rows together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tableflow.catalog.known_values import KnownRows, KnownValues
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.filesystem.parquet_statistics import declared_range


def known_rows(
    footers: Sequence[Footer], columns: Sequence[FileColumn], places: Sequence[Sequence[FooterColumn]]
) -> KnownRows:
    """``places`` are the columns of each file in the given order."""
    found = {
        column.name: known_values(footers, [of_file[i] for of_file in places], column)
        for i, column in enumerate(columns)
    }
    return KnownRows(sum(footer.rows for footer in footers), found)


def known_values(footers: Sequence[Footer], places: Sequence[FooterColumn], column: FileColumn) -> KnownValues:
    """What all row groups together say of a column; nothing where it may have a NULL that its declaration rules out: reading says so."""
    nulls: int | None = 0
    least: list[Any] = []
    greatest: list[Any] = []
    exact = True
    for footer, place in zip(footers, places, strict=True):
        for group, rows in enumerate(footer.group_rows):
            if not rows:
                continue
            known = declared_range(footer.range(group, place), column.type)
            nulls = None if nulls is None or known.nulls is None else nulls + known.nulls
            if known.all_null:
                continue
            exact = exact and footer.has_extremes(group, place)
            least.append(known.minimum)
            greatest.append(known.maximum)
    if not column.nullable and nulls != 0:
        return KnownValues()
    if not exact or not least or None in least or None in greatest:
        return KnownValues(nulls)
    return KnownValues(nulls, (min(least), max(greatest)))
