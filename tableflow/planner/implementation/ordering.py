"""Implementation rules of sorts, limits and their union, top-N."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tableflow.config import LATE_COLUMNS
from tableflow.expressions.nodes import ColumnRef, SortKey
from tableflow.expressions.properties import can_raise
from tableflow.physical.exchange import Exchange
from tableflow.physical.hash_aggregate import AggregatePhase, FirstGroups, HashAggregate
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.properties import SINGLE, OrderingKey, Partitioning, PartitioningKind
from tableflow.physical.sort import LimitRows, SortRows, TopN
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import enforce
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING, Required
from tableflow.planner.logical import nodes as logical
from tableflow.records import replace

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search

_TOP_N_ROWS = 100_000
"""Above this a heap per task does not pay: sort, then cut."""
_RANGE_SORT_ROWS = 200_000.0


def ordering_of(node: logical.Sort) -> tuple[OrderingKey, ...]:
    """The sort's keys as a physical ordering."""
    return ordering_by(node.keys)


def ordering_by(keys: Sequence[SortKey]) -> tuple[OrderingKey, ...]:
    """Sort keys as a physical ordering, each column once."""
    ordering: list[OrderingKey] = []
    for key in keys:
        if all(known.column != key.column.id for known in ordering):
            ordering.append(OrderingKey(key.column.id, key.descending, key.nulls_first))
    return tuple(ordering)


def implement_sort(search: Search, node: logical.Sort, required: Required) -> Iterable[PhysicalNode]:
    """Sorted by the enforcer in every task; large inputs also by ranges, so that the gather need not merge runs."""
    ordering = ordering_of(node)
    wanted = replace(required, ordering=ordering)
    yield search.best(node.input, wanted)
    rows = search.cardinality.rows(node)
    if search.parallelism > 1 and rows > _RANGE_SORT_ROWS:
        child = search.best(node.input, NOTHING)
        if child.facts.properties.partitioning.kind is not PartitioningKind.SINGLE:
            ranged = Partitioning(PartitioningKind.RANGE, tuple(key.column for key in ordering))
            facts = search.facts(node, child.fields, (child,), costs.sort_cost(rows) * 0.8, ranged, ordering)
            yield SortRows(
                fields=child.fields, facts=facts, input=child, keys=ordering, publication=search.publication("sort")
            )


def implement_limit(search: Search, node: logical.Limit, required: Required) -> Iterable[PhysicalNode]:
    """A limit over a sort is a top-N: each task keeps its best rows, one task the best of those."""
    reach = None if node.limit is None else node.limit + node.offset
    if isinstance(node.input, logical.Sort) and reach is not None and reach <= _TOP_N_ROWS:
        yield _top_n(search, node, node.input, reach)
        return
    if isinstance(node.input, logical.Sort):
        ordered = search.best(node.input, replace(IN_ONE_TASK, ordering=ordering_of(node.input)))
        yield _limit(search, node, ordered, node.limit, node.offset)
        return
    child = search.best(node.input, NOTHING)
    if reach is not None:
        child = _only_some(child, reach)
    if reach is not None and child.facts.properties.partitioning.kind is not PartitioningKind.SINGLE:
        child = _limit(search, node, child, reach, 0)
    yield _limit(search, node, enforce(search, child, IN_ONE_TASK), node.limit, node.offset)


def _only_some(node: PhysicalNode, most: int) -> PhysicalNode:
    """The node; a grouping without results ends when it has so many groups."""
    match node:
        case HashAggregate(phase=AggregatePhase.SINGLE, keys=(_, *_), calls=()):
            return replace(node, most=most)
        case HashAggregate(
            phase=AggregatePhase.FINAL,
            keys=(_, *_),
            calls=(),
            input=Exchange(input=HashAggregate() as partial) as moved,
        ):
            return replace(node, most=most, input=replace(moved, input=replace(partial, most=most)))
        case _:
            return node


def _limit(search: Search, node: logical.Limit, child: PhysicalNode, limit: int | None, offset: int) -> PhysicalNode:
    properties = child.facts.properties
    facts = search.facts(node, child.fields, (child,), 1.0, properties.partitioning, properties.ordering)
    return LimitRows(fields=child.fields, facts=facts, input=child, limit=limit, offset=offset)


def _top_n(search: Search, node: logical.Limit, sort: logical.Sort, reach: int) -> PhysicalNode:
    ordering = ordering_of(sort)
    child = search.best(sort.input, NOTHING)
    if reach and search.settings.get(LATE_COLUMNS) != "off":
        child = _only_first(search, child, FirstGroups(ordering, reach))
    rows = child.facts.estimate.rows
    partitioning = child.facts.properties.partitioning
    if partitioning.kind is not PartitioningKind.SINGLE and search.parallelism > 1:
        kept = min(rows, reach * search.share(partitioning))
        work = rows * costs.SORT_COMPARISON + costs.sort_cost(kept)
        facts = search.facts(node, child.fields, (child,), work, partitioning, ordering, rows=kept)
        local = TopN(fields=child.fields, facts=facts, input=child, keys=ordering, limit=reach)
        child = enforce(search, local, replace(IN_ONE_TASK, ordering=ordering))
        rows = kept
    work = rows * costs.SORT_COMPARISON
    facts = search.facts(node, child.fields, (child,), work, SINGLE, ordering)
    assert node.limit is not None
    return TopN(fields=child.fields, facts=facts, input=child, keys=ordering, limit=node.limit, offset=node.offset)


def _only_first(search: Search, node: PhysicalNode, first: FirstGroups) -> PhysicalNode:
    """The node over a grouping that gives nothing but its first groups, if their order follows from what it gives."""
    match node:
        case ProjectColumns():
            given = dict(zip([f.id for f in node.fields], node.expressions, strict=True))
            names = [given[key.column] for key in first.keys]
            if any(can_raise(e, search.cardinality.domains) for e in node.expressions):
                return node  # a group that is left out might fail
            columns = [e.id for e in names if isinstance(e, ColumnRef)]
            if len(columns) < len(names):
                return node
            below = tuple([replace(key, column=column) for key, column in zip(first.keys, columns, strict=True)])
            return node.with_inputs((_only_first(search, node.input, replace(first, keys=below)),))
        case HashAggregate(phase=AggregatePhase.SINGLE | AggregatePhase.FINAL):
            ordered = {key.column for key in first.keys}
            return node if all(f.id in ordered for f in node.keys) else replace(node, first=first)
        case _:
            return node
