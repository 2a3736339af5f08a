"""Pairs of connected sets of a graph: DPccp's enumeration.

Every unordered pair of disjoint connected sets with an edge between them is given exactly once, and after all pairs inside
either of its sets, so that dynamic programming can use them as they come (Moerkotte and Neumann 2006, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator


def connected_pairs(units: list[int], neighbours: Callable[[int], int]) -> Iterator[tuple[int, int]]:
    """Pairs of unions of ``units`` (disjoint bit sets, the graph's nodes); ``neighbours`` gives a set's adjacent bits."""
    graph = _Graph([_touched(neighbours(unit), units) & ~(1 << i) for i, unit in enumerate(units)])
    if all(unit == 1 << i for i, unit in enumerate(units)):
        yield from graph.pairs()
        return
    for first, second in graph.pairs():
        yield _union(first, units), _union(second, units)


class _Graph:
    """Nodes are numbers, sets of them bit sets."""

    def __init__(self, adjacent: list[int]) -> None:
        self._adjacent = adjacent
        self._around: dict[int, int] = {}

    def pairs(self) -> Iterator[tuple[int, int]]:
        """See the module; sets grow only by nodes above their lowest one, so that each is made once."""
        for i in range(len(self._adjacent) - 1, -1, -1):
            start = 1 << i
            for partner in self._partners(start):
                yield start, partner
            for one in self._grow(start, (2 << i) - 1):
                for partner in self._partners(one):
                    yield one, partner

    def _neighbours(self, of: int) -> int:
        known = self._around.get(of)
        if known is None:
            known, rest = 0, of
            while rest:
                bit = rest & -rest
                known |= self._adjacent[bit.bit_length() - 1]
                rest ^= bit
            self._around[of] = known = known & ~of
        return known

    def _grow(self, of: int, excluded: int) -> Iterator[int]:
        """Connected supersets of ``of`` without excluded nodes."""
        free = self._neighbours(of) & ~excluded
        part = -free & free
        while part:
            yield of | part
            part = (part - free) & free
        part = -free & free
        while part:
            yield from self._grow(of | part, excluded | free)
            part = (part - free) & free

    def _partners(self, of: int) -> Iterator[int]:
        """Connected sets next to ``of`` whose lowest node is above that of ``of``."""
        lowest = of & -of
        excluded = (lowest | (lowest - 1)) | of
        free = self._neighbours(of) & ~excluded
        for i in range(free.bit_length() - 1, -1, -1):
            if free >> i & 1:
                yield 1 << i
                yield from self._grow(1 << i, excluded | (free & ((2 << i) - 1)))


def _touched(bits: int, units: list[int]) -> int:
    found = 0
    for i, unit in enumerate(units):
        if unit & bits:
            found |= 1 << i
    return found


def _union(of: int, units: list[int]) -> int:
    found = 0
    for i, unit in enumerate(units):
        if of >> i & 1:
            found |= unit
    return found
