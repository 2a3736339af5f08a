"""Sessions that are still open: intervals of a partition with less than the gap between their rows.

Pure arithmetic on arrays.  A batch's rows are cut into sessions of their own first; those and the open ones of the same
partitions, sorted by start, join into chains wherever less than the gap is between them.
"""

from __future__ import annotations

import numpy as np

from tableflow.physical.window_state import Mask, Slots, renumbered
from tableflow.physical.window_times import Rows, Times
from tableflow.records import dataclass

_NO_TIMES = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Joined:
    """What became of a batch: the chain of each row; each chain's partition, first and last time; which open slots it took."""

    chain_of_row: Rows
    partitions: Rows
    starts: Times
    lasts: Times
    chain_of_open: Rows
    open_slots: Slots


class OpenSessions:
    """By slot: partition, times of the first and the last row, and whether the session is open."""

    def __init__(self, gap: int) -> None:
        self._gap = gap
        self.partitions: Rows = _NO_TIMES
        self.starts: Times = _NO_TIMES
        self.lasts: Times = _NO_TIMES
        self.open: Mask = np.empty(0, np.bool_)

    def __len__(self) -> int:
        return len(self.open)

    @property
    def nbytes(self) -> int:
        """Bytes held now."""
        return 3 * self.starts.nbytes + self.open.nbytes

    def join(self, partitions: Rows, times: Times) -> Joined:
        """Rows and the open sessions of their partitions in chains; changes nothing."""
        order = np.lexsort((times, partitions))
        p, t = partitions[order], times[order]
        begins = np.ones(len(p), np.bool_)
        begins[1:] = (p[1:] != p[:-1]) | (t[1:] - t[:-1] >= self._gap)
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(p)) - 1
        touched = np.zeros(int(p.max()) + 1, np.bool_)
        touched[p[first]] = True
        known = self.partitions
        near = self.open & (known < len(touched))
        near[near] = touched[known[near]]
        slots = np.flatnonzero(near)
        # Both kinds together, by partition and start.
        all_p = np.append(p[first], known[slots])
        all_s, all_l = np.append(t[first], self.starts[slots]), np.append(t[last], self.lasts[slots])
        by_start = np.lexsort((all_s, all_p))
        sp, ss, reach = all_p[by_start], all_s[by_start], _running_latest(all_p[by_start], all_l[by_start])
        heads = np.ones(len(sp), np.bool_)
        heads[1:] = (sp[1:] != sp[:-1]) | (ss[1:] - reach[:-1] >= self._gap)
        chain = np.empty(len(sp), np.int64)
        chain[by_start] = np.cumsum(heads) - 1
        starts_at = np.flatnonzero(heads)
        ends_at = np.append(starts_at[1:], len(sp)) - 1
        of_row = np.empty(len(p), np.int64)
        of_row[order] = chain[np.cumsum(begins) - 1]
        local = len(first)
        return Joined(of_row, sp[starts_at], ss[starts_at], reach[ends_at], chain[local:], slots.astype(np.int32))

    def add(self, partitions: Rows, starts: Times, lasts: Times) -> Slots:
        """New open sessions; their slots."""
        slots = np.arange(len(self), len(self) + len(starts), dtype=np.int32)
        self.partitions = np.append(self.partitions, partitions)
        self.starts, self.lasts = np.append(self.starts, starts), np.append(self.lasts, lasts)
        self.open = np.append(self.open, np.ones(len(starts), np.bool_))
        return slots

    def renumber(self, kept: Rows, partitions: Rows) -> Slots:
        """Keeps these slots only, with partitions under new numbers; the new number of each old slot (-1: gone)."""
        new = renumbered(len(self), kept)
        self.partitions = partitions[self.partitions[kept]]
        self.starts, self.lasts, self.open = self.starts[kept], self.lasts[kept], self.open[kept]
        return new


def _running_latest(partitions: Rows, times: Times) -> Times:
    """The greatest time so far within each run of equal partitions."""
    order = np.argsort(times, kind="stable")
    ranks = np.empty(len(times), np.int64)
    ranks[order] = np.arange(len(times))
    runs = np.cumsum(np.append(0, (partitions[1:] != partitions[:-1]).astype(np.int64))) if len(times) else ranks
    reached = np.maximum.accumulate(runs * len(times) + ranks) - runs * len(times)
    result: Times = times[order[reached]]
    return result
