"""Implementation rules of grouping: in one phase where equal keys already meet, or partial states and a final merge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tableflow.physical.aggregate_states import splittable, state_fields
from tableflow.physical.collect_aggregate import CollectAggregate, is_collected
from tableflow.physical.hash_aggregate import AggregatePhase, HashAggregate
from tableflow.physical.node import Facts, PhysicalNode
from tableflow.physical.properties import Estimate, PartitioningKind, Properties
from tableflow.physical.set_operation import Replicate
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import enforce, keep
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING, Required, hashed
from tableflow.planner.logical import nodes as logical
from tableflow.types import Field

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def implement_aggregate(search: Search, node: logical.Aggregate, required: Required) -> Iterable[PhysicalNode]:
    """One phase over rows that were exchanged, or two with the exchange between them."""
    keys = tuple(f.id for f in node.keys)
    meeting = hashed(keys, exact=False) if keys else IN_ONE_TASK
    yield _single_phase(search, node, meeting)
    if any(is_collected(call) for call in node.calls):
        return
    if search.parallelism > 1 and all(splittable(call) for call in node.calls):
        yield _two_phases(search, node, meeting)


def _groups(search: Search, node: logical.Aggregate) -> float:
    return max(1.0, search.cardinality.groups(node))


def _single_phase(search: Search, node: logical.Aggregate, meeting: Required) -> PhysicalNode:
    child = search.best(node.input, meeting)
    fields = (*node.keys, *node.results)
    near = child.facts.properties.partitioning.kind is PartitioningKind.RANGE
    work = costs.aggregate_cost(child.facts.estimate.rows, _groups(search, node), len(node.calls), near=near)
    facts = search.facts(node, fields, (child,), work, child.facts.properties.partitioning)
    if any(is_collected(call) for call in node.calls):
        return CollectAggregate(fields=fields, facts=facts, input=child, keys=node.keys, calls=node.calls)
    return HashAggregate(
        fields=fields, facts=facts, input=child, phase=AggregatePhase.SINGLE, keys=node.keys, calls=node.calls
    )


def _two_phases(search: Search, node: logical.Aggregate, meeting: Required) -> PhysicalNode:
    child = search.best(node.input, NOTHING)
    groups = _groups(search, node)
    rows = child.facts.estimate.rows
    share = search.share(child.facts.properties.partitioning)
    partial_rows = min(rows, groups * share)
    states: list[Field] = []
    for call in node.calls:
        fields = state_fields(call, search.fresh_id())
        for _ in fields[1:]:
            search.fresh_id()
        states.extend(fields)
    partial_fields = (*node.keys, *states)
    work = costs.aggregate_cost(rows, groups, len(node.calls))
    estimate = Estimate(
        partial_rows,
        search.cardinality.row_bytes(node, [f.id for f in node.keys]) + 16.0 * len(states),
        child.facts.estimate.cost + work / share,
    )
    partial = HashAggregate(
        fields=partial_fields,
        facts=Facts(Properties(child.facts.properties.partitioning), estimate),
        input=child,
        phase=AggregatePhase.PARTIAL,
        keys=node.keys,
        calls=node.calls,
    )
    moved = enforce(search, partial, meeting)
    final_fields = (*node.keys, *node.results)
    final_work = costs.aggregate_cost(partial_rows, groups, len(node.calls))
    facts = search.facts(node, final_fields, (moved,), final_work, moved.facts.properties.partitioning)
    return HashAggregate(
        fields=final_fields, facts=facts, input=moved, phase=AggregatePhase.FINAL, keys=node.keys, calls=node.calls
    )


def implement_replicate(search: Search, node: logical.Replicate, required: Required) -> Iterable[PhysicalNode]:
    """Rows repeated where they are."""
    child = search.best(node.input, NOTHING)
    child = keep(child, search.needed(node) | {node.count})
    fields = tuple(f for f in child.fields if f.id != node.count)
    properties = child.facts.properties
    facts = search.facts(node, fields, (child,), child.facts.estimate.rows * 10.0, properties.partitioning)
    yield Replicate(fields=fields, facts=facts, input=child, count=node.count)
