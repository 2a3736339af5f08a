"""Rows by the number of their group, for who needs all rows of a group together.

Rows lie in runs that are sorted by group; within a group and run they lie as they came.  A run is put together with the one
before it unless that is more than twice as long, so there are few, and a row is moved a logarithmic number of times.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_rows, weights_of
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.multi_state import consolidated
from tableflow.columnar.kernels.packed_rows import pack_rows, unpack_rows
from tableflow.records import dataclass
from tableflow.types import BIGINT, SqlType

Lanes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Run:
    """Rows and the group of each, ascending."""

    rows: Batch
    groups: GroupNumbers

    def find(self, groups: GroupNumbers) -> tuple[Lanes, Lanes]:
        """Where the rows of these groups are, and the place in ``groups`` of each."""
        begins = np.searchsorted(self.groups, groups, "left")
        counts = np.searchsorted(self.groups, groups, "right") - begins
        places = np.repeat(begins - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
        return places, np.repeat(np.arange(len(groups)), counts)


class GroupedRows:
    """Rows of columns with these types; over changing input (``changing``) with weights, whose sums count."""

    def __init__(self, types: Sequence[SqlType], *, changing: bool) -> None:
        self._types = tuple(types)
        self._changing = changing
        self._runs: list[Run] = []

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return sum(run.rows.nbytes + run.groups.nbytes for run in self._runs)

    @property
    def rows(self) -> int:
        """How many rows there are; asked by anybody."""
        return sum(run.rows.length for run in tuple(self._runs))

    def add(self, rows: Batch, groups: GroupNumbers) -> None:
        """Rows (without a selection), each in its group."""
        if not len(groups):
            return
        self._runs.append(self._sorted(rows, groups))
        while len(self._runs) > 1 and len(self._runs[-2].groups) <= 2 * len(self._runs[-1].groups):
            second, first = self._runs.pop(), self._runs.pop()
            merged = self._together(first, second)
            if len(merged.groups):
                self._runs.append(merged)

    def _together(self, first: Run, second: Run) -> Run:
        groups = np.concatenate((first.groups, second.groups))
        return self._sorted(concat([first.rows, second.rows]), groups)

    def _sorted(self, rows: Batch, groups: GroupNumbers) -> Run:
        if self._changing:
            rows, groups = _summed(rows, groups)
        if (groups[1:] < groups[:-1]).any():
            order = np.argsort(groups, kind="stable")
            rows, groups = take_rows(rows, order), groups[order]
        return Run(rows, groups)

    def of(self, groups: GroupNumbers) -> tuple[Batch | None, Lanes]:
        """The rows of these groups as often as they count, in the order in which they came; the place in ``groups`` of each."""
        found: list[Batch] = []
        lanes: list[Lanes] = []
        for run in self._runs:
            places, lane = run.find(groups)
            if len(places):
                found.append(take_rows(run.rows, places))
                lanes.append(lane)
        if not found:
            return None, np.zeros(0, np.int64)
        rows, lane = concat(found), np.concatenate(lanes)
        if not self._changing:
            return rows, lane
        rows, numbers = _summed(rows, lane.astype(np.uint32))
        often = np.repeat(np.arange(rows.length), np.maximum(weights_of(rows), 0))
        return Batch(take_rows(rows, often).columns, len(often)), numbers[often].astype(np.int64)

    def counts(self, groups: GroupNumbers) -> Lanes:
        """How many rows are kept of each of these groups."""
        found = np.zeros(len(groups), np.int64)
        for run in self._runs:
            found += np.searchsorted(run.groups, groups, "right") - np.searchsorted(run.groups, groups, "left")
        return found

    def move(self, other: GroupedRows, groups: GroupNumbers, to: GroupNumbers) -> None:
        """Adds the rows of groups of another such object to groups here."""
        for run in other._runs:
            places, lane = run.find(groups)
            self.add(take_rows(run.rows, places), to[lane])

    def retain(self, groups: GroupNumbers) -> None:
        """Keeps the rows of these groups only, which get their places as numbers."""
        runs, self._runs = self._runs, []
        if not runs:
            return
        new = np.full(1 + max(int(run.groups[-1]) for run in runs), -1, np.int64)
        known = groups < len(new)
        new[groups[known]] = np.flatnonzero(known)
        for run in runs:
            to = new[run.groups]
            rows = np.flatnonzero(to >= 0)
            self.add(take_rows(run.rows, rows), to[rows].astype(np.uint32))

    def clear(self) -> None:
        """Forgets everything."""
        self._runs = []

    def _kept_of(self, groups: GroupNumbers) -> tuple[Batch | None, Lanes]:
        """All rows of these groups with their weights, as they lie; the place in ``groups`` of each."""
        found = [(run, *run.find(groups)) for run in self._runs]
        parts = [(take_rows(run.rows, places), lanes) for run, places, lanes in found if len(places)]
        if not parts:
            return None, np.zeros(0, np.int64)
        return concat([rows for rows, _ in parts]), np.concatenate([lanes for _, lanes in parts])

    def snapshot(self, groups: GroupNumbers) -> bytes:
        """The rows of these groups (ascending), behind the place in ``groups`` and the weight of each."""
        rows, lanes = self._kept_of(groups)
        if rows is None:
            return b""
        told = [Column(BIGINT, pa.array(lanes)), Column(BIGINT, pa.array(weights_of(rows)))]
        return pack_rows([Batch([*told, *rows.columns], rows.length)])

    def restore(self, states: Sequence[bytes], placed: Sequence[GroupNumbers]) -> None:
        """Takes what :meth:`snapshot` of several gave, whose groups have these numbers."""
        self._runs = []
        for state, numbers in zip(states, placed, strict=True):
            saved = unpack_rows(state, [BIGINT, BIGINT, *self._types])
            if saved is not None:
                lanes, weights, *columns = saved.columns
                rows = Batch(columns, saved.length, None, weights.array.to_numpy() if self._changing else None)
                self.add(rows, numbers[lanes.array.to_numpy()])


def _summed(rows: Batch, groups: GroupNumbers) -> tuple[Batch, GroupNumbers]:
    """Equal rows of a group once, with the sum of their weights; none whose sum is 0."""
    column = Column(BIGINT, pa.array(groups.astype(np.int64)))
    made = consolidated(Batch([column, *rows.columns], rows.length, None, weights_of(rows)))
    kept = Batch(made.columns[1:], made.length, None, weights_of(made))
    return kept, made.columns[0].array.to_numpy().astype(np.uint32)
