"""Statistics of a table over Parquet files, merged from the footers of all row groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tableflow import types as t
from tableflow.catalog.provider import ColumnStatistics, TableStatistics
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.parquet_distinct import estimate_distinct
from tableflow.connectors.filesystem.parquet_footer import Footer, FooterColumn
from tableflow.connectors.pruning import ColumnRange
from tableflow.connectors.storage import coarser_steps, is_finer

_FIXED_BYTES = {t.BooleanType: 1 / 8, t.DateType: 4, t.TimeType: 8, t.TimestampType: 8, t.DecimalType: 8}


def table_statistics(
    footers: Sequence[Footer], columns: Sequence[FileColumn], places: Sequence[Sequence[FooterColumn]]
) -> TableStatistics:
    """Exact rows, bounds and estimates; ``places`` are the columns of each file in the table's order."""
    rows = sum(footer.rows for footer in footers)
    found = {}
    for i, column in enumerate(columns):
        ranges = [
            declared_range(footer.range(group, of_file[i]), column.type)
            for footer, of_file in zip(footers, places, strict=True)
            for group in range(len(footer.group_rows))
            if footer.group_rows[group]
        ]
        in_files = [of_file[i] for of_file in places]
        distinct = estimate_distinct(footers, in_files, rows)
        average = _average_bytes(footers, in_files, column.type, rows)
        found[column.name] = _merge(ranges, column.type, rows, distinct, average)
    return TableStatistics(rows, found)


def declared_range(known: ColumnRange, declared: t.SqlType) -> ColumnRange:
    """A range under the type the table declares: bounds are kept where storage values mean the same, and cut as times are."""
    if known.type is declared or known.type == declared:
        return known
    low, high = known.minimum, known.maximum
    match known.type, declared:
        case t.IntegerType(), t.IntegerType():
            pass
        case t.IntegerType(), t.DecimalType(scale=scale):
            low, high = (None if bound is None else bound * 10**scale for bound in (low, high))
        case t.DecimalType(scale=of), t.DecimalType(scale=to):
            low, high = (None if bound is None else bound * 10 ** (to - of) for bound in (low, high))
        case (t.TimestampType() | t.TimeType() as of, t.TimestampType() | t.TimeType() as to) if is_finer(of, to):
            by, times = coarser_steps(6 if of.precision <= 6 else 9, to)
            low, high = (None if bound is None else bound // by * times for bound in (low, high))
        case _ if canonical(known.type) != canonical(declared):
            low = high = None
    return ColumnRange(declared, low, high, known.nulls, known.rows)


def _merge(
    ranges: Sequence[ColumnRange], of: t.SqlType, rows: int, distinct: float | None, average: float | None
) -> ColumnStatistics:
    present = [one for one in ranges if not one.all_null]
    minimum = _bound(min, [one.minimum for one in present])
    maximum = _bound(max, [one.maximum for one in present])
    counted = [one.nulls for one in ranges if one.nulls is not None]
    nulls = sum(counted) if len(counted) == len(ranges) else None
    if minimum is not None and maximum is not None and isinstance(of, (t.IntegerType, t.DateType, t.DecimalType)):
        most = float(min(maximum - minimum + 1, rows))
        distinct = most if distinct is None else min(distinct, most)
    elif isinstance(of, t.BooleanType):
        distinct = float(min(2, rows))
    return ColumnStatistics(minimum, maximum, nulls, distinct, average)


def _bound(choose: Any, bounds: Sequence[Any]) -> Any:
    """The outermost of some bounds; unknown if one is."""
    if not bounds or any(bound is None for bound in bounds):
        return None
    return choose(bounds)


def _average_bytes(footers: Sequence[Footer], places: Sequence[FooterColumn], of: t.SqlType, rows: int) -> float | None:
    """Bytes of a value in memory: the width of fixed types, else the uncompressed size in the files."""
    if isinstance(of, (t.IntegerType, t.FloatType)):
        return of.bits / 8
    if type(of) in _FIXED_BYTES:
        return _FIXED_BYTES[type(of)]
    chunks = [
        footer.chunk(group, place)
        for footer, place in zip(footers, places, strict=True)
        for group in range(len(footer.group_rows))
    ]
    if not rows or None in chunks:
        return None
    return sum(chunk.uncompressed_size for chunk in chunks if chunk is not None) / rows
