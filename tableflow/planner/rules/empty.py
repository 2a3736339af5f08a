"""What is known to have no rows makes what is built on it smaller."""

from __future__ import annotations

from tableflow.expressions.nodes import Literal
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.facts import empty, is_empty, null_row
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Replicate,
    SetKind,
    SetOperation,
    Sort,
    Window,
)
from tableflow.records import replace
from tableflow.types import BOOLEAN

_EMPTY_IF_LEFT_IS = frozenset(
    {JoinKind.INNER, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK}
)
_EMPTY_IF_RIGHT_IS = frozenset({JoinKind.INNER, JoinKind.SEMI, JoinKind.RIGHT})


def propagate_empty(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """The node's result when an input has no rows."""
    match node:
        case Filter(input=child) | Project(input=child) | Sort(input=child) | Limit(input=child):
            return empty(context.output(node)) if is_empty(child) else None
        case Replicate(input=child) | Window(input=child):
            return empty(context.output(node)) if is_empty(child) else None
        case Aggregate(input=child, keys=keys):
            return empty(context.output(node)) if keys and is_empty(child) else None
        case Join():
            return _join(node, context)
        case SetOperation(kind=SetKind.UNION_ALL):
            return _union_all(node)
        case _:
            return None


def _join(node: Join, context: Context) -> Node | None:
    if (is_empty(node.left) and node.kind in _EMPTY_IF_LEFT_IS) or (
        is_empty(node.right) and node.kind in _EMPTY_IF_RIGHT_IS
    ):
        return empty(context.output(node))
    if not is_empty(node.right):
        return None
    match node.kind:
        case JoinKind.ANTI:
            return node.left
        case JoinKind.MARK if node.mark is not None:
            fields = context.output(node.left)
            return Project(node.left, (*fields, node.mark), (*passing(fields), Literal(BOOLEAN, value=False)))
        case JoinKind.LEFT | JoinKind.SINGLE | JoinKind.FULL:
            fields = context.output(node)
            count = len(context.output(node.left))
            return Project(node.left, fields, (*passing(fields[:count]), *null_row(fields[count:])))
        case _:
            return None


def _union_all(node: SetOperation) -> Node | None:
    kept = [pair for pair in zip(node.inputs, node.columns, strict=True) if not is_empty(pair[0])]
    if len(kept) == len(node.inputs) and len(kept) > 1:
        return None
    if not kept:
        return empty(node.fields)
    if len(kept) == 1:
        branch, columns = kept[0]
        return Project(branch, node.fields, passing(columns))
    branches, columns_of_all = zip(*kept, strict=True)
    return replace(node, inputs=branches, columns=columns_of_all)
