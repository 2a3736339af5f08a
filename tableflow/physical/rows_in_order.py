"""Rows that wait until time has passed them, to be taken in the order of an ORDER BY that begins with their event time.

Under any other ORDER BY they wait for the end of their input.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat, take_rows
from tableflow.columnar.kernels.packed_rows import pack_rows, rows_in, unpack_rows
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.kernels.sorting import sort_batch, sort_indices
from tableflow.physical.assign_watermarks import storage_times, units_per_microsecond
from tableflow.physical.node import PhysicalNode, dealt_by, positions
from tableflow.physical.properties import OrderingKey
from tableflow.physical.state_parts import least
from tableflow.records import dataclass
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME
from tableflow.types import TimestampType

_PIECE_ROWS = 8192


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows that wait, and the least and greatest of their times."""

    rows: Batch
    earliest: int
    latest: int

    def __len__(self) -> int:
        return self.rows.length


class RowsInOrder:
    """Rows as they came; a row that comes behind the watermark is late and refused.  Rows without a time come last."""

    def __init__(
        self,
        leaf: PhysicalNode,
        order: Sequence[OrderingKey],
        *,
        in_time: bool,
        refuses: bool = True,
        behind: int = 0,
    ) -> None:
        """Rows of the input ``leaf``.  ``in_time``: the first key is event time; ``refuses``: late rows.  Rows come until the watermark is ``behind`` microseconds
        (and one) after the key.
        """
        self._behind = behind
        fields = leaf.fields
        self._leaf = leaf
        where = positions(fields)
        self._keys = [(where[key.column], key.descending, key.nulls_first) for key in order]
        self._fields = fields
        self._time = self._keys[0][0]
        first = fields[self._time].type
        self._by_time = isinstance(first, TimestampType) and not order[0].descending
        self._in_time = self._by_time and in_time
        self._refuses = refuses
        self._unit = units_per_microsecond(first)
        self._waiting: list[_Piece] = []
        self._watermark = START_OF_TIME
        self.bytes = 0

    @property
    def count(self) -> int:
        """How many rows wait; asked by anybody."""
        return sum(map(len, tuple(self._waiting)))

    def add(self, batch: Batch) -> int:
        """Rows to wait; the number of those that are late."""
        batch = compact(batch)
        early = self.times(batch) >= self._watermark
        late = int(len(early) - early.sum()) if self._refuses else 0
        if late:
            batch = take_rows(batch, np.flatnonzero(early))
        if batch.length:
            self._wait(batch)
        return late

    def _wait(self, batch: Batch) -> None:
        """Small pieces are put together, so that there are few; not large ones, so that few rows are looked at twice."""
        pieces = self._waiting
        pieces.append(self._piece(batch))
        while len(pieces) > 1 and len(pieces[-2]) <= 2 * len(pieces[-1]) and len(pieces[-2]) < _PIECE_ROWS:
            second, first = pieces.pop(), pieces.pop()
            pieces.append(self._piece(concat([first.rows, second.rows])))
        self.bytes = sum(piece.rows.nbytes for piece in pieces)

    def _piece(self, rows: Batch) -> _Piece:
        times = self.times(rows)
        return _Piece(rows, int(times.min()), int(times.max()))

    def times(self, batch: Batch) -> npt.NDArray[np.int64]:
        """When rows are waited for no more, in microseconds, rounded down; the end of time for NULL."""
        return self._times(batch) if self._in_time else np.full(batch.length, END_OF_TIME)

    def _times(self, batch: Batch) -> npt.NDArray[np.int64]:
        """Those of the first key, a time."""
        column = batch.columns[self._time]
        times: npt.NDArray[np.int64] = storage_times(column) // self._unit + self._behind
        if column.array.null_count:
            times = np.where(column.array.is_valid().to_numpy(zero_copy_only=False), times, END_OF_TIME)
        return times

    def order_of(self, rows: Batch) -> npt.NDArray[np.int64]:
        """The order in which these rows would be taken together; those that tie keep theirs."""
        return sort_indices(rows, self._keys)

    def release(self, watermark: int) -> Batch | None:
        """Rows before this watermark, in order; at the end of time all that is left."""
        due = self.passed(watermark)
        return sort_batch(concat(due), self._keys) if due else None

    def passed(self, watermark: int) -> list[Batch]:
        """:meth:`release` in no order."""
        self._watermark = watermark
        due: list[Batch] = []
        kept: list[_Piece] = []
        for piece in self._waiting:
            if piece.latest < watermark or watermark == END_OF_TIME:
                due.append(piece.rows)
            elif piece.earliest >= watermark:
                kept.append(piece)
            else:
                early = self.times(piece.rows) < watermark
                due.append(take_rows(piece.rows, np.flatnonzero(early)))
                kept.append(self._piece(take_rows(piece.rows, np.flatnonzero(~early))))
        self._waiting = kept
        self.bytes = sum(piece.rows.nbytes for piece in kept)
        return due

    def by_interval(
        self, rows: Batch | None, step: int, before: int, watermark: int
    ) -> Iterator[tuple[Batch | None, bool]]:
        """Released rows, interval by interval of ``step`` microseconds of time, each with whether one is over before them.

        The last are None: an interval may be over with the watermark alone.  ``before`` was the one before it.
        """
        interval = before // step
        if rows is not None:
            # finished data may be in the order of a time that is not its event time, and waits for the end; its intervals are those of that time
            intervals = (self._times(rows) if self._by_time else self.times(rows)) // step
            if before == START_OF_TIME:  # time begins with the rows
                interval = int(intervals[0])
            cuts = [0, *(np.flatnonzero(np.diff(intervals)) + 1).tolist(), rows.length]
            for begin, end in pairwise(cuts):
                yield rows.slice(begin, end - begin), bool(intervals[begin] > interval)
                interval = max(interval, int(intervals[begin]))
        yield None, watermark // step > interval

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The rows of a range of keys, behind the watermark."""
        dealt = dealt_by(self._leaf, [f.id for f in self._fields])
        rows = rows_in(keys, [piece.rows for piece in self._waiting], dealt)
        return struct.pack("<q", self._watermark) + pack_rows(rows)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` of several gave; time has come as far as for the least of all."""
        self._watermark = least([part[:8] for part in parts])
        types = [f.type for f in self._fields]
        saved = [unpack_rows(part[8:], types) for part in parts]
        rows = [each for each in saved if each is not None]
        self._waiting = [self._piece(concat(rows))] if rows else []
        self.bytes = sum(piece.rows.nbytes for piece in self._waiting)
