"""Exchange writers: how a task's output reaches the tasks of the next stage.

Rows are collected per lane until there are enough for a batch, or the buffer timeout passes, or an event follows that
flushes.  Invariant: a control event never overtakes a row.  A watermark waits behind the rows and is replaced by
later ones; epochs, supersteps, idleness and the end flush.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.kernels.partition import partition, partition_ranges
from tableflow.runtime.counters import EdgeBlock
from tableflow.runtime.events import Control, Superstep, Watermark
from tableflow.runtime.lanes import Lane
from tableflow.runtime.memory import MemoryPool

_SPARSE = 8
"""A batch of which less than this part counts is copied before it waits."""
_SMALL = 8
"""A part of a shared batch of less than this part of a full batch is copied, to wait for others."""
_DENSE = 0.75
"""A batch of which this part counts may be kept alive by a few of its rows: others of them do so as well."""


class Buffer:
    """Rows on their way to one lane."""

    __slots__ = (
        "_batch_rows", "_block", "_bytes", "_compacts", "_direct", "_memory", "_pending", "_rows", "_watermark", "lane",
    )  # fmt: skip

    def __init__(
        self, lane: Lane, batch_rows: int, block: EdgeBlock, memory: MemoryPool, *, compacts: bool = False
    ) -> None:
        """``compacts``: rows go on without a selection, because others keep the rest of their batch."""
        self.lane = lane
        self._compacts = compacts
        self._batch_rows = batch_rows
        self._direct = max(1, batch_rows // 4)
        self._block = block
        self._memory = memory
        self._pending: list[Batch] = []
        self._bytes = 0
        self._rows = 0
        self._watermark: Watermark | None = None

    @property
    def waiting(self) -> bool:
        """Whether rows wait here."""
        return bool(self._pending)

    def rows(self, batch: Batch, count: int) -> None:
        """Takes a batch of ``count`` rows; large ones go on by reference."""
        if count >= self._direct and not self._pending:
            self._send(compact(batch) if self._compacts else batch, count)
            return
        if self._rows + count > self._batch_rows:
            self.flush()
        # Its share of the batch: the rest waits in other buffers, or was dropped.
        size = batch.nbytes * count // batch.length
        self._memory.account(size)
        self._bytes += size
        self._pending.append(batch)
        self._rows += count
        if self._rows >= self._batch_rows // 2:
            self.flush()

    def part(self, batch: Batch, count: int) -> None:
        """Takes its part of a batch that is dealt out whole: it goes on by reference unless it is small."""
        if count * _SMALL < self._batch_rows or self._pending:
            self.rows(batch, count)
        else:
            self._send(batch, count, batch.nbytes * count // batch.length)

    def control(self, event: Control) -> None:
        """Takes a control event behind all rows so far."""
        if event.__class__ is Watermark and self._pending:
            self._watermark = event
            return
        self.flush()
        self.lane.control(event)

    def flush(self) -> None:
        """Sends what waits, then the watermark that waits behind it."""
        if self._pending:
            pending, self._pending = self._pending, []
            rows, self._rows = self._rows, 0
            self._forget()
            self._send(concat(pending), rows)
        if self._watermark is not None:
            watermark, self._watermark = self._watermark, None
            self.lane.control(watermark)

    def close(self) -> None:
        """Drops what waits."""
        self._pending.clear()
        self._forget()

    def _forget(self) -> None:
        if self._bytes:
            self._memory.account(-self._bytes)
            self._bytes = 0

    def _send(self, batch: Batch, rows: int, size: int | None = None) -> None:
        size = batch.nbytes if size is None else size
        block = self._block
        block.rows += rows
        block.batches += 1
        block.bytes += size
        self.lane.rows(batch, size)


class Writer:
    """One outgoing edge of a task whose rows need no partitioning: one buffer."""

    def __init__(self, buffers: Sequence[Buffer]) -> None:
        self.buffers = list(buffers)
        self.leaves_loop = True
        """Whether it goes out of any loop, so that supersteps stop here."""
        self.feeds_back = False
        """Whether it goes back to the head of a loop, who is not a reason to go on."""

    def rows(self, batch: Batch, count: int) -> None:
        """Takes a batch of ``count`` > 0 rows."""
        self.buffers[0].rows(batch, count)

    def control(self, event: Control) -> None:
        """Takes a control event behind all rows so far."""
        if self.leaves_loop and event.__class__ is Superstep:
            return
        for buffer in self.buffers:
            buffer.control(event)


class HashWriter(Writer):
    """Each row goes to the target that the high bits of its keys' hash name."""

    def __init__(self, buffers: Sequence[Buffer], keys: Sequence[int], *, shared: bool = False) -> None:
        """``shared``: parts of a batch of which nearly all rows count go on by reference."""
        super().__init__(buffers)
        self._keys = list(keys)
        self._shared = shared

    def rows(self, batch: Batch, count: int) -> None:
        """Deals the rows out."""
        hashes = hash_rows([batch.columns[key] for key in self._keys], batch.selection)
        parts = partition(hashes, len(self.buffers), batch.selection)
        if self._shared and count >= _DENSE * batch.length:
            whole = batch.dealt_among(len(parts))
            for buffer, selection in zip(self.buffers, parts, strict=True):
                if len(selection) and not buffer.lane.closed:
                    buffer.part(whole.with_selection(selection), len(selection))
            return
        for buffer, selection in zip(self.buffers, parts, strict=True):
            rows = len(selection)
            if rows and not buffer.lane.closed:
                buffer.rows(batch if rows == batch.length else batch.with_selection(selection), rows)


class RangeWriter(Writer):
    """Each row goes to the target whose turn it is in the range of its key; a batch within one range goes on as it is.

    Where a row goes depends on nothing but its key: that keys lie together only makes it cheap.
    """

    def __init__(self, buffers: Sequence[Buffer], key: int, boundaries: Sequence[int]) -> None:
        super().__init__(buffers)
        self._key = key
        self._boundaries = np.array(boundaries, np.int64)

    def rows(self, batch: Batch, count: int) -> None:
        """Deals the rows out."""
        parts = partition_ranges(
            batch.columns[self._key], self._boundaries, len(self.buffers), batch.length, batch.selection
        )
        if isinstance(parts, int):
            if not self.buffers[parts].lane.closed:
                self.buffers[parts].rows(batch, count)
            return
        for buffer, selection in zip(self.buffers, parts, strict=True):
            rows = len(selection)
            if rows and not buffer.lane.closed:
                buffer.rows(batch.with_selection(selection), rows)


class Outputs:
    """All outgoing edges of a task; several get the same rows."""

    def __init__(self, writers: Sequence[Writer], timeout: int) -> None:
        self._writers = list(writers)
        self._lanes = [buffer.lane for writer in writers for buffer in writer.buffers]
        wanting = [writer for writer in writers if not writer.feeds_back] or self._writers
        self._wanting = [buffer.lane for writer in wanting for buffer in writer.buffers]
        self._timeout = timeout
        self._pressed = False
        self._sent = 0
        """When rows that waited were sent last."""
        self.deadline: int | None = None
        """When waiting rows are sent at the latest (microseconds), None while none wait."""

    @property
    def full(self) -> bool:
        """Whether any edge has no room."""
        if not self._pressed:  # nothing was sent since there was room
            return False
        full = False
        for lane in self._lanes:
            full |= lane.full
        self._pressed = full
        return full

    @property
    def closed(self) -> bool:
        """Whether there are edges and nobody behind them wants anything more."""
        for lane in self._wanting:
            if not lane.closed:
                return False
        return bool(self._wanting)

    def rows(self, batch: Batch, count: int) -> None:
        """Sends a batch of ``count`` > 0 rows, now or with others."""
        self._pressed = True
        if count * _SPARSE < batch.length:
            batch = compact(batch)  # or few rows would keep many alive while they wait
        for writer in self._writers:
            writer.rows(batch, count)

    def control(self, event: Control) -> None:
        """Sends a control event behind all rows so far."""
        self._pressed = True
        for writer in self._writers:
            writer.control(event)

    def tend(self, now: int) -> None:
        """Called once per step: sends rows that wait, but not more often than the timeout says.

        So rows that come once in a while, as the results of windows do, do not wait at all.  Rows for a consumer that has not
        even begun with what it got stay: a larger batch serves it better.
        """
        waiting = [b for writer in self._writers for b in writer.buffers if b.waiting]
        if not waiting:
            self.deadline = None
            return
        if self.deadline is None:
            self.deadline = self._sent + self._timeout
        if now >= self.deadline:
            self._sent = now
            self._pressed = True
            for buffer in waiting:
                if buffer.lane.starving:
                    buffer.flush()
            self.deadline = now + self._timeout if any(b.waiting for b in waiting) else None

    def close(self) -> None:
        """Drops what waits."""
        for writer in self._writers:
            for buffer in writer.buffers:
                buffer.close()
