"""Hints on joins: which side is built and how rows are distributed, for the aliases of the hint's own SELECT block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from tableflow.physical.hash_join import JoinDistribution
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.structure import inputs
from tableflow.records import dataclass

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


@dataclass(frozen=True, slots=True)
class JoinAdvice:
    """What hints leave open: ``build`` is the side that must be built, ``distribution`` the only one allowed."""

    build: Literal["left", "right"] | None = None
    distribution: JoinDistribution | None = None

    def allows(self, distribution: JoinDistribution) -> bool:
        """Whether the alternative may be taken."""
        return self.distribution is None or self.distribution is distribution


NO_ADVICE = JoinAdvice()


def advise(search: Search, join: logical.Join) -> JoinAdvice:
    """BROADCAST(r) and SHUFFLE_HASH(a, b) where they speak of one of the join's two inputs."""
    if not join.hints:
        return NO_ADVICE
    left, right = (frozenset(_aliases(side, join.block)) for side in (join.left, join.right))
    for hint in join.hints:
        named = frozenset(argument.lower() for argument in hint.arguments)
        if hint.name == "BROADCAST":
            # A one-task plan has nobody to send rows to; what is left of the hint is the side to build.
            how = JoinDistribution.BROADCAST if search.parallelism > 1 else None
            if right and right <= named:
                return JoinAdvice("right", how)
            if left and left <= named:
                return JoinAdvice("left", how)
        if hint.name == "SHUFFLE_HASH" and search.parallelism > 1 and (left <= named or right <= named):
            return JoinAdvice(None, JoinDistribution.PARTITIONED)
    return NO_ADVICE


def _aliases(node: logical.Node, block: int) -> Iterator[str]:
    if isinstance(node, logical.Scan):
        if node.block == block:
            yield node.alias.lower()
        return
    for child in inputs(node):
        yield from _aliases(child, block)
