"""Where rows of equal keys lie together already, so that moving them by ranges of the key costs next to nothing.

A range exchange is right wherever rows lie: only what it costs depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableflow.catalog.clustering import Boundaries, ClusteredProvider
from tableflow.expressions.nodes import ColumnRef
from tableflow.physical.filter import FilterRows
from tableflow.physical.hash_join import HashJoin, JoinDistribution
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.scan import TableScan
from tableflow.planner.implementation.requirements import Required
from tableflow.types import DateType, DecimalType, IntegerType, SqlType, TimestampType

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search

_LEAST_RANGES = 2
"""For each task: with fewer some would have nothing to do."""
_LONGEST_DECIMAL = 18


def key_ranges(search: Search, plan: PhysicalNode, required: Required) -> tuple[int, Boundaries] | None:
    """One of the required keys by whose ranges the rows of ``plan`` lie together, and where to cut it."""
    if search.streaming or required.exact:
        return None
    for key in required.partitioning.keys:
        boundaries = _boundaries(search, plan, key)
        if len(boundaries) >= _LEAST_RANGES * search.parallelism:
            return key, boundaries
    return None


def _boundaries(search: Search, plan: PhysicalNode, key: int) -> Boundaries:
    while True:
        match plan:
            case TableScan():
                provider, column = search.scanned.get(key, (None, ""))
                if provider is None or not _is_integer(plan, key) or not isinstance(provider, ClusteredProvider):
                    return ()
                return provider.boundaries(column)
            case FilterRows():
                plan = plan.input
            case ProjectColumns():
                passed = [e for f, e in zip(plan.fields, plan.expressions, strict=True) if f.id == key]
                if not (passed and isinstance(passed[0], ColumnRef)):
                    return ()
                key, plan = passed[0].id, plan.input
            case HashJoin(distribution=JoinDistribution.PUBLISHED) if any(f.id == key for f in plan.left.fields):
                plan = plan.left  # rows that probe stay where they are, and in order
            case _:
                return ()


def _is_integer(scan: TableScan, key: int) -> bool:
    return any(f.id == key and stored_as_integer(f.type) for f in scan.fields)


def stored_as_integer(of: SqlType) -> bool:
    """Whether values of the type are integers of 64 bits at most, where they are stored."""
    match of:
        case IntegerType() | DateType() | TimestampType():
            return True
        case DecimalType(precision=precision):
            return precision <= _LONGEST_DECIMAL
        case _:
            return False
