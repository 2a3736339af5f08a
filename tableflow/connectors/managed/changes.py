"""``table_changes``: what some versions of a managed table changed, as rows with their version and weight."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tableflow import types
from tableflow.catalog.provider import (
    Accepted,
    ColumnDefinition,
    ColumnStatistics,
    ProjectedTable,
    TableSchema,
    TableStatistics,
)
from tableflow.columnar.column import Column
from tableflow.config import FORCE_REPRESENTATION
from tableflow.connectors.connector import ObjectStore, OpenContext
from tableflow.connectors.reading import Chunk, ChunkReader, ListAssigner
from tableflow.connectors.storage import NATURAL, represent
from tableflow.errors import CatalogError
from tableflow.runtime.source import Split
from tableflow.storage.provider import CHANGE_VERSION, CHANGE_WEIGHT
from tableflow.storage.table_state import TableState

KIND = "managed-changes"
_WEIGHT, _VERSION = "weight", "version"


class ChangesProvider(ProjectedTable):
    """Versions after ``first`` up to ``last``; the columns are those that ``last`` has, then version and weight."""

    bounded = True

    def __init__(self, state: TableState, first: int, last: int, objects: ObjectStore) -> None:
        self._state = state
        self._first, self._last = first, last
        self._objects = objects
        self._key: str | None = None
        self._description = state.at(last).description
        if first > last:
            raise CatalogError(f"version {first} came after version {last}", hint="changes go from an older version on")
        if first != 0 or state.history[0].number != 1:  # version 0 is what was before the first one
            state.at(first)  # it has to be retained
        stored = (ColumnDefinition(c.name, c.type, c.nullable) for c in self._description.columns)
        added = (ColumnDefinition(name, types.BIGINT, nullable=False) for name in (CHANGE_VERSION, CHANGE_WEIGHT))
        self._schema = TableSchema((*stored, *added))

    @property
    def table_id(self) -> int:
        """The table whose changes these are."""
        return self._state.id

    @property
    def schema(self) -> TableSchema:
        """Columns; there are no keys, a row may come and go."""
        return self._schema

    def statistics(self) -> TableStatistics:
        """How many changes there are, and the bounds of the added columns."""
        facts = [version for version in self._state.versions() if self._first < version.version <= self._last]
        columns = {
            CHANGE_VERSION: ColumnStatistics(self._first + 1, max(self._first + 1, self._last), 0),
            CHANGE_WEIGHT: ColumnStatistics(-1, 1, 0, 2.0),
        }
        return TableStatistics(sum(version.inserted + version.deleted for version in facts), columns)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        if self._key is None:
            self._key = self._objects.add(self._state)
            weakref.finalize(self, self._objects.remove, self._key)
        ids: dict[str, int | str] = {column.name: column.id for column in self._description.columns}
        ids |= {CHANGE_VERSION: _VERSION, CHANGE_WEIGHT: _WEIGHT}
        return KIND, {
            "object": self._key,
            "first": self._first,
            "last": self._last,
            "columns": [ids[name] for name in accepted.request.columns],
        }


class ChangesSource:
    """The changes between two versions."""

    bounded = True

    def __init__(
        self, state: TableState, first: int, last: int, columns: Sequence[int | str], representation: str
    ) -> None:
        self._state = state
        self._first, self._last = first, last
        self._columns = columns
        self._representation = representation

    def assigner(self) -> ListAssigner:
        """One split: the changes of all versions lie together."""
        return ListAssigner([Split("changes", None)] if self._first < self._last else [])

    def reader(self, split: Split, batch_rows: int) -> ChunkReader:
        """The changes from the first or, resumed, from where the reader was."""
        return ChunkReader(split.offset, lambda offset: self._read(offset or 0, batch_rows), "the table's changes")

    def _read(self, done: int, batch_rows: int) -> Iterator[Chunk]:
        stored = [column for column in self._columns if isinstance(column, int)]
        for number, (batch, versions) in enumerate(self._state.changes(self._first, self._last, stored)):
            if number < done:
                continue
            weights = np.ones(batch.length, np.int64) if batch.weights is None else batch.weights
            given = iter(batch.columns)
            columns = [
                self._represented(next(given))
                if isinstance(column, int)
                else _whole(versions if column == _VERSION else weights)
                for column in self._columns
            ]
            yield Chunk(columns, batch.length, number + 1, batch.selection)

    def _represented(self, column: Column) -> Column:
        return column if self._representation == NATURAL else represent(column, self._representation)


def _whole(values: Any) -> Column:
    return Column(types.BIGINT, pa.array(np.asarray(values, np.int64)))


def open_source(options: Any, context: OpenContext) -> ChangesSource:
    """The source of a spec's options."""
    state: TableState = context.objects.get(options["object"])
    representation = context.settings.get(FORCE_REPRESENTATION)
    return ChangesSource(state, options["first"], options["last"], list(options["columns"]), representation)
