"""The newest state of a database from its files: for readers, which follow a writer, and for opening.

A reader takes no lock.  It looks whether the root is another file than the one it knows, and reads the log from where
it stopped, up to what its writer says is durable; tables whose manifest is the same keep what was read of them.
"""

from __future__ import annotations

import threading
from typing import Any

from tableflow.errors import ConnectorError
from tableflow.storage.announcement import announced
from tableflow.storage.data_file import DataFile
from tableflow.storage.database_state import DatabaseState, TableCell
from tableflow.storage.disk import Disk
from tableflow.storage.failure import disk_error
from tableflow.storage.file_segment import FileSegment
from tableflow.storage.log import LogReader
from tableflow.storage.manifest import read_manifest
from tableflow.storage.record import Payload
from tableflow.storage.root import ROOT, Root, read_root
from tableflow.storage.table_state import TableState

_ATTEMPTS = 20


class Follower:
    """See the module; thread-safe."""

    def __init__(self, disk: Disk, *, everything: bool = False) -> None:
        """``everything``: all that is whole, for a writer, which syncs it."""
        self.disk = disk
        self._durable = 1 << 64 if everything else 0
        self._lock = threading.Lock()
        self._identity: Any = None
        self._root = Root()
        self._log = LogReader(disk, 1, 1)
        self._state: DatabaseState | None = None
        self._cells: dict[str, TableCell] = {}

    @property
    def root(self) -> Root:
        """The root that was read last."""
        return self._root

    @property
    def log(self) -> LogReader:
        """Where the log was read to."""
        return self._log

    def refresh(self) -> DatabaseState:
        """The newest state that is whole."""
        with self._lock:
            for attempt in range(_ATTEMPTS):
                try:
                    facts = self.disk.facts(ROOT)
                    identity = None if facts is None else (facts.identity, facts.modified, facts.size)
                    if self._state is not None and identity == self._identity and self._log.unchanged():
                        return self._read_on()
                    self._load(identity)
                    state = self._read_on()
                    self._log.check_end()
                    return state
                except FileNotFoundError as error:  # the log went while it was read: there is a newer root
                    self._state = None
                    if attempt == _ATTEMPTS - 1:
                        raise _missing(self.disk, error) from error
                except OSError as error:
                    raise disk_error(self.disk, error, "read its log") from error
            raise AssertionError

    def _load(self, identity: Any) -> None:
        root = read_root(self.disk)
        before = {} if self._state is None else self._state.tables
        cells: dict[str, TableCell] = {}
        for table, name in root.manifests.items():
            held = before.get(table)
            cells[name] = self._cells.get(name) or self._cell(table, name, None if held is None else held.loaded)
        self._cells = cells
        tables = {table: cells[name] for table, name in root.manifests.items()}
        self._root = root
        self._identity = identity
        self._state = DatabaseState(root.sequence, root.schemas, tables, root.next_table)
        self._log = LogReader(self.disk, root.log, root.sequence + 1)

    def _cell(self, id: int, name: str, before: TableState | None) -> TableCell:
        """A table to be read from its manifest; files that ``before`` has open stay so, with what is verified of them."""

        def load() -> TableState:
            held = () if before is None else (each for each in before.segments if isinstance(each, FileSegment))
            opened = {(segment.file, segment.first): segment for segment in held}

            def segment(file: DataFile, first: int) -> FileSegment:
                return opened.get((file, first)) or FileSegment(self.disk, file, first)

            return read_manifest(self.disk, name, id, segment)

        return TableCell(load=load, manifest=name)

    def _read_on(self) -> DatabaseState:
        assert self._state is not None
        for record in self._log.records(self._trusted):
            self._state = self._state.replaying(record.sequence, Payload(record.payload), self.disk)
        return self._state

    def _trusted(self, sequence: int) -> bool:
        """Whether a record that was read is durable."""
        if sequence > self._durable:
            bound = announced(self.disk)
            if bound is None:
                return True
            self._durable = bound
        return sequence <= self._durable


def _missing(disk: Disk, error: FileNotFoundError) -> ConnectorError:
    return ConnectorError(
        f"a file of the log of database {disk.place!r} is missing",
        detail=str(error),
        hint="restore the file from a copy of the database",
    )
