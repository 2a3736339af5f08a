"""From an upsert stream to a retract stream.

Invariant: every key has at most one row here, the one that was put last and not deleted since; that row is what has come out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, concat, take_columns, weights_of
from tableflow.columnar.kernels.multi_state import MultiState, Numbers
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.node import UnaryNode, dealt_by, positions
from tableflow.physical.partition_rows import PIECE_ROWS
from tableflow.physical.state_age import StateAge
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize(UnaryNode):
    """+1 puts the row of a key, -1 deletes it (its other columns may be anything); rows of a key come in order.

    ``key`` are column ids.  Equal keys are in one task.  An update that changes nothing is not emitted.  ``ttl``: a key
    whose row does not change is forgotten after so many microseconds.
    """

    key: tuple[int, ...]
    ttl: int = 0


class NormalizeOperator(Operator):
    """Keeps the row of each key."""

    def __init__(self, node: Normalize) -> None:
        fields = node.input.fields
        where = positions(fields)
        self._key = [where[column] for column in node.key]
        self._dealt = dealt_by(node.input, [f.id for f in fields])
        self._everything = range(len(fields))
        self._output = [where[f.id] for f in node.fields]
        self._age = StateAge(node.ttl)
        self._state = MultiState([f.type for f in fields], self._key, [True] * len(self._key))

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._age.begin(context)
        self._reservation: Reservation = context.reserve("rows", self._state.bytes)
        self._reservation.rows = lambda: self._state.rows

    def process(self, batch: Batch, port: int) -> Emission | None:
        """What the rows replace, and what they put in its place."""
        return self._changes(batch) if batch.rows else None

    def _changes(self, batch: Batch) -> Emission:
        for piece in batch.pieces(PIECE_ROWS):
            while not self._state.prepare(2 * piece.rows):
                yield Suspend(READY)
            yield from self._put(compact(piece)).pieces(self._context.batch_rows)

    def _put(self, batch: Batch) -> Batch:
        chosen = self._last_of_keys(batch)
        old = [
            slots
            for _, slots in self._state.probe([batch.columns[i] for i in self._key], batch.length, chosen).pieces(
                PIECE_ROWS
            )
        ]
        weights = weights_of(batch)
        put = chosen[weights[chosen] > 0]
        parts = [Batch(take_columns(batch.columns, put), len(put))]
        for slots in old:
            columns = self._state.columns(self._everything, slots)
            parts.append(Batch(columns, len(slots), None, np.full(len(slots), -1, np.int64)))
        both = concat(parts)
        self._reservation.resize(self._state.bytes_after(both.columns, both.length))
        changes = self._state.apply(both.columns, both.length, None, both.weights)
        self._age.touch(changes.slots)
        self._age.compact(self._state)
        self._reservation.resize(self._state.bytes + self._age.held)
        columns = take_columns([both.columns[i] for i in self._output], changes.rows)
        return Batch(columns, len(changes.rows), None, changes.deltas)

    def _last_of_keys(self, batch: Batch) -> npt.NDArray[np.uint32]:
        """The last row of each key, in order of rows: what came before it in the batch does not matter."""
        keys = MultiState([batch.columns[i].type for i in self._key], range(len(self._key)), [True] * len(self._key))
        columns = [batch.columns[i] for i in self._key]
        keys.apply(columns, batch.length)
        slots = np.concatenate([slots for _, slots in keys.probe(columns, batch.length).pieces(PIECE_ROWS)])
        last: Numbers = np.full(int(slots.max()) + 1, -1, np.int64)
        last[slots] = np.arange(batch.length)  # of equal indices the last counts
        return np.sort(last[last >= 0]).astype(np.uint32)

    def on_timer(self, time: int) -> Emission | None:
        """What has not changed for long is forgotten."""
        self._age.forget_rows(self._state)
        self._age.compact(self._state)
        self._reservation.resize(self._state.bytes + self._age.held)
        return None

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The rows."""
        return self._age.save_rows(self._state, keys, self._dealt)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back."""
        self._age.load_rows(self._state, parts)
        self._reservation.resize(self._state.bytes)

    def close(self) -> None:
        """Gives the memory back."""
        self._state.clear()
        if hasattr(self, "_reservation"):
            self._reservation.release()
