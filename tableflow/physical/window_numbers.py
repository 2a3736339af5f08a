"""Which windows the rows of partitions are in, by number, as the rows come.

State is a few integers for each partition.  Windows of a partition are numbered upwards; the numbers say nothing else.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.representation import widen
from tableflow.errors import InternalError, UnsupportedError
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import Expression
from tableflow.expressions.window_assigner import CountHop, CountTumble, Delta, Landmark, Punctuated
from tableflow.physical.node import positions
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.window_state import Mask
from tableflow.physical.window_times import Rows
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.records import dataclass
from tableflow.types import is_numeric

_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Numbered:
    """Rows (of those that count, perhaps several times, perhaps not at all) in windows.

    ``starts`` and ``ends`` are row numbers to widen the window to; ``last`` marks rows that end their window.  ``begun``: by
    partition, the newest window, which ends all before it (None: only rows end windows).
    """

    rows: Rows
    windows: Rows
    starts: Rows
    ends: Rows
    last: Mask
    begun: Rows | None = None


class Numbering(ABC):
    """Row numbers by partition; a subclass makes windows of them."""

    def __init__(self) -> None:
        self._counts = _NONE

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return sum(array.nbytes for array in self._arrays())

    def take(self, batch: Batch, partitions: Rows) -> Numbered:
        """The batch's rows in their windows, given the partition of each row that counts."""
        new = int(partitions.max()) + 1 - len(self._counts)
        if new > 0:
            self._grow(new)
        order = np.argsort(partitions, kind="stable")
        numbers = np.empty(len(partitions), np.int64)
        numbers[order] = running(partitions[order], np.ones(len(order), np.int64))
        numbers += self._counts[partitions]
        numbered = self._windows(batch, partitions, numbers, order)
        self._counts += np.bincount(partitions, minlength=len(self._counts))
        return numbered

    @abstractmethod
    def _windows(self, batch: Batch, partitions: Rows, numbers: Rows, order: Rows) -> Numbered:
        """Windows of rows with these numbers; ``order`` sorts them by partition."""

    def _grow(self, by: int) -> None:
        """Room for more partitions."""
        self._counts = np.append(self._counts, np.zeros(by, np.int64))

    def _arrays(self) -> list[npt.NDArray[np.int64]]:
        return [self._counts]

    def _set_arrays(self, arrays: list[npt.NDArray[np.int64]]) -> None:
        self._counts = arrays[0]

    def snapshot(self, partitions: GroupNumbers) -> bytes:
        """The numbers of these partitions."""
        known = partitions[partitions < len(self._counts)]  # the only one without keys is there before its rows
        return join_parts([array[known].tobytes() for array in self._arrays()])

    def restore(self, states: Sequence[bytes], placed: Sequence[GroupNumbers]) -> None:
        """Takes what :meth:`snapshot` of several gave, whose partitions have these numbers: the numbering of each goes on."""
        arrays = list(across(states))
        numbers = [groups[: len(saved) // 8] for groups, saved in zip(placed, arrays[0], strict=True)]
        order = np.argsort(np.concatenate(numbers))
        self._set_arrays([np.frombuffer(b"".join(parts), np.int64)[order] for parts in arrays])


class CountTumbleNumbers(Numbering):
    """1 to n, n + 1 to 2n, ..."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._rows = rows

    def _windows(self, batch: Batch, partitions: Rows, numbers: Rows, order: Rows) -> Numbered:
        windows = (numbers - 1) // self._rows
        ends = (windows + 1) * self._rows
        return Numbered(np.arange(len(numbers)), windows, windows * self._rows + 1, ends, numbers == ends)


class CountHopNumbers(Numbering):
    """The last n rows at every multiple of the slide."""

    def __init__(self, slide: int, rows: int) -> None:
        super().__init__()
        self._slide, self._rows = slide, rows

    def _windows(self, batch: Batch, partitions: Rows, numbers: Rows, order: Rows) -> Numbered:
        first = -(-numbers // self._slide)
        counts = np.maximum((numbers + self._rows - 1) // self._slide - first + 1, 0)
        rows = np.repeat(np.arange(len(numbers)), counts)
        windows = first[rows] + np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
        ends = windows * self._slide
        return Numbered(rows, windows, ends - self._rows + 1, ends, numbers[rows] == ends)


class MarkedNumbers(Numbering):
    """Rows for which a condition is TRUE end (PUNCTUATED) or begin (LANDMARK) a window."""

    def __init__(self, condition: Expression, node: WindowedAggregate, begins: bool) -> None:
        super().__init__()
        self._condition = condition
        self._where = positions(node.input.fields)
        self._begins = begins
        self._marks = _NONE

    def _grow(self, by: int) -> None:
        super()._grow(by)
        self._marks = np.append(self._marks, np.zeros(by, np.int64))

    def _windows(self, batch: Batch, partitions: Rows, numbers: Rows, order: Rows) -> Numbered:
        condition = project([self._condition], batch, self._where)[0].array
        marked = condition.fill_null(False).to_numpy(zero_copy_only=False).astype(np.int64)  # noqa: FBT003 - a value
        windows = np.empty(len(numbers), np.int64)
        windows[order] = running(partitions[order], marked[order])
        windows += self._marks[partitions]
        self._marks += np.bincount(partitions, marked, len(self._marks)).astype(np.int64)
        if not self._begins:
            return Numbered(np.arange(len(numbers)), windows - marked, numbers, numbers, marked > 0)
        rows = np.flatnonzero(windows > 0)
        numbers = numbers[rows]
        return Numbered(rows, windows[rows], numbers, numbers, np.zeros(len(rows), np.bool_), self._marks)

    def _arrays(self) -> list[npt.NDArray[np.int64]]:
        return [self._counts, self._marks]

    def _set_arrays(self, arrays: list[npt.NDArray[np.int64]]) -> None:
        self._counts, self._marks = arrays


class DeltaNumbers(Numbering):
    """A row that is further than the threshold from the first of its window begins another.  Values are compared as DOUBLE."""

    def __init__(self, assigner: Delta, node: WindowedAggregate) -> None:
        super().__init__()
        for expression in (assigner.value, assigner.threshold):
            if not is_numeric(expression.type):
                raise UnsupportedError(
                    f"DELTA over values of {expression.type}", hint="windows of numbers move by numbers"
                )
        self._expressions: Sequence[Expression] = (assigner.value, assigner.threshold)
        self._where = positions(node.input.fields)
        self._newest = _NONE
        self._firsts = np.empty(0)  # the value that a partition's newest window began with; NaN: none yet

    def _grow(self, by: int) -> None:
        super()._grow(by)
        self._newest = np.append(self._newest, np.zeros(by, np.int64))
        self._firsts = np.append(self._firsts, np.full(by, np.nan))

    def _windows(self, batch: Batch, partitions: Rows, numbers: Rows, order: Rows) -> Numbered:
        values, thresholds = (_doubles(column) for column in project(self._expressions, batch, self._where))
        windows = np.empty(len(numbers), np.int64)
        sorted_by = partitions[order]
        begins = np.flatnonzero(np.append(True, sorted_by[1:] != sorted_by[:-1]))
        for begin, end in zip(begins, np.append(begins[1:], len(order)), strict=True):
            rows = order[begin:end]
            windows[rows] = self._of_partition(int(sorted_by[begin]), values[rows], thresholds[rows])
        every = np.arange(len(numbers))
        return Numbered(every, windows, numbers, numbers, np.zeros(len(numbers), np.bool_), self._newest)

    def _of_partition(
        self, partition: int, values: npt.NDArray[np.float64], thresholds: npt.NDArray[np.float64]
    ) -> Rows:
        """Window by window, not row by row."""
        windows = np.empty(len(values), np.int64)
        at, first, newest = 0, float(self._firsts[partition]), int(self._newest[partition])
        while at < len(values):
            if np.isnan(first):  # the first value there is
                present = np.flatnonzero(~np.isnan(values[at:]))
                if len(present):
                    first = float(values[at + present[0]])
            with np.errstate(invalid="ignore"):
                far = np.flatnonzero(np.abs(values[at:] - first) > thresholds[at:])
            end = at + int(far[0]) if len(far) else len(values)
            windows[at:end] = newest
            if end < len(values):
                newest, first = newest + 1, float(values[end])
            at = end
        self._firsts[partition], self._newest[partition] = first, newest
        return windows

    def _arrays(self) -> list[npt.NDArray[np.int64]]:
        return [self._counts, self._newest, self._firsts.view(np.int64)]

    def _set_arrays(self, arrays: list[npt.NDArray[np.int64]]) -> None:
        self._counts, self._newest, firsts = arrays
        self._firsts = firsts.view(np.float64)


def numbering_of(node: WindowedAggregate) -> Numbering:
    """What numbers the windows of a node."""
    match node.assigner:
        case CountTumble(rows=rows):
            return CountTumbleNumbers(rows)
        case CountHop(slide=slide, rows=rows):
            return CountHopNumbers(slide, rows)
        case Punctuated(condition=condition):
            return MarkedNumbers(condition, node, begins=False)
        case Landmark(condition=condition):
            return MarkedNumbers(condition, node, begins=True)
        case Delta() as delta:
            return DeltaNumbers(delta, node)
    raise InternalError(f"windows of {type(node.assigner).__name__} have no numbers")


def running(partitions: Rows, values: Rows) -> Rows:
    """Sums so far within each run of equal partitions."""
    if not len(values):
        return values
    sums = np.cumsum(values)
    begins = np.flatnonzero(np.append(True, partitions[1:] != partitions[:-1]))
    lengths = np.diff(np.append(begins, len(values)))
    before = sums[begins] - values[begins]
    result: Rows = sums - np.repeat(before, lengths)
    return result


def _doubles(column: Column) -> npt.NDArray[np.float64]:
    """Numbers, NaN for NULL."""
    array = widen(column).array
    values: npt.NDArray[np.float64] = array.cast("float64").to_numpy(zero_copy_only=False)
    return values
