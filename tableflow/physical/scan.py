"""Reading a table: the leaf of most plans."""

from __future__ import annotations

from dataclasses import dataclass

from tableflow.expressions.nodes import Expression
from tableflow.physical.node import Domain, PhysicalNode
from tableflow.runtime.graph import SourceSpec
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class TableScan(PhysicalNode):
    """Rows of a source.  What the connector filters is inside ``source``; ``predicates`` says it for EXPLAIN."""

    table: str
    source: SourceSpec
    predicates: tuple[Expression, ...] = ()
    domains: tuple[tuple[int, Domain], ...] = ()
