"""UNION ALL, and the building block of INTERSECT and EXCEPT."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.physical.node import PhysicalNode, UnaryNode
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class UnionAll(PhysicalNode):
    """All rows of all inputs (port i is input i); columns correspond by position, under the ids of ``fields``."""

    branches: tuple[PhysicalNode, ...]

    @property
    def inputs(self) -> tuple[PhysicalNode, ...]:
        """The branches."""
        return self.branches

    def with_inputs(self, new: tuple[PhysicalNode, ...]) -> PhysicalNode:
        """Over other branches."""
        return UnionAll(fields=self.fields, facts=self.facts, branches=new)


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class Replicate(UnaryNode):
    """Each row as often as its BIGINT column ``count`` says (NULL or <= 0: not at all); ``count`` is not in ``fields``.

    INTERSECT ALL and EXCEPT ALL are a UNION ALL with a marker per side, a count per side and row, and this.
    """

    count: int
