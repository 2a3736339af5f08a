"""Scalar subqueries with LIMIT 1 as aggregates, which can be computed for all outer rows at once.

The first row by one column gives that column's MIN or MAX, the first of no order any value.  Other columns of the first row need
rows numbered per outer row, see ``unnesting_windows``.
"""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall, ColumnRef, SortKey
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import copy_plan
from tableflow.planner.logical.facts import present
from tableflow.planner.logical.nodes import Aggregate, Limit, Node, Project, Sort
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace


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
    first = keys[0]
    if wanted != {first.column.id} or (first.nulls_first and first.column.id not in present(child, context)):
        return node
    return _one_value(node, child, _best(first), wanted, context)


def _best(key: SortKey) -> str:
    """NULLs come last: they are the best only if there is nothing else, as for MIN and MAX."""
    return "max" if key.descending else "min"


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
