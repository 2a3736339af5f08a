"""Conjuncts applied while a row group is decoded: to the entries of dictionaries first, then to codes or values.

A row that is left out would have failed the conjunct; one that is kept may fail it all the same (its page has no codes),
so conjuncts stay above the scan.  It is done where dictionaries and statistics promise that few rows are left, or where this has
not been tried yet; the other columns are then decoded for these only.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from tableflow.columnar.batch import Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.number_set import rows_between
from tableflow.connectors.filesystem.column_conjuncts import (
    Accepted,
    by_column,
    conjunction,
    interval_of,
    is_cheap,
    may_accept,
    rejects_null,
    texts_of,
)
from tableflow.connectors.filesystem.format import FileColumn
from tableflow.connectors.filesystem.listed_values import ListedValues, listed_values
from tableflow.connectors.pruning import ColumnRange
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.records import dataclass
from tableflow.runtime.source import KeyList

WORTHWHILE = 0.4
"""Above this share of accepted rows all columns are decoded whole."""
_PATIENCE = 4
_UNTRIED = 0.25
"""The share of rows that is hoped for where only a try can tell, since one entry may stand for most rows."""
_OTHERS = 2
"""Columns that must be spared so that it pays to ask conjuncts about values twice, here and above the scan."""
_ENTRIES_PER_ROW = 0.25
_FEW_ENTRIES = 1024
_REMEMBERED = 1024
"""Most entries, of all row groups that are read at once, that are looked for among those of the ones before."""
_STRANGERS = 3
"""How often there may be new ones before that is left."""
_SAMPLE = 512
_LARGE = 4096
_NEARLY_ALL = 0.9
"""A large dictionary is not asked about if this part of some entries is accepted."""


@dataclass(frozen=True, slots=True)
class DictionaryFilter:
    """The column at a position of the scan, and which entries of its dictionary conjuncts accept."""

    position: int
    accepted: Accepted
    share: float  # what to expect of the rows
    of: ColumnFilter
    refines: bool  # whether values of pages without codes are asked about, too


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
        return _rows_inside(column, self.low, self.high, self.listed)


@dataclass(frozen=True, slots=True)
class ValueFilter:
    """The column at a position of the scan, which has no dictionary, or a large one; conjuncts are asked about its values."""

    position: int
    of: ColumnFilter
    share: float = 1.0  # nothing is known before


Filter: TypeAlias = "DictionaryFilter | IntervalFilter | ValueFilter"


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
        self._interval = interval_of(others)
        self._listed = None
        if listed is not None and (self._interval is not None or not others):
            self._listed = listed
            self._interval = listed.within(*(self._interval or (None, None)))
        self._known: dict[Any, bool] = {}
        self._new = 0
        self._texts = None if self._conjunct is None else texts_of(self._conjunct)
        self.is_cheap = self._conjunct is not None and all(map(is_cheap, conjuncts))

    def matching(self, column: Column) -> Selection:
        """Which rows may satisfy the conjuncts."""
        assert self._conjunct is not None
        return np.flatnonzero(may_accept(self._column, self._conjunct, column)).astype(np.uint32)

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

    def accepted(self, entries: Column) -> Accepted | None:
        """Of each entry whether it may satisfy the conjuncts; None if it is not worth knowing."""
        if self._interval is not None and (inside := _rows_inside(entries, *self._interval, self._listed)) is not None:
            found = np.zeros(len(entries), np.uint8)
            found[inside] = 1
            return found
        if self._conjunct is None:
            return np.ones(len(entries), np.uint8)
        if len(entries) > _LARGE:
            some = may_accept(self._column, self._conjunct, entries.slice(0, _SAMPLE))
            if np.count_nonzero(some) > _NEARLY_ALL * _SAMPLE:
                return None
        if len(entries) > _REMEMBERED or self._new > _STRANGERS:
            return may_accept(self._column, self._conjunct, entries)
        values = entries.to_pylist()  # few values, found in one row group after the other
        if self._texts is not None:
            return np.array([value in self._texts for value in values], np.uint8)
        if not self._known.keys() >= set(values):
            self._new += 1
            found = may_accept(self._column, self._conjunct, entries)
            self._known.update(zip(values, map(bool, found), strict=True))
            return found
        return np.array([self._known[value] for value in values], np.uint8)


class HasDictionary(Protocol):
    """A column that is about to be read."""

    bounds_its_entries: bool
    """Whether whoever reads it looks for bounds and listed values among the entries of dictionaries by himself."""

    def dictionary(self) -> Column | None:
        """The entries that its codes stand for; None if it has none."""
        ...


class ScanFilters:
    """What the conjuncts of a scan say of one column each, for all its row groups."""

    def __init__(
        self, predicates: Sequence[Expression], columns: Sequence[FileColumn], lists: Sequence[KeyList] = ()
    ) -> None:
        positions = {column.name: i for i, column in enumerate(columns)}
        found: dict[int, tuple[ColumnRef, list[Expression]]] = {}
        for column, said in itertools.chain.from_iterable(map(by_column, predicates)):
            if column.name in positions and rejects_null(column, said):
                found.setdefault(positions[column.name], (column, []))[1].append(said)
        listed: dict[int, ListedValues] = {}
        for each in lists:
            values = ListedValues(each.values)
            position = positions.get(each.column.name)
            if position is not None and position not in listed and values.quick:
                listed[position] = values
                found.setdefault(position, (each.column, []))
        self._columns = [ColumnFilter(position, *one, listed.get(position)) for position, one in found.items()]
        self._spares = len(columns) - len(found) >= _OTHERS
        self._useless = 0
        self._seen = self._kept = 0
        self._passed: dict[int, tuple[int, int]] = {}

    def observe_each(self, filters: Sequence[Filter], rows: int, after: Sequence[int]) -> None:
        """Takes note of how many rows each of some filters left of those that the ones before it had left."""
        for one, left in zip(filters, after, strict=False):  # the others were not applied
            seen, kept = self._passed.get(one.position, (0, 0))
            self._passed[one.position] = seen + rows, kept + left
            rows = left

    def observe(self, seen: int, kept: int) -> None:
        """Takes note of how many rows were left of some."""
        self._seen += seen
        self._kept += kept

    def of_group(
        self,
        native: Mapping[int, HasDictionary],
        declared: Callable[[int, Column], Column],
        range_of: Callable[[int], ColumnRange],
        rows: int,
    ) -> list[Filter]:
        """Filters for a row group with ``rows``, the strictest first; none if too many rows would be left.

        By the position of a column, ``declared`` makes what was read what the table says it is, and ``range_of`` gives
        its bounds.
        """
        filters: list[Filter] = []
        if self._useless >= _PATIENCE:
            return filters
        for one in self._columns:
            column = native.get(one.position)
            if column is None:
                continue
            interval = one.interval(range_of(one.position))
            most_entries = max(_FEW_ENTRIES, rows * _ENTRIES_PER_ROW)
            if interval is not None and (
                interval.share >= 1 or column.bounds_its_entries or interval.is_sparse(most_entries)
            ):
                if interval.share < 1:
                    filters.append(interval)
                continue  # a dictionary is not read for nothing
            refines = one.is_cheap and self._spares
            entries = column.dictionary()
            if entries is not None and len(entries) <= most_entries:
                accepted = one.accepted(declared(one.position, entries))
                if accepted is None:
                    continue
                share = float(np.count_nonzero(accepted) / len(accepted))
                if share < 1 or refines:
                    filters.append(DictionaryFilter(one.position, accepted, share, one, refines))
            elif interval is not None:
                filters.append(interval)
            elif refines:
                filters.append(ValueFilter(one.position, one))
        expected = 1.0
        for each in filters:
            expected *= each.share
        if any(not isinstance(each, IntervalFilter) for each in filters):
            expected = min(expected, self._kept / self._seen if self._seen else _UNTRIED)
        if expected > WORTHWHILE:
            self._useless += 1
            return []
        self._useless = 0
        return sorted(filters, key=self._costliest_last)

    def _costliest_last(self, of: Filter) -> tuple[int, float]:
        """What is looked up in a list comes after what is compared, and values are asked about last, for fewer rows.

        What filters were seen to leave counts more than what was expected: one entry of a dictionary may stand for most rows, and of
        pages without codes all rows are left, whose texts are copied for nothing if another filter rules them out.
        """
        seen, kept = self._passed.get(of.position, (0, 0))
        cost = 2 if isinstance(of, ValueFilter) else int(isinstance(of, IntervalFilter) and of.listed is not None)
        return cost, kept / seen if seen else of.share


_INTEGER_FORMATS = ("c", "s", "i", "l", "tdD", "tt", "ts")
"""Arrow's names of what is stored as signed integers of at most 64 bits: integers, dates, times, timestamps."""


def _rows_inside(column: Column, low: int | None, high: int | None, listed: ListedValues | None) -> Selection | None:
    """Rows that are not NULL, between the bounds and listed; None if the column is not stored as integers of 64 bits."""
    vector = column.vector
    if vector.dictionary is not None or not vector.format.startswith(_INTEGER_FORMATS):
        return None
    return rows_between(column, low, high) if listed is None else listed.rows(column, low, high)
