"""Rows from a queue of the program, as a feed of one part.

Invariant: an item is the table's as soon as ``put`` has returned, since how many wait is known; so FLUSH waits for it.  The queue is
read by the task itself, in the order in which it gives items; ``None`` ends the table.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, TypeAlias

from tableflow.connectors.iteration import batch_of, rows_in
from tableflow.connectors.row_shape import RowShape
from tableflow.errors import ConnectorError
from tableflow.runtime.source import Done, Later, Poll
from tableflow.runtime.wake import After

ItemQueue: TypeAlias = "queue.Queue[Any] | queue.SimpleQueue[Any]"

_SHORTEST, _LONGEST = 1_000, 16_000
"""Microseconds after which an empty queue is looked at again: the longer the longer nothing has come."""


class Queued:
    """See the module."""

    splits = 1
    once: str | None = "a queue"

    def __init__(self, source: ItemQueue) -> None:
        self._source = source
        self.taken = False

    def reader(self, split: int, shape: RowShape, offset: Any, batch_rows: int, *, inline: bool) -> QueueReader:
        """See :class:`~tableflow.connectors.live.Feed`; refused when another reader takes the items."""
        if self.taken:
            raise ConnectorError(
                f"{shape.subject} cannot be read: the rows of a queue can be read once",
                hint="keep them: CREATE STREAMING TABLE ... AS SELECT * FROM it, and read that as often as you like",
            )
        self.taken = True
        return QueueReader(self._source, shape, batch_rows)


class QueueReader:
    """Implements :class:`~tableflow.runtime.source.SplitReader` and ``CatchingUp``."""

    def __init__(self, source: ItemQueue, shape: RowShape, batch_rows: int) -> None:
        self._source = source
        self._done: Callable[[], None] | None = getattr(source, "task_done", None)
        self._shape = shape
        self._batch_rows = batch_rows
        self._taken = self._rows = 0
        self._ended = False
        self._patience = _SHORTEST

    def poll(self) -> Poll:
        """What is in the queue, at most about a batch."""
        items = self._take()
        if items:
            self._patience = _SHORTEST
            before, self._rows = self._rows, self._rows + sum(map(rows_in, items))
            return batch_of(items, self._shape, before)
        if self._ended:
            return Done()
        patience, self._patience = self._patience, min(2 * self._patience, _LONGEST)
        return Later(After(patience))

    def _take(self) -> list[Any]:
        items: list[Any] = []
        rows = 0
        while rows < self._batch_rows and not self._ended:
            try:
                item = self._source.get_nowait()
            except queue.Empty:
                break
            self._taken += 1
            if self._done is not None:
                self._done()
            if item is None:
                self._ended = True
            else:
                items.append(item)
                rows += rows_in(item)
        return items

    def newest(self) -> int:
        """How many items have been put."""
        return self._taken + self._source.qsize()

    def reached(self, position: int) -> bool:
        """Whether so many have been given."""
        return self._ended or self._taken >= position

    def offset(self) -> Any:
        """Items so far; nobody can resume there."""
        return self._taken

    def close(self) -> None:
        """What is left stays in the queue."""
