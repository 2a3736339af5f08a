"""The batch operator of functions with OVER, called on rows that are put together by partition."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat_steps
from tableflow.expressions.nodes import WindowCall
from tableflow.physical.node import Input
from tableflow.physical.properties import OrderingKey
from tableflow.physical.steps import pausing
from tableflow.physical.window import WindowAggregate, WindowAggregateOperator
from tableflow.runtime.operator import OperatorContext, Suspend
from tableflow.types import BIGINT, Field

PARTITION = Field(-1, "partition", BIGINT, nullable=False)
"""The number of a row's partition."""


class ComputedOver:
    """Calls over rows with these columns, whose partition is :data:`PARTITION`."""

    def __init__(
        self,
        fields: Sequence[Field],
        order: tuple[OrderingKey, ...],
        results: tuple[Field, ...],
        calls: tuple[WindowCall, ...],
    ) -> None:
        self._inner = WindowAggregate(
            fields=results,
            input=Input(fields=tuple(fields)),
            partition=(PARTITION.id,),
            order=order,
            results=results,
            calls=calls,
        )

    def of(self, rows: Batch, context: OperatorContext) -> Generator[Suspend, None, list[Column]]:
        """A column for each call; the rows of a partition stand together, in order."""
        operator = WindowAggregateOperator(self._inner)
        operator.open(context)
        made: list[Batch] = []
        try:
            for emission in (operator.process(rows, 0), operator.on_end(0)):
                for item in emission or ():
                    if isinstance(item, Batch):
                        made.append(item)
                    elif isinstance(item, Suspend):
                        yield item
        finally:
            operator.close()
        whole = yield from pausing(concat_steps(made))
        return list(whole.columns)
