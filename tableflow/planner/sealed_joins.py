"""Joins of a stream with a table that ends: that is read first and sealed, and the stream's rows pass it, each once and in its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tableflow.planner.implementation.join_conditions import key_pair
from tableflow.planner.logical.nodes import Join, JoinKind, Node
from tableflow.planner.logical.structure import output

if TYPE_CHECKING:
    from tableflow.planner.stream_facts import StreamFacts

_PASSING = {
    "left": frozenset({JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI}),
    "right": frozenset({JoinKind.INNER, JoinKind.RIGHT}),
}
"""Kinds of which nothing comes out but with a row of that side."""


def passing_side(node: Join, stream: Callable[[Node], StreamFacts]) -> Node | None:
    """The side whose rows pass the other one, which ends and is sealed; None if it is no such join."""
    left, right = stream(node.left), stream(node.right)
    if not (left.appends and right.appends) or left.bounded == right.bounded or node.null_aware:
        return None
    if node.kind not in _PASSING["left" if right.bounded else "right"]:
        return None
    if left.bounded and node.kind is not JoinKind.INNER and not has_keys(node):
        return None  # rows that are compared one by one with all of a sealed side are those of the left
    return node.left if right.bounded else node.right


def has_keys(node: Join) -> bool:
    """Whether rows of both sides can meet by the hash of something."""
    ids = tuple({f.id for f in output(side)} for side in (node.left, node.right))
    return any(key_pair(conjunct, *ids) is not None for conjunct in node.conjuncts)
