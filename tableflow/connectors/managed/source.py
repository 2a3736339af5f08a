"""Reading a version of a managed table: by chunks that zone maps do not rule out, or by a key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.config import FORCE_REPRESENTATION
from tableflow.connectors.connector import OpenContext
from tableflow.connectors.managed.key_predicate import find_lookup
from tableflow.connectors.part_matcher import matcher
from tableflow.connectors.pruning import ColumnRange, RangeOf
from tableflow.connectors.reading import Chunk, ChunkReader, ListAssigner
from tableflow.connectors.storage import NATURAL, represent
from tableflow.expressions.literals import literal_column
from tableflow.expressions.nodes import Expression, Literal
from tableflow.runtime.source import KeyList, Split
from tableflow.serialization import decode
from tableflow.storage.table_view import TableView, ZoneOf

SPLIT_ROWS = 1 << 18
_NO_COLUMNS = Batch((), 1)


class ScanSource:
    """The chunks of a view, in splits of about :data:`SPLIT_ROWS` rows."""

    bounded = True

    def __init__(
        self,
        view: TableView,
        columns: Sequence[int | None],
        predicates: Sequence[Expression],
        representation: str,
    ) -> None:
        self._view = view
        self._columns = columns
        self._predicates = predicates
        self._representation = representation
        self._ids = {column.name: column for column in view.description.columns}
        self._chunks: list[Any] = []

    def narrowed(self, predicates: Sequence[Expression], lists: Sequence[KeyList]) -> ScanSource | LookupSource:
        """See :class:`~tableflow.runtime.source.Narrowable`; a few values of a key are looked up in its index."""
        lookup = find_lookup(self._view.description, predicates)
        if lookup is not None:
            return LookupSource(self._view, self._columns, lookup.key, lookup.values, self._representation)
        return ScanSource(self._view, self._columns, (*self._predicates, *predicates), self._representation)

    def assigner(self) -> ListAssigner:
        """A fresh assigner; what zone maps rule out is not in it."""
        counts: Counter[str] = Counter()
        matchers = [matcher(one) for one in self._predicates]

        def may_match(zone_of: ZoneOf, rows: int) -> bool:
            range_of = self._ranges(zone_of, rows)
            if all(matches(range_of) for matches in matchers):
                return True
            counts["chunks_pruned"] += 1
            return False

        self._chunks = self._view.chunks(self._columns, may_match if matchers else None)
        return ListAssigner(self._splits(), counts)

    def _splits(self) -> Iterator[Split]:
        first, rows = 0, 0
        for i, chunk in enumerate(self._chunks):
            rows += chunk.rows
            if rows >= SPLIT_ROWS or i + 1 == len(self._chunks):
                yield Split(f"chunks {first}", [first, i + 1])
                first, rows = i + 1, 0

    def _ranges(self, zone_of: ZoneOf, rows: int) -> RangeOf:
        def range_of(name: str) -> ColumnRange | None:
            column = self._ids.get(name)
            zone = None if column is None else zone_of(column.id)
            if column is None or zone is None:
                return None
            return ColumnRange(column.type, zone.minimum, zone.maximum, zone.nulls, rows)

        return range_of

    def reader(self, split: Split, batch_rows: int) -> ChunkReader:
        """The chunks of a split; an offset is a chunk and how many of its rows are done."""
        first, end = split.definition
        return ChunkReader(split.offset, lambda offset: self._read(offset or [first, 0], end, batch_rows), "the table")

    def _read(self, begin: Sequence[int], end: int, batch_rows: int) -> Iterator[Chunk]:
        first, done = begin
        for i in range(first, end):
            columns, rows, selection = self._view.read(self._chunks[i], self._columns)
            batch = Batch([_represented(column, self._representation) for column in columns], rows, selection)
            if rows <= batch_rows and not done:
                yield Chunk(list(batch.columns), rows, [i + 1, 0], selection)
                continue
            for start in range(done, batch.rows, batch_rows):
                part = batch.slice(start, batch_rows)
                yield Chunk(list(part.columns), part.length, [i, start + part.rows], part.selection)
            done = 0


class LookupSource:
    """The rows that have certain values of a key."""

    bounded = True

    def __init__(
        self,
        view: TableView,
        columns: Sequence[int | None],
        key: Sequence[int],
        values: Sequence[Sequence[Literal]],
        representation: str,
    ) -> None:
        self._view = view
        self._columns = columns
        self._key = tuple(key)
        self._values = values
        self._representation = representation

    def assigner(self) -> ListAssigner:
        """One split: a look-up is not worth two."""
        counts = Counter(keys_looked_up=len(self._values[0]))
        return ListAssigner([Split("keys", None)] if self._values[0] else [], counts)

    def reader(self, split: Split, batch_rows: int) -> ChunkReader:
        """The rows that are there."""
        return ChunkReader(split.offset, lambda offset: self._read() if offset is None else iter(()), "the table")

    def _read(self) -> Iterator[Chunk]:
        columns, rows = looked_up(self._view, self._columns, self._key, self._values)
        if rows:
            yield Chunk([_represented(column, self._representation) for column in columns], rows, "done")


def looked_up(
    view: TableView, columns: Sequence[int | None], key: tuple[int, ...], values: Sequence[Sequence[Literal]]
) -> tuple[list[Column], int]:
    """Columns of the rows that have these values of a key, in order of row id, and how many they are."""
    if not values[0]:
        return view.fetch(np.empty(0, np.int64), columns), 0
    found = view.find(key, [literal_column([literal.value for literal in each], each[0].type) for each in values])
    rows = np.sort(found[found >= 0])
    return view.fetch(rows, columns), len(rows)


def _represented(column: Column, representation: str) -> Column:
    return column if representation == NATURAL else represent(column, representation)


def open_source(options: Any, context: OpenContext) -> ScanSource | LookupSource:
    """The source of a spec's options."""
    view: TableView = context.objects.get(options["object"])
    representation = context.settings.get(FORCE_REPRESENTATION)
    columns = list(options["columns"])
    if options["key"] is not None:
        return LookupSource(view, columns, options["key"], decode(options["values"]), representation)
    return ScanSource(view, columns, decode(options["predicates"]), representation)
