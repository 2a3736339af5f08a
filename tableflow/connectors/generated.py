"""Sources whose rows are functions of their numbers: splits that advance together, at a given rate if one is wanted.

Rows are dealt out in runs of ``stride`` that follow each other, one run to each split in turn.  The offset of a split is how
many of its own rows are done, so a reader can begin anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.connectors.reading import ListAssigner
from tableflow.records import dataclass
from tableflow.runtime.source import Done, Later, Poll, Split
from tableflow.runtime.wake import After

Numbers = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Pace:
    """How many rows there are (None: without end), and how many come per second of the clock (None: as fast as they are read)."""

    rows: int | None
    per_second: int | None = None
    stride: int = 1
    clock: Callable[[], int] = time.monotonic_ns
    began: int | None = None
    """When the first row comes, by the clock; None: when a reader is asked first."""
    tick: int = 2_000
    """Microseconds between two batches, while there is a row at any time: to give them one by one would be all that is done."""


def tasks_reading(wanted: int | None, parallelism: int) -> int:
    """How many splits there are: as many as tasks, or as were wanted; what never ends would keep the others waiting behind it."""
    return parallelism if wanted is None else min(wanted, parallelism)


class GeneratedSource:
    """``make`` gives the batch of some row numbers, ascending; it may leave rows out."""

    def __init__(self, make: Callable[[Numbers], Batch], pace: Pace, splits: int) -> None:
        self._make = make
        self._pace = pace
        self._splits = splits

    @property
    def bounded(self) -> bool:
        """Whether the number of rows was given."""
        return self._pace.rows is not None

    def assigner(self) -> ListAssigner:
        """Splits that end together."""
        return ListAssigner([Split(f"{i} of {self._splits}", [i, self._splits]) for i in range(self._splits)])

    def reader(self, split: Split, batch_rows: int) -> GeneratedReader:
        """A reader that goes on after the rows done."""
        first, splits = split.definition
        return GeneratedReader(self._make, self._pace, int(first), int(splits), int(split.offset or 0), batch_rows)


class GeneratedReader:
    """Reads every ``splits``-th run of rows, beginning with the run ``first``."""

    def __init__(
        self, make: Callable[[Numbers], Batch], pace: Pace, first: int, splits: int, done: int, batch_rows: int
    ) -> None:
        self._make = make
        self._pace = pace
        self._first = first
        self._splits = splits
        self._done = done
        self._start = done
        self._batch_rows = batch_rows
        self._began = pace.began
        self._given: int | None = None
        """When rows were given last, by the clock."""

    def poll(self) -> Poll:
        """The next rows; those that come at a rate are counted from the first poll."""
        count = self._batch_rows
        if self._pace.per_second is not None:
            now = self._pace.clock()
            early = self._early(now, self._pace.per_second)
            if early > 0:
                return Later(After(early))
            count = min(count, self._due(now, self._pace.per_second))
            self._given = now
        own = np.arange(self._done, self._done + count, dtype=np.int64)
        stride, total = self._pace.stride, self._pace.rows
        numbers = (own // stride * self._splits + self._first) * stride + own % stride
        if total is not None:
            numbers = numbers[numbers < total]
        if not len(numbers):
            return Done()
        self._done += count
        return self._make(numbers.astype(np.uint64))

    def _early(self, now: int, per_second: int) -> int:
        """Microseconds until rows are to be given: one is due, and the last ones are a tick ago unless a batch is full."""
        if self._began is None:
            self._began = now
        following = self._began + -((self._start - self._done) * self._splits * 1_000_000_000 // per_second)
        if now < following:
            return -((now - following) // 1000)
        if self._given is None or self._due(now, per_second) >= self._batch_rows:
            return 0
        return self._pace.tick - (now - self._given) // 1000

    def _due(self, now: int, per_second: int) -> int:
        """How many rows are due."""
        assert self._began is not None
        happened = (now - self._began) * per_second // 1_000_000_000 + self._splits
        return self._start + happened // self._splits - self._done

    def backlog(self) -> Callable[[], bool]:
        """Rows without end, and those that come at a rate, are there when they are made; others are there from the start."""
        made = self._pace.rows is None or self._pace.per_second is not None
        return lambda: made

    def offset(self) -> Any:
        """How many of the split's rows are done."""
        return self._done

    def close(self) -> None:
        """Nothing is held."""
