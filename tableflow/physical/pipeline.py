"""A fused run of filters and projections, perhaps with the aggregation that takes its rows.

Invariant: a pipeline gives what its steps would have given one after the other, errors included: a row that a program
cannot compute is handed to the steps themselves, which say why.  A terminal is the operator of its own node, so its
state is the same, fused or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.columnar.kernels.programs import Program, ProgramDefinition, RowError
from tableflow.physical.filter import FilterRows, FilterRowsOperator
from tableflow.physical.node import PhysicalNode, UnaryNode
from tableflow.physical.project import ProjectColumns, ProjectColumnsOperator
from tableflow.records import dataclass
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable

if TYPE_CHECKING:
    from tableflow.physical.hash_aggregate import HashAggregateOperator


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(UnaryNode):
    """``steps`` (over Input leaves, first one first); ``fields`` are those of the last one.

    The filters and projections are one ``program``; a :class:`HashAggregate` may follow them as terminal.
    """

    steps: tuple[PhysicalNode, ...]
    program: ProgramDefinition


class PipelineOperator(Operator):
    """One native call per batch; a terminal's state, and what it emits, are those of its own operator."""

    def __init__(self, node: Pipeline) -> None:
        self._steps = node.steps
        self._program = Program(node.program)
        self._terminal = _terminal(node.steps[-1])

    def open(self, context: OperatorContext) -> None:
        """Opens the terminal."""
        self._context = context
        if self._terminal is not None:
            self._terminal.open(context)

    @property
    def finished(self) -> bool:
        """Whether the terminal wants no more rows."""
        return self._terminal is not None and self._terminal.finished

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The rows that are left, or what the terminal emits for them."""
        self._context.count("fused_batches")
        return self._run(batch) if self._terminal is None else self._terminal.taking(batch, self._run)

    def _run(self, batch: Batch) -> Emission | None:
        try:
            if self._terminal is not None:
                return self._terminal.process_fused(batch, self._program)
            result = self._program.apply(batch)
        except RowError as failure:
            _explain(self._steps, batch, failure)
            raise
        return None if result is None else iter((result,))

    def on_end(self, port: int) -> Emission | None:
        """What the terminal has kept."""
        return None if self._terminal is None else self._terminal.on_end(port)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The terminal's state."""
        return b"" if self._terminal is None else self._terminal.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Gives the terminal its state back."""
        if self._terminal is not None:
            self._terminal.restore(parts)

    def close(self) -> None:
        """Closes the terminal."""
        if self._terminal is not None:
            self._terminal.close()


def _explain(steps: Sequence[PhysicalNode], batch: Batch, failure: RowError) -> None:
    """Raises the error of the step that fails for the row."""
    row = batch.with_selection(np.array([failure.row], np.uint32))
    for step in steps:
        emission: Emission | None
        if isinstance(step, FilterRows):
            emission = FilterRowsOperator(step).process(row, 0)
        elif isinstance(step, ProjectColumns):
            emission = ProjectColumnsOperator(step).process(row, 0)
        else:
            return
        rows = [] if emission is None else [item for item in emission if isinstance(item, Batch)]
        if not rows:
            return
        row = rows[0]


def _terminal(last: PhysicalNode) -> HashAggregateOperator | None:
    """The operator of a step that is an aggregation."""
    if type(last).__name__ != "HashAggregate":
        return None
    from tableflow.physical.hash_aggregate import HashAggregate, HashAggregateOperator

    assert isinstance(last, HashAggregate)
    return HashAggregateOperator(last)
