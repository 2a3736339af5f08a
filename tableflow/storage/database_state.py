"""All tables and the catalog after one commit: what readers pin.

Tables are loaded when they are asked for: a damaged one fails by itself and leaves the others usable, and opening a
database reads no manifest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from tableflow.catalog.change import CatalogChange, Schemas, apply_change, managed_tables
from tableflow.errors import CatalogError
from tableflow.records import dataclass
from tableflow.storage.disk import Disk
from tableflow.storage.record import Payload
from tableflow.storage.table_state import TableState, created


class TableCell:
    """A table's state, made when it is first asked for, from an older one (or a manifest) and records of the log."""

    __slots__ = ("__weakref__", "_base", "_changes", "_count", "_disk", "_load", "_lock", "_state", "manifest")

    def __init__(
        self,
        state: TableState | None = None,
        load: Callable[[], TableState] | None = None,
        base: TableCell | None = None,
        changes: list[tuple[Payload, dict[str, Any]]] | None = None,
        disk: Disk | None = None,
        manifest: str | None = None,
    ) -> None:
        """``manifest`` is the file that says all of this state, if there is one."""
        self.manifest = manifest
        self._state = state
        self._load = load
        self._base = base
        self._changes = [] if changes is None else changes
        self._count = len(self._changes)
        self._disk = disk
        self._lock = threading.Lock()

    def get(self) -> TableState:
        """The state; raises :class:`~tableflow.errors.ConnectorError` if a file of the table is missing or damaged."""
        if self._state is None:
            with self._lock:
                if self._state is None:
                    self._state = self._make()
                    self._base, self._load, self._changes = None, None, []
        return self._state

    @property
    def loaded(self) -> TableState | None:
        """The state if it has been made."""
        return self._state

    def unread(self) -> tuple[str, list[Payload]] | None:
        """The manifest and the records that the state is to be made from; None if it is made, or no manifest is behind it."""
        cell: TableCell | None = self
        found: list[Payload] = []
        while cell is not None and cell.manifest is None and cell._state is None:
            found[:0] = dict.fromkeys(payload for payload, _ in cell._changes[: cell._count])
            cell = cell._base
        return None if cell is None or cell.manifest is None else (cell.manifest, found)

    def adding(self, payload: Payload, entry: dict[str, Any], disk: Disk) -> TableCell:
        """The cell after one more record; cells that are not made yet share the list of records."""
        if self._state is None and self._base is not None and len(self._changes) == self._count:
            self._changes.append((payload, entry))
            cell = TableCell(base=self._base, disk=disk)
            cell._changes, cell._count = self._changes, self._count + 1
            return cell
        return TableCell(base=self, changes=[(payload, entry)], disk=disk)

    def _make(self) -> TableState:
        if self._load is not None:
            return self._load()
        state = None if self._base is None else self._base.get()
        assert self._disk is not None
        for payload, entry in self._changes[: self._count]:
            if state is None:
                state = created(payload.change(entry, None), payload.time, self._disk)
            elif entry["version"] > state.version:
                state = state.applying(payload.change(entry, state.description), payload.time)
        assert state is not None
        return state


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """``sequence`` counts commits; schemas hold permanent entries only; ids of tables are never used again."""

    sequence: int
    schemas: Schemas
    tables: Mapping[int, TableCell]
    next_table: int

    def table(self, id: int) -> TableState:
        """A table; :class:`~tableflow.errors.CatalogError` if it is gone."""
        cell = self.tables.get(id)
        if cell is None:
            raise CatalogError(
                f"table {id} of the database is gone", detail="it was dropped", hint="plan the statement again"
            )
        return cell.get()

    def name(self, id: int) -> str:
        """What messages call a table."""
        return managed_tables(self.schemas).get(id, f"table {id}").removeprefix("default.")

    def after(
        self, sequence: int, tables: Mapping[int, TableCell], catalog: tuple[CatalogChange, ...]
    ) -> DatabaseState:
        """With these tables in place of older ones, and changes of the catalog; tables without an entry are gone."""
        schemas = self.schemas
        for change in catalog:
            schemas = apply_change(schemas, change)
        both = {**self.tables, **tables}
        next_table = max(self.next_table, max(tables, default=0) + 1)
        if catalog:
            named = managed_tables(schemas)
            both = {table: cell for table, cell in both.items() if table in named}
        return DatabaseState(sequence, schemas, both, next_table)

    def replaying(self, sequence: int, payload: Payload, disk: Disk) -> DatabaseState:
        """The state after a record of the log."""
        tables: dict[int, TableCell] = {}
        for entry in payload.tables:  # several of one table: statements of one transaction
            before = tables.get(entry["table"]) or self.tables.get(entry["table"])
            if before is None:
                tables[entry["table"]] = TableCell(base=None, changes=[(payload, entry)], disk=disk)
            else:
                tables[entry["table"]] = before.adding(payload, entry, disk)
        return self.after(sequence, tables, payload.catalog)
