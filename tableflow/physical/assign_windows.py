"""The window table function over windows in time: rows with the windows they are in.

Works on each batch alone, so it is the same over finished data and in streams, and passes weights on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_rows
from tableflow.columnar.representation import canonical
from tableflow.expressions.window_assigner import TimeAssigner
from tableflow.physical.assign_watermarks import storage_times
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.window_times import Rows, Times, WindowTimes
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable
from tableflow.types import Field, SqlType


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class AssignWindows(UnaryNode):
    """Each input row once for every window that its ``time`` (a column id) is in; a NULL is in none.

    ``fields`` are the input's and then those of ``start``, ``end`` and ``window_time`` that are not None.
    """

    assigner: TimeAssigner
    time: int
    start: Field | None
    end: Field | None
    window_time: Field | None


class AssignWindowsOperator(Operator):
    """Keeps nothing; a batch is cut so that no more than ``batch_rows`` rows come of a piece, if its windows allow."""

    def __init__(self, node: AssignWindows) -> None:
        self._node = node
        self._time = positions(node.input.fields)[node.time]
        self._of = node.input.fields[self._time].type
        self._windows = WindowTimes(node.assigner, self._of)

    def open(self, context: OperatorContext) -> None:
        """Learns how large batches may be."""
        self._most = context.batch_rows

    def process(self, batch: Batch, port: int) -> Emission:
        """The batch's rows in their windows."""
        rows, numbers = rows_in_panes(batch, self._time, self._windows)
        panes = self._windows.pane_starts(numbers)
        pieces = [(rows, panes)] if self._windows.single else _cut(rows, panes, self._windows, self._most)
        for some, of in pieces:
            which, starts, ends = self._windows.windows(of)
            chosen = some[which]
            for at in range(0, len(chosen), self._most):
                piece = slice(at, at + self._most)
                yield self._widened(batch, chosen[piece], starts[piece], ends[piece])

    def _widened(self, batch: Batch, rows: Rows, starts: Times, ends: Times) -> Batch:
        made = window_columns(self._windows, self._of, starts, ends, self._node)
        whole = batch.selection is None and len(rows) == batch.length and self._windows.single
        taken = batch if whole else take_rows(batch, rows)
        return Batch([*taken.columns, *made], len(rows), None, taken.weights, batch.event_time)


class Asked(Protocol):
    """A node that adds columns of windows."""

    @property
    def start(self) -> Field | None:
        """The window's start, if anybody reads it."""
        ...

    @property
    def end(self) -> Field | None:
        """Its end."""
        ...

    @property
    def window_time(self) -> Field | None:
        """The last moment before its end."""
        ...


def window_columns(windows: WindowTimes, of: SqlType, starts: Times, ends: Times, asked: Asked) -> list[Column]:
    """The columns that are asked for, of windows with these starts and ends on the wall."""
    last = windows.instants(ends)
    wanted = ((asked.start, windows.instants(starts)), (asked.end, last), (asked.window_time, last - windows.tick))
    return [time_column(of, values) for field, values in wanted if field is not None]


def time_column(of: SqlType, values: Times, *, present: bool = True) -> Column:
    """A column over stored integers, or of NULLs."""
    if not present:
        return Column(of, pa.nulls(len(values), canonical(of)))
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return Column(of, pa.Array.from_buffers(canonical(of), len(values), [None, buffer]))


def rows_in_panes(batch: Batch, position: int, windows: WindowTimes) -> tuple[Rows, Times]:
    """Stored row numbers of the rows that are in some window, and the numbers of their panes."""
    column = batch.columns[position]
    times = storage_times(column)
    rows: Rows | None = None if batch.selection is None else batch.selection.astype(np.int64)
    if column.array.null_count:
        valid = column.array.is_valid().to_numpy(zero_copy_only=False)
        rows = np.flatnonzero(valid) if rows is None else rows[valid[rows]]
    panes = windows.pane_numbers(windows.walls(times if rows is None else times[rows]))
    rows = np.arange(len(times)) if rows is None else rows
    covered = windows.covered(panes)
    return (rows, panes) if covered is None else (rows[covered], panes[covered])


def _cut(rows: Rows, panes: Times, windows: WindowTimes, most: int) -> Iterator[tuple[Rows, Times]]:
    """Pieces of rows that give about ``most`` rows each."""
    spread = max(1, windows.most_per_row)
    step = max(1, most // spread)
    for at in range(0, len(rows), step):
        yield rows[at : at + step], panes[at : at + step]
