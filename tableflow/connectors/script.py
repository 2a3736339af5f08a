"""A feed whose events are written down one by one: rows with weights, time, silence, and the end, exactly as told.

Invariant: a part keeps all that it was told, so every reader of it sees the same events in the same order, however often the
table is read.  Events may be told before and while readers read, from any thread.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from tableflow.connectors.row_shape import RowShape
from tableflow.records import dataclass
from tableflow.runtime.events import Idle, Watermark
from tableflow.runtime.source import Done, Later, Poll
from tableflow.runtime.wake import After, Signal


@dataclass(frozen=True, slots=True)
class Rows:
    """One batch; ``weights`` are +1 each unless given."""

    rows: Sequence[Any]
    weights: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Delay:
    """Nothing comes for so many microseconds of processing time."""

    microseconds: int


Event: TypeAlias = Rows | Watermark | Idle | Delay | Done


class Script:
    """The parts of a live table as lists of events; a part that is not ended waits for more."""

    once: str | None = None
    taken = False

    def __init__(self, *parts: Sequence[Event]) -> None:
        self._parts = [list(part) for part in parts] or [[]]
        self._lock = threading.Lock()
        self._more = Signal()

    @property
    def splits(self) -> int:
        """One for each part."""
        return len(self._parts)

    def tell(self, event: Event, part: int = 0) -> None:
        """Adds an event."""
        with self._lock:
            self._parts[part].append(event)
            more, self._more = self._more, Signal()
        more.set()

    def rows(self, *rows: Any, weights: Sequence[int] | None = None, part: int = 0) -> None:
        """Adds a batch of these rows."""
        self.tell(Rows(rows, weights), part)

    def watermark(self, time: int, part: int = 0) -> None:
        """Says that later rows of the part have an event time of at least ``time`` microseconds."""
        self.tell(Watermark(time), part)

    def idle(self, part: int = 0) -> None:
        """Says that the part does not hold time back until its next event."""
        self.tell(Idle(), part)

    def end(self) -> None:
        """Ends all parts."""
        for part in range(self.splits):
            self.tell(Done(), part)

    def event(self, part: int, number: int) -> Event | Signal:
        """An event, or what is set when something was told."""
        with self._lock:
            told = self._parts[part]
            return told[number] if number < len(told) else self._more

    def reader(self, split: int, shape: RowShape, offset: Any, batch_rows: int, *, inline: bool) -> ScriptReader:
        """See :class:`~tableflow.connectors.live.Feed`."""
        return ScriptReader(self, split, shape, offset or 0)


class ScriptReader:
    """Gives the events of one part in order."""

    def __init__(self, script: Script, part: int, shape: RowShape, position: int) -> None:
        self._script = script
        self._part = part
        self._shape = shape
        self._position = position
        self._rows = 0

    def poll(self) -> Poll:
        """The next event."""
        event = self._script.event(self._part, self._position)
        if isinstance(event, Signal):
            return Later(event)
        if not isinstance(event, Done):
            self._position += 1
        match event:
            case Rows(rows=rows, weights=weights):
                batch = self._shape.of_rows(rows, self._rows)
                self._rows += len(rows)
                batch.weights = None if weights is None else np.array(weights, np.int64)
                return batch
            case Delay(microseconds=microseconds):
                return Later(After(microseconds))
            case _:
                return event

    def offset(self) -> Any:
        """How many events were given."""
        return self._position

    def close(self) -> None:
        """Nothing is held."""
