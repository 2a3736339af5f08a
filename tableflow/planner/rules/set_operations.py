"""Set operations in terms of UNION ALL, grouping and joins; physical planning sees only UNION ALL.

Invariant: a column of an input is found by its id, never by where it stands, since rules and joins reorder what lies below.
"""

from __future__ import annotations

from typing import TypeAlias

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
)
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import BIGINT, Field


def merge_set_operations(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """UNIONs in a UNION, and UNION ALLs in either, are inputs of the outer one."""
    assert isinstance(node, SetOperation)
    if not any(_is_part_of(branch, node) for branch in node.inputs):
        return None
    branches: list[Node] = []
    columns: list[tuple[Field, ...]] = []
    for branch, own in zip(node.inputs, node.columns, strict=True):
        if not (isinstance(branch, SetOperation) and _is_part_of(branch, node)):
            branches.append(branch)
            columns.append(own)
            continue
        places = {f.id: i for i, f in enumerate(branch.fields)}
        branches += branch.inputs
        columns += [tuple([below[places[f.id]] for f in own]) for below in branch.columns]
    return replace(node, inputs=tuple(branches), columns=tuple(columns))


def _is_part_of(inner: Node, outer: SetOperation) -> bool:
    if not isinstance(inner, SetOperation) or outer.kind not in {SetKind.UNION_ALL, SetKind.UNION}:
        return False
    return inner.kind is SetKind.UNION_ALL or inner.kind is outer.kind


def rewrite_set_operations(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """UNION is a grouping; INTERSECT and EXCEPT are semi and anti joins; their ALL forms count rows per side."""
    assert isinstance(node, SetOperation)
    match node.kind:
        case SetKind.UNION_ALL:
            return None
        case SetKind.UNION:
            return Aggregate(replace(node, kind=SetKind.UNION_ALL), node.fields, (), ())
        case SetKind.INTERSECT:
            return _looked_up(node, JoinKind.SEMI)
        case SetKind.EXCEPT:
            return _looked_up(node, JoinKind.ANTI)
        case SetKind.INTERSECT_ALL | SetKind.EXCEPT_ALL:
            return _counted(node, context)


def _looked_up(node: SetOperation, kind: JoinKind) -> Node:
    fields = node.columns[0]
    result: Node = Aggregate(node.inputs[0], fields, (), ())
    for other, columns in zip(node.inputs[1:], node.columns[1:], strict=True):
        pairs = zip(fields, columns, strict=True)
        same = tuple([call("is_not_distinct_from", reference(a), reference(b)) for a, b in pairs])
        result = Join(kind, result, other, same)
    return Project(result, node.fields, passing(fields))


def _counted(node: SetOperation, context: Context) -> Node:
    """Rows of each side counted per row value; INTERSECT ALL repeats the lesser count, EXCEPT ALL the difference."""
    result, own = node.inputs[0], node.columns[0]
    for i, other in enumerate(zip(node.inputs[1:], node.columns[1:], strict=True), start=2):
        fields = node.fields if i == len(node.inputs) else tuple([context.fresh(f) for f in node.fields])
        result, own = _counted_pair(node.kind, (result, own), other, fields, context), fields
    return result


_Side: TypeAlias = tuple[Node, tuple[Field, ...]]
"""An input and its columns that are compared."""


def _counted_pair(kind: SetKind, left: _Side, right: _Side, fields: tuple[Field, ...], context: Context) -> Node:
    side = Field(context.fresh_id(), "side", BIGINT, nullable=False)
    branches = tuple([_marked(branch, value, context) for value, branch in enumerate((left, right))])
    columns = tuple([branch.fields for branch in branches])
    union = SetOperation(SetKind.UNION_ALL, branches, (*fields, side), columns)
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


def _marked(side: _Side, value: int, context: Context) -> Project:
    branch, fields = side
    marker = Field(context.fresh_id(), "side", BIGINT, nullable=False)
    return Project(branch, (*fields, marker), (*passing(fields), Literal(BIGINT, value)))


def _rows_of_side(side: Field, value: int) -> AggregateCall:
    return AggregateCall(BIGINT, "count", filter=call("eq", reference(side), Literal(BIGINT, value)))
