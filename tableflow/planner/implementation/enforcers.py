"""Enforcers: exchanges and sorts that give a plan the properties it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableflow.catalog.clustering import Boundaries
from tableflow.expressions.nodes import ColumnRef
from tableflow.physical.exchange import Exchange
from tableflow.physical.node import Facts, PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.properties import (
    REPLICATED,
    SINGLE,
    Estimate,
    OrderingKey,
    Partitioning,
    PartitioningKind,
    Properties,
)
from tableflow.physical.sort import SortRows
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.requirements import Required, ordering_satisfies, partitioning_satisfies
from tableflow.runtime.graph import ExchangeKind
from tableflow.types import Field

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def enforce(search: Search, plan: PhysicalNode, required: Required) -> PhysicalNode:
    """``plan``, with the sort and exchange on top that ``required`` asks for."""
    delivered = plan.facts.properties
    moved = is_moved(search, delivered.partitioning, required)
    gathered = required.partitioning.kind is PartitioningKind.SINGLE
    if moved and not gathered:
        # Rows come from several tasks in no order: only the sort that follows makes one.
        plan = _spread(search, plan, required)
    if required.ordering and not ordering_satisfies(plan.facts.properties.ordering, required.ordering):
        # Sorting before a gather uses every core; the gather then merges.
        plan = sort(search, plan, required.ordering)
    return gather(search, plan, required.ordering) if moved and gathered else plan


def _spread(search: Search, plan: PhysicalNode, required: Required) -> PhysicalNode:
    """``plan`` over several tasks as required, in no order."""
    match required.partitioning.kind:
        case PartitioningKind.REPLICATED:
            return broadcast(search, plan)
        case _:
            from tableflow.planner.implementation.clustering import key_ranges

            found = key_ranges(search, plan, required)
            if found is not None:
                return cut(search, plan, *found)
            return repartition(search, plan, required.partitioning.keys)


def is_moved(search: Search, delivered: Partitioning, required: Required) -> bool:
    """Whether rows that lie like this have to be exchanged."""
    return not partitioning_satisfies(delivered, required) and search.parallelism > 1


def enforcing_cost(
    search: Search,
    partitioning: Partitioning,
    ordering: tuple[OrderingKey, ...],
    rows: float,
    row_bytes: float,
    required: Required,
    plan: PhysicalNode | None = None,
) -> float:
    """What :func:`enforce` would add to the cost of a plan with these properties; it is ``plan``, if that is built."""
    cost = 0.0
    moved = is_moved(search, partitioning, required)
    if moved and required.partitioning.kind is not PartitioningKind.SINGLE:
        partitioning, ordering = required.partitioning, ()
    if required.ordering and not ordering_satisfies(ordering, required.ordering):
        cost += _sorting(search, rows, partitioning)
    if moved:
        to = required.partitioning.kind
        if to is PartitioningKind.HASH and plan is not None:
            from tableflow.planner.implementation.clustering import key_ranges

            if key_ranges(search, plan, required) is not None:
                to = PartitioningKind.RANGE
        cost += _moving(search, rows, row_bytes, to, required.ordering)
    return cost


def _sorting(search: Search, rows: float, partitioning: Partitioning) -> float:
    return costs.sort_cost(rows / search.share(partitioning))


def _moving(
    search: Search, rows: float, row_bytes: float, to: PartitioningKind, ordering: tuple[OrderingKey, ...]
) -> float:
    work = costs.exchange_cost(rows, row_bytes)
    match to:
        case PartitioningKind.SINGLE:
            return work * (2.0 if ordering else 0.3) + costs.STAGE
        case PartitioningKind.REPLICATED:
            return work * search.parallelism * 0.3 + costs.STAGE
        case PartitioningKind.RANGE:
            return rows * costs.RANGE_ROW / search.parallelism + costs.STAGE
        case _:
            return work / search.parallelism + costs.STAGE


def keep(plan: PhysicalNode, ids: frozenset[int]) -> PhysicalNode:
    """``plan`` without columns outside ``ids``; itself when there are none."""
    fields = tuple(f for f in plan.fields if f.id in ids)
    return plan if len(fields) == len(plan.fields) else arrange(plan, fields)


def arrange(plan: PhysicalNode, fields: tuple[Field, ...]) -> PhysicalNode:
    """``plan`` with exactly these of its columns, in this order."""
    if tuple(f.id for f in plan.fields) == tuple(f.id for f in fields):
        return plan
    expressions = tuple(ColumnRef(f.type, f.id, f.name) for f in fields)
    return ProjectColumns(fields=fields, facts=plan.facts.handed_on(), input=plan, expressions=expressions)


def sort(search: Search, plan: PhysicalNode, ordering: tuple[OrderingKey, ...]) -> PhysicalNode:
    """Sorts the rows of each task."""
    properties, estimate = plan.facts.properties, plan.facts.estimate
    cost = estimate.cost + _sorting(search, estimate.rows, properties.partitioning)
    placed = _placed(properties, properties.partitioning, ordering)
    facts = Facts(placed, Estimate(estimate.rows, estimate.row_bytes, cost))
    return SortRows(fields=plan.fields, facts=facts, input=plan, keys=ordering)


def _placed(of: Properties, partitioning: Partitioning, ordering: tuple[OrderingKey, ...]) -> Properties:
    return Properties(partitioning, ordering, of.bounded, of.changelog, of.keys, of.event_time)


def _moved(search: Search, plan: PhysicalNode, to: Partitioning, ordering: tuple[OrderingKey, ...] = ()) -> Facts:
    properties, estimate = plan.facts.properties, plan.facts.estimate
    cost = estimate.cost + _moving(search, estimate.rows, estimate.row_bytes, to.kind, ordering)
    return Facts(_placed(properties, to, ordering), Estimate(estimate.rows, estimate.row_bytes, cost))


def gather(search: Search, plan: PhysicalNode, ordering: tuple[OrderingKey, ...] = ()) -> PhysicalNode:
    """All rows in one task; merged when they are ordered."""
    facts = _moved(search, plan, SINGLE, ordering)
    return Exchange(
        fields=plan.fields, facts=facts, input=plan, kind=ExchangeKind.GATHER, ordering=ordering, parallelism=1
    )


def broadcast(search: Search, plan: PhysicalNode) -> PhysicalNode:
    """Every row in every task."""
    facts = _moved(search, plan, REPLICATED)
    return Exchange(fields=plan.fields, facts=facts, input=plan, kind=ExchangeKind.BROADCAST)


def repartition(search: Search, plan: PhysicalNode, keys: tuple[int, ...]) -> PhysicalNode:
    """Rows with equal keys in one task."""
    facts = _moved(search, plan, Partitioning(PartitioningKind.HASH, keys))
    return Exchange(fields=plan.fields, facts=facts, input=plan, kind=ExchangeKind.HASH, keys=keys)


def cut(search: Search, plan: PhysicalNode, key: int, boundaries: Boundaries) -> PhysicalNode:
    """Rows with equal keys in one task, where most batches lie within a range of the key."""
    facts = _moved(search, plan, Partitioning(PartitioningKind.RANGE, (key,)))
    kind = ExchangeKind.RANGE
    return Exchange(fields=plan.fields, facts=facts, input=plan, kind=kind, keys=(key,), boundaries=boundaries)
