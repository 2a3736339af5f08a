"""LIMIT: merged, dropped where it says nothing, and repeated below so that less is made."""

from __future__ import annotations

from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import at_most_one_row, empty
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Window,
)
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.records import replace

_KEEPS_LEFT_ROWS = frozenset({JoinKind.LEFT, JoinKind.MARK, JoinKind.SINGLE})


def merge_limits(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """LIMIT 0 is empty, LIMIT over LIMIT is one, LIMIT over at most one row is none."""
    assert isinstance(node, Limit)
    if node.limit == 0:
        return empty(context.output(node))
    if node.offset == 0 and (node.limit is None or at_most_one_row(node.input, context)):
        return node.input
    inner = node.input
    if not isinstance(inner, Limit):
        return None
    limit = node.limit
    if inner.limit is not None:
        left = max(0, inner.limit - node.offset)
        limit = left if limit is None else min(limit, left)
    return Limit(inner.input, limit, inner.offset + node.offset)


def push_limit(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Below a projection; repeated in the branches of UNION ALL, on a join's preserved side, and in a scan."""
    assert isinstance(node, Limit)
    child = node.input
    if isinstance(child, Project):
        if not all(context.deterministic(e) for e in child.expressions):
            return None
        return replace(child, input=replace(node, input=child.input))
    if node.limit is None:
        return None
    most = node.limit + node.offset
    match child:
        case SetOperation(kind=SetKind.UNION_ALL, inputs=branches):
            new = tuple([_limited(branch, most, context) for branch in branches])
            if all(a is b for a, b in zip(branches, new, strict=True)):
                return None
            return replace(node, input=replace(child, inputs=new))
        case Join(kind=kind, left=left) if kind in _KEEPS_LEFT_ROWS and not child.dependent:
            limited = _limited(left, most, context)
            return None if limited is left else replace(node, input=replace(child, left=limited))
        case Scan(predicates=(), limit=limit) if limit is None or limit > most:
            return replace(node, input=replace(child, limit=most))
        case _:
            return None


def _limited(node: Node, most: int, context: Context) -> Node:
    inner = node
    while isinstance(inner, Project):
        inner = inner.input
    match inner:
        case Limit(limit=limit) if limit is not None and limit <= most:
            return node
        case Scan(limit=limit) if limit is not None and limit <= most:
            return node
        case _:
            return node if at_most_one_row(node, context) else Limit(node, most)


def drop_useless_sort(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A sort below anything but a LIMIT, a projection or the result orders rows for nobody."""
    assert isinstance(node, Filter | Join | Aggregate | Window | SetOperation | Sort)
    old = inputs(node)
    if not any(isinstance(child, Sort) for child in old):
        return None
    return with_inputs(node, tuple([child.input if isinstance(child, Sort) else child for child in old]))
