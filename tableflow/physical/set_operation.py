"""UNION ALL, and the building block of INTERSECT and EXCEPT."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar import compute as pc
from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import compact, take_rows
from tableflow.physical.node import PhysicalNode, UnaryNode, positions
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class UnionAll(PhysicalNode):
    """All rows of all inputs (port i is input i); columns correspond by position, under the ids of ``fields``."""

    branches: tuple[PhysicalNode, ...]

    @property
    def inputs(self) -> tuple[PhysicalNode, ...]:
        """The branches."""
        return self.branches

    def with_inputs(self, new: tuple[PhysicalNode, ...]) -> PhysicalNode:
        """Over other branches."""
        return UnionAll(fields=self.fields, facts=self.facts, branches=new)


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate(UnaryNode):
    """Each row as often as its BIGINT column ``count`` says (NULL or <= 0: not at all); ``count`` is not in ``fields``.

    INTERSECT ALL and EXCEPT ALL are a UNION ALL with a marker per side, a count per side and row, and this.
    """

    count: int


class UnionAllOperator(Operator):
    """Passes the rows of every port on under the types of its output."""

    def __init__(self, node: UnionAll) -> None:
        self._types = [f.type for f in node.fields]

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The batch; columns of a type that differs in its declaration only get the declared one."""
        columns = batch.columns
        if any(column.type != of for column, of in zip(columns, self._types, strict=True)):
            batch = batch.with_columns(
                [
                    column if column.type == of else Column(of, column.array)
                    for column, of in zip(columns, self._types, strict=True)
                ]
            )
        return iter((batch,))


class ReplicateOperator(Operator):
    """Repeats rows, a batch at a time however large the counts are."""

    _context: OperatorContext

    def __init__(self, node: Replicate) -> None:
        where = positions(node.input.fields)
        self._count = where[node.count]
        self._kept = [where[f.id] for f in node.fields]

    def open(self, context: OperatorContext) -> None:
        """Needs no state."""
        self._context = context

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Each row as often as its count says."""
        batch = compact(batch)
        ends = np.cumsum(np.maximum(_integers(batch.columns[self._count].array), 0))
        return self._repeat(batch.project(self._kept), ends)

    def _repeat(self, batch: Batch, ends: npt.NDArray[np.int64]) -> Emission:
        total = int(ends[-1]) if len(ends) else 0
        for first in range(0, total, self._context.batch_rows):
            numbers = np.arange(first, min(first + self._context.batch_rows, total), dtype=np.int64)
            yield take_rows(batch, np.searchsorted(ends, numbers, side="right"))


def _integers(array: pa.Array) -> npt.NDArray[np.int64]:
    """Counts as int64, 0 for NULL."""
    filled: npt.NDArray[np.int64] = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return filled
