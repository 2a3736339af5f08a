"""Implementation rules of streams for joins as of a time.

By event time rows wait for the watermark, so what comes out is never taken back.  Over inputs that end, rows without event time wait
for the end.
"""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.physical.current_join import CurrentJoin
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.properties import SINGLE
from tableflow.physical.versioned_join import VersionedJoin
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.changelogs import refuse
from tableflow.planner.implementation.join_conditions import pairs_of
from tableflow.planner.implementation.joins import STRAIGHT, by_columns, published_join
from tableflow.planner.implementation.lookup_joins import implement_lookup_join
from tableflow.planner.implementation.requirements import IN_ONE_TASK, Required
from tableflow.planner.implementation.search import Draft, Search
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.logical.lookups import looked_up
from tableflow.types import DateType, Field, IntegerType, TimestampType


def implement_stream_temporal_join(
    search: Search, node: timed.TemporalJoin, required: Required
) -> Iterable[PhysicalNode | Draft]:
    """The version that was valid at the left row's event time."""
    if looked_up(node) is not None:
        yield from implement_lookup_join(search, node, required)
        return
    if node.versions is None:
        yield _as_it_is(search, node)
        return
    asof = timed.AsofJoin(
        node.kind, node.left, node.right, node.conjuncts, "ge", node.time, node.versions, node.block, node.span
    )
    yield _versioned(search, node, asof)


def _as_it_is(search: Search, node: timed.TemporalJoin) -> PhysicalNode | Draft:
    """The right side when the left row is processed: of a table that ends, all of it; of others, at the end of the row's epoch."""
    left, right = search.stream(node.left), search.stream(node.right)
    if left.appends and right.appends and right.bounded:
        join = logical.Join(node.kind, node.left, node.right, node.conjuncts, block=node.block, span=node.span)
        search.adopt(join, node)
        sealed = published_join(search, join, node.right)
        if sealed is not None:
            return sealed
    if not left.appends:
        raise refuse(
            "rows that may be taken back cannot be joined with a table as it is: it may be another one when they are",
            "join them with the table first, and group afterwards",
        )
    condition = pairs_of(search, node.conjuncts, node.left, node.right)
    if condition.residual or not condition.left or any(condition.null_safe):
        raise refuse("a join as of a time compares keys for equality", "put other conditions into WHERE")
    first, left_keys = by_columns(search, node.left, condition.left)
    second, right_keys = by_columns(search, node.right, condition.right)
    wanted, known = search.needed(node), search.output(node)
    fields = tuple(known[f.id] for f in (*first.fields, *second.fields) if f.id in wanted and f.id in known)
    rows = first.facts.estimate.rows + second.facts.estimate.rows
    work = costs.probe_cost(rows, rows, rows, len(fields))
    return CurrentJoin(
        fields=fields,
        facts=search.facts(node, fields, (first, second), work, first.facts.properties.partitioning),
        left=first,
        right=second,
        kind=STRAIGHT[node.kind],
        left_keys=left_keys,
        right_keys=right_keys,
    )


def implement_stream_asof_join(search: Search, node: timed.AsofJoin, required: Required) -> Iterable[PhysicalNode]:
    """The next right row by event time."""
    yield _versioned(search, node, node)


def _versioned(search: Search, known: timed.TemporalJoin | timed.AsofJoin, node: timed.AsofJoin) -> PhysicalNode:
    left_facts, right_facts = search.stream(node.left), search.stream(node.right)
    following = node.match in {"le", "lt"}
    timely = (
        isinstance(node.time, ColumnRef)
        and node.time.id in left_facts.event_time
        and node.versions.id in right_facts.event_time
    )
    bounded = left_facts.bounded and right_facts.bounded
    if following and not bounded:
        raise refuse("the next row after a time is not known before it has come", "write the inequality as >= or >")
    if not (timely or bounded):
        raise refuse(
            "a join as of a time needs event time on both sides, for rows wait until it has passed",
            "declare WATERMARK FOR the columns that are compared",
        )
    if not all(isinstance(of, (TimestampType, DateType, IntegerType)) for of in (node.time.type, node.versions.type)):
        raise refuse(
            f"a join as of a value of type {node.time.type} has no plan over streams", "compare times or whole numbers"
        )
    if not right_facts.appends:
        raise refuse(
            "versions that are replaced are gone",
            "join with the stream of all versions: a table without changelog 'upsert' keeps them",
        )
    condition = pairs_of(search, node.conjuncts, node.left, node.right)
    if condition.left and not condition.residual:
        left, left_keys = by_columns(search, node.left, condition.left)
        right, right_keys = by_columns(search, node.right, condition.right)
    elif condition.residual:
        raise refuse("a join as of a time compares keys for equality", "put other conditions into WHERE")
    else:
        left, right = search.best(node.left, IN_ONE_TASK), search.best(node.right, IN_ONE_TASK)
        left_keys, right_keys = (), ()
    left, time = _with_column(search, left, node.time)
    wanted = search.needed(known)
    nullable = search.output(known)
    fields = tuple(nullable[f.id] for f in (*left.fields, *right.fields) if f.id in wanted and f.id in nullable)
    rows = left.facts.estimate.rows + right.facts.estimate.rows
    placed = left.facts.properties.partitioning if left_keys else SINGLE
    return VersionedJoin(
        fields=fields,
        facts=search.facts(known, fields, (left, right), costs.sort_cost(rows), placed),
        left=left,
        right=right,
        kind=STRAIGHT[node.kind],
        left_keys=left_keys,
        right_keys=right_keys,
        null_safe=condition.null_safe,
        time=time,
        versions=node.versions.id,
        strict=node.match in {"gt", "lt"},
        following=following,
        at_end=not timely or following,
        left_appends=left_facts.appends,
        ttl=search.state_ttl(node.right) if timely and not following else 0,
    )


def _with_column(search: Search, plan: PhysicalNode, time: Expression) -> tuple[PhysicalNode, int]:
    """The plan with the time as a column, and its id."""
    if isinstance(time, ColumnRef):
        return plan, time.id
    field = Field(search.fresh_id(), "time", time.type)
    passed = tuple(ColumnRef(f.type, f.id, f.name) for f in plan.fields)
    made = ProjectColumns(
        fields=(*plan.fields, field), facts=plan.facts.handed_on(), input=plan, expressions=(*passed, time)
    )
    return made, field.id
