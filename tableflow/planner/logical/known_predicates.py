"""Predicates that are TRUE for every row of a node's output, and that nobody need check again.

Invariant: facts are proofs, never estimates; what is not understood has none.
"""

from __future__ import annotations

from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.context import Context, substitute_columns
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
    Sort,
    Window,
)
from tableflow.planner.logical.predicates import split
from tableflow.planner.logical.time_nodes import AsofJoin, AssignWatermarks, TemporalJoin, WindowTable


def known_predicates(of: Node, context: Context) -> tuple[Expression, ...]:
    """Deterministic predicates over the output that are TRUE for each of its rows."""
    known = context.predicates.get(id(of))
    if known is None:
        known = context.predicates[id(of)] = (of, _known_predicates(of, context))
    return known[1]


def _known_predicates(of: Node, context: Context) -> tuple[Expression, ...]:
    match of:
        case Scan(predicates=found):
            return found
        case Filter(input=child, conjuncts=found):
            return (*known_predicates(child, context), *[c for c in found if context.deterministic(c)])
        case (
            Sort(input=child) | Limit(input=child) | Hinted(input=child) | Replicate(input=child) | Window(input=child)
        ):
            return known_predicates(child, context)
        case AssignWatermarks(input=child) | WindowTable(input=child) | Fetch(input=child):
            return known_predicates(child, context)
        case TemporalJoin(left=left) | AsofJoin(left=left):
            return known_predicates(left, context)
        case Project(input=child):
            return _predicates_of_project(of, child, context)
        case Aggregate(input=child, keys=keys):
            ids = frozenset([f.id for f in keys])
            return tuple([c for c in known_predicates(child, context) if context.columns(c) <= ids and ids])
        case Join(kind=JoinKind.INNER, left=left, right=right, conjuncts=own):
            deterministic = [c for c in own if context.deterministic(c)]
            return (*known_predicates(left, context), *known_predicates(right, context), *deterministic)
        case Join(kind=JoinKind.RIGHT, right=right):
            return known_predicates(right, context)
        case Join(kind=kind, left=left) if kind is not JoinKind.FULL:
            return known_predicates(left, context)
        case _:
            return ()


def _predicates_of_project(of: Project, child: Node, context: Context) -> tuple[Expression, ...]:
    aliases: dict[int, list[Expression]] = {}
    for f, e in zip(of.fields, of.expressions, strict=True):
        if isinstance(e, ColumnRef):
            aliases.setdefault(e.id, []).append(ColumnRef(f.type, f.id, f.name))
    found: list[Expression] = []
    for predicate in known_predicates(child, context):
        columns = sorted(context.columns(predicate))
        if all(i in aliases for i in columns):
            # a single column that is handed on under several ids is known under each
            many = [{i: alias} for i in columns for alias in aliases[i]] if len(columns) == 1 else []
            for renamed in many or [{i: aliases[i][0] for i in columns}]:
                found.append(substitute_columns(predicate, renamed, context))
    return tuple(found)


def is_known(conjunct: Expression, of: Node, context: Context) -> bool:
    """Whether a predicate is among those known of the output."""
    return any(part == conjunct for known in known_predicates(of, context) for part in split(known))
