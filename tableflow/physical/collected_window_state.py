"""What aggregation in windows keeps when some aggregate needs all rows of a group together: those rows, beside the groups.

Rows move with their groups: from panes into windows, from one session into another, out of what is pending into what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns, weights_of
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.collect_aggregate import CollectedCall, is_collected
from tableflow.physical.grouped_rows import GroupedRows
from tableflow.physical.row_values import RowValues
from tableflow.physical.window_state import Part, Places, Slots, WindowState
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.records import replace


class CollectedWindowState(WindowState):
    """Groups with a slot and their rows; aggregates that need no rows are kept as ever."""

    def __init__(self, node: WindowedAggregate) -> None:
        super().__init__(replace(node, calls=tuple([call for call in node.calls if not is_collected(call)])))
        self._whole = node
        expressions: list[Expression] = []
        self._collected = [CollectedCall(call, expressions) for call in node.calls if is_collected(call)]
        expressions += [ColumnRef(f.type, f.id, f.name) for f in node.rows]
        self._values = RowValues(expressions, node.input.fields)
        self._types = [expression.type for expression in expressions]
        self._rows = GroupedRows(self._types, changing=node.changing)

    def fresh(self) -> WindowState:
        """An empty one, made alike."""
        return type(self)(self._whole)

    def update(self, batch: Batch, slots: Slots) -> GroupNumbers:
        """Takes the batch's rows, each into its slot; the group of each."""
        groups = super().update(batch, slots)
        columns, _, selection = self._values.aligned(batch)
        if selection is not None:
            columns = take_columns(columns, selection)
        weights = weights_of(batch) if self._whole.changing else None
        self._rows.add(Batch(columns, len(groups), None, weights), groups)
        return groups

    def take(self, batch: Batch, slots: Slots) -> None:
        """As :meth:`update`, when nobody asks for the groups."""
        self.update(batch, slots)

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return super().bytes + self._rows.nbytes

    def bytes_with(self, batch: Batch) -> int:
        """An upper bound of :attr:`bytes` after a batch."""
        return super().bytes_with(batch) + self._rows.nbytes + batch.nbytes

    def results_of(self, groups: GroupNumbers) -> list[Column]:
        """One column per call."""
        plain = iter(super().results_of(groups))
        rows, lanes = self._rows.of(groups)
        columns = [] if rows is None else rows.columns
        numbers = lanes.astype(np.int32)
        collected = iter([call.result(columns, numbers, len(groups)) for call in self._collected])
        return [next(collected) if is_collected(call) else next(plain) for call in self._whole.calls]

    def absorb(self, other: WindowState, groups: GroupNumbers, slots: Slots | None = None) -> GroupNumbers:
        """Adds groups of another state and their rows."""
        assert isinstance(other, CollectedWindowState)
        numbers = super().absorb(other, groups, slots)
        self._rows.move(other._rows, groups, numbers)
        return numbers

    def retain(self, groups: GroupNumbers) -> None:
        """Keeps these groups only, numbered from 0."""
        super().retain(groups)
        self._rows.retain(groups)

    def snapshot(self, groups: GroupNumbers) -> list[Part]:
        """What it holds of these groups, in parts."""
        return [*super().snapshot(groups), self._rows.snapshot(groups)]

    def restore(self, parts: Iterator[Sequence[Part]], slots: Sequence[Slots]) -> list[GroupNumbers]:
        """Takes from ``parts`` what :meth:`snapshot` of several gave; see there."""
        placed = super().restore(parts, slots)
        self._rows.restore(next(parts), placed)
        return placed

    def clear(self) -> None:
        """Forgets everything."""
        super().clear()
        self._rows.clear()


class WindowRows(CollectedWindowState):
    """Slots with the rows themselves, for windows without aggregation."""

    def said(self, groups: GroupNumbers) -> tuple[Places | None, list[Column]]:
        """All rows of the groups, each with the place of its group."""
        rows, lanes = self._rows.of(groups)
        return lanes, [] if rows is None else list(rows.columns)


def window_state(node: WindowedAggregate) -> WindowState:
    """An empty state for a node's groups."""
    if node.rows:
        return WindowRows(node)
    return CollectedWindowState(node) if any(map(is_collected, node.calls)) else WindowState(node)
