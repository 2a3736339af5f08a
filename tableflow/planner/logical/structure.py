"""What every logical node has: inputs, which can be exchanged, and output fields.

Invariant: a node over the inputs it has is that very node, so that identity tells whether a rewrite changed something.
"""

from __future__ import annotations

from tableflow.errors import Span
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Hinted,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Replicate,
    Scan,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.records import replace
from tableflow.types import Field


def inputs(of: Node) -> tuple[Node, ...]:
    """Direct inputs, left to right."""
    match of:
        case Scan() | Values():
            return ()
        case Join():
            return (of.left, of.right)
        case SetOperation(inputs=many):
            return many
        case Filter() | Project() | Aggregate() | Window() | Sort() | Limit() | Replicate() | Shared() | Hinted():
            return (of.input,)
        case AssignWatermarks() | WindowTable() | WindowedAggregate() | Fetch():
            return (of.input,)
        case TemporalJoin() | AsofJoin():
            return (of.left, of.right)
        case _:
            return ()


def with_inputs(of: Node, new: tuple[Node, ...]) -> Node:
    """The same node over other inputs; itself when none changed."""
    if all(a is b for a, b in zip(inputs(of), new, strict=True)):
        return of
    match of:
        case Filter() | Project() | Aggregate() | Window() | Sort() | Limit() | Replicate() | Shared() | Hinted():
            return replace(of, input=new[0])
        case AssignWatermarks() | WindowTable() | WindowedAggregate() | Fetch():
            return replace(of, input=new[0])
        case Join() | TemporalJoin() | AsofJoin():
            return replace(of, left=new[0], right=new[1])
        case SetOperation():
            return replace(of, inputs=new)
        case _:
            return of


def place(of: Node) -> Span | None:
    """Where in the statement it was written, as far as it knows; for errors."""
    match of:
        case Aggregate(emit=emit, calls=calls):
            known = None if emit is None else emit.span
            return known or next((call.span for call in calls if call.span is not None), None)
        case Window(calls=calls):
            return next((call.span for call in calls if call.span is not None), None)
        case (
            Scan()
            | Join()
            | Sort()
            | AssignWatermarks()
            | WindowTable()
            | WindowedAggregate()
            | TemporalJoin()
            | AsofJoin()
        ):
            return getattr(of, "span", None)
        case _:
            return None


def output(of: Node) -> tuple[Field, ...]:
    """The node's output fields in order."""
    match of:
        case Scan(fields=fields) | Values(fields=fields) | Project(fields=fields) | SetOperation(fields=fields):
            return fields
        case Shared(fields=fields):
            return fields
        case (
            Filter(input=child) | Sort(input=child) | Limit(input=child) | Replicate(input=child) | Hinted(input=child)
        ):
            return output(child)
        case Aggregate(keys=keys, results=results, fire=fire):
            return (*keys, *results) if fire is None else (*keys, *results, fire)
        case Window(input=child, results=results):
            return (*output(child), *results)
        case Join():
            return _join_output(of)
        case AssignWatermarks(input=child):
            return output(child)
        case Fetch(input=child, row=row, fields=fields):
            return (*[f for f in output(child) if f.id != row.id], *fields)
        case WindowTable(input=child):
            return (*output(child), *of.made)
        case WindowedAggregate(keys=keys, results=results):
            return (*keys, *of.made, *results)
        case TemporalJoin(left=left, right=right) | AsofJoin(left=left, right=right):
            kept = output(right) if of.kind is JoinKind.INNER else _nullable(output(right))
            return (*output(left), *kept)
    raise TypeError(type(of).__name__)


def _nullable(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(f if f.nullable else replace(f, nullable=True) for f in fields)


def _join_output(of: Join) -> tuple[Field, ...]:
    left = output(of.left)
    match of.kind:
        case JoinKind.SEMI | JoinKind.ANTI:
            return left
        case JoinKind.MARK:
            return left if of.mark is None else (*left, of.mark)
        case JoinKind.INNER:
            return (*left, *output(of.right))
        case JoinKind.LEFT | JoinKind.SINGLE:
            return (*left, *_nullable(output(of.right)))
        case JoinKind.RIGHT:
            return (*_nullable(left), *output(of.right))
        case JoinKind.FULL:
            return (*_nullable(left), *_nullable(output(of.right)))
