"""Implementation of scans of tables whose rows replace each other by key.

Invariant: above the plan of such a scan rows are changes like any other: a row that is replaced is taken back.  So no conjunct and
no limit is looked at below, and the key is read also when nobody asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tableflow.expressions.nodes import column_ids
from tableflow.physical.filter import FilterRows
from tableflow.physical.node import PhysicalNode
from tableflow.physical.normalize import Normalize
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import enforce
from tableflow.planner.implementation.leaves import implement_scan
from tableflow.planner.implementation.requirements import NOTHING, Required, hashed
from tableflow.planner.implementation.search import Search
from tableflow.planner.logical import nodes as logical
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
    moved = enforce(search, read, hashed(key, exact=False))
    rows, partitioning = moved.facts.estimate.rows, moved.facts.properties.partitioning
    fields = tuple(f for f in moved.fields if f.id in search.needed(node) | asked)
    facts = search.facts(node, fields, (moved,), costs.build_cost(rows, moved.facts.estimate.row_bytes), partitioning)
    plan: PhysicalNode = Normalize(fields=fields, facts=facts, input=moved, key=key, ttl=search.state_ttl(node))
    if node.predicates:
        facts = search.facts(node, fields, (plan,), rows * len(node.predicates) * costs.FILTER_ROW, partitioning)
        plan = FilterRows(fields=fields, facts=facts, input=plan, conjuncts=node.predicates)
    yield plan


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
