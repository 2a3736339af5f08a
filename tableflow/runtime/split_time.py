"""Event time of a source task: the minimum over its splits.

Pure bookkeeping.  A split that is known from the start holds time back at the beginning of time until its first
watermark, also before it is handed out; a split found later starts at the time reached.  Idle splits do not count, and
when all are idle time stays where it is.  When none is open, all that is known has been read, and time is as far as any of them came: it does
not depend on whether the last one was still open when its source said that there are no more.
"""

from __future__ import annotations

from tableflow.runtime.events import START_OF_TIME, Watermark


class SplitTime:
    """Watermarks by split; each method gives the task's new watermark if it has advanced."""

    def __init__(self) -> None:
        self.watermark = START_OF_TIME
        self._times: dict[str, int] = {}
        self._idle: set[str] = set()
        self._all_known_handed_out = False
        self._furthest = START_OF_TIME

    def opened(self, split: str) -> None:
        """A split begins to be read."""
        self._times[split] = self.watermark if self._all_known_handed_out else START_OF_TIME

    def handed_out(self) -> Watermark | None:
        """The assigner has no split to give at the moment: what it gives from now on was found later."""
        self._all_known_handed_out = True
        return self._advance()

    def advanced(self, split: str, time: int) -> Watermark | None:
        """Rows of this split have reached ``time``."""
        self._times[split] = max(self._times[split], time)
        return self._advance()

    def silent(self, split: str) -> Watermark | None:
        """The split is idle."""
        self._idle.add(split)
        return self._advance()

    def spoke(self, split: str) -> Watermark | None:
        """The split has given rows: it counts again, with the time it had reached, which others may have held back until now."""
        if split not in self._idle:
            return None
        self._idle.remove(split)
        return self._advance()

    def finished(self, split: str) -> Watermark | None:
        """The split has ended."""
        self._furthest = max(self._furthest, self._times.pop(split))
        self._idle.discard(split)
        return self._advance()

    @property
    def all_idle(self) -> bool:
        """Whether there are splits and none of them counts."""
        return bool(self._times) and len(self._idle) == len(self._times)

    def _advance(self) -> Watermark | None:
        if not self._all_known_handed_out:
            return None
        otherwise = START_OF_TIME if self._times else self._furthest
        time = min((time for split, time in self._times.items() if split not in self._idle), default=otherwise)
        if time <= self.watermark:
            return None
        self.watermark = time
        return Watermark(time)
