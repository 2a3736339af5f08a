"""What a program gives a name in its own connection: tables in memory, rows that go on coming, functions that are asked or told.

A name that was registered before is replaced; all end with the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from tableflow.catalog.provider import TableProvider
from tableflow.catalog.store import CatalogStore
from tableflow.connectors.callback import callback_table
from tableflow.connectors.connector import ObjectStore
from tableflow.connectors.lookup import Asked
from tableflow.errors import InterfaceError
from tableflow.session.guard import guarded
from tableflow.session.live_tables import LiveDescription, columns_of, key_columns, live_table, lookup_table


class Registrations:
    """Temporary tables of a catalog whose contents live in the program."""

    def __init__(self, catalog: CatalogStore, objects: ObjectStore) -> None:
        self._catalog = catalog
        self._objects = objects

    def table(self, name: str, table: pa.Table, split_rows: int | None = None) -> None:
        """Makes an Arrow table readable; its splits have ``split_rows``."""
        from tableflow.connectors.memory import SPLIT_ROWS, MemoryTable

        self._put(name, lambda: MemoryTable(table, self._objects, split_rows=split_rows or SPLIT_ROWS, name=name))

    def stream(self, name: str, description: LiveDescription, source: Any) -> None:
        """Makes rows readable that a program goes on giving."""
        self._put(name, lambda: live_table(name, description, source, self._objects))

    def lookup(self, name: str, schema: Any, asked: Asked) -> None:
        """Makes a function joinable that is asked for the rows of keys."""
        self._put(name, lambda: lookup_table(name, schema, asked, self._objects))

    def sink(
        self, name: str, schema: Any, function: Callable[[pa.RecordBatch], object], key: Sequence[str] = ()
    ) -> None:
        """Makes a function writable: INSERT INTO gives it rows with their kinds."""

        def made() -> TableProvider:
            if not callable(function):
                raise InterfaceError(
                    f"a {type(function).__name__} takes no rows; a function that is given Arrow data does"
                )
            columns = columns_of(schema)
            keys = key_columns(key, [column.name for column in columns])
            return callback_table(name, columns, function, self._objects, keys)

        self._put(name, made)

    def _put(self, name: str, made: Callable[[], TableProvider]) -> None:
        if not isinstance(name, str) or not name:
            raise InterfaceError(f"the name of a table is a text, not {name!r}")
        provider = guarded(name, made)
        self._catalog.create_table((name,), provider=provider, or_replace=True, temporary=True)
