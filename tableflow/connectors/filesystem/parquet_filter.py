"""Conjuncts applied while a row group is decoded: to the entries of dictionaries first, then to codes or values.

A row that is left out would have failed the conjunct; one that is kept may fail it all the same (its page has no codes),
so conjuncts stay above the scan.  It is done where dictionaries and statistics promise that few rows are left; the other
columns are then decoded for these only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tableflow import types as t
from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.representation import canonical
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.parquet_column import NativeColumn
from tableflow.connectors.pruning import ColumnRange, integer_interval
from tableflow.expressions.evaluation import evaluate
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal, walk
from tableflow.runtime.source import KeyList

WORTHWHILE = 0.4
"""Above this share of accepted rows all columns are decoded whole."""
_PATIENCE = 4
_ENTRIES_PER_ROW = 0.25
_FEW_ENTRIES = 1024
_REMEMBERED = 64
_MOST_SPAN = 1 << 22

Accepted = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DictionaryFilter:
    """The column at a position of the scan, and which entries of its dictionary conjuncts accept."""

    position: int
    accepted: Accepted
    share: float  # of the entries that are accepted: what to expect of the rows


@dataclass(frozen=True, slots=True)
class IntervalFilter:
    """The column at a position of the scan, stored as integers without a dictionary, and bounds that are in."""

    position: int
    low: int | None
    high: int | None
    share: float  # of the values between the chunk's bounds
    possible: int  # values between the chunk's bounds
    listed: ListedValues | None = None

    def is_sparse(self, most_entries: float) -> bool:
        """Whether this is a list out of so many possible values that a dictionary of them would hardly be a small one."""
        return self.listed is not None and self.possible > most_entries

    def kept(self, column: Column) -> Selection | None:
        """Which rows lie between the bounds; None if that cannot be told."""
        values = _integers(column.array)
        if values is None:
            return None
        inside = _between(values, self.low, self.high).view(np.bool_)
        if self.listed is not None:
            inside = inside & self.listed.among(values)
        if column.array.null_count:
            inside = inside & column.array.is_valid().to_numpy(zero_copy_only=False)
        return np.flatnonzero(inside).astype(np.uint32)


class ListedValues:
    """The storage values that a list for a column stored as integers accepts, ascending and each once."""

    def __init__(self, values: npt.NDArray[np.int64]) -> None:
        self.count = len(values)
        self._values = values
        self._first = int(self._values[0])
        span = int(self._values[-1]) - self._first + 1
        self._table: npt.NDArray[np.bool_] | None = None
        if span <= _MOST_SPAN:
            self._table = np.zeros(span, np.bool_)
            self._table[self._values - self._first] = True

    @property
    def quick(self) -> bool:
        """Whether a value is found faster than it would be decoded with its row."""
        return self._table is not None or self.count <= _FEW_ENTRIES

    def within(self, low: int | None, high: int | None) -> tuple[int, int]:
        """The bounds of the list, within others."""
        first, last = self._first, int(self._values[-1])
        return first if low is None else max(first, low), last if high is None else min(last, high)

    def between(self, low: int, high: int) -> int:
        """How many of the list lie between bounds that are in."""
        first, end = np.searchsorted(self._values, [low, high + 1])
        return max(0, int(end) - int(first))

    def among(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which of the values are listed."""
        if self._table is None:
            places = np.minimum(np.searchsorted(self._values, values), self.count - 1)
            found: npt.NDArray[np.bool_] = self._values[places] == values
            return found
        # below the first value they are huge without a sign, so one comparison finds all that lie outside
        places = (values.astype(np.int64) - self._first).view(np.uint64)
        inside = places < len(self._table)
        result: npt.NDArray[np.bool_] = self._table.take(places.view(np.int64), mode="clip") & inside
        return result


def listed_values(predicate: Expression) -> ListedValues | None:
    """What a list of literals of the column's own type accepts; None for other conjuncts."""
    match predicate:
        case Call(function="in", args=(ColumnRef(type=of), *items)) if isinstance(of, _STORED_AS_INTEGERS):
            values = {item.value for item in items if isinstance(item, Literal) and item.value is not None}
            alike = all(isinstance(item, Literal) and _alike(item.type, of) for item in items)
            fits = all(-(1 << 63) <= value < 1 << 63 for value in values)
            return ListedValues(np.array(sorted(values), np.int64)) if values and alike and fits else None
        case _:
            return None


_STORED_AS_INTEGERS = (t.IntegerType, t.DecimalType, t.DateType, t.TimestampType)


def _alike(of: t.SqlType, column: t.SqlType) -> bool:
    return of == column or (isinstance(of, t.IntegerType) and isinstance(column, t.IntegerType))


def _interval(conjuncts: Sequence[Expression]) -> tuple[int | None, int | None] | None:
    """The storage values for which all conjuncts are TRUE, as bounds that are in; None if there are no such."""
    whole = conjunction(conjuncts)
    found = None if whole is None else integer_interval(whole)
    return None if found is None else found[1:]


def conjunction(of: Sequence[Expression]) -> Expression | None:
    """All conjuncts as one; None if there are none."""
    return Call(t.BOOLEAN, "and", tuple(of)) if len(of) > 1 else of[0] if of else None


class ColumnFilter:
    """Conjuncts over one column, which is at a position of the scan; no NULL satisfies them."""

    def __init__(
        self, position: int, column: ColumnRef, conjuncts: Sequence[Expression], listed: ListedValues | None = None
    ) -> None:
        self.position = position
        self._column = column
        self._conjunct = conjunction(conjuncts)
        lists = {i: one for i, each in enumerate(conjuncts) if (one := listed_values(each)) is not None}
        if listed is None and len(lists) == 1:
            listed = next(iter(lists.values()))
        others = [each for i, each in enumerate(conjuncts) if listed is None or i not in lists]
        self._interval = _interval(others)
        self._listed = None
        if listed is not None and (self._interval is not None or not others):
            self._listed = listed
            self._interval = listed.within(*(self._interval or (None, None)))
        self._known: dict[Any, bool] = {}

    def interval(self, known: ColumnRange) -> IntervalFilter | None:
        """The conjuncts as bounds of values that are not in a dictionary, if statistics tell what to expect."""
        low, high = known.minimum, known.maximum
        if self._interval is None or not isinstance(low, int) or not isinstance(high, int) or high < low:
            return None
        least, most = self._interval
        first, last = low if least is None else max(low, least), high if most is None else min(high, most)
        inside = last - first + 1 if self._listed is None else self._listed.between(first, last)
        possible = high - low + 1
        return IntervalFilter(self.position, least, most, max(0, inside) / possible, possible, self._listed)

    def accepted(self, entries: Column) -> Accepted:
        """Of each entry whether it may satisfy the conjuncts."""
        if self._interval is not None and (numbers := _integers(entries.array)) is not None:
            inside = _between(numbers, *self._interval)
            return inside if self._listed is None else inside & self._listed.among(numbers).view(np.uint8)
        if self._conjunct is None:
            return np.ones(len(entries), np.uint8)
        if len(entries) > _REMEMBERED:
            return may_accept(self._column, self._conjunct, entries)
        values = entries.to_pylist()  # few values, found in one row group after the other
        if any(value not in self._known for value in values):
            found = may_accept(self._column, self._conjunct, entries)
            self._known.update(zip(values, map(bool, found), strict=True))
        return np.array([self._known[value] for value in values], np.uint8)


class ScanFilters:
    """The conjuncts of a scan that speak of one column each, for all its row groups."""

    def __init__(
        self, predicates: Sequence[Expression], columns: Sequence[FileColumn], lists: Sequence[KeyList] = ()
    ) -> None:
        positions = {column.name: i for i, column in enumerate(columns)}
        found: dict[int, tuple[ColumnRef, list[Expression]]] = {}
        for predicate in predicates:
            column = _single_column(predicate)
            if column is None or column.name not in positions:
                continue
            null = Column(column.type, pa.nulls(1, canonical(column.type)))
            if not may_accept(column, predicate, null)[0]:
                found.setdefault(positions[column.name], (column, []))[1].append(predicate)
        listed: dict[int, ListedValues] = {}
        for each in lists:
            values = ListedValues(each.values)
            position = positions.get(each.column.name)
            if position is not None and position not in listed and values.quick:
                listed[position] = values
                found.setdefault(position, (each.column, []))
        self._columns = [ColumnFilter(position, *one, listed.get(position)) for position, one in found.items()]
        self._useless = 0

    def of_group(
        self,
        native: Mapping[int, NativeColumn],
        declared: Callable[[int, Column], Column],
        range_of: Callable[[int], ColumnRange],
        rows: int,
    ) -> list[DictionaryFilter | IntervalFilter]:
        """Filters for a row group with ``rows``, the strictest first; none if too many rows would be left.

        By the position of a column, ``declared`` makes what was read what the table says it is, and ``range_of`` gives
        its bounds.
        """
        filters: list[DictionaryFilter | IntervalFilter] = []
        if self._useless >= _PATIENCE:
            return filters
        for one in self._columns:
            if one.position not in native:
                continue
            interval = one.interval(range_of(one.position))
            most_entries = max(_FEW_ENTRIES, rows * _ENTRIES_PER_ROW)
            if interval is not None and (interval.share >= 1 or interval.is_sparse(most_entries)):
                if interval.share < 1:
                    filters.append(interval)
                continue  # a dictionary is not read for nothing
            entries = native[one.position].dictionary()
            if entries is not None and len(entries) <= most_entries:
                accepted = one.accepted(declared(one.position, entries))
                share = np.count_nonzero(accepted) / len(accepted)
                filters.append(DictionaryFilter(one.position, accepted, share))
            elif interval is not None:
                filters.append(interval)
        expected = 1.0
        for each in filters:
            expected *= each.share
        if expected > WORTHWHILE:
            self._useless += 1
            return []
        self._useless = 0
        # what is looked up in a list comes after what is compared, for fewer rows
        return sorted(
            filters, key=lambda each: (isinstance(each, IntervalFilter) and each.listed is not None, each.share)
        )


def may_accept(column: ColumnRef, predicate: Expression, entries: Column) -> Accepted:
    """Of each entry whether a conjunct is TRUE or fails (others may yet rule that row out)."""
    result = evaluate(predicate, {column.id: entries}, len(entries))
    found: npt.NDArray[np.bool_] = pc.fill_null(result.column.array, fill_value=False).to_numpy(zero_copy_only=False)
    return (found if result.errors is None else found | result.errors).astype(np.uint8)


def _single_column(predicate: Expression) -> ColumnRef | None:
    """The only column a conjunct speaks of."""
    found = {node.id: node for node in walk(predicate) if isinstance(node, ColumnRef)}
    return next(iter(found.values())) if len(found) == 1 else None


def _integers(array: pa.Array) -> npt.NDArray[Any] | None:
    """The storage values of an array, if they are integers of at most 64 bits; anything where it has a NULL."""
    of = array.type
    integer = (
        pa.types.is_signed_integer(of) or pa.types.is_date32(of) or pa.types.is_time(of) or pa.types.is_timestamp(of)
    )
    if not integer or not len(array):
        return None
    values: npt.NDArray[Any] = np.frombuffer(array.buffers()[1], np.dtype(f"i{of.bit_width // 8}"))
    return values[array.offset : array.offset + len(array)]


def _between(values: npt.NDArray[Any], low: int | None, high: int | None) -> Accepted:
    limits = np.iinfo(values.dtype)
    low = limits.min if low is None else low
    high = limits.max if high is None else high
    if low > limits.max or high < limits.min:
        return np.zeros(len(values), np.uint8)
    inside = (values >= max(low, limits.min)) & (values <= min(high, limits.max))
    return inside.astype(np.uint8)
