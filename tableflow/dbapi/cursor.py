"""DB-API 2.0 (PEP 249): connections and cursors over a session.

Parameters are ``?`` (a sequence) or ``:name`` (a mapping).  Rows are tuples of Python values: Decimal, date, datetime, str,
bytes, list, dict; ``fetch_arrow_table`` and ``fetch_record_batch`` give Arrow without a Python object per value.  Every
statement is its own transaction: ``autocommit`` is True, ``commit`` does nothing, ``rollback`` is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeAlias

import pyarrow as pa

from tableflow.errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,  # noqa: A004 - PEP 249 names it so
)
from tableflow.session import Outcome, Session

apilevel = "2.0"
threadsafety = 1
paramstyle = "qmark"

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any]
Row: TypeAlias = tuple[Any, ...]
ColumnDescription: TypeAlias = tuple[str, str, None, None, int | None, int | None, bool]

__all__ = [
    "Connection", "Cursor", "DataError", "DatabaseError", "Error", "IntegrityError", "InterfaceError", "InternalError",
    "NotSupportedError", "OperationalError", "ProgrammingError", "Warning", "apilevel", "connect", "paramstyle", "threadsafety",
]  # fmt: skip


def connect(*, settings: Mapping[str, str] | None = None) -> Connection:
    """A connection to a database in memory; ``settings`` as SET takes them."""
    return Connection(Session(dict(settings or {})))


class Connection:
    """A session: its catalog, settings and worker threads."""

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session
        self.autocommit = True

    @property
    def session(self) -> Session:
        """The open session; :class:`InterfaceError` once the connection is closed."""
        if self._session is None:
            raise InterfaceError("the connection is closed")
        return self._session

    def cursor(self) -> Cursor:
        """A new cursor."""
        return Cursor(self)

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """A new cursor that has executed ``sql``."""
        return self.cursor().execute(sql, parameters)

    def register(self, name: str, table: Any) -> None:
        """Makes an Arrow table, record batch or data frame (anything with an Arrow stream) readable as ``name``."""
        self.session.register(name, pa.table(table))

    def commit(self) -> None:
        """Does nothing: every statement has been committed."""
        _ = self.session

    def rollback(self) -> None:
        """Refused: every statement has been committed."""
        raise NotSupportedError("a statement is a transaction of its own; there is nothing to roll back")

    def close(self) -> None:
        """Cancels what runs and gives everything back; closing again does nothing."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Cursor:
    """One statement at a time; results are read as they are made, so a large one needs no memory."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self._outcome: Outcome | None = None
        self._pending: list[Row] = []
        self._position = 0
        self._closed = False

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Runs one statement; queries start, their rows are fetched from here."""
        self._open()
        self._drop_result()
        self._outcome = self.connection.session.execute(sql, parameters)
        return self

    def executemany(self, sql: str, many: Sequence[Parameters]) -> Cursor:
        """Runs the statement once for each set of parameters; not for queries."""
        for parameters in many:
            self.execute(sql, parameters)
            if self._outcome is not None and self._outcome.result is not None:
                self._drop_result()
                raise ProgrammingError("executemany is not for queries; execute them one by one")
        return self

    @property
    def description(self) -> list[ColumnDescription] | None:
        """Name, type and the rest of PEP 249's seven items per result column; None without a result."""
        result = None if self._outcome is None else self._outcome.result
        if result is None:
            return None
        return [
            (
                c.name,
                str(c.type),
                None,
                None,
                getattr(c.type, "precision", None),
                getattr(c.type, "scale", None),
                c.nullable,
            )
            for c in result.columns
        ]

    @property
    def rowcount(self) -> int:
        """Rows a statement changed; -1 for queries, whose rows are not counted beforehand."""
        return -1 if self._outcome is None else self._outcome.rowcount

    def fetchone(self) -> Row | None:
        """The next row, or None."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """At most ``size`` (else :attr:`arraysize`) next rows; fewer only at the end."""
        wanted = self.arraysize if size is None else size
        rows: list[Row] = []
        while len(rows) < wanted:
            if self._position >= len(self._pending) and not self._refill():
                break
            taken = self._pending[self._position : self._position + wanted - len(rows)]
            self._position += len(taken)
            rows.extend(taken)
        return rows

    def fetchall(self) -> list[Row]:
        """All remaining rows."""
        rows = self._pending[self._position :]
        while self._refill():
            rows.extend(self._pending)
        self._pending, self._position = [], 0
        return rows

    def fetch_record_batch(self) -> pa.RecordBatch | None:
        """The next rows as an Arrow record batch, or None at the end."""
        if self._position < len(self._pending):
            raise InterfaceError("rows of this batch were fetched already; use either rows or Arrow")
        return self._result().next_batch()

    def fetch_arrow_table(self) -> pa.Table:
        """All remaining rows as an Arrow table."""
        result = self._result()
        batches = list(iter(self.fetch_record_batch, None))
        return pa.Table.from_batches(batches, schema=result.schema)

    def __iter__(self) -> Iterator[Row]:
        while (row := self.fetchone()) is not None:
            yield row

    def cancel(self) -> None:
        """Stops the running query, from any thread; its threads, files and memory are given back."""
        outcome = self._outcome
        if outcome is not None and outcome.result is not None:
            outcome.result.cancel()

    def close(self) -> None:
        """Ends the query if it still runs; closing again does nothing."""
        self._drop_result()
        self._closed = True

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing (PEP 249 allows it)."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing (PEP 249 allows it)."""

    def __enter__(self) -> Cursor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed")

    def _result(self) -> Any:
        self._open()
        if self._outcome is None or self._outcome.result is None:
            raise InterfaceError("there is no result to fetch from; execute a query first")
        return self._outcome.result

    def _refill(self) -> bool:
        batch = self._result().next_batch()
        if batch is None:
            self._pending, self._position = [], 0
            return False
        if batch.num_columns:
            self._pending = list(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        else:
            self._pending = [()] * batch.num_rows
        self._position = 0
        return True

    def _drop_result(self) -> None:
        if self._outcome is not None and self._outcome.result is not None:
            self._outcome.result.close()
        self._outcome, self._pending, self._position = None, [], 0
