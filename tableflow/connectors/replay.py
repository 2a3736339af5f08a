"""A feed of Arrow data that is there, batch by batch in the order in which it lies: finished rows as a stream that ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from tableflow.connectors.row_shape import RowShape
from tableflow.runtime.source import Done, Later, Poll
from tableflow.runtime.wake import After


class Replay:
    """One part with these batches, from the first one at each reading."""

    splits = 1
    once: str | None = None
    taken = False

    def __init__(self, batches: Sequence[pa.RecordBatch], *, pauses: bool = False) -> None:
        """``pauses``: a reader is silent for a moment first, so that it is known to be the only one before its first row."""
        self.pauses = pauses
        self.batches = [batch for batch in batches if batch.num_rows]

    def reader(self, split: int, shape: RowShape, offset: Any, batch_rows: int, *, inline: bool) -> ReplayReader:
        """See :class:`~tableflow.connectors.live.Feed`."""
        return ReplayReader(self.batches, shape, offset or 0, pauses=self.pauses)


class ReplayReader:
    """Gives a batch at each poll."""

    def __init__(self, batches: Sequence[pa.RecordBatch], shape: RowShape, position: int, *, pauses: bool) -> None:
        self._pauses = pauses
        self._batches = batches
        self._shape = shape
        self._position = position

    def poll(self) -> Poll:
        """The next batch."""
        if self._pauses:
            self._pauses = False
            return Later(After(1))
        if self._position == len(self._batches):
            return Done()
        self._position += 1
        return self._shape.of_arrow(self._batches[self._position - 1])

    def offset(self) -> Any:
        """How many batches were given."""
        return self._position

    def close(self) -> None:
        """Nothing is held."""
