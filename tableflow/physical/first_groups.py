"""Groups of which a limit above wants only the first: these are found before their keys are copied.

Invariant: every result that can be out of range is computed for every group, so that what fails without this fails with it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tableflow.columnar.batch import Batch
from tableflow.columnar.column import Column
from tableflow.columnar.kernels.grouping import GroupTable
from tableflow.expressions.nodes import AggregateCall
from tableflow.physical.hash_aggregate import FirstGroups
from tableflow.physical.node import Input
from tableflow.physical.sort import TopN, TopNOperator
from tableflow.runtime.operator import Emission, OperatorContext, Suspend
from tableflow.runtime.wake import READY
from tableflow.types import BIGINT, Field

_NEVER_FAIL = frozenset({"count", "count_if", "min", "max", "any_value", "bool_and", "bool_or"})


def first_groups(
    context: OperatorContext,
    table: GroupTable,
    fields: Sequence[Field],
    calls: Sequence[AggregateCall],
    first: FirstGroups,
) -> Generator[Suspend, None, npt.NDArray[np.uint32]]:
    """The numbers of these groups, ascending; ``fields`` are the table's keys, then the results of its ``calls``."""
    keys = len(fields) - len(calls)
    ordered = {key.column for key in first.keys}
    shown = [(i, f) for i, f in enumerate(fields) if f.id in ordered]
    checked = [
        i for i, call in enumerate(calls) if fields[keys + i].id not in ordered and call.function not in _NEVER_FAIL
    ]
    number = Field(max(f.id for f in fields) + 1, "group", BIGINT, nullable=False)
    columns = (*(f for _, f in shown), number)
    best = TopNOperator(TopN(fields=columns, input=Input(fields=columns), keys=first.keys, limit=first.limit))
    best.open(context)
    found: list[npt.NDArray[np.int64]] = []
    try:
        for start in range(0, table.groups, context.batch_rows):
            count = min(context.batch_rows, table.groups - start)
            values = [
                table.key(i, start, count) if i < keys else table.result(i - keys, start, count) for i, _ in shown
            ]
            for call in checked:
                table.result(call, start, count)
            numbers = Column(BIGINT, pa.array(np.arange(start, start + count)))
            yield from _pauses(best.process(Batch([*values, numbers], count), 0), found)
            yield Suspend(READY)
        yield from _pauses(best.on_end(0), found)
    finally:
        best.close()
    return np.sort(np.concatenate(found)).astype(np.uint32)


def _pauses(emission: Emission | None, found: list[npt.NDArray[np.int64]]) -> Generator[Suspend, None, None]:
    """What an emission pauses for; the numbers of the groups that it gives go to ``found``."""
    for emitted in emission or ():
        if isinstance(emitted, Suspend):
            yield emitted
        elif isinstance(emitted, Batch):
            found.append(emitted.columns[-1].array.to_numpy())
