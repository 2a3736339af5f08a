"""The last rows of groups, and firings that see them.

A firing happens at a row and sees the rows of its group up to that one, as many as are kept, or those so much before it.
An interval reaches to the last row with the time of the one at which it fires; a row that comes behind later ones counts as of
the time that had come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_rows
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.expressions.emit import Emit
from tableflow.expressions.nodes import column_ids
from tableflow.expressions.window_assigner import Global
from tableflow.physical.assign_watermarks import storage_times, units_per_microsecond
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.latest_rows import LatestRows
from tableflow.physical.node import Input, positions
from tableflow.physical.window_numbers import running
from tableflow.physical.window_state import Mask, Part, Slots, WindowState
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.records import dataclass, replace

_FRAME_ROWS = 131_072
"""Rows that firings see, taken together at once."""
_NONE = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Firings:
    """By firing: group, number within it, and the rows ``first`` to ``last`` of ``rows`` that it sees."""

    rows: Batch | None
    groups: GroupNumbers
    numbers: np.ndarray
    first: np.ndarray
    last: np.ndarray


class LastRows:
    """Groups by (slot, key) of a node with KEEP LAST, which fire at every so many rows (0: only when told)."""

    def __init__(self, node: WindowedAggregate, every: int) -> None:
        self._node, self._every = node, every
        self._most, self._interval = node.emit.keep_last_rows, node.emit.keep_last
        ordered = None if isinstance(node.assigner, Global) else node.time
        ordered = node.order[0].column if ordered is None and node.order else ordered
        read = frozenset[int]().union(*(column_ids(call) for call in node.calls))
        if self._interval is not None and ordered is not None:
            read |= {ordered}
        where = positions(node.input.fields)
        fields = tuple([f for f in node.input.fields if f.id in read])
        self._read = [where[f.id] for f in fields]
        # Groups are counted only; the rows of each firing are a group of this one.
        self._groups = WindowState(replace(node, calls=(), changing=False))
        self._seen = replace(
            node, input=Input(fields=fields), keys=(), calls=node.calls, emit=Emit(), changing=False, fields=()
        )
        self._tails = LatestRows([f.type for f in fields], changing=False)
        if self._interval is not None and ordered is not None:
            self._time = positions(fields)[ordered]
            self._interval *= units_per_microsecond(fields[self._time].type)
        self._counts = _NONE
        self._pending = _NONE
        self._fired = _NONE

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return self._groups.bytes + self._tails.nbytes + 3 * self._counts.nbytes

    @property
    def rows(self) -> int:
        """Groups, and rows that are kept for their firings; asked by anybody."""
        return self._groups.groups + self._tails.rows

    def bytes_with(self, batch: Batch) -> int:
        """What a batch may add."""
        return self._groups.bytes_with(batch) - self._groups.bytes + 2 * batch.nbytes

    def take(self, batch: Batch, slots: Slots) -> Firings:
        """Rows in order, without a selection, and the firings at them."""
        groups = self.place(batch, slots)
        touched, lanes = np.unique(groups, return_inverse=True)
        old, old_lanes = self._tails.of(touched)
        rows = batch.project(self._read)
        rows = rows if old is None else concat([old, Batch(rows.columns, rows.length)])
        lanes = np.concatenate((old_lanes, lanes))
        order = np.argsort(lanes, kind="stable")
        rows, lanes, fresh = take_rows(rows, order), lanes[order], order >= len(old_lanes)
        numbers = running(lanes, fresh.astype(np.int64)) + self._counts[touched][lanes]
        begins = np.searchsorted(lanes, lanes, "left")
        at = np.flatnonzero(fresh & (numbers % self._every == 0)) if self._every else _NONE
        first, last = self._frames(rows, lanes, begins, at)
        firings = Firings(rows, touched[lanes[at]], self._number(touched[lanes[at]]), first, last)
        self._remember(rows, touched, lanes, begins, numbers)
        return firings

    def place(self, batch: Batch, slots: Slots) -> GroupNumbers:
        """The group that each row is in, or will be; new ones have no rows until they are taken."""
        groups = self._groups.place(batch, slots)
        self._grow()
        return groups

    def _grow(self) -> None:
        grown = self._groups.groups - len(self._counts)
        self._counts, self._pending, self._fired = (np.append(a, np.zeros(grown, np.int64)) for a in self._state)

    def replace(self, other: LastRows) -> None:
        """Groups of another object stand for those with their slots and keys."""
        groups = np.arange(other._groups.groups, dtype=np.uint32)
        if not len(groups):
            return
        here = self._groups.locate(other._groups, groups)
        self._grow()
        for mine, theirs in zip(self._state, other._state, strict=True):
            mine[here] = theirs
        rows, lanes = other._tails.of(groups)
        if rows is not None:
            self._tails.add(rows, here[lanes])

    @property
    def _state(self) -> tuple[np.ndarray, ...]:
        return self._counts, self._pending, self._fired

    def _number(self, groups: GroupNumbers) -> np.ndarray:
        """The numbers of firings of these groups, equal ones together."""
        counted = running(groups.astype(np.int64), np.ones(len(groups), np.int64)) + self._fired[groups]
        np.add.at(self._fired, groups, 1)
        return counted

    def _frames(
        self, rows: Batch, lanes: np.ndarray, begins: np.ndarray, at: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        if self._most is not None:
            return np.maximum(begins[at], at - self._most + 1), at
        if not len(at):
            return at, at
        times = self._times(rows, lanes)
        assert self._interval is not None
        first = _bound(lanes, times, lanes[at], times[at] - self._interval, before=True)
        return first, _bound(lanes, times, lanes[at], times[at], before=False) - 1

    def _times(self, rows: Batch, lanes: np.ndarray) -> np.ndarray:
        """Times that never go back within a lane; a row without a time has the last of all."""
        column = rows.columns[self._time]
        times = storage_times(column)
        if column.array.null_count:
            times = np.where(column.array.is_valid().to_numpy(zero_copy_only=False), times, 2**62)
        behind = (times[1:] < times[:-1]) & (lanes[1:] == lanes[:-1])
        if not behind.any():
            return times
        # One after the other for the few lanes in which a row came behind a later one.
        times = times.copy()
        for lane in np.unique(lanes[1:][behind]):
            some = slice(*np.searchsorted(lanes, [lane, lane + 1]))
            times[some] = np.maximum.accumulate(times[some])
        return times

    def _remember(
        self, rows: Batch, touched: GroupNumbers, lanes: np.ndarray, begins: np.ndarray, numbers: np.ndarray
    ) -> None:
        ends = np.append(np.flatnonzero(np.diff(lanes)) + 1, len(lanes))[: len(touched)]
        last = ends - 1
        if not len(touched):
            return
        firsts, _ = self._frames(rows, lanes, begins, last)
        kept = np.flatnonzero(np.arange(len(lanes)) >= firsts[lanes])
        self._tails.add(take_rows(rows, kept), touched[lanes[kept]])
        self._counts[touched] = numbers[last]
        self._pending[touched] = numbers[last] % self._every if self._every else 1

    def pending(self) -> Mask:
        """Which groups have had rows since they fired."""
        waits: Mask = self._pending > 0
        return waits

    def fire(self, due: Mask) -> Firings:
        """These groups fire at their last rows."""
        groups = np.flatnonzero(due).astype(np.uint32)
        self._pending[groups] = 0
        rows, lanes = self._tails.of(groups)
        bounds = np.searchsorted(lanes, np.arange(len(groups) + 1))
        return Firings(rows, groups, self._number(groups), bounds[:-1], bounds[1:] - 1)

    def results(self, of: Firings, most: int) -> Iterator[tuple[list[Column], GroupNumbers, np.ndarray]]:
        """What firings say: columns, groups, numbers; in pieces of at most ``most``."""
        sizes = np.cumsum(of.last - of.first + 1)
        at = 0
        while at < len(of.groups) and of.rows is not None:
            before = int(sizes[at - 1]) if at else 0
            end = min(at + most, max(at + 1, int(np.searchsorted(sizes, before + _FRAME_ROWS, "right"))))
            counts = (of.last - of.first + 1)[at:end]
            places = np.repeat(of.first[at:end] - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
            seen = window_state(self._seen)
            seen.take(take_rows(of.rows, places), np.repeat(np.arange(end - at, dtype=np.int32), counts))
            yield seen.results_of(np.arange(end - at, dtype=np.uint32)), of.groups[at:end], of.numbers[at:end]
            at = end

    def slots(self) -> Slots:
        """The slot of each group."""
        return self._groups.slots()

    def named(self, groups: GroupNumbers) -> tuple[Slots, list[Column]]:
        """The slots of groups, and their key columns."""
        return self._groups.named(groups)

    def retain(self, groups: GroupNumbers, slots: Slots) -> None:
        """Keeps these groups only, their slots renumbered."""
        kept = self._groups.fresh()
        kept.absorb(self._groups, groups, slots[self._groups.slots()[groups]])
        self._groups = kept
        self._tails.retain(groups)
        self._counts, self._pending, self._fired = (a[groups] for a in (self._counts, self._pending, self._fired))

    def groups_in(self, keys: KeyRange) -> GroupNumbers:
        """The groups of a range of keys."""
        return self._groups.groups_in(keys)

    def snapshot(self, groups: GroupNumbers) -> list[Part]:
        """These groups, their last rows and their counts, in parts."""
        counts = [a[groups].tobytes() for a in (self._counts, self._pending, self._fired)]
        return [*counts, *self._groups.snapshot(groups), self._tails.snapshot(groups)]

    def restore(self, parts: Iterator[Sequence[Part]], slots: Sequence[Slots]) -> list[GroupNumbers]:
        """Takes from ``parts`` what :meth:`snapshot` of several gave, whose slots have new numbers; for each, the numbers of its groups.

        The firings of each group are numbered on.
        """
        counts = [np.frombuffer(b"".join(next(parts)), np.int64) for _ in range(3)]
        placed = self._groups.restore(parts, slots)
        order = np.argsort(np.concatenate(placed))
        self._counts, self._pending, self._fired = (array[order] for array in counts)
        self._tails.restore(next(parts), placed)
        return placed

    def clear(self) -> None:
        """Forgets everything."""
        self._groups.clear()
        self._tails.clear()


def _bound(
    lanes: np.ndarray, times: np.ndarray, wanted: np.ndarray, moments: np.ndarray, *, before: bool
) -> np.ndarray:
    """For pairs of a lane and a moment where they would be among (lane, time), which ascends: before or behind equal ones."""
    order = np.lexsort(
        (
            np.concatenate((np.full(len(lanes), before), np.full(len(wanted), not before))),
            np.concatenate((times, moments)),
            np.concatenate((lanes, wanted)),
        )
    )
    places = np.empty(len(order), np.int64)
    places[order] = np.cumsum(order < len(lanes))
    return places[len(lanes) :]
