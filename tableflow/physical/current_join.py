"""Each row with the rows that a changing table has for its keys when the row's epoch ends.

Rows wait for the end of their epoch: then all changes of the table that belong to it have come.  Later changes of the table do not
concern rows that have come out.  Watermarks wait behind the rows, so that none overtakes them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import compact, take_columns
from tableflow.columnar.kernels.multi_state import NO_SLOT, Slots
from tableflow.columnar.kernels.packed_rows import pack_rows, rows_in, unpack_rows
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.errors import InternalError
from tableflow.expressions.nodes import Expression, column_ids
from tableflow.physical.changelog_side import ChangelogSide
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import BinaryNode, dealt_by, positions
from tableflow.physical.row_values import RowValues
from tableflow.physical.state_parts import across, join_parts, least
from tableflow.records import dataclass
from tableflow.runtime.events import START_OF_TIME, Epoch, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable

_PIECE_ROWS = 8192


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentJoin(BinaryNode):
    """INNER or LEFT: left rows beside the right rows of equal keys that are there at the end of the left row's epoch.

    The left input takes nothing back, and so does the output; the right one may.  Both are hash-exchanged on the keys.  ``fields``:
    columns of the left, then of the right.
    """

    kind: HashJoinKind
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]


class CurrentJoinOperator(Operator):
    """One task's part of a :class:`CurrentJoin`."""

    def __init__(self, node: CurrentJoin) -> None:
        if node.kind not in {HashJoinKind.INNER, HashJoinKind.LEFT}:
            raise InternalError(f"a {node.kind.value} join with a table as it is")
        self._node = node
        read = {f.id for f in node.fields}.union(*[column_ids(key) for key in node.left_keys])
        self._kept = [i for i, f in enumerate(node.left.fields) if f.id in read]
        self._fields = tuple(node.left.fields[i] for i in self._kept)
        self._keys = RowValues(node.left_keys, self._fields)
        right = frozenset(f.id for f in node.right.fields) & {f.id for f in node.fields}
        safe = [False] * len(node.right_keys)
        self._table = ChangelogSide(node.right, right, node.right_keys, safe, appends=False)
        self._waiting: list[Batch] = []
        self._time = START_OF_TIME
        self._told = START_OF_TIME
        self._ended: set[int] = set()

    @property
    def delays_watermarks(self) -> bool:
        """They wait behind the rows of the epoch."""
        return True

    def open(self, context: OperatorContext) -> None:
        """Starts without rows."""
        self._context = context
        self._table.open(context, "right rows")
        self._reservation = context.reserve("waiting rows")
        self._reservation.rows = lambda: sum(batch.length for batch in tuple(self._waiting))

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Keeps the rows."""
        if port == 1:
            return self._change(batch) if batch.rows else None
        if batch.weights is not None:
            raise InternalError("changes arrive where rows are only added")
        if batch.rows:
            self._waiting.append(compact(batch.project(self._kept)))
            self._account()
        return None

    def _account(self) -> None:
        self._reservation.resize(sum(batch.nbytes for batch in self._waiting))

    def _change(self, batch: Batch) -> Emission:
        self._table.begin(batch)
        for piece in batch.pieces(_PIECE_ROWS):
            yield from self._table.room(piece)
            self._table.arrive(piece)
            self._table.settle()
        self._table.end()

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """It waits until the rows before it have come out."""
        self._time = watermark.time
        return None if self._waiting else self._release()

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """The rows of the epoch come out."""
        return self._release()

    def on_idle(self) -> Emission | None:
        """Rows that wait come out, for time may go on without them."""
        return self._release()

    def on_end(self, port: int) -> Emission | None:
        """When both inputs have ended, so do all epochs."""
        self._ended.add(port)
        return self._release() if len(self._ended) == 2 else None

    def _release(self) -> Emission:
        waiting, self._waiting = self._waiting, []
        for batch in waiting:
            for piece in batch.pieces(_PIECE_ROWS):
                yield from self._joined(compact(piece))
        self._account()
        if self._time > self._told:
            self._told = self._time
            yield Watermark(self._time)

    def _joined(self, rows: Batch) -> Iterator[Batch]:
        """The rows beside theirs, as often as those are there."""
        columns, length, _ = self._keys.aligned(rows)
        state = self._table.state
        found = list(state.probe(columns, length).pieces(_PIECE_ROWS))
        lanes = np.concatenate([np.zeros(0, np.uint32), *[piece[0] for piece in found]])
        slots = np.concatenate([np.zeros(0, np.uint32), *[piece[1] for piece in found]])
        times = np.maximum(state.counts(slots), 0)
        lanes, slots = np.repeat(lanes, times), np.repeat(slots, times)
        if self._node.kind is HashJoinKind.LEFT:
            alone = np.setdiff1d(np.arange(length, dtype=np.uint32), lanes)
            lanes = np.concatenate((lanes, alone))
            slots = np.concatenate((slots, np.full(len(alone), NO_SLOT, np.uint32)))
        order = np.lexsort((slots, lanes))
        for start in range(0, len(order), self._context.batch_rows):
            chosen = order[start : start + self._context.batch_rows]
            yield self._output(rows, lanes[chosen], slots[chosen])

    def _output(self, rows: Batch, lanes: Slots, slots: Slots) -> Batch:
        where, there = positions(self._fields), positions(self._table.fields)
        left = [f.id for f in self._node.fields if f.id in where]
        right = [f.id for f in self._node.fields if f.id not in where]
        taken = take_columns([rows.columns[where[column]] for column in left], lanes)
        found = self._table.state.columns([there[column] for column in right], slots, nullable=True)
        made = dict(zip((*left, *right), (*taken, *found), strict=True))
        return Batch([made[f.id] for f in self._node.fields], len(lanes))

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The table's rows, those that wait, and the watermark."""
        times = [struct.pack("<q", time) for time in (self._time, self._told)]
        waiting = pack_rows(rows_in(keys, self._waiting, dealt_by(self._node.left, [f.id for f in self._fields])))
        return join_parts([self._table.snapshot(keys), *times, waiting])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Puts everything back; time has come as far as for the least of all."""
        table, times, told, waiting = across(parts)
        self._table.restore(table)
        self._time, self._told = least(times), least(told)
        types = [f.type for f in self._fields]
        self._waiting = [rows for part in waiting if (rows := unpack_rows(part, types)) is not None]
        self._account()

    def close(self) -> None:
        """Gives the memory back."""
        self._table.close()
        self._waiting.clear()
        if hasattr(self, "_reservation"):
            self._reservation.release()
