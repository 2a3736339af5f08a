"""A fused run of filters and projections.

Invariant: a pipeline gives what its steps would have given one after the other, errors included: a row that a program
cannot compute is handed to the steps themselves, which say why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.programs import Program, ProgramDefinition, RowError
from tableflow.errors import InternalError
from tableflow.physical.filter import FilterRows, FilterRowsOperator
from tableflow.physical.node import PhysicalNode, UnaryNode
from tableflow.physical.project import ProjectColumns, ProjectColumnsOperator
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(UnaryNode):
    """``steps`` (over Input leaves, first one first) as one ``program``; ``fields`` are those of the last step."""

    steps: tuple[PhysicalNode, ...]
    program: ProgramDefinition


class PipelineOperator(Operator):
    """One native call per batch."""

    def __init__(self, node: Pipeline) -> None:
        self._steps = node.steps
        self._program = Program(node.program)

    def open(self, context: OperatorContext) -> None:
        """Keeps the context for its counters."""
        self._context = context

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The rows that are left, if any."""
        try:
            result = self._program.apply(batch)
        except RowError as failure:
            _explain(self._steps, batch, failure)
            raise
        self._context.count("fused_batches")
        return None if result is None else iter((result,))


def _explain(steps: Sequence[PhysicalNode], batch: Batch, failure: RowError) -> None:
    """Raises the error of the step that fails for the row."""
    row = batch.with_selection(np.array([failure.row], np.uint32))
    for step in steps:
        if isinstance(step, FilterRows):
            emission = FilterRowsOperator(step).process(row, 0)
        elif isinstance(step, ProjectColumns):
            emission = ProjectColumnsOperator(step).process(row, 0)
        else:
            raise InternalError(f"a {type(step).__name__} in a pipeline")
        rows = [] if emission is None else [item for item in emission if isinstance(item, Batch)]
        if not rows:
            return
        row = rows[0]
