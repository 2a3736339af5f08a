"""DISTINCT over rows that are distinct already, where duplicates do not matter, and in aggregates of all rows."""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.facts import unique_keys
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Node, Project
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import Field

_LOOKED_AT = frozenset({JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK})
_OF_EACH_VALUE = frozenset({"count", "sum", "avg", "stddev_samp", "stddev_pop", "var_samp", "var_pop"})
"""What DISTINCT makes a difference to, and whose states can be merged without it."""


def eliminate_distinct(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A grouping without results is a projection if a unique key is among its columns; below EXISTS it is nothing."""
    match node:
        case Aggregate(keys=keys, results=(), input=child, late=None) if keys:
            ids = frozenset([f.id for f in keys])
            if any(key <= ids for key in unique_keys(child, context)):
                return Project(child, keys, passing(keys))
        case Join(kind=kind, right=Aggregate(keys=keys, results=(), input=child, late=None)) if (
            keys and kind in _LOOKED_AT
        ):
            return replace(node, right=child)
        case _:
            pass
    return None


def distinct_as_groups(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``count(DISTINCT x)`` of all rows is ``count(x)`` of the groups by x, which are found by all tasks and not kept in one set.

    All calls must be DISTINCT over the same arguments and the same rows.
    """
    if not isinstance(node, Aggregate) or node.keys or not node.calls or node.emit or node.fire or node.late:
        return None
    first = node.calls[0]
    if not all(_alike(call, first) for call in node.calls) or not any(map(context.columns, first.args)):
        return None
    if not all(map(context.deterministic, (*first.args, *filter(None, (first.filter,))))):
        return None
    rows = node.input if first.filter is None else Filter(node.input, (first.filter,))
    keys = tuple([_column(argument, node, context) for argument in first.args])
    if not all(isinstance(argument, ColumnRef) for argument in first.args):
        rows = Project(rows, keys, first.args)
    distinct = tuple({key.id: key for key in keys}.values())
    args = tuple(map(reference, keys))
    calls = tuple([replace(call, args=args, distinct=False, filter=None) for call in node.calls])
    return Aggregate(Aggregate(rows, distinct, (), ()), (), node.results, calls)


def _alike(call: AggregateCall, first: AggregateCall) -> bool:
    """Whether a call looks at the same distinct values as another."""
    return (
        call.distinct
        and call.function in _OF_EACH_VALUE
        and not call.order
        and call.args == first.args
        and call.filter == first.filter
    )


def _column(argument: Expression, node: Aggregate, context: Context) -> Field:
    """The column that an argument is, or becomes."""
    if isinstance(argument, ColumnRef):
        return next(f for f in context.output(node.input) if f.id == argument.id)
    return Field(context.fresh_id(), "distinct", argument.type, nullable=True)
