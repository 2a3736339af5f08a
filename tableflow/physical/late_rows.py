"""Rows that come too late for a window: counted, and written where LATE INTO says.

Invariant: a late row is written once for each window it missed, by the task that would have put it there, and an epoch goes on
only when the late rows before it are where others see them.
"""

from __future__ import annotations

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_rows
from tableflow.columnar.representation import widen
from tableflow.errors import InternalError
from tableflow.physical.assign_watermarks import units_per_microsecond
from tableflow.physical.assign_windows import time_column
from tableflow.physical.late_target import LateTarget
from tableflow.physical.node import Input, positions
from tableflow.physical.project import ProjectColumns, ProjectColumnsOperator
from tableflow.physical.row_constraints import RowConstraints
from tableflow.physical.window_times import Rows, Times, WindowTimes
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import Emission, OperatorContext, Suspend
from tableflow.types import Field, SqlType

_LATEST = 2**63 - 1


class LateRows:
    """What one task knows of rows that are late for its windows."""

    def __init__(self, node: WindowedAggregate, of: SqlType, context: OperatorContext) -> None:
        self._of = of
        self._context = context
        self._grace = node.emit.lateness or 0
        self._once = None if node.once is None else (positions(node.input.fields)[node.once[0]], node.once[1])
        self._writer = None if node.late is None else LateWriter(node.late, node.input.fields, context)

    def judge(self, batch: Batch, rows: Rows, panes: Times, windows: WindowTimes, watermark: int) -> None:
        """Looks at rows (stored row numbers, starts of their panes) under a watermark."""
        which, starts, ends = windows.windows(panes)
        late = windows.closed_at(ends) <= watermark - self._grace
        if late.any():
            self.tell(batch, rows[which[late]], windows.instants(starts[late]), windows.instants(ends[late]), watermark)

    def tell(self, batch: Batch, rows: Rows, starts: Times, ends: Times, watermark: int) -> None:
        """These rows missed these windows."""
        self._context.count("late_rows", len(rows) if self._once is None else self._different(batch, rows))
        if self._writer is None:
            return
        unit = units_per_microsecond(self._of)
        for at in range(0, len(rows), self._context.batch_rows):
            some = slice(at, at + self._context.batch_rows)
            taken = take_rows(batch, rows[some])
            marks = np.full(taken.length, min(watermark, _LATEST // unit) * unit, np.int64)
            self._writer.write(taken, [time_column(self._of, values) for values in (starts[some], ends[some], marks)])

    def _different(self, batch: Batch, rows: Rows) -> int:
        """How many these rows are without their repetitions."""
        assert self._once is not None
        place, value = self._once
        return int(np.count_nonzero(widen(batch.columns[place]).array.to_numpy()[rows] == value))

    def wait(self) -> Emission:
        """Returns when the table has room for more."""
        return iter(()) if self._writer is None else self._writer.wait()

    def publish(self, epoch: int) -> Emission:
        """Returns when what was written counts."""
        return iter(()) if self._writer is None else self._writer.publish(epoch)

    def finish(self) -> None:
        """Nothing more is written."""
        if self._writer is not None:
            self._writer.sink.prepare()


class LateWriter:
    """The writer of one task, which gives the table the columns it has."""

    def __init__(self, target: LateTarget, fields: tuple[Field, ...], context: OperatorContext) -> None:
        if target.sink is None:
            raise InternalError(f"nobody said how late rows are written to table {target.table!r}")
        given = Input(fields=(*fields, *target.made))
        columns = tuple([Field(-1 - i, target.columns[i], value.type) for i, value in enumerate(target.values)])
        self._columns = ProjectColumnsOperator(ProjectColumns(fields=columns, input=given, expressions=target.values))
        self._constraints = RowConstraints(target.table, target.columns, target.required, [], target.span)
        self.sink = context.sink(target.sink)

    def write(self, rows: Batch, made: list[Column]) -> None:
        """Rows of the input, with the columns of the window they missed."""
        for batch in self._columns.process(Batch([*rows.columns, *made], rows.length), 0) or ():
            assert isinstance(batch, Batch)
            self._constraints.check(batch.columns, batch.columns)
            self.sink.write(batch)

    def wait(self) -> Emission:
        """Returns when there is room."""
        while (room := self.sink.room) is not None:
            yield Suspend(room)

    def publish(self, epoch: int) -> Emission:
        """Returns when all that was written is where others see it."""
        publishing = self.sink.publish(epoch)
        if publishing is not None:
            yield Suspend(publishing)
            publishing.result()
