"""What a batch of changes does to groups: the rows that stood for them before, and those that do now.

Groups are accumulated natively (:class:`~tableflow.columnar.kernels.grouping.GroupTable`).  A group is visible while it has more
than no rows; one that has none left is forgotten, all such groups together when they are the greater part of the table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat
from tableflow.columnar.kernels.grouping import Aggregate, AggregateOverflow, GroupNumbers, GroupTable, equal_rows
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.errors import DataError
from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.aggregate_states import row_inputs
from tableflow.physical.closing_groups import ClosingGroups
from tableflow.physical.node import PhysicalNode, dealt_by, positions
from tableflow.physical.state_age import StateAge
from tableflow.physical.state_parts import across, join_parts
from tableflow.runtime.operator import Emission, OperatorContext, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT, Field

_ROWS = Aggregate("count", (), (), BIGINT)
_LEAST_FORGOTTEN = 1024


class ChangingGroups:
    """The groups of one task by ``keys``; without keys there is one, which is always visible."""

    def __init__(
        self,
        keys: Sequence[Field],
        calls: tuple[AggregateCall, ...],
        leaf: PhysicalNode,
        *,
        retracting: bool,
        ttl: int = 0,
        closes: int | None = None,
    ) -> None:
        """``ttl``: groups that do not change are forgotten after so many microseconds, but for one without keys.

        ``closes`` is the id of the key that tells when a group is complete.
        """
        inputs = leaf.fields
        where = positions(inputs)
        self._dealt = dealt_by(leaf, [key.id for key in keys])
        self._keys = [where[key.id] for key in keys]
        self._key_types = [key.type for key in keys]
        self._calls = calls
        self._inputs = row_inputs(calls, inputs)
        self._counted = retracting and bool(keys)
        counting = [_ROWS] if self._counted else []
        self._aggregates = [*self._inputs.aggregates, *counting]
        self._retracting = retracting
        self._vanished = 0
        self._age = StateAge(ttl if keys else 0)
        self._closing = ClosingGroups(None if closes is None else [key.id for key in keys].index(closes))
        self._groups = 0 if keys else 1

    def open(self, context: OperatorContext) -> None:
        """Starts without groups."""
        self._table = GroupTable(self._key_types, self._aggregates, changing=self._retracting)
        self._age.begin(context)
        self._context = context
        self._reservation: Reservation = context.reserve("groups", self._table.bytes)
        self._reservation.rows = lambda: self._groups - self._vanished

    def room(self, batch: Batch) -> Emission:
        """Waits until there is room for the rows of a batch."""
        while not self._table.prepare(batch.rows):
            yield Suspend(READY)

    def apply(self, batch: Batch) -> Batch | None:
        """Takes a batch; the old rows of the groups it changes with -1, the new ones with +1."""
        arguments, dense = self._inputs.columns(batch)
        keys = [batch.columns[i] for i in self._keys]
        self._reservation.resize(self._table.bytes_after(keys, arguments, batch.rows))
        before = self._groups
        numbers, touched = self._table.place(keys, batch.length, batch.selection)
        self._note_new(before)
        known = touched < before
        old, old_there = self._results(touched[known])
        self._table.accumulate(numbers, arguments, batch.length, batch.selection, dense, batch.weights)
        new, new_there = self._results(touched)
        self._age.touch(touched)
        made = self._changes(touched, known, (old, old_there), (new, new_there))
        self._vanished += int(np.count_nonzero(~new_there)) - int(np.count_nonzero(~old_there))
        if self._vanished > _LEAST_FORGOTTEN and 2 * self._vanished > self._groups:
            self._forget()
        self._account()
        return made

    def accumulate(self, batch: Batch) -> None:
        """Takes a batch; what the groups say is asked for later."""
        arguments, dense = self._inputs.columns(batch)
        keys = [batch.columns[i] for i in self._keys]
        self._reservation.resize(self._table.bytes_after(keys, arguments, batch.rows))
        before = self._groups
        numbers, _ = self._table.place(keys, batch.length, batch.selection)
        self._note_new(before)
        self._table.accumulate(numbers, arguments, batch.length, batch.selection, dense, batch.weights)
        self._account()

    def _note_new(self, before: int) -> None:
        """Groups from this number on are new."""
        self._groups = self._table.groups
        if self._groups > before:
            self._closing.come(self._table.keys_of(np.arange(before, self._groups, dtype=np.uint32)))

    def _account(self) -> None:
        self._reservation.resize(self._table.bytes + self._age.held + self._closing.held)

    def _results(self, groups: GroupNumbers) -> tuple[list[Column], npt.NDArray[np.bool_]]:
        """Results of groups, and which of them are visible."""
        try:
            results = self._table.results_of(groups)
        except AggregateOverflow as overflow:
            message, call = overflow.args
            raise DataError(
                message,
                detail=f"the {self._calls[call].function} of a group does not fit {self._calls[call].type}",
                hint="cast the argument to DOUBLE",
                span=self._calls[call].span,
            ) from None
        if not self._counted:
            return results, np.ones(len(groups), np.bool_)
        return results[:-1], results[-1].array.to_numpy(zero_copy_only=False) > 0

    def _changes(
        self,
        touched: GroupNumbers,
        known: npt.NDArray[np.bool_],
        old: tuple[list[Column], npt.NDArray[np.bool_]],
        new: tuple[list[Column], npt.NDArray[np.bool_]],
    ) -> Batch | None:
        was = np.zeros(len(touched), np.bool_)
        was[known] = old[1]
        lost, won = was.copy(), new[1].copy()
        both = was & won
        if both.any():
            same = self._unchanged(known, old[0], new[0], both)
            lost[same] = won[same] = False
        if not (lost.any() or won.any()):
            return None
        gone = np.flatnonzero(lost[known]).astype(np.uint32)
        come = np.flatnonzero(won).astype(np.uint32)
        parts = [
            Batch([*self._table.keys_of(groups), *results], len(groups), chosen)
            for groups, results, chosen in ((touched[known], old[0], gone), (touched, new[0], come))
            if len(chosen)
        ]
        weights = np.ones(len(gone) + len(come), np.int64)
        weights[: len(gone)] = -1
        made = concat(parts)
        return Batch(made.columns, made.length, None, weights)

    def _unchanged(
        self,
        known: npt.NDArray[np.bool_],
        old: list[Column],
        new: list[Column],
        both: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.int64]:
        """Touched groups that say what they have said before."""
        places = np.flatnonzero(known)
        rows = len(places)
        if not new:
            return np.flatnonzero(both)
        if rows < len(known):
            selected = places.astype(np.uint32)
            new = list(concat([Batch(new, len(known), selected)]).columns)
        equal = equal_rows(old, new, rows)
        return places[equal & both[places]]

    def current(self) -> Batch:
        """The row of the only group, without keys."""
        results, _ = self._results(np.zeros(1, np.uint32))
        return Batch(results, 1, None, np.ones(1, np.int64))

    def _forget(self) -> None:
        everything = np.arange(self._table.groups, dtype=np.uint32)
        self._keep(everything[~self._table.vacant(everything)])
        self._vanished = 0

    def _keep(self, groups: GroupNumbers) -> None:
        self._table.retain(groups)
        self._age.keep(groups)
        self._closing.keep(groups)
        self._groups = self._table.groups

    def forget_old(self) -> None:
        """Forgets groups that have not changed for long; when a timer has come."""
        old = self._age.old()
        if len(old):
            self._context.count("expired_groups", len(old))
            self._drop(old, self._results(old)[1])

    def forget_below(self, bound: int) -> None:
        """Forgets the groups whose key is below ``bound``."""
        closed = self._closing.closed(bound)
        if len(closed):
            self._drop(closed, self._results(closed)[1])

    def take_below(self, bound: int) -> Batch | None:
        """The rows of the visible groups whose key is below ``bound``; these and others below it are forgotten."""
        return self._take(self._closing.closed(bound))

    def take_all(self) -> Batch | None:
        """The rows of all visible groups; nothing is kept."""
        return self._take(np.arange(self._groups, dtype=np.uint32))

    def _take(self, closed: GroupNumbers) -> Batch | None:
        if not len(closed):
            return None
        results, there = self._results(closed)
        rows = Batch([*self._table.keys_of(closed), *results], len(closed))
        self._drop(closed, there)
        return rows if there.all() else rows.with_selection(np.flatnonzero(there).astype(np.uint32))

    def _drop(self, groups: GroupNumbers, visible: npt.NDArray[np.bool_]) -> None:
        self._vanished -= int(np.count_nonzero(~visible))
        kept = np.ones(self._table.groups, np.bool_)
        kept[groups] = False
        self._keep(np.flatnonzero(kept).astype(np.uint32))
        self._account()

    def snapshot(self, keys: KeyRange) -> bytes:
        """The groups of a range of keys, and when they changed."""
        groups = self._table.groups_in(keys, self._dealt)
        return join_parts([self._table.snapshot(groups), self._age.times(groups)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        tables, times = across(parts)
        for groups, saved in zip(self._table.unite(tables), times, strict=True):
            self._age.put_times(groups, saved)
        self._note_new(0)
        if self._counted:
            self._forget()
        self._account()

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_reservation"):
            self._table.clear()
            self._reservation.release()
