"""When it is said of a source's task that nothing comes: its splits have had nothing to give for the idle timeout.

A split that is silent does not count in the task's time; a task all of whose splits are silent is idle, and so is, where the source
has no split that counts, a task without one.  What is idle comes back with its next rows or watermark.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.events import Watermark
from tableflow.runtime.open_split import OpenSplit
from tableflow.runtime.split_time import SplitTime
from tableflow.runtime.timers import Timekeeper


class Silence:
    """Of one task of a source."""

    def __init__(self, timeout: int, clock: Timekeeper, time: SplitTime, block: OperatorBlock) -> None:
        self._timeout = timeout
        self._clock = clock
        self._time = time
        self._block = block
        self._without_split: int | None = None
        """Since when there is nothing to wait for."""
        self.told = False
        """Whether it was said that nothing comes."""
        self.deadline: int | None = None
        """When it is to be judged again (microseconds), None: only after something has come."""

    def ends(self) -> None:
        """Something has come."""
        self._without_split = None
        if self.told:
            self.told = self._block.idle = False

    def judge(self, opened: Collection[OpenSplit], note: Callable[[Watermark | None], None]) -> bool:
        """Takes silent splits out of the task's time, and has ``note`` know what follows; whether it is to be said now that nothing comes.

        A split that has something, and is not asked because nothing may be read for now, is not silent.
        """
        now = self._clock.now()
        self.deadline = None
        for each in opened:
            if each.silent_since is None or each.idle or each.ready:
                continue
            due = each.silent_since + self._timeout
            if now >= due:
                each.idle = True
                note(self._time.silent(each.split.id))
            elif self.deadline is None or due < self.deadline:
                self.deadline = due
        silent = not self.told and (self._time.all_idle if opened else self._nothing_counts(now))
        if silent:
            self.told = self._block.idle = True
        return silent

    def _nothing_counts(self, now: int) -> bool:
        """Whether for so long no task of the source has had a split that counts."""
        if not self._time.none_counts:
            self._without_split = None
            return False
        if self._without_split is None:
            self._without_split = now
        due = self._without_split + self._timeout
        if now < due:
            self.deadline = due
        return now >= due
