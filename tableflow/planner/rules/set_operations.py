"""Set operations in terms of UNION ALL, grouping and joins; physical planning sees only UNION ALL.

Columns of set operations correspond by position, those of all other nodes by id.  So that rules may reorder what
lies below, every input of a set operation is a projection (or constants), whose order rules keep.
"""

from __future__ import annotations

from dataclasses import replace

from tableflow.expressions.nodes import AggregateCall, Call, Case, ColumnRef, Expression, Literal
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import (
    Aggregate,
    Join,
    JoinKind,
    Node,
    Project,
    Replicate,
    SetKind,
    SetOperation,
    Values,
)
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.traversal import reference, transform_plan
from tableflow.types import BIGINT, Field


def align_set_operations(root: Node, required: frozenset[int], context: Context) -> Node:
    """Puts a projection on every input of a set operation; nested UNION ALLs become one."""
    return transform_plan(root, lambda node: _aligned(node, context) if isinstance(node, SetOperation) else node)


def _aligned(node: SetOperation, context: Context) -> Node:
    branches: list[Node] = []
    for branch in node.inputs:
        inner = branch
        if node.kind in {SetKind.UNION_ALL, SetKind.UNION} and isinstance(inner, SetOperation):
            same = inner.kind is SetKind.UNION_ALL or inner.kind is node.kind
            if same:
                branches += inner.inputs
                continue
        branches.append(_positioned(branch, context))
    if len(branches) == len(node.inputs) and all(a is b for a, b in zip(branches, node.inputs, strict=True)):
        return node
    return replace(node, inputs=tuple(branches))


def _positioned(node: Node, context: Context) -> Node:
    if isinstance(node, Project | Values):
        return node
    fields = context.output(node)
    return Project(node, fields, passing(fields))


def rewrite_set_operations(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """UNION is a grouping; INTERSECT and EXCEPT are semi and anti joins; their ALL forms count rows per side."""
    assert isinstance(node, SetOperation)
    match node.kind:
        case SetKind.UNION_ALL:
            return None
        case SetKind.UNION:
            return Aggregate(replace(node, kind=SetKind.UNION_ALL), node.fields, (), ())
        case SetKind.INTERSECT:
            return _looked_up(node, JoinKind.SEMI, context)
        case SetKind.EXCEPT:
            return _looked_up(node, JoinKind.ANTI, context)
        case SetKind.INTERSECT_ALL | SetKind.EXCEPT_ALL:
            return _counted(node, context)


def _looked_up(node: SetOperation, kind: JoinKind, context: Context) -> Node:
    first = node.inputs[0]
    fields = context.output(first)
    result: Node = Aggregate(first, fields, (), ())
    for other in node.inputs[1:]:
        pairs = zip(fields, context.output(other), strict=True)
        same = tuple([call("is_not_distinct_from", reference(a), reference(b)) for a, b in pairs])
        result = Join(kind, result, other, same)
    return Project(result, node.fields, passing(fields))


def _counted(node: SetOperation, context: Context) -> Node:
    """Rows of each side counted per row value; INTERSECT ALL repeats the lesser count, EXCEPT ALL the difference."""
    result = node.inputs[0]
    for i, other in enumerate(node.inputs[1:], start=2):
        fields = node.fields if i == len(node.inputs) else tuple([context.fresh(f) for f in node.fields])
        result = _counted_pair(node.kind, result, other, fields, context)
    return result


def _counted_pair(kind: SetKind, left: Node, right: Node, fields: tuple[Field, ...], context: Context) -> Node:
    side = Field(context.fresh_id(), "side", BIGINT, nullable=False)
    branches = tuple([_marked(branch, value, context) for value, branch in enumerate((left, right))])
    union = SetOperation(SetKind.UNION_ALL, branches, (*fields, side))
    counts = [Field(context.fresh_id(), name, BIGINT, nullable=False) for name in ("left_rows", "right_rows")]
    calls = tuple([_rows_of_side(side, value) for value in (0, 1)])
    grouped = Aggregate(union, fields, tuple(counts), calls)
    times = Field(context.fresh_id(), "times", BIGINT, nullable=False)
    first, second = reference(counts[0]), reference(counts[1])
    repeat = _times(kind, first, second)
    projected = Project(grouped, (*fields, times), (*passing(fields), repeat))
    return Project(Replicate(projected, times.id), fields, passing(fields))


def _times(kind: SetKind, first: ColumnRef, second: ColumnRef) -> Expression:
    if kind is SetKind.INTERSECT_ALL:
        return Case(BIGINT, (call("lt", first, second),), (first,), second)
    return Call(BIGINT, "subtract", (first, second))


def _marked(branch: Node, value: int, context: Context) -> Node:
    fields = context.output(branch)
    marker = Field(context.fresh_id(), "side", BIGINT, nullable=False)
    return Project(branch, (*fields, marker), (*passing(fields), Literal(BIGINT, value)))


def _rows_of_side(side: Field, value: int) -> AggregateCall:
    return AggregateCall(BIGINT, "count", filter=call("eq", reference(side), Literal(BIGINT, value)))
