"""The implementation rule of windows: rows of a partition in one task, sorted by partition and order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tableflow.expressions.nodes import column_ids
from tableflow.physical.node import PhysicalNode
from tableflow.physical.partition_top_n import PartitionTopN
from tableflow.physical.properties import OrderingKey, PartitioningKind
from tableflow.physical.window import WindowAggregate
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import enforce, is_moved, keep
from tableflow.planner.implementation.ordering import ordering_by
from tableflow.planner.implementation.requirements import (
    IN_ONE_TASK,
    NOTHING,
    Required,
    hashed,
    ordering_satisfies,
)
from tableflow.planner.logical import nodes as logical
from tableflow.records import replace

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search


def implement_window(search: Search, node: logical.Window, required: Required) -> Iterable[PhysicalNode]:
    """Over rows that are where they belong and in order; exchange and sort are added where they are not."""
    partition = tuple(dict.fromkeys(f.id for f in node.partition))
    order = tuple(key for key in ordering_by(node.order) if key.column not in partition)
    ordering = (*_partition_first(partition, required), *order)
    meeting = hashed(partition, exact=False) if partition else IN_ONE_TASK
    if node.limit is None or not ordering:
        child = search.best(node.input, replace(meeting, ordering=ordering))
    else:
        child = _first_rows(search, node, meeting, ordering, len(partition), node.limit)
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


def _first_rows(
    search: Search,
    node: logical.Window,
    meeting: Required,
    ordering: tuple[OrderingKey, ...],
    partition: int,
    limit: int,
) -> PhysicalNode:
    """The sorted input of a window of which the first rows of each partition count: no sort keeps the others.

    Where rows have to be moved each task keeps its own first rows before.
    """
    child = search.best(node.input, NOTHING)
    if ordering_satisfies(child.facts.properties.ordering, ordering) and not is_moved(
        search, child.facts.properties.partitioning, meeting
    ):
        return child
    child = keep(child, search.needed(node.input))
    if is_moved(search, child.facts.properties.partitioning, meeting):
        first = _partition_top_n(search, node, child, ordering, partition, limit)
        child = enforce(search, first, meeting if partition else replace(meeting, ordering=ordering))
        if not partition:
            return child
    return _partition_top_n(search, node, child, ordering, partition, limit)


def _partition_top_n(
    search: Search,
    node: logical.Window,
    child: PhysicalNode,
    ordering: tuple[OrderingKey, ...],
    partition: int,
    limit: int,
) -> PhysicalNode:
    properties, estimate = child.facts.properties, child.facts.estimate
    share = search.share(properties.partitioning)
    kept = min(estimate.rows, search.cardinality.rows(node) * share)
    work = costs.sort_cost(estimate.rows / share) * share
    facts = search.facts(node.input, child.fields, (child,), work, properties.partitioning, ordering, rows=kept)
    return PartitionTopN(fields=child.fields, facts=facts, input=child, keys=ordering, partition=partition, limit=limit)


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
