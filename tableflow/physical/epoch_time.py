"""NOW() of a job: when the epoch in which a row passes began, as a column.

Invariant: rows behind an epoch event belong to the next epoch, whose time the event carries; so all operators of a job give rows of one
epoch one time, and what an operator holds back until its epoch ends still has the time of that epoch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.assign_watermarks import units_per_microsecond
from tableflow.physical.assign_windows import time_column
from tableflow.physical.node import UnaryNode
from tableflow.physical.state_parts import least
from tableflow.records import dataclass
from tableflow.runtime.events import START_OF_TIME, Epoch
from tableflow.runtime.operator import Emission, Operator, OperatorContext
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class EpochTime(UnaryNode):
    """The input's rows with ``time`` behind their columns."""

    time: Field


class EpochTimeOperator(Operator):
    """Its state is the time of the epoch at hand, which never turns back."""

    def __init__(self, node: EpochTime) -> None:
        self._type = node.time.type
        self._units = units_per_microsecond(self._type)
        self._time = START_OF_TIME

    def open(self, context: OperatorContext) -> None:
        """The first epoch began with the job."""
        self._time = context.began

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """Another one begins."""
        self._time = max(self._time, epoch.time)
        return None

    def process(self, batch: Batch, port: int) -> Emission:
        """The same rows, wider."""
        column = time_column(self._type, np.full(batch.length, self._time * self._units, np.int64))
        yield Batch([*batch.columns, column], batch.length, batch.selection, batch.weights, batch.event_time)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The time."""
        return self._time.to_bytes(8, "little", signed=True)

    def restore(self, parts: Sequence[bytes]) -> None:
        """See :meth:`snapshot`; it is the same for all tasks, and never turns back."""
        self._time = max(self._time, least(parts))
