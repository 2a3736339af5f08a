"""Where a task gets its input from: what both channels and sources look like to it.

The gate takes events from the channels in turn, skips those that are held by alignment or not preferred, and gives
batches and aligned events one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol, TypeAlias

from tableflow.columnar.batch import Batch
from tableflow.runtime.alignment import Aligned, Alignment, PortEnded
from tableflow.runtime.counters import TaskBlock
from tableflow.runtime.events import Event, Idle, Watermark

Taken: TypeAlias = Batch | Aligned


_MOVES_TIME = (Watermark, Idle)


class TaskInput(Protocol):
    """What a task takes events from."""

    port: int
    """The port of the batch that :meth:`next` gave last."""
    deadline: int | None
    """When the task is to ask again although nothing has come (microseconds)."""

    def next(self, preferred: int | None) -> Taken | None:
        """The next event (batches only of port ``preferred`` if given), or None: the task is woken when there is one."""
        ...

    def close(self) -> None:
        """Nothing more is wanted; may be called in any state and again."""
        ...


class Inlet(Protocol):
    """The consumer's end of a channel, or of several that look like one."""

    @property
    def ready(self) -> bool:
        """Whether there is an event now."""
        ...

    @property
    def speaks(self) -> bool:
        """Whether rows or time wait."""
        ...

    def next(self) -> tuple[Event, int]:
        """The oldest event and its bytes."""
        ...

    def close(self) -> None:
        """Nothing more is wanted."""
        ...


class Gate:
    """The channels of one task, all ports together."""

    def __init__(self, channels: Sequence[Inlet], ports: Sequence[int]) -> None:
        self.port = 0
        self.deadline: int | None = None
        self.alignment = Alignment(ports)
        self._channels = list(channels)
        self._ports = list(ports)
        self._turn = 0
        # A task without inputs has its whole input behind it.
        self._pending: deque[Taken] = deque() if channels else deque([PortEnded(0, last=True)])
        self._block: TaskBlock | None = None

    def count_in(self, block: TaskBlock) -> None:
        """Counts bytes and watermarks there from now on."""
        self._block = block
        block.watermarks = self.alignment.watermarks
        block.silent = self.alignment.idle

    def next(self, preferred: int | None) -> Taken | None:
        """The next batch or aligned event; None when there is none."""
        pending = self._pending
        while not pending:
            index = self._choose(preferred)
            if index < 0:
                return None
            event, size = self._channels[index].next()
            if self._block is not None:
                self._block.bytes_in += size
            if isinstance(event, Batch):
                self.port = self._ports[index]
                if not self.alignment.any_idle:
                    return event
                # The end of idleness goes first: time must wait for this row.
                pending.extend(self.alignment.row(index))
                pending.append(event)
            else:
                if event.__class__ is Idle and self._channels[index].speaks:
                    continue  # it has spoken again since
                if self.alignment.any_idle and event.__class__ in _MOVES_TIME:
                    self._end_idleness()
                pending.extend(self.alignment.control(index, event))
        return pending.popleft()

    def _end_idleness(self) -> None:
        """Rows that wait here already must not be overtaken by the time of those who came after them."""
        for index, channel in enumerate(self._channels):
            if channel.speaks:
                self._pending.extend(self.alignment.row(index))

    def _choose(self, preferred: int | None) -> int:
        """The next readable channel in turn, or -1."""
        channels, held = self._channels, self.alignment.held
        count = len(channels)
        for step in range(count):
            index = (self._turn + step) % count
            if channels[index].ready and not held[index] and (preferred is None or self._ports[index] == preferred):
                self._turn = index + 1
                return index
        return -1

    def close(self) -> None:
        """Closes all channels, so that their producers stop."""
        self._pending.clear()
        for channel in self._channels:
            channel.close()
