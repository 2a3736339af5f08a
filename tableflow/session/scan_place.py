"""Where a statement names the table whose file could not be read: the rows are read long after the statement was bound."""

from __future__ import annotations

from tableflow.catalog.provider import TableProvider
from tableflow.connectors.declared import DeclaredTable
from tableflow.connectors.filesystem.table import FileTable
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.planner.logical.nodes import Query, Scan
from tableflow.planner.logical.traversal import walk_plan


def point_at_table(error: TableFlowError, query: Query) -> None:
    """An error that names a file and has no place points at the first table of the query that reads the file."""
    if error.span is not None or not isinstance(error, ConnectorError):
        return
    scans = [node for node in walk_plan(query.root) if isinstance(node, Scan)]
    error.at(next((scan.span for scan in scans if scan.span is not None and _names(error, scan.provider)), None))


def _names(error: TableFlowError, provider: TableProvider) -> bool:
    table = provider.provider if isinstance(provider, DeclaredTable) else provider
    return isinstance(table, FileTable) and any(repr(file.path) in error.message for file in table.files)
