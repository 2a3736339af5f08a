"""Constant rows."""

from __future__ import annotations

from tableflow.columnar.batch import Batch
from tableflow.expressions.nodes import Expression
from tableflow.physical.node import PhysicalNode
from tableflow.physical.value_rows import value_rows
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ValuesScan(PhysicalNode):
    """Rows of expressions without columns; produced by one task."""

    rows: tuple[tuple[Expression, ...], ...]


class ValuesScanOperator(Operator):
    """Evaluates its rows when its (absent) input ends; task 0 alone gives them."""

    _context: OperatorContext

    def __init__(self, node: ValuesScan) -> None:
        self._rows = node.rows
        self._types = [f.type for f in node.fields]

    def open(self, context: OperatorContext) -> None:
        """Needs no state."""
        self._context = context

    def process(self, batch: Batch, port: int) -> Emission | None:
        """Never called: the operator has no input."""
        return None

    def on_end(self, port: int) -> Emission | None:
        """All rows."""
        return self._emit() if self._context.task_index == 0 else None

    def _emit(self) -> Emission:
        size = self._context.batch_rows
        for first in range(0, len(self._rows), size):
            yield value_rows(self._rows[first : first + size], self._types)
