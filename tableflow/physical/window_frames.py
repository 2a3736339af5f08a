"""Where rows of a window lie: their partitions, peers and frames, for a slice of rows at a time.

All positions count rows of a :class:`Chunk`, which holds whole partitions in order.  A frame is ``[low, high)``; no frame leaves its partition.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.sorting import Key
from tableflow.columnar.kernels.windows import Rows, first_rows, range_ends
from tableflow.errors import InternalError
from tableflow.expressions.nodes import Frame, FrameBound, FrameSide, FrameUnit

_NO_ROWS: Rows = np.zeros(0, np.int64)


class Chunk:
    """Whole partitions: rows sorted by partition and order, and where partitions and peers begin."""

    def __init__(self, rows: Batch, partition: Sequence[int], order: Sequence[Key]) -> None:
        self.rows = rows
        self.order = tuple(order)
        self._partition = tuple(partition)

        self.partitions: Rows = _NO_ROWS
        """First rows of the partitions, and the number of rows."""
        self.peers: Rows = _NO_ROWS
        """First rows of rows with equal partition and order, and the number of rows."""

    def find_bounds(self, *, peers: bool) -> Generator[None, None, None]:
        """Finds the partitions, and the ``peers`` if somebody reads them; before anything is asked."""
        self.partitions = self.peers = yield from first_rows(self.rows, self._partition)
        if peers and self.order:
            self.peers = yield from first_rows(self.rows, (*self._partition, *(at for at, _, _ in self.order)))

    @property
    def nbytes(self) -> int:
        """Bytes of the rows and of what is known of them."""
        return self.rows.nbytes + self.partitions.nbytes + self.peers.nbytes


class Slice:
    """Some rows of a chunk in order; what is asked of them is computed once."""

    def __init__(self, chunk: Chunk, first: int, count: int) -> None:
        self.chunk = chunk
        self.first = first
        self.count = count
        self._frames: dict[Frame, tuple[Rows, Rows]] = {}

    @cached_property
    def rows(self) -> Rows:
        """Row numbers."""
        return np.arange(self.first, self.first + self.count, dtype=np.int64)

    @cached_property
    def _partition(self) -> Rows:
        return _number_of(self.chunk.partitions, self.rows)

    @cached_property
    def start(self) -> Rows:
        """First row of each row's partition."""
        return self.chunk.partitions[self._partition]

    @cached_property
    def end(self) -> Rows:
        """Row behind each row's partition."""
        return self.chunk.partitions[self._partition + 1]

    @cached_property
    def peer(self) -> Rows:
        """Number of each row's group of peers, counted over the chunk."""
        return _number_of(self.chunk.peers, self.rows)

    @cached_property
    def peer_start(self) -> Rows:
        """First of each row's peers."""
        return self.chunk.peers[self.peer]

    @cached_property
    def peer_end(self) -> Rows:
        """Row behind each row's peers."""
        return self.chunk.peers[self.peer + 1]

    @cached_property
    def first_peer(self) -> Rows:
        """Number of the first group of peers of each row's partition."""
        return _number_of(self.chunk.peers, self.start)

    def frame(self, frame: Frame, keys: Sequence[int]) -> tuple[Rows, Rows]:
        """Frames of the rows; ``keys`` are the positions of the columns that say how far a RANGE reaches."""
        known = self._frames.get(frame)
        if known is None:
            places = iter(keys)
            bounds = [None if bound.key is None else self.chunk.rows.columns[next(places)] for bound in _ends(frame)]
            low = self._end_of(frame, frame.start, bounds[0], beyond=False)
            high = self._end_of(frame, frame.end, bounds[1], beyond=True)
            known = (np.ascontiguousarray(low), np.maximum(low, high))
            self._frames[frame] = known
        return known

    def _end_of(self, frame: Frame, bound: FrameBound, key: Column | None, *, beyond: bool) -> Rows:
        """First row of the frames, or with ``beyond`` the row behind their last."""
        match bound.side:
            case FrameSide.UNBOUNDED_PRECEDING:
                return self.start
            case FrameSide.UNBOUNDED_FOLLOWING:
                return self.end
            case FrameSide.CURRENT_ROW if frame.unit is not FrameUnit.ROWS:
                return self.peer_end if beyond else self.peer_start
        if frame.unit is FrameUnit.RANGE:
            return self._range_end(key, beyond=beyond)
        distance = min(bound.offset, self.chunk.rows.length + 1)
        distance = -distance if bound.side is FrameSide.PRECEDING else distance
        if bound.side is FrameSide.CURRENT_ROW:
            distance = 0
        if frame.unit is FrameUnit.ROWS:
            return np.clip(self.rows + (distance + beyond), self.start, self.end)
        last = _number_of(self.chunk.peers, self.end - 1) + 1
        return self.chunk.peers[np.clip(self.peer + (distance + beyond), self.first_peer, last)]

    def _range_end(self, key: Column | None, *, beyond: bool) -> Rows:
        if key is None or len(self.chunk.order) != 1:
            raise InternalError("a RANGE frame with offsets has one order key and its bounds")
        position, descending, nulls_first = self.chunk.order[0]
        return range_ends(
            self.chunk.rows.columns[position],
            key,
            self.first,
            np.ascontiguousarray(self.start),
            np.ascontiguousarray(self.end),
            descending=descending,
            nulls_first=nulls_first,
            beyond=beyond,
        )


def _ends(frame: Frame) -> tuple[FrameBound, FrameBound]:
    return frame.start, frame.end


def _number_of(starts: Rows, rows: Rows) -> Rows:
    """Which of the parts that begin at ``starts`` each row is in."""
    found: npt.NDArray[np.int64] = np.searchsorted(starts[:-1], rows, side="right") - 1
    return found
