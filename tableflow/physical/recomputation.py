"""What batch operators say of partitions before and after a change, and the difference.

The old and the new rows of every touched partition are given to one batch operator as partitions of their own; what it says of
old ones counts -1, of new ones +1, and what is equal cancels out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import numpy as np
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.gather import concat, take_columns
from tableflow.columnar.kernels.multi_state import consolidated
from tableflow.physical.partition_rows import TouchedRows
from tableflow.runtime.operator import Operator, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT, Field

SIDE = Field(-1, "side", BIGINT, nullable=False)
"""Tells apart the partitions that an inner operator sees: twice the number, and one more for the new rows."""


def sided(touched: TouchedRows) -> Batch:
    """Rows as often as they are visible, old ones first, :data:`SIDE` behind their columns."""
    rows = np.arange(len(touched.slots))
    old, new = np.repeat(rows, touched.before), np.repeat(rows, touched.after)
    sides = np.concatenate((touched.partitions[old] * 2, touched.partitions[new] * 2 + 1))
    both = np.concatenate((old, new))
    return Batch([*take_columns(touched.columns, both), Column(BIGINT, pa.array(sides))], len(both))


def difference(
    rows: Batch, make: Callable[[], Operator], context: OperatorContext, side: int, kept: Sequence[int]
) -> Generator[Suspend, None, Batch | None]:
    """What changes, of the inner operator's output columns ``kept``; its column ``side`` is the :data:`SIDE`.

    Suspended where the inner operator is, and between its batches.
    """
    operator = make()
    operator.open(context)
    try:
        made: list[Batch] = []
        for emission in (operator.process(rows, 0) if rows.length else None, operator.on_end(0)):
            for item in emission or ():
                if isinstance(item, Batch):
                    made.append(item)
                    yield Suspend(READY)
                elif isinstance(item, Suspend):
                    yield item
    finally:
        operator.close()
    if not made:
        return None
    whole = concat(made)
    sides = whole.columns[side].array.cast(pa.int64()).to_numpy()
    return consolidated(Batch([whole.columns[i] for i in kept], whole.length, None, (sides % 2) * 2 - 1))
