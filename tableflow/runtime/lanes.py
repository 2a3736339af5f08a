"""Where the buffers of an exchange go: one channel, the same to all, or one in turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.runtime.channel import Channel
from tableflow.runtime.events import Control, EndOfInput


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


class ResultLane(SingleLane):
    """The channel of a result, whose reader wants rows and the end: nothing else wakes it, or takes a place in the queue."""

    def control(self, event: Control) -> None:
        """Sends the end."""
        if event.__class__ is EndOfInput:
            super().control(event)


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
