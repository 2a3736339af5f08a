"""Dropping rows."""

from __future__ import annotations

from tableflow.columnar.batch import Batch
from tableflow.expressions.entries import Entries
from tableflow.expressions.evaluation import filter_rows
from tableflow.expressions.nodes import Expression
from tableflow.physical.node import UnaryNode, positions
from tableflow.physical.piece_size import PieceSize
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, Suspend
from tableflow.runtime.wake import READY
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
        self._entries = Entries()  # follows from the conjuncts and dictionaries: no state
        self._size = PieceSize()

    def process(self, batch: Batch, port: int) -> Emission:
        """The rows that are left, if any, piece by piece."""
        for piece in self._size.pieces(batch):
            self._size.begin()
            kept = filter_rows(self._conjuncts, piece, self._positions, self._entries)
            self._size.end(piece.rows)
            if len(kept):
                yield piece if len(kept) == piece.rows else piece.with_selection(kept)
            else:
                yield Suspend(READY)  # a row may take long: nobody is to wait for one that is kept
