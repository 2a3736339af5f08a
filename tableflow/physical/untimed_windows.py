"""Windows of a column of which watermarks do not speak: no row is late for them, and nothing but the end of the input closes one.

Watermarks of the same rows tell of another column, their event time; a window that they closed would lose rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.runtime.events import END_OF_TIME, Epoch, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext


class UntimedWindowsOperator(Operator):
    """Another operator of windows, which only sees the last watermark."""

    def __init__(self, windows: Operator) -> None:
        self._windows = windows

    def open(self, context: OperatorContext) -> None:
        """Opens the other operator."""
        self._windows.open(context)

    def process(self, batch: Batch, port: int) -> Emission | None:
        """The rows as they are."""
        return self._windows.process(batch, port)

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Only the end of the input counts."""
        return self._windows.on_watermark(watermark) if watermark.time == END_OF_TIME else None

    def on_timer(self, time: int) -> Emission | None:
        """Early results may be due."""
        return self._windows.on_timer(time)

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """The other operator's epoch."""
        return self._windows.on_epoch(epoch)

    def on_end(self, port: int) -> Emission | None:
        """The other operator's end."""
        return self._windows.on_end(port)

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The other operator's state."""
        return self._windows.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave."""
        self._windows.restore(parts)

    def close(self) -> None:
        """Closes the other operator."""
        self._windows.close()
