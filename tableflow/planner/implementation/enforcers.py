"""Enforcers: exchanges and sorts that give a plan the properties it lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

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
    moved = not partitioning_satisfies(delivered.partitioning, required) and search.parallelism > 1
    if required.ordering and not ordering_satisfies(delivered.ordering, required.ordering):
        # Sorting before the gather uses every core; the gather then merges.
        plan = sort(search, plan, required.ordering)
    if not moved:
        return plan
    match required.partitioning.kind:
        case PartitioningKind.SINGLE:
            return gather(plan, required.ordering)
        case PartitioningKind.REPLICATED:
            return broadcast(search, plan)
        case _:
            return repartition(search, plan, required.partitioning.keys)


def keep(plan: PhysicalNode, ids: frozenset[int]) -> PhysicalNode:
    """``plan`` without columns outside ``ids``; itself when there are none."""
    fields = tuple(f for f in plan.fields if f.id in ids)
    return plan if len(fields) == len(plan.fields) else arrange(plan, fields)


def arrange(plan: PhysicalNode, fields: tuple[Field, ...]) -> PhysicalNode:
    """``plan`` with exactly these of its columns, in this order."""
    if tuple(f.id for f in plan.fields) == tuple(f.id for f in fields):
        return plan
    expressions = tuple(ColumnRef(f.type, f.id, f.name) for f in fields)
    return ProjectColumns(fields=fields, facts=plan.facts, input=plan, expressions=expressions)


def sort(search: Search, plan: PhysicalNode, ordering: tuple[OrderingKey, ...]) -> PhysicalNode:
    """Sorts the rows of each task."""
    properties, estimate = plan.facts.properties, plan.facts.estimate
    share = search.share(properties.partitioning)
    facts = Facts(
        replace(properties, ordering=ordering),
        replace(estimate, cost=estimate.cost + costs.sort_cost(estimate.rows / share)),
    )
    return SortRows(fields=plan.fields, facts=facts, input=plan, keys=ordering)


def _moved(plan: PhysicalNode, partitioning: Partitioning, ordering: tuple[OrderingKey, ...], work: float) -> Facts:
    properties, estimate = plan.facts.properties, plan.facts.estimate
    return Facts(
        replace(properties, partitioning=partitioning, ordering=ordering),
        Estimate(estimate.rows, estimate.row_bytes, estimate.cost + work + costs.STAGE),
    )


def gather(plan: PhysicalNode, ordering: tuple[OrderingKey, ...] = ()) -> PhysicalNode:
    """All rows in one task; merged when they are ordered."""
    estimate = plan.facts.estimate
    work = costs.exchange_cost(estimate.rows, estimate.row_bytes) * (2.0 if ordering else 0.3)
    facts = _moved(plan, SINGLE, ordering, work)
    return Exchange(
        fields=plan.fields, facts=facts, input=plan, kind=ExchangeKind.GATHER, ordering=ordering, parallelism=1
    )


def broadcast(search: Search, plan: PhysicalNode) -> PhysicalNode:
    """Every row in every task."""
    estimate = plan.facts.estimate
    work = costs.exchange_cost(estimate.rows, estimate.row_bytes) * search.parallelism * 0.3
    return Exchange(
        fields=plan.fields, facts=_moved(plan, REPLICATED, (), work), input=plan, kind=ExchangeKind.BROADCAST
    )


def repartition(search: Search, plan: PhysicalNode, keys: tuple[int, ...]) -> PhysicalNode:
    """Rows with equal keys in one task."""
    estimate = plan.facts.estimate
    work = costs.exchange_cost(estimate.rows, estimate.row_bytes) / search.parallelism
    partitioning = Partitioning(PartitioningKind.HASH, keys)
    return Exchange(
        fields=plan.fields, facts=_moved(plan, partitioning, (), work), input=plan, kind=ExchangeKind.HASH, keys=keys
    )
