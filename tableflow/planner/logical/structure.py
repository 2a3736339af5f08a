"""What every logical node has: inputs, which can be exchanged, and output fields.

Invariant: a node over the inputs it has is that very node, so that identity tells whether a rewrite changed something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    return _INPUTS[type(of)](of)


def _none(_: Any) -> tuple[Node, ...]:
    return ()


def _only(of: Any) -> tuple[Node, ...]:
    return (of.input,)


def _both(of: Any) -> tuple[Node, ...]:
    return (of.left, of.right)


_ONE_INPUT: tuple[type[Node], ...] = (
    Filter, Project, Aggregate, Window, Sort, Limit, Replicate, Shared, Hinted, AssignWatermarks, WindowTable,
    WindowedAggregate, Fetch,
)  # fmt: skip
_INPUTS: dict[type[Node], Callable[[Any], tuple[Node, ...]]] = {
    **dict.fromkeys((Scan, Values), _none),
    **dict.fromkeys(_ONE_INPUT, _only),
    **dict.fromkeys((Join, TemporalJoin, AsofJoin), _both),
    SetOperation: lambda of: of.inputs,
}
"""By type: planning asks for inputs more often than for anything else."""


def with_inputs(of: Node, new: tuple[Node, ...]) -> Node:
    """The same node over other inputs; itself when none changed."""
    kind = _INPUTS[type(of)]
    if kind is _only:
        return of if of.input is new[0] else replace(of, input=new[0])  # type: ignore[attr-defined]
    if kind is _both:
        same = of.left is new[0] and of.right is new[1]  # type: ignore[attr-defined]
        return of if same else replace(of, left=new[0], right=new[1])
    if kind is _none or all(a is b for a, b in zip(kind(of), new, strict=True)):
        return of
    return replace(of, inputs=new)


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
    kind = type(of)
    while kind in _AS_BELOW:
        of = of.input  # type: ignore[attr-defined]
        kind = type(of)
    if kind in _OWN_FIELDS:
        return of.fields  # type: ignore[attr-defined,no-any-return]
    match of:
        case Aggregate(keys=keys, results=results, fire=fire):
            return (*keys, *results) if fire is None else (*keys, *results, fire)
        case Window(input=child, results=results):
            return (*output(child), *results)
        case Join():
            return _join_output(of)
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


_AS_BELOW = frozenset({Filter, Sort, Limit, Replicate, Hinted, AssignWatermarks})
_OWN_FIELDS = frozenset({Scan, Values, Project, SetOperation, Shared})


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
