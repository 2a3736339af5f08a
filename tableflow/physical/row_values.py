"""Expressions of a plan node as columns of its input's batches.

Bare columns are passed on as they are, one value per stored row; everything else is computed for the rows that count, and
so has one value per selected row (*dense*).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import take
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.node import positions
from tableflow.types import Field


class Aligned(NamedTuple):
    """Columns of one length, and the rows of them that count."""

    columns: list[Column]
    length: int
    selection: Selection | None


class RowValues:
    """Resolved once against the input's fields, then applied to every batch."""

    def __init__(self, expressions: Sequence[Expression], fields: tuple[Field, ...]) -> None:
        self._where = positions(fields)
        self._count = len(expressions)
        self._bare = {i: self._where[e.id] for i, e in enumerate(expressions) if isinstance(e, ColumnRef)}
        self._computed = [(i, e) for i, e in enumerate(expressions) if not isinstance(e, ColumnRef)]

    @property
    def computes(self) -> bool:
        """Whether some values are no columns of the input."""
        return bool(self._computed)

    def mixed(self, batch: Batch) -> tuple[list[Column], list[bool]]:
        """One column per expression, and whether it is dense; raises the error of a row that counts."""
        columns: dict[int, Column] = {i: batch.columns[position] for i, position in self._bare.items()}
        if self._computed:
            values = project([expression for _, expression in self._computed], batch, self._where)
            columns |= {i: value for (i, _), value in zip(self._computed, values, strict=True)}
        return [columns[i] for i in range(self._count)], [i not in self._bare for i in range(self._count)]

    def aligned(self, batch: Batch) -> Aligned:
        """The columns with the batch's selection; gathered, without one, if some had to be computed."""
        columns, dense = self.mixed(batch)
        if batch.selection is None or not any(dense):
            return Aligned(columns, batch.length, batch.selection)
        rows = batch.selection
        gathered = [c if d else take(c, rows) for c, d in zip(columns, dense, strict=True)]
        return Aligned(gathered, batch.rows, None)
