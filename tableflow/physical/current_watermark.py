"""CURRENT_WATERMARK: how far event time has come where a row is, as a column."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.assign_watermarks import units_per_microsecond
from tableflow.physical.assign_windows import time_column
from tableflow.physical.node import UnaryNode
from tableflow.physical.state_parts import least
from tableflow.records import dataclass
from tableflow.runtime.events import START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission, Operator
from tableflow.serialization import serializable
from tableflow.types import Field


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentWatermark(UnaryNode):
    """The input's rows with ``watermark`` behind their columns: NULL before there is one."""

    watermark: Field


class CurrentWatermarkOperator(Operator):
    """Its state is the last watermark."""

    def __init__(self, node: CurrentWatermark) -> None:
        self._type = node.watermark.type
        self._units = units_per_microsecond(self._type)
        self._time: int | None = None

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Later rows see it."""
        self._time = watermark.time
        return None

    def process(self, batch: Batch, port: int) -> Emission:
        """The same rows, wider."""
        values = np.full(batch.length, 0 if self._time is None else self._time * self._units, np.int64)
        column = time_column(self._type, values, present=self._time is not None)
        yield Batch([*batch.columns, column], batch.length, batch.selection, batch.weights, batch.event_time)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The watermark."""
        return struct.pack("<q", START_OF_TIME if self._time is None else self._time)

    def restore(self, parts: Sequence[bytes]) -> None:
        """See :meth:`snapshot`; time has come as far as for the least of all."""
        time = least(parts)
        self._time = None if time == START_OF_TIME else time
