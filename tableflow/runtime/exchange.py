"""Exchange writers: how a task's output reaches the tasks of the next stage.

Rows are collected per lane until there are enough for a batch, or the buffer timeout passes, or an event follows that
flushes.  Invariant: a control event never overtakes a row.  A watermark waits behind the rows and is replaced by
later ones; epochs, supersteps, idleness and the end flush.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.kernels.partition import partition
from tableflow.runtime.channel import Channel
from tableflow.runtime.counters import EdgeBlock
from tableflow.runtime.events import Control, Superstep, Watermark


class Lane(ABC):
    """Where one buffer goes: a channel, or several that get the same or take turns."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self.channels = list(channels)

    @property
    def full(self) -> bool:
        """Whether the producer must wait."""
        return any([channel.full for channel in self.channels])  # noqa: C419 - each must learn that we wait

    @property
    def starving(self) -> bool:
        """Whether a consumer has nothing to do, so that a small batch is better than none."""
        return any(not len(channel) for channel in self.channels)

    @property
    def closed(self) -> bool:
        """Whether no consumer wants anything more."""
        return all(channel.closed for channel in self.channels)

    @abstractmethod
    def rows(self, batch: Batch, size: int) -> None:
        """Sends a batch."""

    def control(self, event: Control) -> None:
        """Sends a control event to every consumer."""
        for channel in self.channels:
            channel.put(event)


class SingleLane(Lane):
    """One channel."""

    @property
    def full(self) -> bool:
        """Whether the channel has no room."""
        return self.channels[0].full

    @property
    def closed(self) -> bool:
        """Whether the consumer wants nothing more."""
        return self.channels[0].closed

    def rows(self, batch: Batch, size: int) -> None:
        """Sends a batch."""
        self.channels[0].put(batch, size)


class BroadcastLane(Lane):
    """Every channel gets the same batches."""

    def rows(self, batch: Batch, size: int) -> None:
        """Sends a batch to all."""
        for channel in self.channels:
            channel.put(batch, size)


class RebalanceLane(Lane):
    """Each batch goes to the channel with the shortest queue, in turn where they are equal."""

    def __init__(self, channels: Sequence[Channel], first: int) -> None:
        super().__init__(channels)
        self._turn = first

    @property
    def full(self) -> bool:
        """Whether no open channel has room."""
        return all([channel.full or channel.closed for channel in self.channels]) and not self.closed  # noqa: C419

    def rows(self, batch: Batch, size: int) -> None:
        """Sends a batch to one."""
        count = len(self.channels)
        turns = [(self._turn + step) % count for step in range(count)]
        chosen = min((i for i in turns if not self.channels[i].closed), key=lambda i: len(self.channels[i]), default=0)
        self._turn = chosen + 1
        self.channels[chosen].put(batch, size)


class Buffer:
    """Rows on their way to one lane."""

    __slots__ = ("_batch_rows", "_block", "_compacts", "_direct", "_pending", "_rows", "_watermark", "lane")

    def __init__(self, lane: Lane, batch_rows: int, block: EdgeBlock, compacts: bool = False) -> None:
        """``compacts``: rows go on without a selection, because others keep the rest of their batch."""
        self.lane = lane
        self._compacts = compacts
        self._batch_rows = batch_rows
        self._direct = max(1, batch_rows // 4)
        self._block = block
        self._pending: list[Batch] = []
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
        self._pending.append(batch)
        self._rows += count
        if self._rows >= self._batch_rows // 2:
            self.flush()

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
            self._send(concat(pending), rows)
        if self._watermark is not None:
            watermark, self._watermark = self._watermark, None
            self.lane.control(watermark)

    def _send(self, batch: Batch, rows: int) -> None:
        size = batch.nbytes
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

    def __init__(self, buffers: Sequence[Buffer], keys: Sequence[int]) -> None:
        super().__init__(buffers)
        self._keys = list(keys)

    def rows(self, batch: Batch, count: int) -> None:
        """Deals the rows out."""
        hashes = hash_rows([batch.columns[key] for key in self._keys], batch.selection)
        parts = partition(hashes, len(self.buffers), batch.selection)
        for buffer, selection in zip(self.buffers, parts, strict=True):
            rows = len(selection)
            if rows and not buffer.lane.closed:
                buffer.rows(batch if rows == batch.length else batch.with_selection(selection), rows)


class Outputs:
    """All outgoing edges of a task; several get the same rows."""

    def __init__(self, writers: Sequence[Writer], timeout: int) -> None:
        self._writers = list(writers)
        self._lanes = [buffer.lane for writer in writers for buffer in writer.buffers]
        wanting = [writer for writer in writers if not writer.feeds_back] or self._writers
        self._wanting = [buffer.lane for writer in wanting for buffer in writer.buffers]
        self._timeout = timeout
        self._pressed = False
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
        for writer in self._writers:
            writer.rows(batch, count)

    def control(self, event: Control) -> None:
        """Sends a control event behind all rows so far."""
        self._pressed = True
        for writer in self._writers:
            writer.control(event)

    def tend(self, now: int) -> None:
        """Called once per step: starts the timeout when rows wait, and sends what has waited too long.

        Rows for a consumer that has not even begun with what it got stay: a larger batch serves it better.
        """
        waiting = [b for writer in self._writers for b in writer.buffers if b.waiting]
        if not waiting:
            self.deadline = None
        elif self.deadline is None:
            self.deadline = now + self._timeout
        elif now >= self.deadline:
            self._pressed = True
            for buffer in waiting:
                if buffer.lane.starving:
                    buffer.flush()
            self.deadline = now + self._timeout if any(b.waiting for b in waiting) else None
