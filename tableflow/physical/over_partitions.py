"""Partitions of rows that OVER computes together: their numbers, their keys, and what is known of them from before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import is_nested, take_columns
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.columnar.kernels.multi_state import MultiState, Slots
from tableflow.columnar.keys import encode
from tableflow.physical.node import PhysicalNode, dealt_by, positions
from tableflow.records import dataclass
from tableflow.types import BYTES, INT, SqlType, TypeFamily, family

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Partitions:
    """The partition of each row, by number, and the key of each partition."""

    numbers: Numbers
    keys: list[Column]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.keys[0])


class PartitionKeys:
    """The columns that tell partitions apart; without any there is one partition, whose key is 0."""

    def __init__(self, leaf: PhysicalNode, partition: Sequence[int]) -> None:
        fields = leaf.fields
        where = positions(fields)
        self.dealt = dealt_by(leaf, partition)
        """Those by which rows are dealt to tasks, among the types."""
        self._positions = [where[column] for column in partition]
        self.types: tuple[SqlType, ...] = tuple(fields[i].type for i in self._positions) or (INT,)
        self._compared = [BYTES if family(of) is TypeFamily.NESTED else of for of in self.types]

    def of(self, rows: Batch) -> Partitions:
        """The partitions of rows (without a selection, at least one)."""
        if not self._positions:
            return Partitions(np.zeros(rows.length, np.int64), [Column(INT, pa.array([0], pa.int32()))])
        columns = [rows.columns[i] for i in self._positions]
        compared = [Column(BYTES, encode(column)) if is_nested(column) else column for column in columns]
        numbers = GroupTable(self._compared, []).number(compared, [], rows.length).astype(np.int64)
        return Partitions(numbers, take_columns(columns, first_rows(numbers)))

    def state(self, more: Sequence[SqlType]) -> MultiState:
        """Rows by partition, with these columns besides the key's; equal rows count apart."""
        keys = range(len(self.types))
        return MultiState([*self.types, *more], keys, [True] * len(keys), counted=False)


def first_rows(numbers: npt.NDArray[np.integer]) -> Numbers:
    """The first row with each number; rows there are, and all numbers up to the greatest."""
    firsts = np.empty(int(numbers.max()) + 1, np.int64)
    firsts[numbers[::-1]] = np.arange(len(numbers) - 1, -1, -1)
    return firsts


def rows_of(state: MultiState, partitions: Partitions) -> tuple[Numbers, Slots]:
    """The rows of partitions in a state: the number of the partition, and the slot of each."""
    found = list(state.probe(partitions.keys, partitions.count).pieces(65_536)) if state.rows else []
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.uint32)
    return np.concatenate([lanes for lanes, _ in found]).astype(np.int64), np.concatenate([slots for _, slots in found])


def by_partition(numbers: Numbers) -> Numbers:
    """Rows by partition, in the order in which they are within each."""
    small = numbers.astype(np.uint16) if len(numbers) and int(numbers.max()) < 1 << 16 else numbers  # sorts by digits
    return np.argsort(small, kind="stable")
