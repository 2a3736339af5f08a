"""Windows whose late rows are written: what any operator of windows does, and epochs that wait for those rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.late_rows import LateRows
from tableflow.runtime.events import Epoch, Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext


class Judging(Protocol):
    """An operator of windows that knows which rows are late."""

    @property
    def late(self) -> LateRows | None:
        """Those of its windows, once it is open; None if none can be late."""
        ...


class LateWritingOperator(Operator):
    """Another operator of windows, given twice, and its late rows on their way to their table; see the module."""

    def __init__(self, windows: Operator, judging: Judging) -> None:
        self._windows = windows
        self._judging = judging

    def open(self, context: OperatorContext) -> None:
        """Opens the other operator, and with it the writer."""
        self._windows.open(context)

    def process(self, batch: Batch, port: int) -> Emission:
        """The other operator's work; then the table has to have room for more."""
        yield from self._windows.process(batch, port) or ()
        if self._judging.late is not None:
            yield from self._judging.late.wait()

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """The other operator's work."""
        return self._windows.on_watermark(watermark)

    def on_timer(self, time: int) -> Emission | None:
        """The other operator's work."""
        return self._windows.on_timer(time)

    def on_epoch(self, epoch: Epoch) -> Emission:
        """Late rows before the epoch count from now on."""
        yield from self._windows.on_epoch(epoch) or ()
        if self._judging.late is not None:
            yield from self._judging.late.publish(epoch.number)

    def on_end(self, port: int) -> Emission:
        """What came after the last epoch."""
        yield from self._windows.on_end(port) or ()
        if self._judging.late is not None:
            yield from self._judging.late.publish(-1)
            self._judging.late.finish()

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The other operator's state: what was written before an epoch is no part of it."""
        return self._windows.snapshot(keys)

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave."""
        self._windows.restore(parts)

    def close(self) -> None:
        """Closes the other operator."""
        self._windows.close()
