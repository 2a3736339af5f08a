"""Windows of rows with early results: TUMBLE and HOP over so many ROWS, PUNCTUATED, LANDMARK, DELTA."""

from __future__ import annotations

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.physical.growing_windows import GrowingWindowsOperator
from tableflow.physical.numbered_rows import NumberedRows
from tableflow.physical.window_times import Times
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import START_OF_TIME, Watermark
from tableflow.runtime.operator import Emission


class UpdatingNumberedOperator(GrowingWindowsOperator):
    """One task's partitions; all that is pending of a window fires when it is over, or the input ends."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._numbered = NumberedRows(node)
        super().__init__(node, self._numbered)

    def _held_rows(self) -> int:
        return super()._held_rows() + self._numbered.count

    def process(self, batch: Batch, port: int) -> Emission:
        """Takes rows, at once or to wait for their turn."""
        for rows in self._numbered.arrive(batch, self._context) if batch.rows else ():
            yield from self._take(rows)
        self._reservation.resize(self._held())

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Rows whose turn has come; an interval of event time may be over."""
        before, self._watermark = self._watermark, watermark.time
        for rows in self._numbered.released(watermark.time, self._context):
            yield from self._take(rows)
        begun = self._event_clock and before > START_OF_TIME  # the first watermark says when time begins
        if begun and watermark.time // self._event_clock > before // self._event_clock:
            yield from self._fire(np.ones(self._pending.groups, np.bool_))

    def on_end(self, port: int) -> Emission:
        """Windows that nothing has ended are over as well."""
        yield from self._fire(np.ones(self._pending.groups, np.bool_))

    def _take(self, batch: Batch) -> Emission:
        rows, slots, over = self._numbered.take(batch)
        if rows is not None:
            self._add(rows, slots)
        pending = self._pending.slots()
        yield from self._fire(self._due() | over[pending])
        self._numbered.open &= ~over
        still = self._numbered.open
        if 2 * int(still.sum()) < len(still):
            kept = still.copy()
            yield from self._renumber(kept, self._numbered.renumber())

    def _bounds(self) -> tuple[Times, Times]:
        return self._numbered.starts, self._numbered.ends
