"""Equality joins of two changelogs."""

from __future__ import annotations

from dataclasses import dataclass, field

from tableflow.errors import Span
from tableflow.expressions.nodes import Expression
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import BinaryNode
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogJoin(BinaryNode):
    """Pairs of rows whose key expressions are pairwise equal and for which ``residual`` is TRUE; never a BUILD_ kind.

    Keys, ``null_safe``, ``null_aware`` and ``mark`` mean what they mean in :class:`~tableflow.physical.hash_join.HashJoin`; without
    keys every row is compared with every other.  Both inputs are hash-exchanged on the keys, or there is one task.
    ``fields``: columns of the left, then of the right for INNER, LEFT, RIGHT, FULL, SINGLE; columns of the left for SEMI, ANTI, and
    then the mark for MARK; any of them may be left out when unused (order kept).
    ``left_appends``, ``right_appends``: the input has no weights.  INNER over two of them gives no weights either; so does
    SEMI when it is the left one and the right one appends too.  All other outputs are retract streams.
    A second match of SINGLE is an error only if it stands when an epoch passes, or at the end.
    """

    kind: HashJoinKind
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    residual: tuple[Expression, ...] = ()
    null_aware: bool = False
    mark: int | None = None
    left_appends: bool = False
    right_appends: bool = False
    span: Span | None = field(default=None, compare=False)
