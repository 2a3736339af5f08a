"""The arithmetic of windows in time: TUMBLE, HOP and CUMULATE over the stored integers of a time column.

Everything is computed on the wall clock of the assigner's zone (without one: on the stored time itself), made monotone: while
a clock that was put back shows times again, it counts as standing at the last of them.  So a window [start, end) on
the wall is one interval of instants, windows of one kind lie one after the other, and each instant is in exactly one window of a
TUMBLE.  Panes are the longest stretches of the wall that no window's start or end divides.
"""

from __future__ import annotations

from math import gcd
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tableflow.errors import DataError
from tableflow.expressions.casting.zones import UTC, zone_of
from tableflow.expressions.window_assigner import Cumulate, Hop, TimeAssigner, Tumble
from tableflow.types import SqlType, TimestampType

Times: TypeAlias = npt.NDArray[np.int64]
Rows: TypeAlias = npt.NDArray[np.int64]
_LIMIT = 2**62


class WindowTimes:
    """An assigner's windows over times of one type; a window is named by its start and end on the wall."""

    def __init__(self, assigner: TimeAssigner, of: SqlType) -> None:
        self.nanoseconds = isinstance(of, TimestampType) and of.precision > 6
        unit = 1000 if self.nanoseconds else 1
        self._per_second = 1_000_000 * unit
        self._zone = zone_of(assigner.zone) if assigner.zone not in {"", UTC} else None
        self._assigner = assigner
        match assigner:
            case Tumble(size=size):
                self._slide = self._size = self._pane = size * unit
            case Hop(slide=slide, size=size):
                self._slide, self._size = slide * unit, size * unit
                self._pane = gcd(slide, size) * unit
            case Cumulate(step=step, size=size):
                self._slide, self._size, self._pane = size * unit, size * unit, step * unit
        self._offset = assigner.offset * unit % self._slide
        # TIMESTAMP(p) names the instant before the end in its own precision.
        precision = of.precision if isinstance(of, TimestampType) else 6
        self.tick = 10 ** ((9 if self.nanoseconds else 6) - precision)

    @property
    def single(self) -> bool:
        """Whether a pane is a window."""
        return isinstance(self._assigner, Tumble)

    @property
    def most_per_row(self) -> int:
        """How many windows a row is in at most."""
        return -(-self._size // (self._pane if isinstance(self._assigner, Cumulate) else self._slide))

    def walls(self, times: Times) -> Times:
        """Stored times on the monotone wall clock."""
        if len(times) and (int(times.min()) < -_LIMIT or int(times.max()) > _LIMIT):
            raise DataError("an event time is too far away for windows")
        if self._zone is None:
            return times
        seconds = times // self._per_second
        shown = self._zone.shown_until(seconds) * self._per_second - 1
        result: Times = np.maximum(times + self._zone.offsets(seconds) * self._per_second, shown)
        return result

    def instants(self, walls: Times) -> Times:
        """Starts and ends of windows as stored times."""
        if self._zone is None:
            return walls
        seconds, rest = np.divmod(walls, self._per_second)
        result: Times = self._zone.first_shown(seconds) * self._per_second + rest
        return result

    def pane_numbers(self, walls: Times) -> Times:
        """The number of each time's pane."""
        result: Times = (walls - self._offset if self._offset else walls) // self._pane
        return result

    def pane_starts(self, numbers: Times) -> Times:
        """Starts of panes on the wall."""
        return numbers * self._pane + self._offset

    def covered(self, numbers: Times) -> npt.NDArray[np.bool_] | None:
        """Whether panes (by number) are part of any window; None when all are."""
        if self._slide <= self._size:
            return None
        result: npt.NDArray[np.bool_] = numbers * self._pane % self._slide < self._size
        return result

    def last_ends(self, panes: Times) -> Times:
        """The end of the last window that each pane is part of."""
        return self._starts(panes) + self._size

    def windows(self, panes: Times) -> tuple[Rows, Times, Times]:
        """All windows of each pane as three columns: the pane's position, the window's start and end."""
        latest = self._starts(panes)
        if isinstance(self._assigner, Tumble):
            return np.arange(len(panes)), latest, latest + self._size
        if isinstance(self._assigner, Cumulate):
            counts = (self._size - (panes - latest)) // self._pane
            rows, nth = _repeated(counts)
            return rows, latest[rows], latest[rows] + self._size - nth * self._pane
        counts = np.maximum((latest + self._size - panes - self._pane) // self._slide + 1, 0)
        rows, nth = _repeated(counts)
        starts = latest[rows] - nth * self._slide
        return rows, starts, starts + self._size

    def closed_at(self, ends: Times) -> Times:
        """The watermark, in microseconds, from which on windows with these ends (on the wall) are complete."""
        instants = self.instants(ends)
        return -(-instants // 1000) if self.nanoseconds else instants

    def _starts(self, panes: Times) -> Times:
        since = panes - self._offset
        result: Times = since // self._slide * self._slide + self._offset
        return result


def _repeated(counts: Rows) -> tuple[Rows, Rows]:
    """Each position as often as it counts, and how often it came before."""
    rows = np.repeat(np.arange(len(counts)), counts)
    before = np.cumsum(counts) - counts
    return rows, np.arange(len(rows)) - before[rows]
