"""Computing columns."""

from __future__ import annotations

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import take_columns
from tableflow.expressions.entries import Entries
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.piece_size import PieceSize
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectColumns(UnaryNode):
    """One expression per output field."""

    expressions: tuple[Expression, ...]


class ProjectColumnsOperator(Operator):
    """Evaluates the expressions a column at a time; without computed columns nothing is copied."""

    def __init__(self, node: ProjectColumns) -> None:
        self._expressions = node.expressions
        self._positions = positions(node.input.fields)
        self._entries = Entries()  # follows from the expressions and dictionaries: no state
        self._passed = [self._positions[e.id] if isinstance(e, ColumnRef) else None for e in node.expressions]
        self._size = PieceSize()

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The batch of output columns."""
        if batch.rows == 0:
            return None
        if all(i is not None for i in self._passed):
            return iter((self._computed(batch),))
        return (self._computed(piece) for piece in self._size.pieces(batch))

    def _computed(self, batch: Batch) -> Batch:
        passed = [i for i in self._passed if i is not None]
        event_time = self._passed.index(batch.event_time) if batch.event_time in passed else None
        if len(passed) == len(self._passed):
            return Batch([batch.columns[i] for i in passed], batch.length, batch.selection, batch.weights, event_time)
        wanted = [e for e in self._expressions if not isinstance(e, ColumnRef)]
        self._size.begin()
        computed = iter(project(wanted, batch, self._positions, self._entries))
        self._size.end(batch.rows)
        kept, weights = [batch.columns[i] for i in passed], batch.weights
        if batch.selection is not None:
            kept = take_columns(kept, batch.selection)
            weights = None if weights is None else weights[batch.selection]
        copied = iter(kept)
        columns = [next(computed if i is None else copied) for i in self._passed]
        return Batch(columns, batch.rows, None, weights, event_time)
