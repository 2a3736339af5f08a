"""Grouping for aggregates that need all rows of a group together; others are computed beside them as ever.

Rows are numbered by group as they come and kept in runs that are ordered by group.  At the end the groups are taken chunk
by chunk: the parts of the runs that belong to a chunk are put together, sorted as each aggregate wants them, and computed.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat_ranges, concat_steps, take_columns, take_rows_steps
from tableflow.columnar.kernels.sorting import Key, sort_indices_steps
from tableflow.columnar.kernels.steps import finish
from tableflow.expressions.nodes import AggregateCall, Case, Expression, Literal
from tableflow.expressions.properties import can_raise
from tableflow.physical.collected import KERNELS, Segments, comparable, numbered_steps
from tableflow.physical.hash_aggregate import AggregatePhase, HashAggregate, HashAggregateOperator
from tableflow.physical.node import UnaryNode
from tableflow.physical.row_values import RowValues
from tableflow.physical.steps import pausing
from tableflow.records import dataclass, replace
from tableflow.runtime.operator import Emission, OperatorContext, Reservation
from tableflow.serialization import serializable
from tableflow.types import INT, Field

_CHUNK_ROWS = 131_072


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class CollectAggregate(UnaryNode):
    """Groups by ``keys``: ``fields`` are keys then one result per call, of which at least one is collected."""

    keys: tuple[Field, ...]
    calls: tuple[AggregateCall, ...]


def is_collected(call: AggregateCall) -> bool:
    """Whether the call needs all rows of a group together."""
    return call.function in KERNELS


class CollectAggregateOperator(HashAggregateOperator):
    """One task's part of a :class:`CollectAggregate`."""

    def __init__(self, node: CollectAggregate) -> None:
        plain = tuple(call for call in node.calls if not is_collected(call))
        super().__init__(
            HashAggregate(
                fields=node.fields,
                facts=node.facts,
                input=node.input,
                phase=AggregatePhase.SINGLE,
                keys=node.keys,
                calls=plain,
            )
        )
        self._collecting = node
        self._expressions: list[Expression] = []
        self._calls = [CollectedCall(call, self._expressions) for call in node.calls if is_collected(call)]
        self._row_values = RowValues(self._expressions, node.input.fields)
        self._runs: list[Batch] = []
        self._groups: list[npt.NDArray[np.uint32]] = []

    def open(self, context: OperatorContext) -> None:
        """Makes the empty table."""
        super().open(context)
        self._kept: Reservation = context.reserve("rows of groups", 0)
        self._bytes = 0

    def close(self) -> None:
        """Gives the memory back."""
        super().close()
        self._runs, self._groups = [], []
        if hasattr(self, "_kept"):
            self._kept.release()

    def _take(self, batch: Batch) -> Emission | None:
        arguments, dense = self._inputs.columns(batch)
        keys = [batch.columns[i] for i in self._key_positions]
        columns, _, selection = self._row_values.aligned(batch)
        if selection is not None:
            columns = take_columns(columns, selection)
        self._reservation.resize(self._table.bytes_after(keys, arguments, batch.rows))
        groups = self._table.number(keys, arguments, batch.length, batch.selection, dense)
        self._reservation.resize(self._table.bytes)
        order = np.argsort(groups, kind="stable")
        run = Batch(take_columns(columns, order), len(order))
        self._bytes += run.nbytes + groups.nbytes
        self._kept.resize(self._bytes)
        self._runs.append(run)
        self._groups.append(groups[order])
        return None

    def _emit(self) -> Emission:
        for start, stop in self._chunks():
            keys = self._table.keys(start, stop - start)
            plain = iter(self._values(self._table, start, stop - start))
            rows, groups = yield from pausing(self._rows_of(start, stop))
            found: list[Column] = []
            for call in self._calls:
                found.append((yield from pausing(call.result_steps(rows, groups, stop - start))))
            collected = iter(found)
            results = [next(collected) if is_collected(call) else next(plain) for call in self._collecting.calls]
            yield Batch([*keys, *results], stop - start)
        self._context.count("groups", self._table.groups)

    def _chunks(self) -> Iterator[tuple[int, int]]:
        """Ranges of groups with about as many rows as one batch, or a single large group."""
        groups, most = self._table.groups, self._context.batch_rows
        ends = np.zeros(groups, np.int64)
        for numbers in self._groups:
            ends += np.bincount(numbers, minlength=groups)
        ends = np.cumsum(ends)
        start, before = 0, 0
        while start < groups:
            stop = int(np.searchsorted(ends, before + _CHUNK_ROWS, "right"))
            stop = min(max(stop, start + 1), start + most, groups)
            yield start, stop
            start, before = stop, int(ends[stop - 1])

    def _rows_of(self, start: int, stop: int) -> Generator[None, None, tuple[list[Column], npt.NDArray[np.int32]]]:
        """The rows of groups ``[start, stop)``, and the group of each, counted from the first."""
        begins = [int(np.searchsorted(numbers, start)) for numbers in self._groups]
        counts = [int(np.searchsorted(numbers, stop)) - at for numbers, at in zip(self._groups, begins, strict=True)]
        used = [i for i, count in enumerate(counts) if count]
        if not used:
            return [], np.zeros(0, np.int32)
        found = [self._groups[i][begins[i] : begins[i] + counts[i]] for i in used]
        groups = (np.concatenate(found) - np.uint32(start)).astype(np.int32)
        if not self._expressions:
            return [], groups
        if len(groups) <= 2 * _CHUNK_ROWS:
            rows = concat_ranges([self._runs[i] for i in used], [begins[i] for i in used], [counts[i] for i in used])
        else:
            rows = yield from concat_steps([self._runs[i].slice(begins[i], counts[i]) for i in used])
        return list(rows.columns), groups


class CollectedCall:
    """One collected call: where its arguments, order and filter are among the rows' columns."""

    def __init__(self, call: AggregateCall, expressions: list[Expression]) -> None:
        self._call = call
        self._how = KERNELS[call.function]
        guarded = _guarded(call)
        taken = len(call.args) if self._how.arguments is None else self._how.arguments
        self._parameters = [arg.value for arg in call.args[taken:] if isinstance(arg, Literal)]
        self._arguments = [_place(arg, expressions) for arg in guarded.args[:taken]]
        self._order = [_place(key, expressions) for key in guarded.order]
        self._filter = None if guarded.filter is None else _place(guarded.filter, expressions)

    def result(self, rows: Sequence[Column], groups: npt.NDArray[np.int32], count: int) -> Column:
        """The results of ``count`` groups, whose rows these are."""
        return finish(self.result_steps(rows, groups, count))

    def result_steps(
        self, rows: Sequence[Column], groups: npt.NDArray[np.int32], count: int
    ) -> Generator[None, None, Column]:
        """:meth:`result` with pauses: a group may have millions of rows."""
        if not rows:
            empty = [Column(arg.type, pa.nulls(0)) for arg in self._call.args]
            made = self._how.kernel(Segments(empty, np.zeros(count, np.int64), self._parameters, self._call.type))
            return made if isinstance(made, Column) else (yield from made)
        chosen = yield from self._chosen(rows, groups)
        used = Batch([rows[i] for i in (*self._arguments, *self._order)], len(groups))
        if len(chosen) < len(groups):
            used, groups = (yield from take_rows_steps(used, chosen)), groups[chosen]
        arguments = list(used.columns[: len(self._arguments)])
        order, items = list(used.columns[len(self._arguments) :]), list(self._call.directions)
        for position, down, nulls_first in () if order else self._how.order:
            order.append(comparable(arguments[position]))
            items.append((down, nulls_first))
        sorted_by: list[Key] = [(0, False, False), *((i + 1, *item) for i, item in enumerate(items))]
        by = Batch([Column(INT, pa.array(groups)), *order], len(groups))
        places = yield from sort_indices_steps(by, sorted_by)
        ordered = yield from take_rows_steps(Batch(arguments, len(groups)), places)
        yield
        counts = np.bincount(groups, minlength=count)
        made = self._how.kernel(Segments(ordered.columns, counts, self._parameters, self._call.type))
        return made if isinstance(made, Column) else (yield from made)

    def _chosen(
        self, rows: Sequence[Column], groups: npt.NDArray[np.int32]
    ) -> Generator[None, None, npt.NDArray[np.int64]]:
        """Rows that the call sees."""
        keep = np.ones(len(groups), np.bool_)
        if self._filter is not None:
            keep &= rows[self._filter].array.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
        if not self._how.keeps_nulls:
            for i in self._arguments:
                keep &= rows[i].array.is_valid().to_numpy(zero_copy_only=False)
        chosen = np.flatnonzero(keep)
        if not self._call.distinct or len(chosen) == 0:
            return chosen
        seen = Batch([Column(INT, pa.array(groups)), *(rows[i] for i in self._arguments)], len(groups))
        if len(chosen) < len(groups):
            seen = yield from take_rows_steps(seen, chosen)
        numbers = yield from numbered_steps(seen.columns)
        yield
        first = np.zeros(int(numbers.max()) + 1, np.int64)
        first[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)  # of several the last that is written stays
        is_first = np.zeros(len(numbers), np.bool_)
        is_first[first] = True
        return chosen[is_first]


def _guarded(call: AggregateCall) -> AggregateCall:
    """What may fail is computed only for rows that the filter keeps."""
    condition = call.filter
    if condition is None:
        return call

    def guard(of: Expression) -> Expression:
        return Case(of.type, (condition,), (of,), Literal(of.type, None)) if can_raise(of) else of

    return replace(call, args=tuple(map(guard, call.args)), order=tuple(map(guard, call.order)))


def _place(of: Expression, among: list[Expression]) -> int:
    if of not in among:
        among.append(of)
    return among.index(of)
