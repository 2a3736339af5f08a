"""Dropping rows."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.columnar.batch import Batch
from tableflow.expressions.evaluation import filter_rows
from tableflow.expressions.nodes import Expression
from tableflow.physical.node import UnaryNode, positions
from tableflow.runtime.operator import Emission, Operator
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRows(UnaryNode):
    """Keeps rows for which all conjuncts are TRUE.  An error counts only for rows that all others accept."""

    conjuncts: tuple[Expression, ...]


class FilterRowsOperator(Operator):
    """Evaluates the conjuncts a column at a time; drops rows by a selection, without copying."""

    def __init__(self, node: FilterRows) -> None:
        self._conjuncts = node.conjuncts
        self._positions = positions(node.input.fields)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The rows that are left, if any."""
        kept = filter_rows(self._conjuncts, batch, self._positions)
        if len(kept) == 0:
            return None
        return iter((batch if len(kept) == batch.rows else batch.with_selection(kept),))
