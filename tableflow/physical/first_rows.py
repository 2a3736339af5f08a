"""The first rows of each partition where rows are only added: nothing but these is kept, in order.

Invariant: what has come out is, summed up, what is kept.  So a row that is behind the last place when it comes is never stored, and of a
partition that a batch touches only those rows are looked at that a new one passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.multi_state import LeadingChanges, MultiState
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.errors import InternalError
from tableflow.physical.node import dealt_by, positions
from tableflow.physical.state_rows import save_rows, saved_rows
from tableflow.runtime.operator import Emission, Operator, OperatorContext, Reservation, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT, TypeFamily, family

if TYPE_CHECKING:
    from tableflow.physical.changelog_top_n import ChangelogTopN

_PIECE_ROWS = 16_384
MOST_PLACES = 64
"""A new row is compared with so many kept ones at most."""


def keeps_first_rows(node: ChangelogTopN) -> bool:
    """Whether :class:`FirstRowsOperator` computes this."""
    few = node.limit is not None and 0 < node.limit <= MOST_PLACES and node.offset == 0
    nested = any(family(f.type) is TypeFamily.NESTED for f in node.input.fields)
    return node.appends and few and not nested and not node.ttl


class FirstRowsOperator(Operator):
    """One task's part of a :class:`ChangelogTopN` for which :func:`keeps_first_rows` holds."""

    def __init__(self, node: ChangelogTopN) -> None:
        assert node.limit is not None
        self._limit = node.limit
        kept = [f for f in node.fields if node.rank is None or f.id != node.rank.id]
        self._ranked = len(kept) < len(node.fields)
        wanted = {f.id for f in kept} | {*node.partition, *(key.column for key in node.order)}
        fields = tuple([f for f in node.input.fields if f.id in wanted])
        where, there = positions(node.input.fields), positions(fields)
        self._read = [where[f.id] for f in fields]
        self._kept = [there[f.id] for f in kept]
        self._dealt = dealt_by(node.input, [f.id for f in fields])
        keys = [there[column] for column in node.partition]
        self._state = MultiState([f.type for f in fields], keys, [True] * len(keys), counted=False)
        chosen = [(there[key.column], key.descending, key.nulls_first) for key in node.order]
        rest = sorted(set(range(len(fields))) - set(keys) - {position for position, _, _ in chosen})
        self._order = [*chosen, *((position, False, False) for position in rest)]

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._reservation: Reservation = context.reserve("rows", self._state.bytes)
        self._reservation.rows = lambda: self._state.rows

    def process(self, batch: Batch, port: int) -> Emission | None:
        """What changes among the first rows."""
        if batch.weights is not None:
            raise InternalError("changes arrive where rows are only added")
        return self._changes(batch) if batch.rows else None

    def _changes(self, batch: Batch) -> Emission:
        self._state.share(batch)
        for piece in batch.pieces(_PIECE_ROWS):
            while not self._state.prepare(piece.rows):
                yield Suspend(READY)
            made = self._made(self._added(piece))
            if made.length:
                yield from made.pieces(self._context.batch_rows)
            self._state.compact()
            self._reservation.resize(self._state.bytes)
        self._state.end_sharing()

    def _added(self, batch: Batch) -> LeadingChanges:
        columns = [batch.columns[i] for i in self._read]
        self._reservation.resize(self._state.bytes_after(columns, batch.rows))
        return self._state.lead(columns, batch.length, batch.selection, self._order, self._limit, placed=self._ranked)

    def _made(self, changes: LeadingChanges) -> Batch:
        columns = self._state.columns(self._kept, changes.slots)
        if self._ranked:
            columns.append(Column(BIGINT, pa.array(changes.places + 1)))
        weights = np.ones(len(changes.slots), np.int64)
        weights[: changes.gone] = -1
        return Batch(columns, len(weights), None, weights)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The rows."""
        return save_rows(self._state, keys, self._dealt)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts them back, each at its place."""
        for saved, _, _ in saved_rows(self._state, parts):
            self._state.lead(saved.columns, saved.length, None, self._order, self._limit, placed=False)
        self._state.settle()
        self._reservation.resize(self._state.bytes)

    def close(self) -> None:
        """Gives the memory back."""
        self._state.clear()
        if hasattr(self, "_reservation"):
            self._reservation.release()
