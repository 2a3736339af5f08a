r"""One statement's changes of tables and catalog: all of them count at once, or none.

::

    open --commit()--> committed
      \--commit() raises, abort(), the with block ends--> aborted: staged files are removed

Several statements may be one transaction: after :meth:`Transaction.end_statement` the next one sees what those before did, as a
version of its own.  All of them are one record of the log, so nobody else sees one without the others.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tableflow.catalog.change import CatalogChange, NoteRead, PutEntry
from tableflow.catalog.entry import TableEntry
from tableflow.errors import IntegrityError, InterfaceError, UnsupportedError
from tableflow.records import replace
from tableflow.storage.committer import Ticket
from tableflow.storage.data_file import FileOptions
from tableflow.storage.database_state import DatabaseState, TableCell
from tableflow.storage.deletes import NEVER
from tableflow.storage.description import ChangeKind, TableDescription
from tableflow.storage.failure import disk_error
from tableflow.storage.key_check import check_keys
from tableflow.storage.key_lookup import StagedKeys
from tableflow.storage.log import LARGEST_RECORD
from tableflow.storage.record import Commit, TableChange, encode_commit
from tableflow.storage.staged_table import StagedTable
from tableflow.storage.staging import StagedWriter
from tableflow.storage.table_state import created
from tableflow.storage.write_queue import CATALOG, WriteTurn
from tableflow.types import TypeFamily, family

if TYPE_CHECKING:
    from tableflow.storage.database import Database


class Transaction:
    """See the module; made by :meth:`Database.transaction`.  Writers may be used by many threads, one each."""

    def __init__(self, database: Database, turn: WriteTurn, state: DatabaseState, generation: int) -> None:
        self.state = state
        """The tables and catalog as the transaction found them, with the statements that have ended."""
        self._found = state
        self._database = database
        self._turn = turn
        self._generation = generation
        self._tables: dict[int, StagedTable] = {}
        self._ended: list[TableChange] = []
        self._ended_writers: list[StagedWriter] = []
        self._room = LARGEST_RECORD // 2
        self._catalog: list[CatalogChange] = []
        self._next_table = state.next_table
        self._lock = threading.Lock()
        self._open = True

    def writer(self, table: int) -> StagedWriter:
        """Takes rows for a table: columns in the order of its (new) description; each task has its own."""
        with self._lock:
            staged = self._staged(table)
            database = self._database
            most_rows, most_bytes = database.inline
            writer = StagedWriter(
                database.disk, lambda: database.new_name(table), staged.description,
                database.settings, (most_rows, min(most_bytes, self._room)),
            )  # fmt: skip
            staged.writers.append(writer)
            return writer

    def delete(self, table: int, row_ids: npt.NDArray[np.int64]) -> None:
        """Deletes rows by id; a row that is deleted twice is an :class:`~tableflow.errors.IntegrityError`."""
        if not len(row_ids):
            return
        with self._lock:
            staged = self._staged(table)
            ids = np.sort(row_ids)
            state = staged.before
            if state is None or ids[0] < 0 or ids[-1] >= state.end:
                raise IndexError("a row id that is to be deleted is not in the table")
            if bool((ids[1:] == ids[:-1]).any()) or any(np.isin(ids, other).any() for other in staged.deleted):
                raise self._twice(table, "one statement would change a row twice")
            if bool((state.deletes.versions_of(ids) != NEVER).any()):
                raise self._twice(table, "a row is gone already")
            staged.deleted.append(ids)

    def truncate(self, table: int) -> None:
        """Deletes all rows that were there before."""
        with self._lock:
            self._staged(table).truncated = True

    def create(self, schema: str, name: str, description: TableDescription) -> int:
        """Makes a table with an entry in the catalog (:meth:`change_catalog`); its id."""
        self._accept(description)
        with self._lock:
            table = self._next_table
            self._next_table += 1
            self._tables[table] = StagedTable(None, description, described=True)
        self.change_catalog(PutEntry(schema, TableEntry(name, table=table)))
        return table

    def describe(self, table: int, description: TableDescription) -> None:
        """Makes a table what this says; new keys are checked for all rows when it is committed.

        Rows written later in the transaction have the new columns, so this comes before any writer.
        """
        self._accept(description)
        with self._lock:
            staged = self._staged(table)
            if staged.writers:
                raise InterfaceError("a table is described before rows are written to it")
            staged.description = description
            staged.described = True

    def change_catalog(self, change: CatalogChange) -> None:
        """Changes the catalog; a managed table that no entry names any more is dropped."""
        if CATALOG not in self._turn.events and not isinstance(change, NoteRead):
            raise InterfaceError("the transaction was not begun with catalog=True")
        self._catalog.append(change)

    def end_statement(self, kind: ChangeKind) -> None:
        """What was staged becomes a version of each table, which the next statement of the transaction begins from.

        :class:`~tableflow.errors.IntegrityError` for a key; then the transaction is to be given up.
        """
        if self._catalog:
            raise InterfaceError("a statement that changes the catalog is a transaction of its own")
        changes, cells = self._changes(kind, self._database.clock())
        for table, cell in cells.items():
            before, after = self.state.table(table), cell.get()
            if not isinstance(before.keys, StagedKeys):
                after = replace(
                    after, keys=StagedKeys(before.keys, before.memory_segments(), before.end, before.deletes)
                )
            cells[table] = TableCell(after)
        self._ended += changes
        self._room -= sum(change.rows.bytes for change in changes if change.rows is not None)
        self._ended_writers += [writer for staged in self._tables.values() for writer in staged.writers]
        self._tables.clear()
        self.state = self.state.after(self.state.sequence, cells, ())

    def commit(self, kind: ChangeKind) -> dict[int, int]:
        """Makes all of it durable and visible; the new version of every table that changed.

        :class:`~tableflow.errors.IntegrityError` for a key, :class:`~tableflow.errors.ConnectorError` for the disk or the
        lease; then nothing has happened.
        """
        if not self._open:
            raise InterfaceError("the transaction is over")
        committer = self._database.committer
        ticket: Ticket | None = None
        try:
            now = self._database.clock()
            changes, cells = self._all_changes(kind, now)
            if not changes and not self._catalog:
                self._turn.release()
                committer.settle()  # what it found may not be durable yet
                self._end()
                return {}
            payload = encode_commit(Commit(now, tuple(changes), tuple(self._catalog)))
            self._sync_folders(changes)
            ticket = Ticket(cells.keys())
            committer.append(
                ticket,
                payload,
                cells,
                tuple(self._catalog),
                (self._found, self._generation),
                sum(len(change.files) for change in changes),
            )
            self._turn.release()  # the next one may begin on top of this; it fails if this does
            committer.wait(ticket)
            self._dropped(ticket)
        except BaseException:
            if ticket is not None and ticket.undecided:  # interrupted while it waited: its files may be named
                self._tables.clear()
                self._ended_writers.clear()
            self.abort()
            raise
        self._end()
        self._database.committed()
        return {change.table: change.version for change in changes}

    def abort(self) -> None:
        """Gives everything up, unless it was committed."""
        if not self._open:
            return
        self._open = False
        self._turn.release()
        writers = [writer for staged in self._tables.values() for writer in staged.writers]
        for writer in (*writers, *self._ended_writers):
            with contextlib.suppress(OSError):  # what stays is found when the database is opened again
                writer.abort()
        self._end()

    def _end(self) -> None:
        """Lets go of what it found and staged: files that nobody else holds may be removed, although the transaction is still known."""
        self._open = False
        self._tables.clear()
        self._ended.clear()
        self._ended_writers.clear()
        self.state = self._found = replace(self._found, tables={})

    def __enter__(self) -> Transaction:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.abort()

    def _dropped(self, ticket: Ticket) -> None:
        if self._catalog and self._database.maintenance is not None and ticket.state is not None:
            for table in self._found.tables.keys() - ticket.state.tables.keys():
                self._database.maintenance.dropped(table, self._found.tables[table])

    def _accept(self, description: TableDescription) -> None:
        """Refuses now what could not be written later: unknown options, keys whose values have no hash."""
        FileOptions.of(self._database.settings, description)
        for key in description.keys:
            for column in map(description.column, key.columns):
                if family(column.type) is TypeFamily.NESTED:
                    raise UnsupportedError(
                        f"column {column.name!r} cannot be part of a key",
                        detail=f"its type is {column.type}",
                        hint="use columns with single values",
                    )

    def _staged(self, table: int) -> StagedTable:
        if not self._open:
            raise InterfaceError("the transaction is over")
        staged = self._tables.get(table)
        if staged is None:
            if table not in self._turn.events:
                raise InterfaceError(f"the transaction was not begun for table {table}")
            state = self.state.table(table)
            staged = self._tables[table] = StagedTable(state, state.description)
        return staged

    def _all_changes(self, kind: ChangeKind, now: int) -> tuple[list[TableChange], dict[int, TableCell]]:
        """Those of every statement, and what the tables are after them."""
        changes, cells = self._changes(kind, now)
        if not self._ended:
            return changes, cells
        for table in {change.table for change in self._ended}:
            after = (cells.get(table) or self.state.tables[table]).get()
            cells[table] = TableCell(replace(after, keys=self._found.table(table).keys))
        return [*self._ended, *changes], cells

    def _changes(self, kind: ChangeKind, now: int) -> tuple[list[TableChange], dict[int, TableCell]]:
        changes: list[TableChange] = []
        cells: dict[int, TableCell] = {}
        disk = self._database.disk
        for table, staged in self._tables.items():
            change = staged.change(table, kind)
            if change is None:
                continue
            before = staged.before
            after = created(change, now, disk) if before is None else before.applying(change, now)
            if staged.description.keys:
                in_order = sum(writer.rows > 0 for writer in staged.writers) == 1
                check_keys(before, after, partial(self._name, table), in_order=in_order)
            changes.append(change)
            cells[table] = TableCell(after)
        return changes, cells

    def _sync_folders(self, changes: Sequence[TableChange]) -> None:
        disk = self._database.disk
        for change in changes:
            if change.files:
                try:
                    disk.sync_folder(f"tables/{change.table}")
                except OSError as error:
                    raise disk_error(disk, error, "sync the files of a table") from error

    def _name(self, table: int) -> str:
        for change in self._catalog:
            if isinstance(change, PutEntry) and isinstance(change.entry, TableEntry) and change.entry.table == table:
                return change.entry.name
        return self.state.name(table)

    def _twice(self, table: int, what: str) -> IntegrityError:
        return IntegrityError(
            f"a row of table {self._name(table)!r} would be changed more than once",
            detail=what,
            hint="make sure that the source of the statement has one row for each row that it changes",
        )
