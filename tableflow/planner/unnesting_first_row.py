"""Scalar subqueries with LIMIT 1 as aggregates, which can be computed for all outer rows at once.

The first row by one column gives that column's MIN or MAX.  Any other column of it is taken from a row whose sort columns are
the best ones; which of several such rows is as free as it was with LIMIT 1.
"""

from __future__ import annotations

from dataclasses import replace

from tableflow.expressions.nodes import AggregateCall, ColumnRef, SortKey
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import copy_plan
from tableflow.planner.logical.facts import present
from tableflow.planner.logical.nodes import Aggregate, Join, JoinKind, Limit, Node, Project, Sort
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.traversal import reference
from tableflow.types import Field

_MOST_KEYS = 3
"""Each sort column doubles the plan."""


def first_row_as_aggregate(node: Node, wanted: frozenset[int], context: Context) -> Node:
    """The subquery whose single value is ``wanted``, without LIMIT 1 if that is possible; NULL stands for no row."""
    match node:
        case Project(input=child, fields=fields, expressions=expressions):
            kept = [(f, e) for f, e in zip(fields, expressions, strict=True) if f.id in wanted]
            if len(kept) != 1 or not isinstance(kept[0][1], ColumnRef):
                return node
            below = first_row_as_aggregate(child, frozenset((kept[0][1].id,)), context)
            return node if below is child else Project(below, (kept[0][0],), (kept[0][1],))
        case Limit(limit=1, offset=0, input=Sort(input=child, keys=keys)):
            return _first_by(node, child, keys, wanted, context)
        case Limit(limit=1, offset=0, input=child):
            return _one_value(node, child, "any_value", wanted, context)
        case _:
            return node


def _first_by(node: Node, child: Node, keys: tuple[SortKey, ...], wanted: frozenset[int], context: Context) -> Node:
    if any(key.nulls_first and key.column.id not in present(child, context) for key in keys):
        return node
    first = keys[0]
    if wanted == {first.column.id}:
        return _one_value(node, child, _best(first), wanted, context)
    if len(keys) > _MOST_KEYS or not context.deterministic_plan(child):
        return node
    for key in keys:
        child = _with_best(child, key, context)
    return _one_value(node, child, "any_value", wanted, context)


def _best(key: SortKey) -> str:
    """NULLs come last: they are the best only if there is nothing else, as for MIN and MAX."""
    return "max" if key.descending else "min"


def _with_best(child: Node, key: SortKey, context: Context) -> Node:
    """The rows whose sort column is the best one."""
    copy, renamed = copy_plan(child, context)
    best = Field(context.fresh_id(), "best", key.column.type)
    source = reference(renamed[key.column.id])
    found = Aggregate(copy, (), (best,), (AggregateCall(best.type, _best(key), (source,)),))
    return Join(JoinKind.INNER, child, found, (call("is_not_distinct_from", key.column, reference(best)),))


def _one_value(node: Node, child: Node, function: str, wanted: frozenset[int], context: Context) -> Node:
    columns = [f for f in context.output(node) if f.id in wanted]
    if len(columns) != 1:
        return node
    # the result keeps the column's id, so what is below needs others
    below, renamed = copy_plan(child, context)
    new = replace(context.fresh(columns[0]), nullable=True)
    source = reference(renamed[columns[0].id])
    aggregate = Aggregate(below, (), (new,), (AggregateCall(new.type, function, (source,)),))
    return Project(aggregate, (replace(columns[0], nullable=True),), (reference(new),))
