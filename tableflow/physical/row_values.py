"""Expressions of a plan node as columns of its input's batches.

Bare columns are passed on as they are; everything else is computed for the rows that count.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.node import positions
from tableflow.types import Field


class RowValues:
    """Resolved once against the input's fields, then applied to every batch."""

    def __init__(self, expressions: Sequence[Expression], fields: tuple[Field, ...]) -> None:
        where = positions(fields)
        self._where = where
        self._expressions = list(expressions)

    def columns(self, batch: Batch) -> list[Column]:
        """One column per expression, of the batch's length; raises the error of the first row that counts."""
        return [self._column(expression, batch) for expression in self._expressions]

    def _column(self, expression: Expression, batch: Batch) -> Column:
        assert isinstance(expression, ColumnRef)
        return batch.columns[self._where[expression.id]]
