"""What each window call gives for a slice of rows: numbers of rows, values of other rows, aggregates of frames.

An evaluator belongs to one chunk and sees its slices in order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take
from tableflow.columnar.kernels.windows import FrameExtreme, FrameSum, Rows
from tableflow.errors import DataError, InternalError
from tableflow.expressions.nodes import FrameSide, FrameUnit, WindowCall
from tableflow.physical.window_frames import Chunk, Slice
from tableflow.types import BIGINT, DOUBLE

_PIECE_ROWS = 131_072
_PEERS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})
_SUMS = frozenset({"sum", "avg", "stddev_samp", "stddev_pop", "var_samp", "var_pop"})
_EXTREMES = {"min": False, "max": True, "bool_and": False, "bool_or": True}


class Evaluator:
    """One call over one chunk; ``args`` and ``keys`` are the positions of its columns among the chunk's."""

    def __init__(self, call: WindowCall, chunk: Chunk, args: Sequence[int], keys: Sequence[int]) -> None:
        self.call = call
        self.chunk = chunk
        self.args = [chunk.rows.columns[i] for i in args]
        self.keys = keys

    def prepare(self) -> Generator[None, None, None]:
        """Looks at the whole chunk, if that is needed, before the first slice; in steps."""
        yield from ()

    def next(self, rows: Slice) -> Column:
        """Values for the next rows."""
        raise NotImplementedError

    def steps(self, rows: Slice) -> Generator[None, None, Column]:
        """:meth:`next` in steps, where it may take long."""
        yield from ()
        return self.next(rows)

    @property
    def bytes(self) -> int:
        """Bytes that the evaluator holds besides the chunk."""
        return 0

    def frame(self, rows: Slice) -> tuple[Rows, Rows]:
        """The rows' frames."""
        return rows.frame(self.call.frame, self.keys)


class Numbering(Evaluator):
    """Functions of the row's place alone."""

    def next(self, rows: Slice) -> Column:
        """Whole numbers, or parts of the partition between 0 and 1."""
        return _NUMBERINGS[self.call.function](rows)


def _part(numerator: Rows, denominator: Rows) -> Column:
    values = np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)
    return Column(DOUBLE, pa.array(values))


_NUMBERINGS: dict[str, Callable[[Slice], Column]] = {
    "row_number": lambda rows: _numbers(rows.rows - rows.start + 1),
    "rank": lambda rows: _numbers(rows.peer_start - rows.start + 1),
    "dense_rank": lambda rows: _numbers(rows.peer - rows.first_peer + 1),
    "percent_rank": lambda rows: _part(rows.peer_start - rows.start, rows.end - rows.start - 1),
    "cume_dist": lambda rows: _part(rows.peer_end - rows.start, rows.end - rows.start),
}


class Buckets(Evaluator):
    """NTILE: buckets of equal size, the first ones one row larger where that does not work out."""

    def next(self, rows: Slice) -> Column:
        """Bucket numbers from 1."""
        count, missing = _integers(self.args[0], rows)
        if (count[~missing] < 1).any():
            raise DataError("ntile needs at least one bucket", span=self.call.span)
        count = np.where(missing, 1, count)
        size, at = rows.end - rows.start, rows.rows - rows.start
        small, larger = size // count, size % count
        in_larger = larger * (small + 1)
        bucket = np.where(
            at < in_larger, at // (small + 1), larger + (at - in_larger) // np.maximum(small, 1)
        )  # fmt: skip
        return _numbers(bucket + 1, missing)


class Neighbour(Evaluator):
    """LAG and LEAD: the value so many rows away in the partition (of those that are not NULL), else the default."""

    _present: Rows | None = None

    def prepare(self) -> Generator[None, None, None]:
        """Finds the values that are not NULL, if only they count."""
        if self.call.ignore_nulls:
            self._present = yield from _rows_where(self.args[0], _is_present)

    def next(self, rows: Slice) -> Column:
        """Values of other rows."""
        offset, missing = _integers(self.args[1], rows)
        most = self.chunk.rows.length + 1
        distance = np.clip(offset, -most, most)
        distance = -distance if self.call.function == "lag" else distance
        target = rows.rows + distance if self._present is None else self._among(self._present, rows, distance)
        outside = (target < rows.start) | (target >= rows.end)
        found = take(self.args[0], np.where(outside | missing, -1, target), nullable=True)
        if len(self.args) < 3:
            return found
        either = concat([Batch([found], rows.count), Batch([self.args[2].slice(rows.first, rows.count)], rows.count)])
        own = np.arange(rows.count, dtype=np.int64)
        return take(either.columns[0], np.where(outside & ~missing, own + rows.count, own))

    def _among(self, present: Rows, rows: Slice, distance: Rows) -> Rows:
        before = np.searchsorted(present, rows.rows, side="left")
        behind = np.searchsorted(present, rows.rows, side="right")
        index = np.where(distance < 0, before + distance, behind + distance - 1)
        return np.where(distance == 0, rows.rows, _at(present, index))


class FrameValue(Evaluator):
    """FIRST_VALUE, LAST_VALUE, NTH_VALUE: the value of one row of the frame."""

    _present: Rows | None = None

    def prepare(self) -> Generator[None, None, None]:
        """Finds the values that are not NULL, if only they count."""
        if self.call.ignore_nulls or self.call.function == "any_value":
            self._present = yield from _rows_where(self.args[0], _is_present)

    def next(self, rows: Slice) -> Column:
        """Values of other rows; NULL where the frame has no such row."""
        low, high = self.frame(rows)
        if self._present is not None:
            low, high = (np.searchsorted(self._present, end, side="left") for end in (low, high))
        outside = high <= low
        match self.call.function:
            case "last_value":
                target = high - 1
            case "nth_value":
                number, missing = _integers(self.args[1], rows)
                target = low + np.clip(number, 0, self.chunk.rows.length + 1) - 1
                outside = missing | (target >= high) | (target < low)
            case _:
                target = low
        if self._present is not None:
            target = _at(self._present, target)
        return take(self.args[0], np.where(outside, -1, target), nullable=True)


class FrameCount(Evaluator):
    """COUNT: rows of the frame, those with a value, or those for which a condition holds."""

    _counted: Rows | None = None

    def prepare(self) -> Generator[None, None, None]:
        """Finds the rows that count, unless all do."""
        if self.call.function == "count_if":
            self._counted = yield from _rows_where(self.args[0], _holds)
        elif self.args and self.args[0].array.null_count:
            self._counted = yield from _rows_where(self.args[0], _is_present)

    def next(self, rows: Slice) -> Column:
        """Whole numbers."""
        low, high = self.frame(rows)
        if self._counted is not None:
            low, high = (np.searchsorted(self._counted, end, side="left") for end in (low, high))
        return _numbers(high - low)

    @property
    def bytes(self) -> int:
        """The rows that count."""
        return 0 if self._counted is None else self._counted.nbytes


class FrameTotal(Evaluator):
    """Sums, means and variances, and counts of distinct values."""

    def __init__(self, call: WindowCall, chunk: Chunk, args: Sequence[int], keys: Sequence[int]) -> None:
        super().__init__(call, chunk, args, keys)
        self._sum = FrameSum(call.function, self.args[0], call.type, distinct=call.distinct)

    def steps(self, rows: Slice) -> Generator[None, None, Column]:
        """Numbers."""
        try:
            return (yield from self._sum.steps(*self.frame(rows)))
        except OverflowError as overflow:
            raise DataError(
                str(overflow),
                detail=f"the {self.call.function} of a frame does not fit {self.call.type}",
                hint="cast the argument to DOUBLE",
                span=self.call.span,
            ) from None

    @property
    def bytes(self) -> int:
        """Partial aggregates."""
        return self._sum.bytes


class FrameBest(Evaluator):
    """MIN and MAX, and of conditions the least (all) and the greatest (any)."""

    def __init__(self, call: WindowCall, chunk: Chunk, args: Sequence[int], keys: Sequence[int]) -> None:
        super().__init__(call, chunk, args, keys)
        self._extreme = FrameExtreme(self.args[0], greatest=_EXTREMES[call.function])

    def steps(self, rows: Slice) -> Generator[None, None, Column]:
        """Values of other rows."""
        found = yield from self._extreme.steps(*self.frame(rows))
        return take(self.args[0], found, nullable=True)

    @property
    def bytes(self) -> int:
        """Rows that may still win."""
        return self._extreme.bytes


class DeltaNumber(Evaluator):
    """The number of the row's window of DELTA, from 1: windows whose values are near that of their first row."""

    def __init__(self, call: WindowCall, chunk: Chunk, args: Sequence[int], keys: Sequence[int]) -> None:
        super().__init__(call, chunk, args, keys)
        self._partition = -1
        self._first: Any = None
        self._number = 0

    def next(self, rows: Slice) -> Column:
        """Whole numbers; a value that is NULL begins no window."""
        part = self.args[0].slice(rows.first, rows.count)
        limits = self.args[1].slice(rows.first, rows.count).array.to_pylist()
        numbers: list[int] = []
        for value, limit, partition in zip(part.array.to_pylist(), limits, rows.start.tolist(), strict=True):
            if partition != self._partition:
                self._partition, self._first, self._number = partition, value, 1
            elif self._first is None:
                self._first = value
            elif value is not None and abs(value - self._first) > limit:
                self._first = value
                self._number += 1
            numbers.append(self._number)
        return Column(BIGINT, pa.array(numbers, pa.int64()))


def reads_peers(call: WindowCall) -> bool:
    """Whether the call's values depend on which rows are equal in order."""
    unit, sides = call.frame.unit, (call.frame.start.side, call.frame.end.side)
    counts_peers = unit is FrameUnit.GROUPS or (unit is FrameUnit.RANGE and FrameSide.CURRENT_ROW in sides)
    return call.function in _PEERS or counts_peers


def evaluator(call: WindowCall, chunk: Chunk, args: Sequence[int], keys: Sequence[int]) -> Evaluator:
    """The evaluator of a call over a chunk."""
    kind: type[Evaluator]
    if call.function in _NUMBERINGS:
        kind = Numbering
    elif call.function in _SUMS or (call.function == "count" and call.distinct):
        kind = FrameTotal
    elif call.function in {"count", "count_if"}:
        kind = FrameCount
    elif call.function in _EXTREMES:
        kind = FrameBest
    elif call.function in _OTHERS:
        kind = _OTHERS[call.function]
    else:
        raise InternalError(f"no evaluator of the window function {call.function!r}")
    return kind(call, chunk, args, keys)


_OTHERS: dict[str, type[Evaluator]] = {
    "ntile": Buckets, "lag": Neighbour, "lead": Neighbour, "first_value": FrameValue, "last_value": FrameValue,
    "nth_value": FrameValue, "any_value": FrameValue, "delta_number": DeltaNumber,
}  # fmt: skip


def _numbers(values: Rows, missing: npt.NDArray[np.bool_] | None = None) -> Column:
    return Column(BIGINT, pa.array(values, pa.int64(), mask=missing if missing is not None and missing.any() else None))


def _integers(column: Column, rows: Slice) -> tuple[Rows, npt.NDArray[np.bool_]]:
    """Values of a column of whole numbers for the rows, and where they are NULL."""
    array = column.slice(rows.first, rows.count).array
    missing = array.is_null().to_numpy(zero_copy_only=False)
    values: Rows = pc.cast(array, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return values, missing


def _is_present(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type) and array.dictionary.null_count:
        array = array.dictionary_decode()
    return array.is_valid()


def _holds(array: pa.Array) -> pa.Array:
    return array.fill_null(fill_value=False)


def _rows_where(column: Column, test: Callable[[pa.Array], pa.Array]) -> Generator[None, None, Rows]:
    """Rows for whose value the test holds, found in pieces with a pause behind each."""
    found, count = np.empty(len(column), np.int64), 0
    for first in range(0, len(column), _PIECE_ROWS):
        piece = column.slice(first, min(_PIECE_ROWS, len(column) - first))
        rows = np.flatnonzero(test(piece.array).to_numpy(zero_copy_only=False))
        np.add(rows, first, out=found[count : count + len(rows)])
        count += len(rows)
        yield
    return found[:count]


def _at(present: Rows, index: Rows) -> Rows:
    """The rows at these places, -1 where there is none."""
    inside = (index >= 0) & (index < len(present))
    if len(present) == 0:
        return np.full(len(index), -1, np.int64)
    return np.where(inside, present[np.where(inside, index, 0)], -1)
