"""The parallel sort: every task contributes sorted runs; ranges of the key have one owner each.

Boundaries are quantiles of a sample of all runs.  A range is ``[boundary i - 1, boundary i)``, so rows with equal keys are
in one range, and task i's output is followed by task i + 1's.  After DeWitt, Naughton and Schneider, "Parallel
Sorting on a Shared-Nothing Architecture using Probabilistic Splitting" (1991).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat, take_rows
from tableflow.columnar.kernels.sorting import Key, lower_bound, sort_batch
from tableflow.records import dataclass

_SAMPLES_PER_RANGE = 256


@dataclass(frozen=True, slots=True)
class SortedRanges:
    """What readers of the publication see: all runs, and where each run is cut."""

    runs: tuple[Batch, ...]
    cuts: tuple[tuple[int, ...], ...]

    def part(self, number: int) -> list[Batch]:
        """The piece of every run that lies in one range, empty ones left out."""
        pieces = []
        for run, cuts in zip(self.runs, self.cuts, strict=True):
            first, last = cuts[number], cuts[number + 1]
            if last > first:
                pieces.append(run.slice(first, last - first))
        return pieces


class RangeSealer:
    """Plans boundaries from samples and cuts runs at them, a run at a time; a partial is a task's list of runs."""

    def __init__(self, keys: Sequence[Key], ranges: int) -> None:
        self._keys = tuple(keys)
        self._ranges = ranges
        self._runs: list[Batch] = []
        self._cuts: list[tuple[int, ...]] = []
        self._boundaries: Batch | None = None
        # Boundaries are batches of the key columns alone, in the order of the keys.
        self._boundary_keys = tuple((i, descending, first) for i, (_, descending, first) in enumerate(self._keys))

    def plan(self, partials: Sequence[list[Batch]]) -> int:
        """One part per run."""
        self._runs = [run for runs in partials for run in runs]
        self._cuts = [()] * len(self._runs)
        self._boundaries = self._choose_boundaries()
        return len(self._runs)

    def seal(self, part: int) -> None:
        """Cuts one run at all boundaries."""
        run, cuts = self._runs[part], [0]
        if self._boundaries is not None:
            found = [self._before(run, row) for row in range(self._boundaries.length)]
            cuts += found
        self._cuts[part] = (*cuts, run.length)

    def finish(self) -> SortedRanges:
        """All runs with their cuts."""
        return SortedRanges(tuple(self._runs), tuple(self._cuts))

    def _before(self, run: Batch, row: int) -> int:
        assert self._boundaries is not None
        return lower_bound(self._key_columns(run), self._boundary_keys, self._boundaries, row)

    def _key_columns(self, batch: Batch) -> Batch:
        return Batch([batch.columns[position] for position, _, _ in self._keys], batch.length)

    def _choose_boundaries(self) -> Batch | None:
        rows = sum(run.length for run in self._runs)
        if self._ranges < 2 or rows == 0:
            return None
        step = max(1, rows // (_SAMPLES_PER_RANGE * self._ranges))
        samples = [
            take_rows(self._key_columns(run), np.arange(step // 2, run.length, step, dtype=np.int64))
            for run in self._runs
            if run.length > step // 2
        ]
        sample = sort_batch(concat(samples), self._boundary_keys)
        quantiles = np.arange(1, self._ranges, dtype=np.int64) * sample.length // self._ranges
        return take_rows(sample, quantiles)
