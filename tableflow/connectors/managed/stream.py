"""A managed table as the stream of its own changes: the rows of one version, then what every later one changed, without end.

Invariant: what was given when the reader has *reached* a version is, summed up, the table at that version; epochs pass only
there, so nobody sees half of a commit.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

from tableflow.catalog.provider import Accepted, ProjectedTable, TableSchema
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.config import FORCE_REPRESENTATION
from tableflow.connectors.connector import ObjectStore, OpenContext
from tableflow.connectors.managed.provider import ManagedProvider
from tableflow.connectors.reading import ListAssigner
from tableflow.connectors.storage import NATURAL, represent
from tableflow.errors import CatalogError
from tableflow.records import dataclass, replace
from tableflow.runtime.source import Later, Poll, Split
from tableflow.runtime.wake import Signal
from tableflow.storage.changes import changes_since
from tableflow.storage.database import Database
from tableflow.storage.description import ROW_ID
from tableflow.storage.table_state import TableState
from tableflow.storage.table_view import TableView

KIND = "managed-stream"


@dataclass(frozen=True, slots=True)
class StreamedTable:
    """What a source's key stands for: a table, and the version with which its stream begins."""

    database: Database
    table: int
    view: TableView


class ManagedStreamProvider(ProjectedTable):
    """The changes of a table; ``appends``: its only writer never takes a row back."""

    bounded = False
    stored = True

    def __init__(self, table: ManagedProvider, objects: ObjectStore, *, appends: bool) -> None:
        self.table = table
        self._objects = objects
        self._key: str | None = None
        self._schema = replace(table.schema, changelog="append" if appends else "retract")

    @property
    def schema(self) -> TableSchema:
        """The table's own, and how its rows change."""
        return self._schema

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        """See :class:`~tableflow.catalog.provider.TableProvider`."""
        if self._key is None:
            self._key = self._objects.add(StreamedTable(self.table.database, self.table.table_id, self.table.view))
            weakref.finalize(self, self._objects.remove, self._key)
        ids = {column.name: column.id for column in self.table.description.columns} | {ROW_ID: None}
        return KIND, {"object": self._key, "columns": [ids[name] for name in accepted.request.columns]}


class ManagedStreamSource:
    """One split: changes have an order."""

    bounded = False

    def __init__(self, table: StreamedTable, columns: Sequence[int | None], representation: str) -> None:
        self._table = table
        self._columns = list(columns)
        self._representation = representation

    def assigner(self) -> ListAssigner:
        """From the first version."""
        return ListAssigner([Split("changes", None)])

    def reader(self, split: Split, batch_rows: int) -> ManagedStreamReader:
        """A reader that is woken by commits."""
        return ManagedStreamReader(self._table, self._columns, self._representation, batch_rows)


class ManagedStreamReader:
    """Implements :class:`~tableflow.runtime.source.SplitReader` and ``CatchingUp``.

    However slow it is, nobody waits for it, and it falls no further behind than one table: what has come when it has given a version is
    one step, in which rows that came and went are not.  Invariant: ``_pinned`` knows the version that was given last, whatever
    ``storage.retention`` forgets; it is replaced when a fold has made a newer state that knows the version, so that it keeps no more
    than that version's files.
    """

    def __init__(self, table: StreamedTable, columns: list[int | None], representation: str, batch_rows: int) -> None:
        self._table = table
        self._columns = columns
        self._representation = representation
        self._batch_rows = batch_rows
        self._name = table.database.state().name(table.table)
        self._version = 0
        self._next = table.view.version.number
        self._batches: Iterator[Batch] | None = self._snapshot()
        self._more = Signal()
        self._lock = threading.Lock()
        self._pinned = table.view.state
        self._reading: TableState | None = table.view.state
        """The state that ``_batches`` come from; None while nothing is read."""
        self._unsubscribe = table.database.subscribe(self._committed)
        self._end_holding = table.database.on_fold(self._folded)

    def poll(self) -> Poll:
        """Rows of the version that is being read, or of the next one."""
        while True:
            if self._batches is not None:
                batch = next(self._batches, None)
                if batch is not None:
                    return batch
                with self._lock:
                    if self._reading is not None:
                        self._version, self._pinned = self._next, self._reading
                    self._batches, self._reading = None, None
            if self._more.ready:
                self._more = Signal()
            more, state = self._more, self._newest()
            if state.version == self._version:
                return Later(more)
            self._next, self._reading = state.version, state
            self._batches = self._cut(self._changed(state))

    def newest(self) -> int:
        """The newest version that is published."""
        return self._newest().version

    def _newest(self) -> TableState:
        state = self._table.database.state()
        if self._table.table not in state.tables:
            raise CatalogError(
                f"table {self._name!r}, whose changes were being read, is gone",
                detail="it was dropped, or another one has taken its place",
                hint="subscribe to what has its name now, or query that",
            )
        return state.table(self._table.table)

    def reached(self, position: int) -> bool:
        """Whether all of a version has been given, and no part of a later one."""
        return self._batches is None and self._version >= position

    def offset(self) -> Any:
        """The version that was read last."""
        return self._version

    def close(self) -> None:
        """Commits wake nobody any more."""
        self._unsubscribe()
        self._end_holding()

    def _committed(self) -> None:
        self._more.set()

    def _folded(self) -> None:
        """On any thread: what was pinned need not keep files that a fold has replaced."""
        with self._lock, contextlib.suppress(CatalogError):  # it may be dropped while its reader closes
            state = self._table.database.state().table(self._table.table)
            if self._version and state.history.find(self._version) is not None:
                self._pinned = state

    def _changed(self, state: TableState) -> Iterator[Batch]:
        """From the version that was given last to that of a state."""
        if state.history.find(self._version) is not None:
            return state.net_changes(self._version, state.version, self._columns)
        return changes_since(self._pinned.at(self._version), state.at(), self._columns)

    def _snapshot(self) -> Iterator[Batch]:
        view = self._table.view
        for chunk in view.chunks(self._columns, None):
            columns, rows, selection = view.read(chunk, self._columns)
            yield from self._cut(iter([Batch(columns, rows, selection)]))

    def _cut(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            for piece in batch.pieces(self._batch_rows):
                yield piece.with_columns([self._represented(column) for column in piece.columns])

    def _represented(self, column: Column) -> Column:
        return column if self._representation == NATURAL else represent(column, self._representation)


def open_source(options: Any, context: OpenContext) -> ManagedStreamSource:
    """The source of a spec's options."""
    table: StreamedTable = context.objects.get(options["object"])
    return ManagedStreamSource(table, list(options["columns"]), context.settings.get(FORCE_REPRESENTATION))
