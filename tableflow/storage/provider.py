"""The protocol of a managed table's provider: what binder and session ask of it beyond scanning.

A provider stands for *one version* of a table (the newest when the catalog's snapshot was taken, unless :meth:`at` chose
another).  Its schema has the hidden column ``_row_id`` behind the stored ones, so a plan of UPDATE, DELETE or MERGE is an
ordinary query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from tableflow import types
from tableflow.catalog.provider import (
    Accepted,
    ColumnDefinition,
    ScanRequest,
    TableProvider,
    TableSchema,
    TableStatistics,
)
from tableflow.records import dataclass
from tableflow.storage.description import ROW_ID, TableDescription, VersionFacts

CHANGE_VERSION, CHANGE_WEIGHT = "_change_version", "_change_weight"
"""Columns that ``table_changes`` adds: the version that made the change; +1 for a row that came, -1 for one that went."""


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """How a table is stored now: files of rows, rows that are only in the log, and what went wrong with folding it."""

    files: int
    rows_in_log: int
    error: str | None


class ManagedTable(Protocol):
    """A version of a managed table as a :class:`~tableflow.catalog.provider.TableProvider`, and more."""

    @property
    def table_id(self) -> int:
        """The table's id in the database."""
        ...

    @property
    def version(self) -> int:
        """The version that a scan reads."""
        ...

    @property
    def description(self) -> TableDescription:
        """Columns, keys, checks and options as of this version."""
        ...

    @property
    def schema(self) -> TableSchema:
        """:func:`managed_columns`, and the keys as sets of column names."""
        ...

    @property
    def bounded(self) -> bool:
        """True."""
        ...

    def statistics(self) -> TableStatistics:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def accept(self, request: ScanRequest) -> Accepted:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        ...

    def at(self, version: int | None = None, time: int | None = None) -> ManagedTable:
        """That version, or the one that was newest at a time (microseconds since 1970, UTC).

        :class:`~tableflow.errors.CatalogError` if it is not retained, with the versions that are.
        """
        ...

    def changes(self, first: int, last: int) -> TableProvider:
        """What the versions after ``first``, up to and with ``last``, changed.

        Its columns are the stored ones (as ``last`` has them), then :data:`CHANGE_VERSION` and :data:`CHANGE_WEIGHT`, both
        BIGINT NOT NULL.  :class:`~tableflow.errors.CatalogError` if one of them is not retained.
        """
        ...

    def versions(self) -> Sequence[VersionFacts]:
        """All retained versions, ascending."""
        ...

    def storage(self) -> StorageFacts:
        """How the table is stored now."""
        ...


def managed(provider: TableProvider | None) -> ManagedTable | None:
    """The provider as a managed table's; None if it is another's."""
    found: Any = provider
    return found if hasattr(type(found), "table_id") else None


def managed_columns(description: TableDescription) -> tuple[ColumnDefinition, ...]:
    """The columns of a managed table's schema: the stored ones in order, then the hidden row id."""
    stored = (ColumnDefinition(column.name, column.type, column.nullable) for column in description.columns)
    return (*stored, ColumnDefinition(ROW_ID, types.BIGINT, nullable=False, hidden=True))
