"""A connection: a session that is open until it is closed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa

from tableflow import errors
from tableflow.catalog.entry import TableEntry
from tableflow.catalog.provider import Changelog
from tableflow.connectors.lookup import Asked
from tableflow.dbapi.closing import Closing
from tableflow.dbapi.cursor import Cursor, Parameters, may_wait
from tableflow.errors import InterfaceError, NotSupportedError
from tableflow.session import Session
from tableflow.session.live_tables import LiveDescription, names_given


def connect(
    database: str | Path | None = None, *, read_only: bool = False, settings: Mapping[str, str] | None = None
) -> Connection:
    """A connection to the database in a directory, which is made if it is not there; without one, in memory.

    All connections of a process to one directory share its tables; of several processes one may write, and any number
    may connect with ``read_only``.  ``settings`` are as SET takes them.
    """
    if not isinstance(database, str | Path | None):
        raise InterfaceError(f"a database is the path of a directory, not a {type(database).__name__}")
    if not isinstance(settings, Mapping | None):
        raise InterfaceError(f"settings are a dictionary such as {{'parallelism.default': '2'}}, not {settings!r}")
    texts = {name: str(value) for name, value in (settings or {}).items()}
    return Connection(Session(texts, database, read_only=read_only))


class Connection(Closing):
    """A session: its catalog, settings and worker threads.  PEP 249's exceptions are attributes of it."""

    Warning: ClassVar = errors.Warning
    Error: ClassVar = errors.Error
    InterfaceError: ClassVar = errors.InterfaceError
    DatabaseError: ClassVar = errors.DatabaseError
    DataError: ClassVar = errors.DataError
    OperationalError: ClassVar = errors.OperationalError
    IntegrityError: ClassVar = errors.IntegrityError
    InternalError: ClassVar = errors.InternalError
    ProgrammingError: ClassVar = errors.ProgrammingError
    NotSupportedError: ClassVar = errors.NotSupportedError

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session

    @property
    def autocommit(self) -> bool:
        """True: each statement is its own transaction."""
        return True

    @autocommit.setter
    def autocommit(self, value: bool) -> None:
        if not value:
            raise NotSupportedError("autocommit is always on: each statement is its own transaction")

    @property
    def session(self) -> Session:
        """The open session; :class:`InterfaceError` once the connection is closed."""
        if self._session is None:
            raise InterfaceError("the connection is closed")
        return self._session

    def cursor(self) -> Cursor:
        """A new cursor."""
        _ = self.session
        return Cursor(self)

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """A new cursor that has executed ``sql``."""
        return self.cursor().execute(sql, parameters)

    def register(self, name: str, table: Any) -> None:
        """Makes an Arrow table, record batch or data frame (anything with an Arrow stream) readable as ``name``."""
        session = self.session
        try:
            data = pa.table(table)
        except (TypeError, ValueError, pa.ArrowException) as error:
            raise InterfaceError(f"a {type(table).__name__} is no table: {error}") from None
        session.registrations.table(name, data)

    def unregister(self, name: str) -> None:
        """Forgets what was registered as ``name``; :class:`InterfaceError` if nothing was.  Tables are left alone."""
        catalog = self.session.catalog
        entry = catalog.own(catalog.current, name)
        if not isinstance(entry, TableEntry) or entry.provider is None:
            raise InterfaceError(f"nothing is registered as {name!r}; DROP TABLE drops a table")
        catalog.drop_table((name,))

    def register_stream(
        self,
        name: str,
        schema: Any,
        source: Any,
        *,
        watermark: tuple[str, timedelta | int] | None = None,
        key: str | Sequence[str] = (),
        changelog: Changelog = "append",
        alignment: tuple[str, timedelta | int] | None = None,
    ) -> None:
        """Makes rows that come one after the other readable as ``name``, as a table without end.

        ``schema`` is an Arrow schema, or SQL types by column name (``{"id": "BIGINT", "ts": "TIMESTAMP(3)"}``).  ``source`` is
        an iterable or asynchronous iterable, or a function that makes one, of rows (sequences, or dictionaries by name) or
        of Arrow record batches; when it ends, so does the table.  A row is the table's when the iterator has given it.  A
        ``queue.Queue`` or ``SimpleQueue`` may be given as well: its items are the table's when they are put, and None ends it.
        FLUSH waits until all that is the table's has had its effect.  ``watermark`` is ``(column, delay)``: rows come at most
        so much later (a timedelta, or microseconds) than the latest one before.  ``key`` names columns that are unique
        together; with ``changelog`` "upsert" a row replaces the one of the same key.  With a watermark as well, a window that has
        closed keeps what has been replaced since.  ``alignment`` is ``(group, most)``: rows wait while their event time is more than
        ``most`` ahead of the slowest source of the group in the same job.
        """
        self.session.registrations.stream(name, LiveDescription(schema, watermark, key, changelog, alignment), source)

    def register_lookup(
        self,
        name: str,
        schema: Any,
        fetch: Callable[[Any], Any],
        *,
        key: str | Sequence[str] = (),
        arrow: bool = False,
        options: Mapping[str, str] | None = None,
    ) -> None:
        """Makes rows that a program finds by key joinable as ``name``, by JOIN ... FOR SYSTEM_TIME AS OF processing time.

        ``schema`` is as for :meth:`register_stream`.  ``fetch``, a function or coroutine function, is given a list of distinct keys
        as tuples (or, with ``arrow``, a record batch of the key columns) and returns the rows it has for them, in any order: a
        list of rows (sequences, or dictionaries by name), or Arrow data.  Keys have the columns ``key``; without it those that
        the join compares, in the order of the schema.  ``options``: ``lookup.cache`` = ``partial`` keeps answers, as long as
        ``lookup.partial-cache.max-rows``, ``.expire-after-write`` and ``.expire-after-access`` say.
        """
        self.session.registrations.lookup(name, schema, Asked(fetch, names_given("key", key), arrow, options))

    def register_sink(
        self, name: str, schema: Any, function: Callable[[pa.RecordBatch], object], *, key: str | Sequence[str] = ()
    ) -> None:
        """Makes ``function`` what ``INSERT INTO name`` gives its rows to, as Arrow record batches.

        ``schema`` is as in :meth:`register_stream`.  Before its columns a batch has ``op``: ``+I``, ``-U``, ``+U`` or ``-D``, what the
        row does to those before it.  Calls come one after the other, from a thread of the engine; the query waits meanwhile.
        With a ``key`` rows are put (``+I``, ``+U``) and removed (``-D``) by these columns: what is replaced is not told, and of a
        result that changes a key comes once an epoch, with its last row.
        """
        self.session.registrations.sink(name, schema, function, key)

    def table(self, name: str) -> Table:
        """A table by its name, or ``schema.name``."""
        return Table(self, tuple(name.split(".")))

    def append(self, table: str, data: Any) -> int:
        """Appends Arrow data, or a data frame (anything with an Arrow stream), to a table; how many rows they were.

        Columns go by name; those that the data does not have get their defaults.  It is one statement: all rows or none.
        ``table`` is a name as it is, or ``schema.name``.
        """
        return self.session.append(tuple(table.split(".")), data).rowcount

    def commit(self) -> None:
        """Does nothing: every statement has been committed."""
        _ = self.session

    def rollback(self) -> None:
        """Refused: every statement has been committed."""
        _ = self.session
        raise NotSupportedError("a statement is a transaction of its own; there is nothing to roll back")

    def close(self) -> None:
        """Cancels what runs and gives everything back; closing again does nothing.

        A RuntimeWarning tells of an INSERT without end that has failed since the last statement.
        """
        if self._session is not None:
            session, self._session = self._session, None
            for text in session.close():
                warnings.warn(text, RuntimeWarning, stacklevel=2)

    def __del__(self) -> None:
        if may_wait():
            self.close()


class Table:
    """A table of a connection."""

    def __init__(self, connection: Connection, name: tuple[str, ...]) -> None:
        self._connection = connection
        self._name = name

    def subscribe(self) -> Cursor:
        """A cursor over the table's rows and then all its changes, as they are committed; see :meth:`Cursor.fetch_changes`."""
        return self._connection.cursor().subscribed(self._name)
