"""Which table a file belongs to that could not be read, and where the statement names it: rows are read long after binding."""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.catalog.provider import TableProvider
from tableflow.connectors.declared import DeclaredTable
from tableflow.connectors.filesystem.table import FileTable
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.errors import ConnectorError, TableFlowError
from tableflow.planner.logical.nodes import Query, Scan
from tableflow.planner.logical.traversal import walk_plan
from tableflow.storage.sweeping import table_files


def point_at_table(error: TableFlowError, query: Query) -> None:
    """An error that names a file and has no place points at the first table of the query that reads the file.

    Where the file is one of a database, which nobody named, it says of what table it is.
    """
    if error.span is not None or not isinstance(error, ConnectorError):
        return
    for scan in walk_plan(query.root):
        if isinstance(scan, Scan) and any(repr(name) in error.message for name in _files(scan.provider)):
            error.at(scan.span)
            if isinstance(scan.provider, ManagedProvider):
                of = f"it is a file of table {scan.table!r} in the database {scan.provider.database.disk.place!r}"
                error.detail = of if error.detail is None else f"{of}: {error.detail}"
            return


def _files(provider: TableProvider) -> Iterable[str]:
    """The names of what a scan of the table may read."""
    table = provider.provider if isinstance(provider, DeclaredTable) else provider
    if isinstance(table, FileTable):
        return [file.path for file in table.files]
    if isinstance(table, ManagedProvider):
        return table_files(table.state)
    return ()
