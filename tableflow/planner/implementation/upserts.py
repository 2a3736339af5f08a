"""Implementation of scans of tables whose rows replace each other by key.

Invariant: above the plan of such a scan rows are changes like any other: a row that is replaced is taken back.  So no conjunct and
no limit is looked at below, and the key is read also when nobody asks for it.  Event time is made below, in the source's own
chain and split by split; whoever judges lateness sees a row's old and new time as those of two rows.
"""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import column_ids
from tableflow.physical.assign_watermarks import AssignWatermarks, TimeNulls
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import PhysicalNode
from tableflow.physical.normalize import Normalize
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import enforce, keep
from tableflow.planner.implementation.leaves import implement_project, implement_scan
from tableflow.planner.implementation.requirements import NOTHING, Required, hashed
from tableflow.planner.implementation.search import Search
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.logical.copying import passing
from tableflow.records import replace
from tableflow.types import Field


def implement_stream_scan(search: Search, node: logical.Scan, required: Required) -> Iterable[PhysicalNode]:
    """The source's rows; those that replace each other meet by key, and conjuncts wait until that is done."""
    if node.provider.schema.changelog != "upsert":
        yield from implement_scan(search, node, required)
        return
    whole, key = _with_key(search, node)
    asked = frozenset(column for conjunct in node.predicates for column in column_ids(conjunct))
    search.adopt(whole, node, asked.union(key))
    (read,) = implement_scan(search, whole, NOTHING)
    plan: PhysicalNode = _replacing(search, node, node, read, key, search.needed(node) | asked)
    if node.predicates:
        rows, partitioning = plan.facts.estimate.rows, plan.facts.properties.partitioning
        work = rows * len(node.predicates) * costs.FILTER_ROW
        facts = search.facts(node, plan.fields, (plan,), work, partitioning)
        plan = FilterRows(fields=plan.fields, facts=facts, input=plan, conjuncts=node.predicates)
    yield plan


def upserts_in_time(search: Search, node: timed.AssignWatermarks) -> PhysicalNode | None:
    """The plan of event time over rows that replace each other, None for other rows: time below, then what is replaced."""
    projects: list[logical.Project] = []
    below = node.input
    while isinstance(below, logical.Project):
        projects.append(below)
        below = below.input
    if not isinstance(below, logical.Scan) or below.provider.schema.changelog != "upsert" or below.predicates:
        return None
    whole, key = _with_key(search, below)
    search.adopt(whole, below, frozenset(key))
    (plan,) = implement_scan(search, whole, NOTHING)
    chain: logical.Node = whole
    search.settle(chain, plan)
    columns = tuple(f for f in whole.fields if f.id in key)
    for project in reversed(projects):
        more = tuple(f for f in columns if f not in project.fields)
        passed = (*project.expressions, *passing(more))
        chain = logical.Project(chain, (*project.fields, *more), passed)
        search.adopt(chain, project, frozenset(key))
        (plan,) = implement_project(search, chain, NOTHING)
        search.settle(chain, plan)
    plan = assign(search, node, plan, frozenset(key), upserts=True)
    return _replacing(search, node, below, plan, key, search.needed(node))


def assign(
    search: Search,
    node: timed.AssignWatermarks,
    child: PhysicalNode,
    more: frozenset[int] = frozenset(),
    *,
    upserts: bool = False,
) -> AssignWatermarks:
    """What makes event time of the rows of ``child``, which keep the columns that are needed and those of ``more``."""
    child = keep(child, search.needed(node) | column_ids(node.expression) | {node.column.id} | more)
    work = child.facts.estimate.rows * costs.FILTER_ROW
    return AssignWatermarks(
        fields=child.fields,
        facts=search.facts(node, child.fields, (child,), work, child.facts.properties.partitioning),
        input=child,
        column=node.column.id,
        expression=node.expression,
        nulls=TimeNulls(node.nulls.value),
        upserts=upserts,
        table=node.table,
    )


def _replacing(
    search: Search,
    node: logical.Node,
    scan: logical.Scan,
    read: PhysicalNode,
    key: tuple[int, ...],
    wanted: frozenset[int],
) -> Normalize:
    """The rows of each key meet in one task, in their order; what is replaced is taken back."""
    moved = enforce(search, read, hashed(key, exact=False))
    rows, partitioning = moved.facts.estimate.rows, moved.facts.properties.partitioning
    fields = tuple(f for f in moved.fields if f.id in wanted)
    facts = search.facts(node, fields, (moved,), costs.build_cost(rows, moved.facts.estimate.row_bytes), partitioning)
    return Normalize(fields=fields, facts=facts, input=moved, key=key, ttl=search.state_ttl(scan))


def _with_key(search: Search, node: logical.Scan) -> tuple[logical.Scan, tuple[int, ...]]:
    """The scan without conjuncts and limit but with its table's key, and the ids of that."""
    schema = node.provider.schema
    there = dict(zip(node.columns, node.fields, strict=True))
    types = {column.name: column.type for column in schema.columns}
    for name in schema.keys[0]:
        if name not in there:
            there[name] = Field(search.fresh_id(), name, types[name])
    whole = replace(node, fields=tuple(there.values()), columns=tuple(there), predicates=(), limit=None)
    return whole, tuple(there[name].id for name in schema.keys[0])
