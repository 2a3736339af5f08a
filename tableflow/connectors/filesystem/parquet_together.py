"""All native columns of a row group in one call for each batch, filters included.

A call gives the interpreter's lock up once and not for each column, so that tasks of two threads hardly wait for each other.
What comes out is what the columns would give one by one; a column that gives up ends it, and the others follow without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tableflow.columnar._native import ParquetColumnReader, ParquetGroupReader, ParquetGroupsReader
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.connectors.filesystem.parquet_column import NativeColumn
from tableflow.connectors.filesystem.parquet_filter import DictionaryFilter, IntervalFilter

Bounds: TypeAlias = tuple[int, int, npt.NDArray[np.uint64] | None, int]
"""The least and the greatest number, and bits of the numbers from the last of these on that are listed (None: all are)."""
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


class ColumnsTogether:
    """Native columns by their position in the scan, none of which has given up."""

    def __init__(
        self, columns: Mapping[int, NativeColumn], reader: ParquetGroupReader, bare: ParquetGroupReader | None
    ) -> None:
        self._columns = columns
        self._positions = list(columns)
        self._reader = reader
        self._bare = bare or reader

    @classmethod
    def of(
        cls,
        columns: Mapping[int, NativeColumn],
        filters: Sequence[DictionaryFilter | IntervalFilter],
        is_stored: Callable[[int], bool],
    ) -> ColumnsTogether | None:
        """None if there is nothing to gain, or a filter needs what only Python can look up.

        ``is_stored`` says of a position whether its values may be compared as they are read.
        """
        readers = [column.reader for column in columns.values()]
        present = [reader for reader in readers if isinstance(reader, ParquetColumnReader)]
        if not readers or len(present) < len(readers):
            return None
        reader = ParquetGroupReader(present)
        bare = ParquetGroupReader(present) if filters else None
        number = {position: i for i, position in enumerate(columns)}
        for one in filters:
            if not add_filter(reader, number[one.position], one, stored=is_stored(one.position)):
                return None
        return cls(columns, reader, bare)

    @property
    def whole(self) -> bool:
        """Whether no column has given up."""
        return all(column.reader is not None for column in self._columns.values())

    def read(self, rows: int, *, filtered: bool = True) -> tuple[dict[int, Column], Selection | None, list[int], bool]:
        """Columns by position, which of the rows they hold (None: all), how many each filter that was applied left, whether no column gave up.

        Without ``filtered`` all rows are wanted.
        """
        vectors, at, after, refused = (self._reader if filtered else self._bare).read(rows)
        found: dict[int, Column] = {}
        for i, (position, vector) in enumerate(zip(self._positions, vectors, strict=True)):
            column = self._columns[position]
            if vector is not None:
                column.passed(rows)
                found[position] = Column(column.type, vector=vector)
            elif i == refused:
                column.passed(0, gives_up=True)
        return found, at, after, refused < 0


def add_filter(
    reader: ParquetGroupReader | ParquetGroupsReader,
    number: int,
    one: DictionaryFilter | IntervalFilter,
    *,
    stored: bool,
) -> bool:
    """Has the reader apply the filter, if it can."""
    if isinstance(one, DictionaryFilter):
        reader.accept(number, one.accepted)
        return True
    if not stored:
        return False
    known = bounds_of(one)
    if known is None:
        return False
    reader.among(number, *known)
    return True


def bounds_of(one: IntervalFilter) -> Bounds | None:
    """The filter as native readers take it; None if these cannot look up its list."""
    low = _LOWEST if one.low is None else max(one.low, _LOWEST)
    high = _HIGHEST if one.high is None else min(one.high, _HIGHEST)
    bits, first = None, 0
    if one.listed is not None:
        mapped = one.listed.mapped(low, high)
        if mapped is None:
            return None
        low, high, bits, first = mapped
    if low <= high:
        return low, high, bits, first
    return 1, 0, None, 0  # bounds may lie beyond what 64 bits hold
