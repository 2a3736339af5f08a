"""Windows of rows: TUMBLE and HOP over so many ROWS, PUNCTUATED, LANDMARK, DELTA; one final row for each window and key.

What is open when the input ends is given then.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.physical.collected_window_state import window_state
from tableflow.physical.numbered_rows import NumberedRows
from tableflow.physical.state_parts import across, join_parts
from tableflow.physical.window_state import Mask
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.events import Watermark
from tableflow.runtime.operator import Emission, Operator, OperatorContext


class NumberedWindowsOperator(Operator):
    """One task's partitions; see the module."""

    def __init__(self, node: WindowedAggregate) -> None:
        self._rows = NumberedRows(node)
        self._state = window_state(node)

    def open(self, context: OperatorContext) -> None:
        """Reserves the empty tables."""
        self._context = context
        self._reservation = context.reserve("windows", self._held())
        self._reservation.rows = lambda: int(self._rows.open.sum()) + self._rows.count

    def _held(self) -> int:
        return self._rows.bytes + self._state.bytes

    def process(self, batch: Batch, port: int) -> Emission:
        """Takes rows, at once or to wait for their turn."""
        if not batch.rows:
            return
        self._reservation.resize(self._held() + self._state.bytes_with(batch) - self._state.bytes)
        for rows in self._rows.arrive(batch, self._context):
            yield from self._take(rows)
        self._reservation.resize(self._held())

    def on_watermark(self, watermark: Watermark) -> Emission:
        """Rows whose turn has come."""
        for rows in self._rows.released(watermark.time, self._context):
            yield from self._take(rows)

    def on_end(self, port: int) -> Emission:
        """Windows that nothing has ended are over as well."""
        yield from self._give(self._rows.open.copy())

    def _take(self, batch: Batch) -> Emission:
        rows, slots, over = self._rows.take(batch)
        if rows is not None:
            self._state.take(rows, slots)
        self._reservation.resize(self._held())
        return self._give(over)

    def _give(self, over: Mask) -> Emission:
        over &= self._rows.open
        if not over.any():
            return
        rows = self._rows
        groups = np.flatnonzero(over[self._state.slots()]).astype(np.uint32)
        yield from self._state.told(
            groups, lambda of: rows.columns(rows.starts[of], rows.ends[of]), self._context.batch_rows
        )
        self._rows.open &= ~over
        yield from self._forget()

    def _forget(self) -> Emission:
        """Drops windows that have been given, if they are most of all."""
        still = self._rows.open
        if 2 * int(still.sum()) > len(still):
            return
        living = np.flatnonzero(still[self._state.slots()]).astype(np.uint32)
        new = self._rows.renumber()
        self._state = yield from self._state.moved(
            living, new, lambda more: self._reservation.resize(self._held() + more)
        )
        self._reservation.resize(self._held())

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The partitions, their open windows, and the groups of these."""
        windows, slots = self._rows.snapshot(keys)
        stays = np.zeros(len(self._rows.open), np.bool_)
        stays[slots] = True
        groups = np.flatnonzero(stays[self._state.slots()]).astype(np.uint32)
        return join_parts([windows, *self._state.snapshot(groups)])

    def restore(self, parts: Sequence[bytes]) -> None:
        """Takes what :meth:`snapshot` gave."""
        each = across(parts)
        slots = self._rows.restore(next(each))
        self._state.restore(each, slots)
        self._reservation.resize(self._held())

    def close(self) -> None:
        """Gives the memory back."""
        if hasattr(self, "_context"):
            self._state.clear()
            self._reservation.release()
