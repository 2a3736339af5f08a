"""The last rows of each group, which new ones replace as a whole.

Runs as those of :class:`GroupedRows`, but of a group only the newest run counts; what it replaces goes when runs are put
together.
"""

from __future__ import annotations

import numpy as np

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.gather import concat, take_rows
from tableflow.columnar.kernels.grouping import GroupNumbers
from tableflow.physical.grouped_rows import GroupedRows, Lanes, Run


class LatestRows(GroupedRows):
    """Whoever adds rows of a group adds all that are kept of it."""

    def _together(self, first: Run, second: Run) -> Run:
        kept = np.flatnonzero(~np.isin(first.groups, second.groups))
        return super()._together(Run(take_rows(first.rows, kept), first.groups[kept]), second)

    def of(self, groups: GroupNumbers) -> tuple[Batch | None, Lanes]:
        """The rows of these groups in their order, group by group; the place in ``groups`` of each."""
        found: list[Batch] = []
        lanes: list[Lanes] = []
        left = np.arange(len(groups))
        for run in reversed(self._runs):
            places, lane = run.find(groups[left])
            if len(places):
                found.append(take_rows(run.rows, places))
                lanes.append(left[lane])
                left = np.delete(left, lane)
        if not found:
            return None, np.zeros(0, np.int64)
        lane = np.concatenate(lanes)
        order = np.argsort(lane, kind="stable")
        return take_rows(concat(found), order), lane[order]

    def _kept_of(self, groups: GroupNumbers) -> tuple[Batch | None, Lanes]:
        return self.of(groups)
