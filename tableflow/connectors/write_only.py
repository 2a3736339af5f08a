"""What providers of tables have in common that are only written to: blackhole, print, a program's function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tableflow.catalog.entry import TableDefinition
from tableflow.catalog.provider import Accepted, ColumnDefinition, ProjectedTable, ScanRequest, TableSchema
from tableflow.catalog.written import SinkOffer, SinkRequest, Takes
from tableflow.connectors.connector import OpenContext
from tableflow.errors import CatalogError, InternalError, UnsupportedError
from tableflow.runtime.source import Source


class WriteOnlyTable(ProjectedTable):
    """A table with columns and a sink; to read it is an :class:`UnsupportedError`."""

    bounded = True

    def __init__(
        self,
        name: str,
        columns: tuple[ColumnDefinition, ...],
        key: tuple[str, ...],
        takes: Takes,
        spec: Callable[[SinkRequest], tuple[str, Any]],
    ) -> None:
        self.schema = TableSchema(columns, (key,) if key else ())
        self.sink = SinkOffer(takes, columns, spec, key=key)
        self._name = name

    def accept(self, request: ScanRequest) -> Accepted:
        """Refused."""
        raise UnsupportedError(
            f"table {self._name!r} cannot be read", detail="its connector only takes rows", hint="INSERT INTO writes it"
        )

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """Refused."""
        raise InternalError(f"table {self._name!r} was planned to be read")


def write_only(
    takes: Takes, spec: Callable[[dict[str, Any], SinkRequest], tuple[str, Any]]
) -> Callable[[TableDefinition, dict[str, Any]], WriteOnlyTable]:
    """What makes the provider of a declared table; ``spec`` is given the options as read."""

    def create(definition: TableDefinition, options: dict[str, Any]) -> WriteOnlyTable:
        if not definition.columns:
            raise CatalogError(
                f"table {definition.name!r} declares no columns", hint=f"name them: {definition.name} (id BIGINT, ...)"
            )
        return WriteOnlyTable(
            definition.name,
            definition.columns,
            definition.primary_key,
            takes,
            lambda request: spec(options, request),
        )

    return create


def unread(_options: Any, _context: OpenContext) -> Source:
    """The ``open`` of a connector that only takes rows."""
    raise InternalError("a table that is only written to was opened to be read")
