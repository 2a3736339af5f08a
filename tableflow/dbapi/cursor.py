"""A cursor: one statement at a time, and its rows as they are made."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import pyarrow as pa

from tableflow.connectors.rows import Row, rows
from tableflow.dbapi.closing import Closing
from tableflow.errors import InterfaceError, Warning  # noqa: A004 - PEP 249 names it so
from tableflow.session import Outcome, Session
from tableflow.session.outcome import Result

if TYPE_CHECKING:
    from tableflow.dbapi.connection import Connection

Parameters: TypeAlias = Sequence[Any] | Mapping[str, Any] | None
ColumnDescription: TypeAlias = tuple[str, str, None, None, int | None, int | None, bool]


_SLICE_SECONDS = 0.2


class Change(NamedTuple):
    """What a row does to the rows before it: ``+I`` comes, ``-D`` goes, ``-U`` and ``+U`` are replaced and replace."""

    kind: str
    row: Row


def may_wait() -> bool:
    """Whether an object that nobody holds any more may end its threads now: not at exit, nor on such a thread itself."""
    return not sys.is_finalizing() and not threading.current_thread().name.startswith("tableflow-")


class Cursor(Closing):
    """One statement at a time; results are read as they are made, so a large one needs no memory."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self._outcome: Outcome | None = None
        self._pending: list[Row] = []
        self._position = 0
        self._closed = False
        self._executing = False

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Runs one statement; queries start, their rows are fetched from here."""
        session = self._open()
        self._drop_result()
        self._executing = True
        try:
            self._outcome = session.execute(_text(sql), _checked(parameters))
        finally:
            self._executing = False
        return self

    def subscribed(self, table: tuple[str, ...]) -> Cursor:
        """The cursor over a table's rows and changes."""
        session = self._open()
        self._drop_result()
        self._outcome = session.subscribe(table)
        return self

    def executemany(self, sql: str, many: Iterable[Parameters]) -> Cursor:
        """Runs the statement for each set of parameters, one after the other; not for queries.

        A statement that writes is one transaction for all of them: if one fails, nothing has happened, and the error says
        which it is.  Each sees what those before it did: an upsert's later rows win.  ``rowcount`` is their sum.
        """
        session = self._open()
        self._drop_result()
        rows = [_checked(parameters) for parameters in many]
        self._executing = True
        try:
            self._outcome = session.execute_many(_text(sql), rows)
        finally:
            self._executing = False
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
    def messages(self) -> list[tuple[type[Warning], Warning]]:
        """Warnings of the last statement, as PEP 249's optional attribute has them."""
        texts: tuple[str, ...] = () if self._outcome is None else self._outcome.warnings
        if self._outcome is not None:
            texts = (*texts, *getattr(self._outcome.result, "news", ()))  # of a query without end, as it stands now
        return [(Warning, Warning(text)) for text in texts]

    @property
    def rowcount(self) -> int:
        """Rows a statement changed; -1 for queries, whose rows are not counted beforehand."""
        return -1 if self._outcome is None else self._outcome.rowcount

    def fetchone(self, timeout: float | None = None) -> Row | None:
        """The next row; None at the end, or after ``timeout`` seconds."""
        found = self.fetchmany(1, timeout)
        return found[0] if found else None

    def fetchmany(self, size: int | None = None, timeout: float | None = None) -> list[Row]:
        """At most ``size`` (else :attr:`arraysize`) next rows; fewer only at the end, or after ``timeout`` seconds.

        Of a result that changes the first value of each row is its kind, see :meth:`fetch_changes`.
        """
        wanted = self.arraysize if size is None else _size(size)
        limit = _limit(timeout)
        self._result()
        found: list[Row] = []
        while len(found) < wanted:
            if self._position >= len(self._pending) and not self._refill_until(limit):
                break
            taken = self._pending[self._position : self._position + wanted - len(found)]
            self._position += len(taken)
            found.extend(taken)
        return found

    def fetch_changes(self, size: int | None = None, timeout: float | None = None) -> list[Change]:
        """The next changes: waits for one, takes all that came with it, at most ``size``; none at the end or ``timeout``.

        The sum of all changes up to the end of an epoch is the query's answer for a prefix of every input.  Rows of a result that
        never takes one back, such as that of a table that ends, are all insertions.
        """
        changes = self._result().changes
        limit = _limit(timeout)
        if self._position >= len(self._pending) and not self._refill_until(limit):
            return []
        last = len(self._pending) if size is None else min(len(self._pending), self._position + size)
        taken, self._position = self._pending[self._position : last], last
        return [Change(row[0], row[1:]) if changes else Change("+I", row) for row in taken]

    def fetchall(self) -> list[Row]:
        """All remaining rows."""
        self._result()
        found = self._pending[self._position :]
        while self._refill():
            found.extend(self._pending)
        return found

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
        return self

    def __next__(self) -> Row:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    def __aiter__(self) -> AsyncIterator[Row]:
        return self

    async def __anext__(self) -> Row:
        """The next row, waiting for it in another thread."""
        import asyncio

        while True:
            found = await asyncio.to_thread(self._within_slice)
            if found is not None:
                if not found:
                    raise StopAsyncIteration
                return found[0]

    def _within_slice(self) -> list[Row] | None:
        """The next row, none at the end, None if it takes longer than a moment."""
        if self._position >= len(self._pending):
            try:
                if not self._refill(_SLICE_SECONDS):
                    return []
            except TimeoutError:
                return None
        self._position += 1
        return [self._pending[self._position - 1]]

    def cancel(self) -> None:
        """Stops the running statement, from any thread; its threads, files and memory are given back.

        Of a statement that changes tables nothing is left.
        """
        outcome = self._outcome
        if self._executing:
            self.connection.session.cancel()
        elif outcome is not None and outcome.result is not None:
            outcome.result.cancel()

    def close(self) -> None:
        """Ends the query if it still runs; closing again does nothing."""
        self._drop_result()
        self._closed = True

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing (PEP 249 allows it)."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing (PEP 249 allows it)."""

    def __del__(self) -> None:
        if may_wait():
            self._drop_result()

    def _open(self) -> Session:
        if self._closed:
            raise InterfaceError("the cursor is closed")
        return self.connection.session

    def _result(self) -> Result:
        self._open()
        if self._outcome is None or self._outcome.result is None:
            raise InterfaceError("there is no result to fetch from; execute a query first")
        return self._outcome.result

    def _refill_until(self, limit: float | None) -> bool:
        """More rows, unless the result has ended or they do not come in time."""
        if limit is None:
            return self._refill()
        try:
            return self._refill(max(0.0, limit - time.monotonic()))
        except TimeoutError:
            return False

    def _refill(self, timeout: float | None = None) -> bool:
        batch = self._result().next_batch(timeout)
        if batch is None:
            self._pending, self._position = [], 0
            return False
        self._pending = rows(batch)
        self._position = 0
        return True

    def _drop_result(self) -> None:
        if self._outcome is not None and self._outcome.result is not None:
            self._outcome.result.close()
        self._outcome, self._pending, self._position = None, [], 0


def _text(sql: object) -> str:
    if not isinstance(sql, str):
        raise InterfaceError(f"a statement is a str, not a {type(sql).__name__}")
    return sql


def _checked(parameters: Parameters) -> Sequence[Any] | Mapping[str, Any]:
    """The parameters as the session takes them; a text is a sequence of characters, and never meant as one."""
    if parameters is None:
        return ()
    if isinstance(parameters, str | bytes | bytearray) or not isinstance(parameters, Sequence | Mapping):
        raise InterfaceError(
            f"parameters are a sequence (for ?) or a mapping (for :name), not a {type(parameters).__name__}"
        )
    return parameters


def _size(size: int) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise InterfaceError(f"how many rows is a number, 0 or more, not {size!r}; give fetchmany(100)")
    return size


def _limit(timeout: float | None) -> float | None:
    """When to stop waiting, on the monotonic clock."""
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise InterfaceError(f"a timeout is a number of seconds, 0 or more, not {timeout!r}; give timeout=1.5")
    return time.monotonic() + timeout
