"""The implementation rule of windows: rows of a partition in one task, sorted by partition and order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from tableflow.expressions.nodes import column_ids
from tableflow.physical.node import PhysicalNode
from tableflow.physical.properties import OrderingKey, PartitioningKind
from tableflow.physical.window import WindowAggregate
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import keep
from tableflow.planner.implementation.ordering import ordering_by
from tableflow.planner.implementation.requirements import IN_ONE_TASK, Required, hashed
from tableflow.planner.logical import nodes as logical

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def implement_window(search: Search, node: logical.Window, required: Required) -> Iterable[PhysicalNode]:
    """Over rows that are where they belong and in order; exchange and sort are added where they are not."""
    partition = tuple(dict.fromkeys(f.id for f in node.partition))
    order = tuple(key for key in ordering_by(node.order) if key.column not in partition)
    ordering = (*_partition_first(partition, required), *order)
    meeting = replace(hashed(partition, exact=False) if partition else IN_ONE_TASK, ordering=ordering)
    child = search.best(node.input, meeting)
    wanted = search.needed(node)
    read = {*partition, *(key.column for key in order)}.union(*(column_ids(call) for call in node.calls))
    child = keep(child, wanted | read)
    fields = (*(f for f in child.fields if f.id in wanted), *node.results)
    properties = child.facts.properties
    kept = {f.id for f in fields}
    visible = []
    for key in properties.ordering:
        if key.column not in kept:
            break
        visible.append(key)
    work = costs.window_cost(child.facts.estimate.rows, len(node.calls))
    facts = search.facts(node, fields, (child,), work, properties.partitioning, tuple(visible))
    yield WindowAggregate(
        fields=fields,
        facts=facts,
        input=child,
        partition=partition,
        order=order,
        results=node.results,
        calls=node.calls,
        limit=node.limit,
    )


def _partition_first(partition: tuple[int, ...], required: Required) -> tuple[OrderingKey, ...]:
    """The partition's columns as the first sort keys: in any order and direction, so in the one that is asked for above."""
    if required.partitioning.kind is PartitioningKind.REPLICATED:
        return tuple(OrderingKey(column) for column in partition)
    asked = []
    for key in required.ordering:
        if key.column not in partition:
            break
        asked.append(key)
    rest = [column for column in partition if all(key.column != column for key in asked)]
    return (*asked, *(OrderingKey(column) for column in rest))
