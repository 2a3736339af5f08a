"""A source is narrowed by builds when its first split is asked for, not earlier and only once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.runtime.graph import Narrowing
from tableflow.runtime.narrowing import NarrowedSource
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.source import Done, KeyList, Split
from tableflow.types import BIGINT, BOOLEAN
from tests.runtime.simple import Batches, batch, values

K = ColumnRef(BIGINT, 1, "k")


class Keys:
    """The handle of a build with one key."""

    def __init__(self, *keys: int) -> None:
        self._keys = keys

    def conjuncts(self, key: int, column: ColumnRef, most: int) -> tuple[Expression, ...]:
        if not self._keys:
            return (Literal(BOOLEAN, value=False),)
        return (Call(BOOLEAN, "ge", (column, Literal(BIGINT, min(self._keys)))),)

    def key_list(self, key: int, column: ColumnRef) -> KeyList | None:
        return KeyList(column, np.array(sorted(self._keys), np.int64)) if self._keys else None


class Sealed:
    """Takes partials for a handle that is given."""

    def __init__(self, handle: Keys) -> None:
        self._handle = handle

    def plan(self, partials: Sequence[None]) -> int:
        return 0

    def seal(self, part: int) -> None:
        raise AssertionError(part)

    def finish(self) -> Keys:
        return self._handle


class Listed(Batches):
    """Has one split per value; knows which are wanted."""

    def __init__(self, *keys: int, asked: list[object] | None = None) -> None:
        super().__init__(*[[batch(key)] for key in keys])
        self.keys = keys
        self.asked: list[object] = [] if asked is None else asked

    def narrowed(self, predicates: Sequence[Expression], lists: Sequence[KeyList]) -> Listed:
        self.asked.append((len(predicates), [one.column.name for one in lists]))
        kept = set(self.keys).intersection(*[one.values.tolist() for one in lists])
        return Listed(*sorted(kept), asked=self.asked)


def publication(handle: Keys) -> PublishedBuild:
    build = PublishedBuild("join-1", 1, 1)
    list(build.contribute(0, None, Sealed(handle)))
    return build


def given(source: NarrowedSource) -> tuple[list[int], dict[str, int]]:
    assigner = source.assigner()
    found: list[int] = []
    while isinstance(split := assigner.next(0), Split):
        reader = source.reader(split, 100)
        while not isinstance(polled := reader.poll(), Done):
            found += values(polled)
    assert assigner.next(1) is None
    return found, assigner.take_counts()


def test_builds_are_read_when_the_first_split_is_asked_for() -> None:
    asked: list[str] = []
    build = publication(Keys(3, 4, 9))

    def find(key: str) -> PublishedBuild:
        asked.append(key)
        return build

    source = Listed(*range(6))
    narrowed = NarrowedSource(source, [Narrowing("join-1", 0, K)], find)
    assigner = narrowed.assigner()
    assert asked == []
    assert assigner.take_counts() == {}
    assert given(narrowed) == ([3, 4], {"runtime_filters": 1})
    assert asked == ["join-1"]
    assert source.asked == [(1, ["k"])]


def test_an_empty_build_asks_for_no_split() -> None:
    source = Listed(1, 2)
    narrowed = NarrowedSource(source, [Narrowing("join-1", 0, K)], lambda key: publication(Keys()))
    assert given(narrowed) == ([], {"runtime_filters": 1})
    assert source.asked == []
