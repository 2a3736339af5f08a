"""Rows from a Python iterable or asynchronous iterable, as a feed of one part.

The user's code may block, so it runs in a thread of its own that fills a bounded list of items; whoever reads takes all that
is there.  Invariants: rows come in the iterable's order, each once per reading; an iterator (as opposed to an iterable, which
begins again) is read once, and asking for it again is an error and not silence.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat
from tableflow.connectors.row_shape import RowShape
from tableflow.errors import ConnectorError, InterfaceError, TableFlowError
from tableflow.runtime.source import BlockingReader, Done, Poll, SplitReader

if TYPE_CHECKING:
    import asyncio

_MOST_ROWS = 4096
"""Rows that the user's thread may be ahead of the reader."""

_PATIENCE_SECONDS = 0.5
_IS_COROUTINE = 0x80
"""inspect.CO_COROUTINE, which is not worth the import."""


class Iteration:
    """See the module."""

    splits = 1

    def __init__(self, source: Any) -> None:
        given = hasattr(source, "__iter__") or hasattr(source, "__aiter__") or callable(source)
        if not given or isinstance(source, str | bytes):
            raise InterfaceError(
                f"a {type(source).__name__} gives no rows; an iterable, or a function that makes one, does"
            )
        if getattr(getattr(source, "__code__", None), "co_flags", 0) & _IS_COROUTINE:
            raise InterfaceError(
                f"coroutine function {source.__name__!r} gives no rows; an asynchronous generator, async def with yield, does"
            )
        self._source = source
        self.taken = False

    @property
    def once(self) -> str | None:
        """See :class:`~tableflow.connectors.live.Feed`: an iterator, as opposed to an iterable, is its own."""
        source = self._source
        return "an iterator" if hasattr(source, "__next__") or hasattr(source, "__anext__") else None

    def start(self) -> Iterator[Any] | AsyncIterator[Any]:
        """An iterator over all rows; refused when those of an iterator are gone."""
        source = self._source
        if callable(source) and not hasattr(source, "__iter__") and not hasattr(source, "__aiter__"):
            source = source()
            if not hasattr(source, "__iter__") and not hasattr(source, "__aiter__"):
                raise ConnectorError(
                    f"its function has returned {source!r}, which gives no rows"[:300],
                    hint="return an iterable of rows, or make the function a generator with yield",
                )
        begun: Iterator[Any] | AsyncIterator[Any] = aiter(source) if hasattr(source, "__aiter__") else iter(source)
        if begun is self._source:
            if self.taken:
                raise ConnectorError(
                    "the rows of an iterator can be read once",
                    hint="register an iterable or a function that gives a new iterator each time",
                )
            self.taken = True
        return begun

    def reader(
        self, split: int, shape: RowShape, offset: Any, batch_rows: int, *, inline: bool
    ) -> SplitReader | BlockingReader:
        """See :class:`~tableflow.connectors.live.Feed`."""
        try:
            begun = self.start()
        except TableFlowError as error:
            raise ConnectorError(f"{shape.subject} cannot be read: {error.message}", hint=error.hint) from None
        except Exception as error:
            raise _failed(error, shape) from error
        if inline:
            return InlineReader(_inline(begun), shape, batch_rows)
        return PumpedReader(begun, shape, batch_rows)


class InlineReader:
    """Iterates in the caller's thread."""

    def __init__(self, rows: Iterator[Any], shape: RowShape, batch_rows: int) -> None:
        self._rows = rows
        self._shape = shape
        self._batch_rows = batch_rows
        self._given = self._rows_given = 0

    def poll(self) -> Poll:
        """One item, or as many rows as make a batch."""
        items: list[Any] = []
        try:
            for item in self._rows:
                items.append(item)
                if len(items) >= self._batch_rows or isinstance(item, pa.RecordBatch | pa.Table):
                    break
        except Exception as error:
            raise _failed(error, self._shape) from error
        self._given += len(items)
        if not items:
            return Done()
        before, self._rows_given = self._rows_given, self._rows_given + _rows_of(items)
        return batch_of(items, self._shape, before)

    def offset(self) -> Any:
        """Items so far; nobody can resume there."""
        return self._given

    def backlog(self) -> Callable[[], bool]:
        """The iterator has handed over no more than what was asked of it."""
        return lambda: True

    def close(self) -> None:
        """Ends a generator."""
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()


class PumpedReader:
    """A :class:`~tableflow.runtime.source.BlockingReader` over what a thread of its own takes from the iterator."""

    def __init__(self, rows: Iterator[Any] | AsyncIterator[Any], shape: RowShape, batch_rows: int) -> None:
        self._shape = shape
        self._batch_rows = batch_rows
        self._items: list[Any] = []
        self._given = self._rows_given = 0
        self._waiting = 0
        self._changed = threading.Condition()
        self._failure: Exception | None = None
        self._ended = self._stopped = self._interrupted = False
        self._stop_async: Callable[[], object] | None = None
        work = self._pump_async if isinstance(rows, AsyncIterator) else self._pump
        # It may be inside the user's code for ever: it is a daemon, and nobody waits for it.
        self._thread = threading.Thread(target=self._guarded, args=(work, rows), name="tableflow-rows", daemon=True)
        self._thread.start()

    def read(self) -> Batch | Done | None:
        """All that has come since the last call; waits if that is nothing."""
        with self._changed:
            if not self._items and not self._ended and not self._interrupted:
                self._changed.wait(_PATIENCE_SECONDS)
            self._interrupted = False
            taken = self._take()
            ended = self._ended and not self._items
            self._changed.notify_all()
        self._given += len(taken)
        if taken:
            before, self._rows_given = self._rows_given, self._rows_given + _rows_of(taken)
            return batch_of(taken, self._shape, before)
        if ended and self._failure is not None:
            raise self._failure
        return Done() if ended else None

    def _take(self) -> list[Any]:
        """Items that make about a batch: Arrow data counts by its rows."""
        taken, rows = 0, 0
        while taken < len(self._items) and rows < self._batch_rows:
            rows += _room(self._items[taken])
            taken += 1
        items, self._items = self._items[:taken], self._items[taken:]
        self._waiting -= rows
        return items

    def interrupt(self) -> None:
        """Makes a blocked :meth:`read` return."""
        with self._changed:
            self._interrupted = True
            self._changed.notify_all()

    def offset(self) -> Any:
        """Items so far; nobody can resume there."""
        return self._given

    def newest(self) -> int:
        """How many items the iterator has handed over."""
        with self._changed:
            return self._given + len(self._items)

    def reached(self, position: int) -> bool:
        """Whether so many items have been read."""
        return self._given >= position

    def close(self) -> None:
        """The thread ends when the iterator gives its next item."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
            stop = self._stop_async
        if stop is not None:
            stop()

    def _guarded(self, work: Callable[[Any], None], rows: Any) -> None:
        try:
            work(rows)
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever reads: rows that stop are no end
            self._failure = _failed(error, self._shape)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _pump(self, rows: Iterator[Any]) -> None:
        for item in rows:
            if not self._put(item):
                close = getattr(rows, "close", None)
                if close is not None:
                    close()
                return

    def _pump_async(self, rows: AsyncIterator[Any]) -> None:
        import asyncio  # takes as long as a small query

        async def pump() -> None:
            loop, task = asyncio.get_running_loop(), asyncio.current_task()
            assert task is not None
            with self._changed:
                if self._stopped:
                    return
                self._stop_async = lambda: _quietly(loop, task)
            async for item in rows:
                # Nothing else runs on this loop: waiting for room here is waiting for the reader.
                if not self._put(item):
                    return

        try:
            asyncio.run(pump())
        except asyncio.CancelledError:
            if not self._stopped:
                raise
        finally:
            with self._changed:
                self._stop_async = None

    def _put(self, item: Any) -> bool:
        """Adds an item when there is room; whether more are wanted."""
        with self._changed:
            while self._waiting >= _MOST_ROWS and not self._stopped:
                self._changed.wait()
            if self._stopped:
                return False
            self._items.append(item)
            self._waiting += _room(item)
            self._changed.notify_all()
            return True


def _quietly(loop: asyncio.AbstractEventLoop, task: asyncio.Task[None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)


def _inline(rows: Iterator[Any] | AsyncIterator[Any]) -> Iterator[Any]:
    if not isinstance(rows, AsyncIterator):
        return rows
    return _drained(rows)


def _drained(rows: AsyncIterator[Any]) -> Iterator[Any]:
    """An asynchronous iterator, item by item, on a loop of its own."""
    import asyncio

    loop = asyncio.new_event_loop()
    try:
        while True:
            try:
                item = loop.run_until_complete(anext(rows))
            except StopAsyncIteration:
                return
            yield item
    finally:
        loop.close()


def _room(item: Any) -> int:
    return max(1, rows_in(item))


def rows_in(item: Any) -> int:
    """How many rows an item is."""
    return int(item.num_rows) if isinstance(item, pa.RecordBatch | pa.Table) else 1


def _rows_of(items: list[Any]) -> int:
    return sum(map(rows_in, items))


def batch_of(items: list[Any], shape: RowShape, before: int) -> Batch:
    """Rows and Arrow data, in their order, as one batch; ``before``: how many rows came earlier."""
    parts: list[Batch] = []
    rows: list[Any] = []
    for item in items:
        if isinstance(item, pa.RecordBatch | pa.Table):
            if rows:
                parts.append(shape.of_rows(rows, before))
                before, rows = before + len(rows), []
            for batch in [item] if isinstance(item, pa.RecordBatch) else item.to_batches():
                parts.append(shape.of_arrow(batch, before))
                before += batch.num_rows
        else:
            rows.append(item)
    if rows or not parts:
        parts.append(shape.of_rows(rows, before))
    return concat(parts)


def _failed(error: BaseException, shape: RowShape) -> Exception:
    if isinstance(error, TableFlowError):
        return error
    said = f"{type(error).__name__}: {error}".removesuffix(": ")
    return ConnectorError(f"the iterator of {shape.subject} failed", detail=said)
