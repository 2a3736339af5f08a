"""A split that is being read, and what its reader waits for."""

from __future__ import annotations

from tableflow.runtime.operator import Wake
from tableflow.runtime.source import Split, SplitReader


class OpenSplit:
    """``rows`` are those that its reader has given, ``silences`` is how often its reader had nothing to give, ``silent_since`` when it began to have nothing."""

    __slots__ = ("awaited", "idle", "reader", "rows", "silences", "silent_since", "split")

    def __init__(self, split: Split, reader: SplitReader) -> None:
        self.split = split
        self.reader = reader
        self.awaited: Wake | None = None
        self.rows = 0
        self.silences = 0
        self.silent_since: int | None = None
        self.idle = False

    @property
    def ready(self) -> bool:
        """Whether it is worth polling."""
        return self.awaited is None or self.awaited.ready

    def spoke(self) -> None:
        """Its reader has given something."""
        self.silent_since = None
        self.idle = False

    def fell_silent(self, now: int) -> None:
        """Its reader has nothing to give."""
        self.silences += 1
        if self.silent_since is None:
            self.silent_since = now
