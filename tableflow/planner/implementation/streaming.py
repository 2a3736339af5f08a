"""Implementation rules of plans over streams: every operator takes changes and gives changes.

There is one way to compute each node, so nothing is priced; what cannot be maintained is refused here, with what to write
instead.  Rows meet by hash exchanges on keys; nothing is published, because nothing is ever complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tableflow.physical.changelog_result import ChangelogResult
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.fork import Fork
from tableflow.physical.node import PhysicalNode
from tableflow.physical.properties import ANYWHERE, SINGLE, ChangelogMode, Partitioning
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.aggregates import implement_replicate
from tableflow.planner.implementation.chance import check_chance
from tableflow.planner.implementation.changelog_aggregates import implement_stream_aggregate
from tableflow.planner.implementation.changelogs import (
    implement_stream_join,
    implement_stream_limit,
    implement_stream_window,
    refuse,
    settled,
)
from tableflow.planner.implementation.enforcers import arrange, sort
from tableflow.planner.implementation.event_time import (
    implement_stream_window_table,
    implement_watermarks,
    implement_windowed_aggregate,
)
from tableflow.planner.implementation.leaves import (
    implement_filter,
    implement_hinted,
    implement_project,
    implement_values,
)
from tableflow.planner.implementation.ordering import ordering_of
from tableflow.planner.implementation.readings import with_readings
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING, Required
from tableflow.planner.implementation.search import Rule, Search
from tableflow.planner.implementation.unions import implement_set_operation
from tableflow.planner.implementation.upserts import implement_stream_scan
from tableflow.planner.implementation.versioned_joins import implement_stream_asof_join, implement_stream_temporal_join
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.over_times import last_sort, sorted_in_time
from tableflow.planner.window_closings import closings
from tableflow.records import replace
from tableflow.types import STRING, Field


def _stream_filter(search: Search, node: logical.Filter, required: Required) -> Iterable[PhysicalNode]:
    return with_readings(search, implement_filter(search, node, required))


def _stream_project(search: Search, node: logical.Project, required: Required) -> Iterable[PhysicalNode]:
    return with_readings(search, implement_project(search, node, required))


def _stream_shared(search: Search, node: logical.Shared, required: Required) -> Iterable[PhysicalNode]:
    """All readers get the rows of one stream, each under its own ids."""
    first = search.shared.get(node.key)
    if first is None:
        child = arrange(search.best(node.input, NOTHING), node.columns)
        key = search.publication("fork")
    else:
        assert isinstance(first, Fork)
        child, key = first.input, first.key
    facts = search.facts(node, node.fields, (child,), 1.0, _partitioned_for_reader(child, node))
    plan = Fork(fields=node.fields, facts=facts, input=child, key=key, sources=node.columns)
    search.shared.setdefault(node.key, plan)
    yield plan


def _partitioned_for_reader(child: PhysicalNode, node: logical.Shared) -> Partitioning:
    """How the rows are distributed, in the reader's columns: each of its tasks reads one of those that give them."""
    partitioning = child.facts.properties.partitioning
    names = {source.id: own.id for source, own in zip(node.columns, node.fields, strict=True)}
    if not names.keys() >= set(partitioning.keys):
        return ANYWHERE
    return replace(partitioning, keys=tuple([names[key] for key in partitioning.keys]))


def _stream_sort(search: Search, node: logical.Sort, required: Required) -> Iterable[PhysicalNode]:
    """Sorted when everything has come, or as time passes; below other nodes an order means nothing."""
    if search.finishes(node):
        yield sort(search, settled(search, search.best(node.input, IN_ONE_TASK)), ordering_of(node))
    elif search.ordered is node:
        yield _in_time(search, node)
    else:
        yield search.best(node.input, required)


def _in_time(search: Search, node: logical.Sort) -> PhysicalNode:
    """Rows that wait until time has passed them come in its order."""
    waited = sorted_in_time(node, search.stream(node.input), closings(node.input, search.stream))
    if waited is None:
        raise refuse(
            "rows without end have no last one, and so no order in which they could be given",
            "begin with the event time, ascending: rows come as it passes; or add LIMIT to keep the first rows up to date, "
            "or leave ORDER BY out",
            node.span,
        )
    child = search.best(node.input, IN_ONE_TASK)
    return EventTimeOver(
        fields=child.fields,
        facts=search.facts(node, child.fields, (child,), costs.sort_cost(child.facts.estimate.rows), SINGLE),
        input=child,
        partition=(),
        order=ordering_of(node),
        results=(),
        calls=(),
        behind=waited[1],
    )


STREAMING_RULES: Mapping[type, Rule] = {
    logical.Scan: implement_stream_scan,
    logical.Values: implement_values,
    logical.Filter: _stream_filter,
    logical.Project: _stream_project,
    logical.SetOperation: implement_set_operation,
    logical.Shared: _stream_shared,
    logical.Hinted: implement_hinted,
    logical.Sort: _stream_sort,
    logical.Limit: implement_stream_limit,
    logical.Aggregate: implement_stream_aggregate,
    logical.Replicate: implement_replicate,
    logical.Join: implement_stream_join,
    logical.Window: implement_stream_window,
    timed.AssignWatermarks: implement_watermarks,
    timed.WindowTable: implement_stream_window_table,
    timed.WindowedAggregate: implement_windowed_aggregate,
    timed.TemporalJoin: implement_stream_temporal_join,
    timed.AsofJoin: implement_stream_asof_join,
}


def plan_changes(
    search: Search, query: logical.Query, *, anywhere: bool = False
) -> tuple[PhysicalNode, tuple[Field, ...]]:
    """The plan of a query over streams, in one task or ``anywhere``; its properties tell its changelog and keys."""
    sorts = last_sort(query.root)
    if sorts is not None and not search.stream(sorts).bounded:
        search.warnings.append(
            "ORDER BY is left out: rows without end have no last one, and what they are written to keeps no order; "
            "ORDER BY where they are read"
        )
    plan = search.best(query.root, NOTHING if anywhere else IN_ONE_TASK)
    check_chance(query.root, search.stream)
    return plan, query.columns


def plan_stream(
    search: Search, query: logical.Query, *, anywhere: bool = False
) -> tuple[PhysicalNode, tuple[Field, ...]]:
    """The plan of a query over streams and its result's columns; the first says what a row does, if any is taken back.

    ``anywhere``: rows that are not taken back may come in any tasks.
    """
    root = query.root
    sorts = last_sort(root)
    if sorts is not None and not search.stream(sorts).bounded:
        search.ordered = sorts
    plan = search.best(root, IN_ONE_TASK)
    check_chance(root, search.stream)
    if anywhere and sorts is None and plan.facts.properties.changelog is ChangelogMode.APPEND:
        return search.best(root, NOTHING), query.columns
    if search.stream(root).bounded:
        return settled(search, plan), query.columns
    if plan.facts.properties.changelog is ChangelogMode.APPEND:
        return plan, query.columns
    kind = Field(search.fresh_id(), "op", STRING, nullable=False)
    key = upsert_key(search, root, frozenset(f.id for f in query.columns))
    facts = plan.facts.handed_on()
    facts = replace(facts, properties=replace(facts.properties, changelog=ChangelogMode.APPEND))
    seen = {f.id for f in query.columns}
    shown = tuple(f for f in plan.fields if f.id in seen)
    result = ChangelogResult(fields=(kind, *shown), facts=facts, input=plan, key=key)
    return result, (kind, *query.columns)


def upsert_key(search: Search, node: logical.Node, shown: frozenset[int]) -> tuple[int, ...] | None:
    """The smallest set of visible columns that is unique in what the node's changes add up to."""
    keys = [tuple(sorted(key)) for key in search.cardinality.keys(node) if key <= shown]
    return min(keys, key=lambda key: (len(key), key), default=None)
