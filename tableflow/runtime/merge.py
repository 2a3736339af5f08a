"""The order-preserving gather: several sorted channels seen as one sorted channel.

Invariant: a row is given only when no channel can still bring an earlier one, that is while every channel that has not
ended (or reached the next barrier) has rows waiting in the merge.  Rows are sorted between barriers, not across them.
Watermarks are not passed on: the rows of the channels are reordered, and until the end no claim about them would help.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.sorting import Key, SortedMerge
from tableflow.errors import InternalError
from tableflow.runtime.channel import Channel
from tableflow.runtime.events import EndOfInput, Epoch, Event, Superstep


class MergedChannels:
    """Looks like a channel to the gate of a task."""

    def __init__(self, channels: Sequence[Channel], ordering: Sequence[Key], batch_rows: int) -> None:
        self._channels = list(channels)
        self._ordering = tuple(ordering)
        self._batch_rows = batch_rows
        self._merge = SortedMerge(len(self._channels), self._ordering)
        self._barriers: list[Epoch | Superstep | EndOfInput | None] = [None] * len(self._channels)
        self._given: deque[tuple[Event, int]] = deque()
        self._closed = False

    @property
    def ready(self) -> bool:
        """Whether there is an event now; takes in what the merge needs."""
        if not self._given and not self._closed:
            self._advance()
        return bool(self._given)

    @property
    def speaks(self) -> bool:
        """Whether rows or time wait; what is sorted has an end, so no channel beside it is idle."""
        return self.ready

    def next(self) -> tuple[Event, int]:
        """The next merged batch, barrier or the end; only when :attr:`ready`."""
        return self._given.popleft()

    def close(self) -> None:
        """Closes all channels."""
        self._closed = True
        self._given.clear()
        for channel in self._channels:
            channel.close()

    def _advance(self) -> None:
        while True:
            missing = [index for index in self._merge.wanting() if not self._feed(index)]
            batch = self._merge.next(self._batch_rows) if not missing else None
            if batch is not None:
                self._given.append((batch, 0))
                return
            if missing:
                return
            if self._merge.exhausted:
                self._pass_barrier()
                return

    def _feed(self, index: int) -> bool:
        """Brings one input's next batch or barrier into the merge; whether there was one."""
        channel = self._channels[index]
        while channel.ready:
            event, _ = channel.next()
            if isinstance(event, Batch):
                self._merge.push(index, event)
                return True
            if isinstance(event, (Epoch, Superstep, EndOfInput)):
                self._barriers[index] = event
                self._merge.finish(index)
                return True
        return False

    def _pass_barrier(self) -> None:
        """Everything before the barrier has been given, by all channels."""
        barriers = [barrier for barrier in self._barriers if not isinstance(barrier, EndOfInput)]
        if not barriers:
            self._closed = True
            self._given.append((EndOfInput(), 0))
            return
        barrier = barriers[0]
        if barrier is None or any(other != barrier for other in barriers):
            raise InternalError("sorted inputs disagree about the next barrier", detail=repr(barriers))
        self._given.append((barrier, 0))
        self._merge = SortedMerge(len(self._channels), self._ordering)
        for index, ended in enumerate(self._barriers):
            if isinstance(ended, EndOfInput):
                self._merge.finish(index)
            else:
                self._barriers[index] = None
