"""Implementation rule of groups over changelogs, and when their changes come out."""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.config import MINI_BATCH
from tableflow.expressions.emit import EveryInterval, EveryRows, OnWindowClose
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.node import PhysicalNode
from tableflow.physical.retention import Retention
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.changelogs import refuse
from tableflow.planner.implementation.requirements import IN_ONE_TASK, Required, hashed
from tableflow.planner.implementation.search import Search
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.time_nodes import AssignWatermarks
from tableflow.planner.logical.traversal import walk_plan
from tableflow.planner.window_closings import final_groups, group_closing


def implement_stream_aggregate(search: Search, node: logical.Aggregate, required: Required) -> Iterable[PhysicalNode]:
    """Equal keys meet, and the group's row is replaced whenever it changes."""
    final = final_groups(node, search.stream)
    every, every_of_time, every_rows = (0, 0, 0) if final else emission_intervals(node)
    closes = group_closing(node, search.stream)
    keys = tuple(f.id for f in node.keys)
    child = search.best(node.input, hashed(keys, exact=False) if keys else IN_ONE_TASK)
    fields = (*node.keys, *node.results)
    work = costs.aggregate_cost(child.facts.estimate.rows, search.cardinality.groups(node), len(node.calls))
    yield ChangelogAggregate(
        fields=fields,
        facts=search.facts(node, fields, (child,), work, child.facts.properties.partitioning),
        input=child,
        keys=node.keys,
        calls=node.calls,
        retracting=not search.stream(node.input).appends,
        per_epoch=search.settings.get(MINI_BATCH) and not (every or every_of_time or every_rows or final),
        ttl=0 if closes is not None else search.state_ttl(node.input),
        every=every,
        every_of_time=every_of_time,
        every_rows=every_rows,
        closes=None if closes is None else Retention(*closes),
        final=final is not None,
    )


def emission_intervals(node: logical.Aggregate) -> tuple[int, int, int]:
    """EMIT EVERY of groups without a window: microseconds of processing time, of event time, and rows of a group; 0 for none."""
    emit = node.emit
    if node.late is not None or (emit is not None and (emit.lateness is not None or node.fire is not None)):
        raise refuse(
            "rows are late for windows of time, and this grouping is not by its window",
            "GROUP BY window_start, window_end, and ask for what a window is in HAVING or further out",
            None if emit is None else emit.span,
        )
    if emit is None:
        return 0, 0, 0
    if any(isinstance(trigger, OnWindowClose) for trigger in emit.triggers):
        raise refuse(
            "EMIT ON WINDOW CLOSE governs a grouping that is not by its window",
            "GROUP BY window_start, window_end, or say EMIT ON UPDATE",
            emit.span,
        )
    intervals = [trigger for trigger in emit.triggers if isinstance(trigger, EveryInterval)]
    of_time = min((one.micros for one in intervals if one.event_time), default=0)
    if of_time and not any(isinstance(below, AssignWatermarks) for below in walk_plan(node)):
        raise refuse(
            "no table below has an event time", "declare WATERMARK FOR it, or leave OF EVENT TIME out", emit.span
        )
    of_clock = min((one.micros for one in intervals if not one.event_time), default=0)
    rows = min((trigger.rows for trigger in emit.triggers if isinstance(trigger, EveryRows)), default=0)
    return of_clock, of_time, rows
