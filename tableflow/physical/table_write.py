"""Writing the rows of a query to a managed table: INSERT, UPDATE, DELETE and MERGE.

Nothing is evaluated here: the input has a column for everything.  Each task writes to a sink of its own, which is prepared
when its input has ended; nothing counts before the coordinator commits.  Invariant: no row is written that has NULL where
the table forbids it, or for which a check is FALSE.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, take_rows
from tableflow.errors import InternalError, MemoryLimitError, Span
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.row_constraints import FirstOfKey, RowConstraints
from tableflow.records import dataclass
from tableflow.runtime.graph import SinkSpec
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable

INSERT, UPDATE, DELETE = 0, 1, 2
"""What a row does, as the action column says it; a row whose action is NULL does nothing."""

COUNTERS = {INSERT: "inserted", UPDATE: "updated", DELETE: "deleted"}
"""Names under which the rows of each action are counted."""

_ROW_ID_BYTES = 8
_ROWS_PER_TURN = 65_536


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class TableWrite(UnaryNode):
    """Input columns by id: ``values`` (one for each of the table's ``columns``), ``row_id``, ``action``, ``checks``.

    ``required`` are positions of ``columns`` that hold no NULL; ``first_of`` are sets of such positions: of several rows
    that are equal in one of them only the first is written (then there is one task).  ``fields`` is what goes on.
    """

    table: str
    sink: SinkSpec
    columns: tuple[str, ...]
    default_action: int
    values: tuple[int, ...] = ()
    row_id: int | None = None
    action: int | None = None
    required: tuple[int, ...] = ()
    checks: tuple[tuple[str, int], ...] = ()
    first_of: tuple[tuple[int, ...], ...] = ()
    span: Span | None = None


class TableWriteOperator(Operator):
    """Checks rows, writes them, passes the returned columns on."""

    _context: OperatorContext

    def __init__(self, node: TableWrite, *, counted: bool = True) -> None:
        """``counted``: errors name rows by number, where one task has them all in the order of the statement."""
        where = positions(node.input.fields)
        self._node = node
        self._values = [where[column] for column in node.values]
        self._row_id = None if node.row_id is None else where[node.row_id]
        self._action = None if node.action is None else where[node.action]
        self._returned = [where[f.id] for f in node.fields]
        self._constraints = RowConstraints(
            node.table, node.columns, node.required, [(name, where[column]) for name, column in node.checks], node.span
        )
        self._first = FirstOfKey(node.first_of) if node.first_of else None
        self._seen = 0
        self._counted = counted

    def open(self, context: OperatorContext) -> None:
        """Opens the task's writer."""
        self._context = context
        self._sink = context.sink(self._node.sink)
        self._removed = context.reserve("removed rows")
        self._keys = context.reserve("keys")
        self._held = context.reserve("rows to be written")

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Writes the batch; gives the returned columns of rows that did something."""
        return self._write(batch)

    def on_end(self, port: int) -> Emission | None:
        """All rows have come: the writer is prepared."""
        self._sink.prepare()
        return None

    def _write(self, batch: Batch) -> Emission:
        for piece in batch.pieces(_ROWS_PER_TURN):
            whole = compact(piece)
            if self._action is None:
                done = self._one_action(whole, self._node.default_action)
            else:
                done = self._by_action(whole, whole.columns[self._action])
            self._seen += whole.length
            if self._returned and done.length:
                yield done.project(self._returned)

    def _by_action(self, batch: Batch, column: Column) -> Batch:
        actions = column.array.cast("int8").fill_null(-1).to_numpy(zero_copy_only=False)
        for action in (DELETE, UPDATE, INSERT):
            chosen = actions == action
            if chosen.all():
                return self._one_action(batch, action)
            if chosen.any():
                self._one_action(take_rows(batch, np.flatnonzero(chosen)), action, np.flatnonzero(chosen))
        return take_rows(batch, np.flatnonzero(actions >= 0))

    def _one_action(self, batch: Batch, action: int, rows: npt.NDArray[np.int64] | None = None) -> Batch:
        """Rows that all do the same; ``rows`` are their numbers in the batch that came (None: all of it)."""
        if action != DELETE:
            batch = self._checked(batch, rows)
            if batch.length:
                self._sink.write(batch.project(self._values))
                self._account()
        if action != INSERT:
            self._remove(batch)
        self._context.count(COUNTERS[action], batch.length)
        return batch

    def _account(self) -> None:
        """What the writer holds is memory of this operator; it goes into a file early where there is too little."""
        try:
            self._held.resize(self._sink.held)
        except MemoryLimitError:
            self._sink.give_back()
            self._held.resize(self._sink.held)

    def _checked(self, batch: Batch, rows: npt.NDArray[np.int64] | None) -> Batch:
        values = [batch.columns[i] for i in self._values]
        if self._first is not None:
            kept = self._first.rows(values, batch.length)
            if len(kept) < batch.length:
                batch = take_rows(batch, kept)
                values = [batch.columns[i] for i in self._values]
                rows = kept if rows is None else rows[kept]
            self._keys.resize(self._first.bytes)
        first = self._seen if self._counted and self._context.parallelism == 1 else None
        self._constraints.check(values, batch.columns, first, rows)
        return batch

    def _remove(self, batch: Batch) -> None:
        if self._row_id is None:
            raise InternalError(f"the plan writes to {self._node.table!r} without naming rows")
        self._removed.resize(self._removed.bytes + batch.length * _ROW_ID_BYTES)
        self._sink.write(Batch([batch.columns[self._row_id]], batch.length, None, np.full(batch.length, -1, np.int64)))
