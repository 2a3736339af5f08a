"""The provider of a managed table: one version of it, pinned.

Predicates prune by zone maps (and stay above); equality on all columns of a key becomes a look-up in its index, which gives
exactly the rows that are wanted.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

from tableflow.catalog.provider import Accepted, ScanRequest, TableProvider, TableSchema, TableStatistics
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.managed.changes import ChangesProvider
from tableflow.connectors.managed.key_predicate import find_lookup
from tableflow.connectors.pruning import can_prune
from tableflow.serialization import encode
from tableflow.storage.database import Database
from tableflow.storage.description import ROW_ID, TableDescription, VersionFacts
from tableflow.storage.maintenance import describe_error
from tableflow.storage.provider import StorageFacts, managed_columns
from tableflow.storage.table_state import TableState
from tableflow.storage.table_view import TableView

KIND = "managed"


class ManagedProvider:
    """See :class:`~tableflow.storage.provider.ManagedTable`; ``database`` is where its rows are.

    ``asked`` says that the statement names the version, so that it is no other in a stream either.
    """

    bounded = True

    def __init__(
        self, database: Database, state: TableState, view: TableView, objects: ObjectStore, *, asked: bool = False
    ) -> None:
        self.asked = asked
        self.database = database
        self.view = view
        self.state = state
        self._objects = objects
        self._key: str | None = None
        self._statistics: TableStatistics | None = None
        self._schema = TableSchema(managed_columns(view.description), _unique(view.description))

    @property
    def table_id(self) -> int:
        """The table's id in its database."""
        return self.state.id

    @property
    def version(self) -> int:
        """The version that a scan reads."""
        return self.view.version.number

    @property
    def description(self) -> TableDescription:
        """Columns, keys, checks and options as of this version."""
        return self.view.description

    @property
    def schema(self) -> TableSchema:
        """The stored columns, the hidden row id, and the keys."""
        return self._schema

    def storage(self) -> StorageFacts:
        """Files, rows in the log, errors of folding (of this table, or of the whole database)."""
        memory = self.state.memory_segments()
        maintenance = self.database.maintenance
        error = None
        if maintenance is not None:
            error = maintenance.damage.get(self.state.id) or (maintenance.error if maintenance.failing else None)
        return StorageFacts(
            len(self.state.segments) - len(memory),
            sum(segment.rows for segment in memory),
            None if error is None else describe_error(error),
        )

    def statistics(self) -> TableStatistics:
        """Exact rows; bounds and estimates of columns, from the storage; a key's values are all distinct."""
        if self._statistics is None:
            self._statistics = self.view.statistics()
        return self._statistics

    def accept(self, request: ScanRequest) -> Accepted:
        """Equality on a key is done exactly; other predicates prune."""
        lookup = find_lookup(self.description, request.predicates)
        exact = () if lookup is None else lookup.conjuncts
        return Accepted(request, exact, tuple(one for one in request.predicates if can_prune(one)))

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`; the version stays pinned while this object lives."""
        if self._key is None:
            self._key = self._objects.add(self.view)
            weakref.finalize(self, self._objects.remove, self._key)
        ids = {column.name: column.id for column in self.description.columns} | {ROW_ID: None}
        lookup = find_lookup(self.description, accepted.exact) if accepted.exact else None
        return KIND, {
            "object": self._key,
            "columns": [ids[name] for name in accepted.request.columns],
            "predicates": encode(accepted.inexact),
            "key": None if lookup is None else list(lookup.key),
            "values": None if lookup is None else encode(lookup.values),
        }

    def at(self, version: int | None = None, time: int | None = None) -> ManagedProvider:
        """See :class:`~tableflow.storage.provider.ManagedTable`."""
        view = self.state.at(version) if time is None else self.state.at_time(time)
        return ManagedProvider(self.database, self.state, view, self._objects, asked=True)

    def changes(self, first: int, last: int) -> TableProvider:
        """See :class:`~tableflow.storage.provider.ManagedTable`."""
        return ChangesProvider(self.state, first, last, self._objects)

    def versions(self) -> Sequence[VersionFacts]:
        """All retained versions, ascending."""
        return self.state.versions()


def _unique(description: TableDescription) -> tuple[tuple[str, ...], ...]:
    """Columns that are unique together: keys that hold no NULL (of which there may be many), and the row id."""
    keys = [[description.column(column) for column in key.columns] for key in description.keys]
    return (*(tuple(c.name for c in key) for key in keys if not any(c.nullable for c in key)), (ROW_ID,))
