"""Event time is made here: what a source's rows say of time becomes watermarks.

The operator stands in the source's own chain.  It keeps nothing: the task judges what it yields split by split, so that a
split that lags is not overtaken by what another one's rows said.
"""

from __future__ import annotations

import enum

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.config import NULL_TIME_ADVICE
from tableflow.errors import RowError
from tableflow.expressions.casting.calendar import limits
from tableflow.expressions.coercion import without_widening
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal, children, transform, walk
from tableflow.expressions.properties import can_raise
from tableflow.physical.node import UnaryNode, positions
from tableflow.records import dataclass
from tableflow.runtime.events import Watermark
from tableflow.runtime.operator import Emission, Operator
from tableflow.serialization import serializable
from tableflow.types import IntervalType, SqlType, TimestampType, tick_of

_DAY = 86_400_000_000


@serializable
class TimeNulls(enum.Enum):
    """What becomes of a row whose event time is NULL; PASS hands it on without moving time."""

    FAIL = "fail"
    DROP = "drop"
    PASS = "pass"


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class AssignWatermarks(UnaryNode):
    """The input's rows; after each batch the greatest value of ``expression`` in it, as a watermark: rounded up to a value that the column can have.

    ``column`` is the id of the event-time column, which gives its name to the error of FAIL.  With ``upserts`` rows replace each
    other by key, and one that says that a key is gone needs no time.
    """

    column: int
    expression: Expression
    nulls: TimeNulls = TimeNulls.FAIL
    upserts: bool = False
    table: str = ""
    """Whose rows they are, for errors."""


class AssignWatermarksOperator(Operator):
    """See :class:`AssignWatermarks`.  A row whose expression is NULL, or no time that there is, does not move time."""

    def __init__(self, node: AssignWatermarks) -> None:
        self._node = node
        self._positions = positions(node.input.fields)
        self._time = self._positions[node.column]
        moved = [arg for each in walk(node.expression) if _moves(each) for arg in children(each)]
        # What cannot be computed for another reason than where time ends is an error still.
        self._marks = [within_time(node.expression), *(within_time(arg) for arg in moved if can_raise(arg))]
        of = next(f.type for f in node.input.fields if f.id == node.column)
        self._tick = tick_of(of)
        self._follows_time = keeps_order(node.expression, node.column)
        self._moves = constant_moves(node.expression) if self._follows_time else None
        self._type = next(f.type for f in node.input.fields if f.id == node.column)

    @property
    def generates_watermarks(self) -> bool:
        """It makes event time."""
        return True

    def process(self, batch: Batch, port: int) -> Emission:
        """The rows that are left, then how far they moved time."""
        batch = self._judged(batch)
        if batch.rows == 0:
            return
        latest = self._latest(batch)
        yield replace_event_time(batch, self._time)
        if latest is not None:
            yield Watermark(-(-latest // self._tick) * self._tick)

    def _latest(self, batch: Batch) -> int | None:
        """The greatest mark of the rows: that of the latest row where marks follow event time, unless it has none."""
        if self._follows_time and (row := _latest_row(batch, self._time)) is not None:
            latest = self._moved(int(storage_times(batch.columns[self._time])[row[0]]))
            if latest is None:
                latest = latest_time(project(self._marks, batch.with_selection(row), self._positions)[0])
            if latest is not None:
                return latest
        return latest_time(project(self._marks, batch, self._positions)[0])

    def _moved(self, time: int) -> int | None:
        """The mark of a time by addition, which is all that most expressions do; None if only the evaluator can say."""
        if self._moves is None:
            return None
        unit = units_per_microsecond(self._type)
        first, last = limits(self._type)
        for move in self._moves:
            time += move * unit
            if not first <= time <= last:
                return None
        return time // unit

    def _judged(self, batch: Batch) -> Batch:
        column = batch.columns[self._time]
        if self._node.nulls is TimeNulls.PASS or column.array.null_count == 0:
            return batch
        present = column.array.is_valid().to_numpy(zero_copy_only=False)
        if self._node.upserts and batch.weights is not None:
            present = present | (batch.weights < 0)
        rows = np.arange(batch.length, dtype=np.uint32) if batch.selection is None else batch.selection
        kept = rows[present[rows]]
        if self._node.nulls is TimeNulls.FAIL and len(kept) < len(rows):
            name = next(f.name for f in self._node.input.fields if f.id == self._node.column)
            first = int(rows[~present[rows]][0])
            raise RowError(
                f"event time {name!r} of a row{f' of {self._node.table!r}' if self._node.table else ''} is NULL",
                hint=NULL_TIME_ADVICE,
            ).within(first, batch.length)
        return batch.with_selection(kept)


def within_time(expression: Expression) -> Expression:
    """A watermark's expression, NULL where it would leave the years that timestamps have: time begins with the first row after."""
    return transform(expression, _within_time)


def _within_time(of: Expression) -> Expression:
    return Call(of.type, "try", (of,), of.span) if isinstance(of, Call) and _moves(of) else of


def _moves(of: Expression) -> bool:
    return isinstance(of, Call) and of.function in {"add", "subtract"} and isinstance(of.type, TimestampType)


def keeps_order(expression: Expression, column: int) -> bool:
    """Whether an expression is the event-time column, or that moved by constants: then it is not less for a later time, and nothing can fail.

    Months do not keep the order of times (the 30th at noon and the 31st in the morning become the same day), nor do days of a zone whose clocks change.
    """
    expression = without_widening(expression)
    while isinstance(expression, Call) and _moves(expression):
        expression, by, *zone = expression.args
        if not isinstance(by, Literal) or not isinstance(by.type, IntervalType) or by.value is None:
            return False
        months, days, _ = by.value
        if months or (days and zone):
            return False
        expression = without_widening(expression)
    return isinstance(expression, ColumnRef) and expression.id == column


def constant_moves(expression: Expression) -> tuple[int, ...] | None:
    """By how many microseconds an expression that keeps the order of times moves each, step by step; None where a calendar says."""
    found: list[int] = []
    unit = units_per_microsecond(expression.type)
    expression = without_widening(expression)
    while isinstance(expression, Call):
        moved, by, *zone = expression.args
        assert isinstance(by, Literal)
        _, days, microseconds = by.value
        if zone or units_per_microsecond(moved.type) != unit:
            return None
        move = days * _DAY + microseconds
        found.append(-move if expression.function == "subtract" else move)
        expression = without_widening(moved)
    # A cast to nanoseconds has fewer years than what it is of.
    return tuple(reversed(found)) if units_per_microsecond(expression.type) == unit else None


def _latest_row(batch: Batch, position: int) -> npt.NDArray[np.uint32] | None:
    """The number of the row with the greatest time; None if some rows have none."""
    column = batch.columns[position]
    if column.array.null_count:
        return None
    times = storage_times(column)
    if batch.selection is None:
        return np.array([times.argmax()], np.uint32)
    return batch.selection[[times[batch.selection].argmax()]]


def replace_event_time(batch: Batch, position: int) -> Batch:
    """The batch with another event-time column."""
    return Batch(batch.columns, batch.length, batch.selection, batch.weights, position)


def latest_time(column: Column) -> int | None:
    """The greatest time of a column in microseconds, rounded down; None without one."""
    values = storage_times(column)
    array = column.array
    if array.null_count:
        values = values[array.is_valid().to_numpy(zero_copy_only=False)]
    return int(values.max()) // units_per_microsecond(column.type) if len(values) else None


def storage_times(column: Column) -> npt.NDArray[np.int64]:
    """The stored integers of a timestamp column; what stands for NULL is arbitrary."""
    array = column.array
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64)
    values: npt.NDArray[np.int64] = np.frombuffer(array.buffers()[1] or b"", np.int64)
    return values[array.offset : array.offset + len(array)]


def units_per_microsecond(of: SqlType) -> int:
    """1, or 1000 for timestamps that are stored as nanoseconds."""
    return 1000 if isinstance(of, TimestampType) and of.precision > 6 else 1
