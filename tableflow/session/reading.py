"""How far a job has read, and whether one that began again has passed where it was before.

Rows that are there (tables, files) have been passed when all that was there as the job began is given.  Rows that are made up as
they are read have no such end: of these the catalog remembers how many each source had given, and they have been passed when
as many have come again, or the source has ended.  Invariant: an epoch that begins after all of this has been seen holds at
least what the table showed before, so its version may replace the table.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping

from tableflow.connectors.managed.epoch_sink import KeptTable, Rows
from tableflow.errors import TableFlowError
from tableflow.physical.scan import TableScan
from tableflow.runtime.job import Job
from tableflow.session.planned import Planned


class JobReading:
    """What is known of one job; ``made``: the tables, as the query calls them, whose rows are made up."""

    def __init__(self, kept: KeptTable, made: frozenset[str], before: Rows) -> None:
        self._kept = kept
        self._made = made
        self._before: Mapping[str, int] = dict(before)
        self._names: dict[int, str] = {}
        self._job: Job | None = None
        self._given: Callable[[], bool] = lambda: True

    def begin(self, job: Job, planned: Planned) -> None:
        """The job has been started."""
        scans = {place[0]: node.table for node, place in planned.lowered.nodes() if isinstance(node, TableScan)}
        seen = Counter[str]()
        for stage in sorted(stage for stage, table in scans.items() if table in self._made):
            seen[scans[stage]] += 1
            self._names[stage] = f"{scans[stage]} {seen[scans[stage]]}"
        self._job = job
        if self._kept.replaces:
            self._given = job.ask_sources()
        if self._names:
            self._kept.read = self.rows

    @property
    def replacing(self) -> bool:
        """Whether the table shows what it showed before the job began again."""
        return self._kept.replaces

    @property
    def passed(self) -> bool:
        """Whether the next epoch replaces that."""
        return self._kept.passed is not None

    def epoch_passed(self, number: int) -> None:
        """All tasks have passed an epoch: later ones begin after this."""
        if self._kept.replaces and self._kept.passed is None and self._given() and not self._behind():
            self._kept.passed = number + 1

    def rows(self) -> Rows:
        """How many rows each source had made when the epoch began that came last, by a name that it has again in the next plan of the query."""
        if self._job is None:
            return ()
        stages = {stage.stage: stage for stage in self._job.counters().stages}
        sources = {name: stages[stage].source for stage, name in self._names.items()}
        return tuple((name, source.cut) for name, source in sources.items() if source is not None)

    def note(self) -> None:
        """Has the catalog remember it as the job ends, if there is anything to remember; a disk that fails now fails others, too."""
        if self._names and not self._kept.replaces:
            with contextlib.suppress(TableFlowError):
                self._kept.note()

    def _behind(self) -> bool:
        """Whether some source has made fewer rows than before, and goes on."""
        if self._job is None:
            return True
        for stage in self._job.counters().stages:
            name = self._names.get(stage.stage)
            if name is None or stage.source is None or stage.source.ended == stage.tasks:
                continue
            if stage.source.cut < self._before.get(name, 0):
                return True
        return False
