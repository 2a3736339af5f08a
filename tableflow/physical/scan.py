"""Reading a table: the leaf of most plans."""

from __future__ import annotations

from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.node import Domain, PhysicalNode
from tableflow.records import dataclass
from tableflow.runtime.graph import SourceSpec
from tableflow.serialization import serializable


@serializable
@dataclass(frozen=True, slots=True)
class RuntimeFilter:
    """Rows whose ``column`` (under the table's name) equals key number ``key`` of no row of the build are not wanted."""

    publication: str
    key: int
    column: ColumnRef


@serializable
@dataclass(frozen=True, slots=True, kw_only=True)
class TableScan(PhysicalNode):
    """Rows of a source.  What the connector filters is inside ``source``; ``predicates`` says it for EXPLAIN.

    ``columns`` are the table's names of ``fields``.  Rows that ``filters`` do not want may come out all the same.
    """

    table: str
    source: SourceSpec
    predicates: tuple[Expression, ...] = ()
    domains: tuple[tuple[int, Domain], ...] = ()
    columns: tuple[str, ...] = ()
    filters: tuple[RuntimeFilter, ...] = ()
