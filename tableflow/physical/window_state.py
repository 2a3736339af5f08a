"""What aggregation in windows keeps: groups by (slot, keys), a slot being the number of a window or pane.

All states of one operator are made alike, so groups move between them: panes into windows, sessions into one another, what is
still needed into a new state when most of an old one is not.  They are saved with the numbers of their slots; who has these says what they are
called where states of several tasks are united.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take_columns
from tableflow.columnar.kernels.grouping import AggregateOverflow, GroupNumbers, GroupTable
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.aggregate_states import row_inputs, too_large
from tableflow.physical.node import dealt_by, positions
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.operator import Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT, INT

Slots: TypeAlias = npt.NDArray[np.int32]
Part: TypeAlias = bytes
Mask: TypeAlias = npt.NDArray[np.bool_]
Places: TypeAlias = npt.NDArray[np.int64]

MOVED_AT_ONCE = 16_384
"""Groups that are moved between two looks at cancellation."""
_ROWS = AggregateCall(BIGINT, "count")


def renumbered(count: int, kept: GroupNumbers | npt.NDArray[np.int64]) -> Slots:
    """Of so many slots of which only these are kept, in this order, the new number of each (-1: gone)."""
    new = np.full(count, -1, np.int32)
    new[kept] = np.arange(len(kept), dtype=np.int32)
    return new


class WindowState:
    """Groups with a slot; over changing input those without rows are kept but not visible."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._node = node
        # Over changing input the number of rows says which groups there are.
        self._inputs = row_inputs((*node.calls, _ROWS) if node.changing else node.calls, node.input.fields)
        where = positions(node.input.fields)
        self._keys = [where[key.id] for key in node.keys]
        types = [INT, *(key.type for key in node.keys)]
        self._table = GroupTable(types, self._inputs.aggregates, changing=node.changing)

    def fresh(self) -> WindowState:
        """An empty one, made alike."""
        return WindowState(self._node)

    def update(self, batch: Batch, slots: Slots) -> GroupNumbers:
        """Takes the batch's rows, each into its slot; the group of each."""
        keys, arguments, dense = self._columns(batch, slots)
        return self._table.number(keys, arguments, batch.length, batch.selection, dense, batch.weights)

    def place(self, batch: Batch, slots: Slots) -> GroupNumbers:
        """The group that each of the batch's rows will be in; new ones have no rows until they are taken."""
        keys = [batch.columns[i] for i in self._keys]
        if batch.selection is not None:
            keys = take_columns(keys, batch.selection)
        return self._table.locate([slot_column(slots), *keys], batch.rows)

    def take(self, batch: Batch, slots: Slots) -> None:
        """As :meth:`update`, when nobody asks for the groups."""
        keys, arguments, dense = self._columns(batch, slots)
        self._table.update(keys, arguments, batch.length, batch.selection, dense, batch.weights)

    def _columns(self, batch: Batch, slots: Slots) -> tuple[list[Column], list[Column], list[bool]]:
        arguments, dense = self._inputs.columns(batch)
        if batch.selection is not None:
            scattered = np.zeros(batch.length, np.int32)
            scattered[batch.selection] = slots
            slots = scattered
        return [slot_column(slots), *(batch.columns[i] for i in self._keys)], arguments, dense

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self._table.groups

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        return self._table.bytes

    def bytes_with(self, batch: Batch) -> int:
        """An upper bound of :attr:`bytes` after a batch."""
        return self._table.bytes_after([batch.columns[i] for i in self._keys], batch.columns, batch.rows)

    def bytes_with_groups(self, groups: int) -> int:
        """What so many more groups need, without their texts."""
        return self._table.bytes_after([], [], groups)

    def prepare(self, rows: int) -> bool:
        """One step towards room for ``rows`` more groups; False while there is more to do."""
        return self._table.prepare(rows)

    def slots(self) -> Slots:
        """The slot of each group."""
        slots: Slots = self._table.key(0, 0, self.groups).array.to_numpy()
        return slots

    def keys_of(self, groups: GroupNumbers) -> list[Column]:
        """The key columns of groups, without their slots."""
        return self._table.keys_of(groups)[1:]

    def named(self, groups: GroupNumbers) -> tuple[Slots, list[Column]]:
        """The slots of groups, and their key columns."""
        slots, *keys = self._table.keys_of(groups)
        return slots.array.to_numpy(), keys

    def results_of(self, groups: GroupNumbers) -> list[Column]:
        """One column per call; :class:`~tableflow.errors.DataError` for a sum that is too large."""
        return self._results(groups)[: len(self._node.calls)]

    def _results(self, groups: GroupNumbers) -> list[Column]:
        """Those, and over changing input the number of rows."""
        try:
            return self._table.results_of(groups)
        except AggregateOverflow as overflow:
            raise too_large(self._node.calls, overflow) from None

    def said(self, groups: GroupNumbers) -> tuple[Places | None, list[Column]]:
        """What groups have to say, behind their keys, and the place in ``groups`` of each row, if that is not its own."""
        return None, self.results_of(groups)

    def visible(self, groups: GroupNumbers) -> GroupNumbers:
        """Those of these groups that have rows."""
        if not self._node.changing or not len(groups):
            return groups
        counts = self._results(groups)[-1].array.to_numpy()
        visible: GroupNumbers = groups[counts > 0]
        return visible

    def vacant(self, groups: GroupNumbers) -> Mask:
        """Which groups nothing is left of; of append-only input none."""
        return self._table.vacant(groups) if self._node.changing else np.zeros(len(groups), np.bool_)

    def absorb(self, other: WindowState, groups: GroupNumbers, slots: Slots | None = None) -> GroupNumbers:
        """Adds groups of another state, into other slots if they are given; their numbers here."""
        if slots is None:
            return self._table.absorb(other._table, groups)
        return self._table.absorb(other._table, groups, [slot_column(slots), *other.keys_of(groups)])

    def locate(self, other: WindowState, groups: GroupNumbers) -> GroupNumbers:
        """The groups here that have slots and keys of another state's groups; made without rows where there are none."""
        return self._table.locate(other._table.keys_of(groups), len(groups))

    def retain(self, groups: GroupNumbers) -> None:
        """Keeps these groups only, numbered from 0."""
        self._table.retain(groups)

    def told(self, groups: GroupNumbers, windows: Callable[[Slots], list[Column]], most: int) -> Iterator[Batch]:
        """What these groups have to say, with the columns of the windows in their slots, in batches of at most so many rows."""
        slots = self.slots()
        for at in range(0, len(groups), most):
            some = groups[at : at + most]
            places, results = self.said(some)
            of = slots[some] if places is None else slots[some][places]
            yield from Batch([*self.keys_of(some), *windows(of), *results], len(of)).pieces(most)

    def moved(
        self, groups: GroupNumbers, to: Slots, reserve: Callable[[int], None]
    ) -> Generator[Suspend, None, WindowState]:
        """These groups in a state of their own, whose slots have new numbers ``to``; its bytes are told before they are needed."""
        kept, slots = self.fresh(), self.slots()
        for at in range(0, len(groups), MOVED_AT_ONCE):
            some = groups[at : at + MOVED_AT_ONCE]
            reserve(kept.bytes + kept.bytes_with_groups(len(some)))
            kept.absorb(self, some, to[slots[some]])
            yield Suspend(READY)
        return kept

    def groups_in(self, keys: KeyRange) -> GroupNumbers:
        """The groups of a range of keys, where it is their keys by which rows are dealt to tasks."""
        dealt = dealt_by(self._node.input, [key.id for key in self._node.keys])
        return self._table.groups_in(keys, [1 + at for at in dealt])

    def snapshot(self, groups: GroupNumbers) -> list[Part]:
        """What it holds of these groups, in parts."""
        return [self._table.snapshot(groups)]

    def restore(self, parts: Iterator[Sequence[Part]], slots: Sequence[Slots]) -> list[GroupNumbers]:
        """Takes from ``parts`` what :meth:`snapshot` of several gave, whose slots have new numbers; for each, those of its groups."""
        return self._table.unite(next(parts), lambda i, keys: [slot_column(slots[i][_numbers(keys[0])]), *keys[1:]])

    def clear(self) -> None:
        """Forgets everything."""
        self._table.clear()


def _numbers(column: Column) -> Slots:
    numbers: Slots = column.array.to_numpy()
    return numbers


def slot_column(slots: Slots) -> Column:
    """Slots as a key."""
    return Column(INT, pa.array(slots))
