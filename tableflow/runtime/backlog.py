"""What a source's task had to read at some moment: whoever flushes a job waits until that has been given.

Asked from another thread, looked at between batches.  What is there is said by the reader where it can say so: *catching up* with a
position of its origin, or with a question of its own; any other has given all that was there when it has nothing to give
after the question, or is finished.  Invariant: an epoch that begins when every task of every source has told comes behind all
that was there when they were asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any

from tableflow.runtime.open_split import OpenSplit
from tableflow.runtime.source import CatchingUp


class Backlogs:
    """The questions that one task has not answered."""

    def __init__(self) -> None:
        self._asked: deque[Callable[[], None]] = deque()
        self._unanswered: list[Backlog] = []

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._asked or self._unanswered)

    def ask(self, tell: Callable[[], None]) -> None:
        """Has it told when all that is there now has been given; from any thread."""
        self._asked.append(tell)

    def begin(self) -> bool:
        """Begins with what was asked meanwhile; whether anything was."""
        before = len(self._unanswered)
        while self._asked:
            self._unanswered.append(Backlog(self._asked.popleft()))
        return len(self._unanswered) > before

    def answer(self, opened: Iterable[OpenSplit], held: Callable[[str], bool], *, known: bool) -> None:
        """Tells those who have asked what has been given, if it has; ``known``: no split is missing in ``opened``."""
        answered = [each for each in self._unanswered if each.given(opened, held) and known]
        self._unanswered = [each for each in self._unanswered if each not in answered]
        for each in answered:
            each.tell()


class Backlog:
    """One question; ``tell`` is called when it is answered."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell
        self._known: set[str] = set()
        self._left: list[tuple[OpenSplit, Callable[[], bool]]] = []

    def given(self, opened: Iterable[OpenSplit], held: Callable[[str], bool]) -> bool:
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


def _question(opened: OpenSplit) -> Callable[[], bool]:
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


class Newest:
    """What there was, of readers that catch up with a position, when the next epoch was first seen: it comes behind that."""

    def __init__(self) -> None:
        self._targets: list[tuple[OpenSplit, CatchingUp, int]] | None = None

    def reached(self, opened: Collection[OpenSplit], held: Callable[[str], bool]) -> bool:
        """Whether all of it has been given; a split that is ``held`` back waits for others, which have not given theirs yet."""
        if self._targets is None:
            readers: list[tuple[OpenSplit, Any]] = [(each, each.reader) for each in opened]
            self._targets = [(each, r, r.newest()) for each, r in readers if hasattr(r, "newest")]
        return all(
            each not in opened or reader.reached(target) or held(each.split.id)
            for each, reader, target in self._targets
        )

    def forget(self) -> None:
        """The epoch has been sent."""
        self._targets = None
