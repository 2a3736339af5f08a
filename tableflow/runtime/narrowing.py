"""Runtime filters: a source reads less when the keys of the builds that its rows will meet are known.

Invariant: the stage reads those builds, so they are sealed before its tasks ask for a split, and nothing was read before.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

from tableflow.expressions.nodes import ColumnRef, Expression, Literal
from tableflow.runtime.graph import Narrowing
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.source import (
    BlockingReader,
    KeyList,
    Later,
    Source,
    Split,
    SplitAssigner,
    SplitReader,
)

MOST_IN_CONJUNCT = 1_000
"""Longer lists would be looked through for longer than they save, and key indexes take no more either."""


class KeyedBuild(Protocol):
    """What the handle of a build is that narrows sources."""

    def conjuncts(self, key: int, column: ColumnRef, most: int) -> tuple[Expression, ...]:
        """What holds for every row whose column equals key number ``key`` of a row of the build.

        At most so many values are listed in it, besides what :meth:`key_list` gives.
        """
        ...

    def key_list(self, key: int, column: ColumnRef) -> KeyList | None:
        """All values of that key, where they are numbers and not too many."""
        ...


class NarrowedSource:
    """A source that is narrowed when its first split is asked for."""

    def __init__(self, source: Source, narrowings: Sequence[Narrowing], build: Callable[[str], PublishedBuild]) -> None:
        self.bounded = source.bounded
        self._source = source
        self._narrowings = narrowings
        self._build = build
        self._narrowed: Source | None = None
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def assigner(self) -> SplitAssigner:
        """Hands out the splits that are left."""
        return LateAssigner(self._first, self._counts)

    def reader(self, split: Split, batch_rows: int) -> SplitReader | BlockingReader:
        """Of a split that was handed out."""
        return self._known().reader(split, batch_rows)

    def _first(self) -> SplitAssigner | None:
        """The narrowed source's assigner; None if no row is wanted."""
        source = self._known()
        return None if source is _NOTHING else source.assigner()

    def _known(self) -> Source:
        with self._lock:
            if self._narrowed is None:
                self._narrowed = self._narrow()
            return self._narrowed

    def _narrow(self) -> Source:
        predicates: list[Expression] = []
        lists: list[KeyList] = []
        most = getattr(self._source, "longest_list", MOST_IN_CONJUNCT)
        for one in self._narrowings:
            handle: KeyedBuild = self._build(one.build).handle()
            predicates += handle.conjuncts(one.key, one.column, most)
            listed = handle.key_list(one.key, one.column)
            if listed is not None:
                lists.append(listed)
        self._counts["runtime_filters"] += len(predicates)
        if any(isinstance(each, Literal) and each.value is False for each in predicates):
            return _NOTHING
        narrowed = getattr(self._source, "narrowed", None)  # Narrowable: to ask for a protocol takes far longer
        if not predicates or narrowed is None:
            return self._source
        narrower: Source = narrowed(predicates, lists)
        return narrower


class _Nothing:
    bounded = True

    def assigner(self) -> SplitAssigner:
        """Never asked for."""
        raise NotImplementedError

    def reader(self, split: Split, batch_rows: int) -> SplitReader:
        """Never asked for."""
        raise NotImplementedError


_NOTHING = _Nothing()


class LateAssigner:
    """An assigner that comes to be when it is asked for the first time."""

    def __init__(self, first: Callable[[], SplitAssigner | None], counts: Counter[str]) -> None:
        self._make = first
        self._made: SplitAssigner | None = None
        self._asked = False
        self._counts = counts
        self._lock = threading.Lock()

    def next(self, task_index: int) -> Split | Later | None:
        """See :class:`~tableflow.runtime.source.SplitAssigner`."""
        with self._lock:
            if not self._asked:
                self._made, self._asked = self._make(), True
        return None if self._made is None else self._made.next(task_index)

    def take_counts(self) -> dict[str, int]:
        """See :class:`~tableflow.runtime.source.Counting`."""
        take = getattr(self._made, "take_counts", None)
        made: dict[str, int] = {} if take is None else take()
        if not self._counts:  # as after nearly every split
            return made
        with self._lock:
            taken = Counter(self._counts)
            self._counts.clear()
        taken.update(made)
        return dict(taken)
