"""Joins on arbitrary conditions: every left row against every right row."""

from __future__ import annotations

from dataclasses import dataclass, field

from tableflow.errors import Span
from tableflow.expressions.nodes import Expression
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import BinaryNode
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class NestedLoopJoin(BinaryNode):
    """As :class:`~tableflow.physical.hash_join.HashJoin` without keys; the right side is published (or broadcast).

    The condition is the conjunction of ``conjuncts``; none is a cross product.  Kinds BUILD_* do not occur.
    """

    kind: HashJoinKind
    conjuncts: tuple[Expression, ...] = ()
    null_aware: bool = False
    mark: int | None = None
    publication: str = ""
    span: Span | None = field(default=None, compare=False)
