"""What a source's task had to read at some moment: whoever flushes a job waits until that has been given.

Asked from another thread, looked at between batches.  What is there is said by the reader where it can say so: *catching up* with a
position of its origin, or with a question of its own; any other has given all that was there when it has nothing to give
after the question, or is finished.  Invariant: an epoch that begins when every task of every source has told comes behind all
that was there when they were asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from tableflow.runtime.operator import Wake
from tableflow.runtime.source import Split, SplitReader


class Opened(Protocol):
    """A split that is being read."""

    split: Split
    reader: SplitReader
    awaited: Wake | None
    silences: int
    """How often its reader had nothing to give."""


class Backlog:
    """One question; ``tell`` is called when it is answered."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell
        self._known: set[str] = set()
        self._left: list[tuple[Opened, Callable[[], bool]]] = []

    def given(self, opened: Iterable[Opened], held: Callable[[str], bool]) -> bool:
        """Whether all that was there has been given, of the splits that are open now and of those that have ended; a split that is
        ``held`` back has given what it may.
        """
        here = {each.split.id: each for each in opened}
        for name, each in here.items():
            if name not in self._known:
                self._known.add(name)
                self._left.append((each, _question(each)))
        self._left = [
            (each, answered)
            for each, answered in self._left
            if here.get(each.split.id) is each and not answered() and not held(each.split.id)
        ]
        return not self._left


def _question(opened: Opened) -> Callable[[], bool]:
    """Whether a split has given what it has now."""
    reader: Any = opened.reader
    if hasattr(reader, "newest"):
        target = reader.newest()
        return lambda: bool(reader.reached(target))
    silences = opened.silences
    if hasattr(reader, "backlog"):
        own: Callable[[], bool] = reader.backlog()
        opened.awaited = None  # it looks now, and not when it would
        return lambda: opened.silences > silences or own()
    if opened.awaited is not None and not opened.awaited.ready:
        return lambda: True
    return lambda: opened.silences > silences
