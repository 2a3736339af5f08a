"""Equality joins by hash table: left is the probe side, right the build side."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tableflow.errors import Span
from tableflow.expressions.nodes import Expression
from tableflow.physical.node import BinaryNode, UnaryNode
from tableflow.serialization import serializable


@serializable
class HashJoinKind(enum.Enum):
    """What is kept; probe is the left input, build the right one.

    The BUILD_ forms keep rows of the *build* side (marks on the build side decide), e.g. ``A SEMI JOIN B`` with the table
    built on the small A and probed with B is BUILD_SEMI with left = B, right = A.
    """

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"
    MARK = "mark"
    SINGLE = "single"
    BUILD_SEMI = "build semi"
    BUILD_ANTI = "build anti"


@serializable
class JoinDistribution(enum.Enum):
    """How build rows meet probe rows.

    PUBLISHED: the build side's stage seals one shared table, probe rows stay where they are (``publication`` names it).
    BROADCAST: each task gets every build row and has its own table.  PARTITIONED: both sides are hash-exchanged on the keys.
    """

    PUBLISHED = "published"
    BROADCAST = "broadcast"
    PARTITIONED = "partitioned"


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class HashJoin(BinaryNode):
    """Rows whose key expressions are pairwise equal and for which ``residual`` is TRUE.

    ``left_keys[i] = right_keys[i]`` have equal types; ``null_safe[i]``: NULL matches NULL (IS NOT DISTINCT FROM).
    ``null_aware`` with ANTI is NOT IN and with MARK three-valued IN: then the *last* key pair is the IN comparison, the others
    (and ``residual``) are the correlation.  ``mark`` is the id of the added BOOLEAN field.
    ``fields``: probe columns then build columns for INNER, LEFT, RIGHT, FULL, SINGLE; probe columns for SEMI, ANTI; probe
    columns then the mark for MARK; build columns for BUILD_*; any of them may be left out when unused (order kept).
    """

    kind: HashJoinKind
    distribution: JoinDistribution
    left_keys: tuple[Expression, ...]
    right_keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    residual: tuple[Expression, ...] = ()
    null_aware: bool = False
    mark: int | None = None
    publication: str = ""
    span: Span | None = field(default=None, compare=False)


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class HashBuild(UnaryNode):
    """Terminal of a build stage: contributes its rows to the published table ``publication``.

    Made by lowering from a PUBLISHED :class:`HashJoin`; ``keys`` and ``null_safe`` as there.  ``fields`` are those kept.
    """

    keys: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    publication: str
    null_aware: bool = False
