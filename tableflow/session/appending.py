"""Appending Arrow data to a table: an INSERT whose query reads the data, column by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tableflow.catalog.snapshot import CatalogSnapshot
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.stream import StreamTable
from tableflow.errors import InterfaceError, InternalError, TableFlowError
from tableflow.records import replace
from tableflow.session.outcome import Outcome
from tableflow.session.session_storage import PinnedStates
from tableflow.session.writing import Writer
from tableflow.sql import statements as sql
from tableflow.storage.description import ChangeKind

_ROWS = "appended rows"


class _WithRows:
    """A catalog in which the data has a name of its own."""

    def __init__(self, catalog: CatalogSnapshot, rows: StreamTable) -> None:
        self._catalog = catalog
        self._rows = rows

    def table(self, path: Any) -> Any:
        """The data under its name; else what the catalog has."""
        return self._rows if tuple(path) == (_ROWS,) else self._catalog.table(path)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._catalog, name)


def append(
    name: tuple[str, ...],
    data: Any,
    objects: ObjectStore,
    bind: Callable[[str, Any], sql.Statement],
    snapshot: Callable[[PinnedStates], CatalogSnapshot],
    pin: Callable[[], PinnedStates],
    writer: Writer,
) -> Outcome:
    """Inserts all rows in one transaction; columns that the data does not have get their defaults."""
    rows = StreamTable(stream_of(data), objects)
    names = ", ".join(_quoted(column.name) for column in rows.schema.columns)
    text = f"INSERT INTO {'.'.join(map(_quoted, name))} BY NAME SELECT {names} FROM {_quoted(_ROWS)}"

    def bound(pinned: PinnedStates) -> sql.Write:
        statement = bind(text, _WithRows(snapshot(pinned), rows))
        if not isinstance(statement, sql.Write):
            raise InternalError("appending was not bound as a statement that writes")
        return replace(statement, kind=ChangeKind.APPEND)

    try:
        pinned = pin()
        return writer.write(bound(pinned), pinned, bound, text, again=False)  # the stream is read once
    except TableFlowError as error:
        # the statement is ours: its places mean nothing to whoever called
        error.span, error.script = None, None
        raise
    finally:
        rows.close()


def stream_of(data: Any) -> pa.RecordBatchReader:
    """The data as record batches, whatever holds it; :class:`InterfaceError` if it is none."""
    try:
        if isinstance(data, pa.RecordBatchReader):
            return data
        if isinstance(data, pa.RecordBatch):
            return pa.RecordBatchReader.from_batches(data.schema, [data])
        if hasattr(data, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(data)
        return pa.table(data).to_reader()
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise InterfaceError(f"a {type(data).__name__} is no table: {error}") from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
