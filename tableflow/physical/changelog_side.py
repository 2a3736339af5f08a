"""One input of a join of changelogs: its rows so far, by key."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch, Selection, Weights
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import weights_of
from tableflow.columnar.kernels.multi_state import Matches, MultiState, RowChanges, Slots
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.errors import InternalError
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.node import PhysicalNode, dealt_by
from tableflow.physical.retention import NO_SLOTS, Expiry, Retention, position_of
from tableflow.physical.row_values import RowValues
from tableflow.physical.state_age import StateAge
from tableflow.runtime.operator import Emission, OperatorContext, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import Field

_COMPUTED = -1
"""No column has this id, nor one below it."""


class Arrival:
    """Rows that have arrived at a side: its columns, and what they changed."""

    def __init__(self, columns: list[Column], length: int, changes: RowChanges, weights: Weights | None) -> None:
        self.columns = columns
        self.length = length
        self.changes = changes
        self._weights = weights

    def weights(self, rows: Slots) -> npt.NDArray[np.int64]:
        """Weights of stored rows of the batch."""
        return np.ones(len(rows), np.int64) if self._weights is None else self._weights[rows]


class ChangelogSide:
    """Keeps the fields ``kept`` and the keys of an input; ``appends``: nothing is ever taken away."""

    def __init__(
        self,
        leaf: PhysicalNode,
        kept: frozenset[int],
        keys: Sequence[Expression],
        null_safe: Sequence[bool],
        *,
        appends: bool,
        ttl: int = 0,
    ) -> None:
        """``ttl``: rows that do not change are forgotten after so many microseconds."""
        inputs = leaf.fields
        self.fields = tuple(f for f in inputs if f.id in kept)
        expressions: list[Expression] = [ColumnRef(f.type, f.id, f.name) for f in self.fields]
        self.keys: list[int] = []
        """Positions of the keys among the state's columns."""
        for key in keys:
            at = next((i for i, f in enumerate(self.fields) if isinstance(key, ColumnRef) and key.id == f.id), None)
            if at is None:
                at = len(expressions)
                expressions.append(key)
            self.keys.append(at)
        self._dealt = dealt_by(
            leaf, [e.id if isinstance(e, ColumnRef) else _COMPUTED - i for i, e in enumerate(expressions)]
        )
        self._values = RowValues(expressions, inputs)
        self._appends = appends
        self._age = StateAge(ttl)
        self._expiry: Expiry | None = None
        self.moves = True
        """Whether rows may move to other slots: nobody keeps these between calls."""
        self.state = MultiState([e.type for e in expressions], self.keys, null_safe, counted=not appends)

    def expire(self, retention: Retention, inputs: tuple[Field, ...]) -> None:
        """Rows are to be forgotten with time."""
        arriving, stored = position_of(inputs, retention.column), position_of(self.fields, retention.column)
        self._expiry = Expiry(retention, inputs[arriving].type, arriving, stored)

    def timely(self, batch: Batch) -> Batch:
        """The rows of a batch that are not late."""
        return batch if self._expiry is None else self._expiry.timely(batch)

    def timeless(self, batch: Batch) -> tuple[Batch, Batch] | None:
        """The rows of a batch whose time is NULL, and the others; None if there are none of the first."""
        return None if self._expiry is None else self._expiry.timeless(batch)

    def move(self, time: int) -> None:
        """The watermark, by which rows that arrive are late."""
        if self._expiry is not None:
            self._expiry.advance(time)

    def passed(self, time: int, *, at_once: bool = False) -> Slots | None:
        """Rows that are of no more use at this watermark; None if it is too early to look again, unless ``at_once``."""
        self.move(time)
        return NO_SLOTS if self._expiry is None else self._expiry.expired(self.state, at_once=at_once)

    def forget(self, slots: Slots) -> None:
        """Rows go; the others may be in other slots then."""
        if len(slots):
            self.state.remove(slots)
            self.settle()

    def advance(self, time: int) -> None:
        """Forgets rows when the watermark allows it."""
        slots = self.passed(time)
        if slots is not None:
            self.forget(slots)

    def open(self, context: OperatorContext, name: str) -> None:
        """Accounts for the rows under this name."""
        self._age.begin(context)
        self._reservation: Reservation = context.reserve(name, self.state.bytes)
        self._reservation.rows = lambda: self.state.rows

    def begin(self, batch: Batch) -> None:
        """Rows of this batch arrive next, maybe in pieces."""
        if not self._values.computes:  # else columns are gathered, which is a copy already
            self.state.share(batch)

    def end(self) -> None:
        """All rows of the batch have arrived."""
        self.state.end_sharing()

    def room(self, batch: Batch) -> Emission:
        """Waits until the directories have room for the rows of a batch."""
        while not self.state.prepare(batch.rows):
            yield Suspend(READY)

    def arrive(self, batch: Batch) -> Arrival:
        """Adds the rows of a batch."""
        columns, length, selection = self._values.aligned(batch)
        weights = self._weights(batch, selection)
        self._reservation.resize(self.state.bytes_after(columns, batch.rows))
        changes = self.state.apply(columns, length, selection, weights)
        self._age.touch(changes.slots)
        self._reservation.resize(self.state.bytes + self._age.held)
        return Arrival(columns, length, changes, weights)

    def _weights(self, batch: Batch, selection: Selection | None) -> Weights | None:
        if batch.weights is None:
            return None
        if self._appends:
            raise InternalError("changes arrive where rows are only added")
        # Where keys had to be computed, columns have been gathered.
        return batch.weights if selection is not None or batch.selection is None else weights_of(batch)

    def partners(self, other: ChangelogSide, arrival: Arrival) -> Matches:
        """For rows that changed at ``other``, the rows here with the same key."""
        keys = [arrival.columns[i] for i in other.keys]
        return self.state.probe(keys, arrival.length, arrival.changes.rows)

    def columns(self, positions: Sequence[int], slots: Slots) -> list[Column]:
        """Columns of rows that are kept here."""
        return self.state.columns(positions, slots)

    def settle(self) -> None:
        """What happened so far is over; rows may be in other slots then."""
        if self.moves:
            self._age.compact(self.state)
        else:
            self.state.settle()
        self._reservation.resize(self.state.bytes + self._age.held)

    def forget_old(self) -> None:
        """Forgets rows that have not changed for long; when a timer has come."""
        self._age.forget_rows(self.state)
        self.settle()

    def snapshot(self, keys: KeyRange) -> bytes:
        """The rows of a range of keys."""
        return self._age.save_rows(self.state, keys, self._dealt)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._age.load_rows(self.state, parts)
        self._reservation.resize(self.state.bytes)

    def close(self) -> None:
        """Gives the memory back."""
        self.state.clear()
        if hasattr(self, "_reservation"):
            self._reservation.release()
