"""Event time of a source task: the minimum over its splits; of one without splits, the minimum over the source's other tasks.

Pure bookkeeping.  A split that is known from the start holds time back at the beginning of time until its first
watermark, also before it is handed out; a split found later starts at the time reached.  Idle splits do not count, and
when all are idle time stays where it is.  When none is open, all that is known has been read, and time is as far as any of them came: it does
not depend on whether the last one was still open when its source said that there are no more.

Splits that are found later, as files of a watched directory, go to whichever task asks first.  A task that has none must not hold back
those that have, nor be idle: the next split might then be overtaken.  So it goes with the others (:class:`SourceTime`); what it has told
holds for the split it gets next, whatever the others do meanwhile.
"""

from __future__ import annotations

import threading

from tableflow.runtime.drift import SplitDrift
from tableflow.runtime.events import START_OF_TIME, Watermark

_NONE_YET = ""
"""What counts for a task, as a split, before it has one."""


class SourceTime:
    """How far the tasks of one source are; used by all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: dict[int, int] = {}
        self._furthest = START_OF_TIME

    def tell(self, task: int, time: int | None, furthest: int) -> None:
        """The task's splits have reached ``time``, None if none counts; those that ended came as far as ``furthest``."""
        with self._lock:
            if time is None:
                self._of.pop(task, None)
            else:
                self._of[task] = time
            self._furthest = max(self._furthest, furthest)

    @property
    def reached(self) -> int:
        """The minimum over the tasks with splits; where there are none, how far any of them came."""
        with self._lock:
            return min(self._of.values(), default=self._furthest)

    @property
    def silent(self) -> bool:
        """Whether no task has a split that counts."""
        return not self._of


class SplitTime:
    """Watermarks by split; each method gives the task's new watermark if it has advanced."""

    def __init__(self, source: SourceTime | None = None, task: int = 0, drift: SplitDrift | None = None) -> None:
        """``drift`` is told of the splits as well, and says which of them wait for others."""
        self._source = SourceTime() if source is None else source
        self._task = task
        self._drift = drift
        if drift is not None:
            drift.tell(_NONE_YET, START_OF_TIME)
        self.watermark = START_OF_TIME
        self._times: dict[str, int] = {}
        self._idle: set[str] = set()
        self._all_known_handed_out = False
        self._furthest = START_OF_TIME

    def opened(self, split: str) -> None:
        """A split begins to be read."""
        self._times[split] = self.watermark if self._all_known_handed_out else START_OF_TIME
        if self._drift is not None:
            self._drift.tell(split, self._times[split])
            self._drift.leave(_NONE_YET)
        self._told()

    def handed_out(self) -> Watermark | None:
        """The assigner has no split to give at the moment: what it gives from now on was found later."""
        self._all_known_handed_out = True
        if self._drift is not None:
            self._drift.leave(_NONE_YET)
        return self._advance()

    def advanced(self, split: str, time: int) -> Watermark | None:
        """Rows of this split have reached ``time``."""
        self._times[split] = max(self._times[split], time)
        if self._drift is not None and split not in self._idle:
            self._drift.tell(split, self._times[split])
        return self._advance()

    def silent(self, split: str) -> Watermark | None:
        """The split is idle."""
        self._idle.add(split)
        if self._drift is not None:
            self._drift.leave(split)
        return self._advance()

    def spoke(self, split: str) -> Watermark | None:
        """The split has given rows: it counts again, with the time it had reached, which others may have held back until now."""
        if split not in self._idle:
            return None
        self._idle.remove(split)
        if self._drift is not None:
            self._drift.tell(split, self._times[split])
        return self._advance()

    def finished(self, split: str) -> Watermark | None:
        """The split has ended."""
        self._furthest = max(self._furthest, self._times.pop(split))
        self._idle.discard(split)
        if self._drift is not None:
            self._drift.leave(split)
        return self._advance()

    def held(self, split: str) -> bool:
        """Whether the split waits for others of its group; the task is woken when that may have changed."""
        return self._drift is not None and split not in self._idle and self._drift.holds(self._times[split])

    def close(self) -> None:
        """No split is read any more: nobody waits for one."""
        if self._drift is not None:
            self._drift.close()

    @property
    def slowest(self) -> tuple[str, int] | None:
        """The split that holds time back, and its time; asked by anybody."""
        try:
            known = [(split, time) for split, time in tuple(self._times.items()) if split not in self._idle]
        except RuntimeError:  # it changed meanwhile
            return None
        return min(known, key=lambda each: each[1], default=None)

    @property
    def all_idle(self) -> bool:
        """Whether there are splits and none of them counts."""
        return bool(self._times) and len(self._idle) == len(self._times)

    @property
    def none_counts(self) -> bool:
        """Whether this task has no split, and no other one has a split that counts."""
        return not self._times and self._source.silent

    def _told(self) -> int | None:
        """The minimum over the splits that count, which the other tasks then know."""
        time = min((time for split, time in self._times.items() if split not in self._idle), default=None)
        self._source.tell(self._task, time, self._furthest)
        return time

    def _advance(self) -> Watermark | None:
        time = self._told()
        if not self._all_known_handed_out:
            return None
        if not self._times:
            time = self._source.reached
        if time is None or time <= self.watermark:
            return None
        self.watermark = time
        return Watermark(time)
