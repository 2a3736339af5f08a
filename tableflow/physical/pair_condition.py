"""The residual condition of a join over pairs of rows: as a native program where it has one, else by the evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tableflow.columnar.batch import Batch, Selection
from tableflow.columnar.kernels.programs import Program, RowError
from tableflow.config import FUSION, Settings
from tableflow.expressions.evaluation import filter_rows
from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import Expression
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import Input, PhysicalNode
from tableflow.physical.piece_size import PIECE_ROWS
from tableflow.physical.program_builder import NotCompilableError
from tableflow.physical.program_judge import compile_steps
from tableflow.types import Field


def domains_of(*inputs: PhysicalNode) -> dict[int, Domain]:
    """Bounds of the columns that arrive at an operator."""
    return {number: domain for leaf in inputs if isinstance(leaf, Input) for number, domain in leaf.domains}


class PairCondition:
    """Selects the pairs for which every conjunct is TRUE; the answer and the errors do not depend on how."""

    def __init__(self, fields: tuple[Field, ...], conjuncts: tuple[Expression, ...]) -> None:
        self._fields = fields
        self._conjuncts = conjuncts
        self._where = {f.id: i for i, f in enumerate(fields)}
        self._program: Program | None = None

    def prepare(self, settings: Settings, domains: Mapping[int, Domain]) -> None:
        """Compiles the condition if programs are wanted and it has one; for one task."""
        if not self._conjuncts or not settings.get(FUSION):
            return
        step = FilterRows(fields=(), input=Input(fields=self._fields), conjuncts=self._conjuncts)
        try:
            self._program = Program(compile_steps(self._fields, domains, [step]))
        except NotCompilableError:
            self._program = None

    def most_at_once(self, batch_rows: int) -> int:
        """How many pairs may be judged in one call: fewer where the evaluator does it, whose functions may be slow."""
        slow = self._conjuncts and self._program is None
        return min(batch_rows, PIECE_ROWS) if slow else batch_rows

    def selected(self, pairs: Batch) -> Selection:
        """Rows of ``pairs`` that satisfy the condition, among those that count."""
        if self._program is not None:
            try:
                _, selection = self._program.run(pairs)
            except RowError:
                return filter_rows(self._conjuncts, pairs, self._where)  # fails as well, and says for which values
            return _all_rows(pairs) if selection is None else selection
        return filter_rows(self._conjuncts, pairs, self._where)


def _all_rows(pairs: Batch) -> Any:
    return np.arange(pairs.length, dtype=np.uint32) if pairs.selection is None else pairs.selection
