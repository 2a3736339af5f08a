"""A part of FROM: a plan, the names it offers, and columns of parts further left that it reads."""

from __future__ import annotations

from tableflow.planner.logical.nodes import Node
from tableflow.records import dataclass
from tableflow.sql.binder.scope import Scope


@dataclass(frozen=True, slots=True)
class Part:
    """``needs`` are ids of the block's columns that are not of this part itself (LATERAL)."""

    plan: Node
    scope: Scope
    needs: frozenset[int] = frozenset()
