"""Functions that give another value each time, in streams: each is computed once for a row, by a projection or a filter.

An operator that keeps rows computes what it is told of them again and again; so what it reads of chance or of the clock is a column by then.
"""

from __future__ import annotations

from tableflow.expressions.nodes import AggregateCall, Expression, WindowCall, children, with_children
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Node, Project, Window
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import Field


def compute_chance_once(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Arguments become columns of the input; conjuncts of an inner join a filter on it."""
    match node:
        case Join(kind=JoinKind.INNER, dependent=False):
            return _filtered(node, context)
        case Aggregate():
            return _with_columns(node, context)
        case Window():
            return _with_columns(node, context)
        case _:
            return None


def _filtered(node: Join, context: Context) -> Node | None:
    kept = tuple([conjunct for conjunct in node.conjuncts if context.deterministic(conjunct)])
    if len(kept) == len(node.conjuncts):
        return None
    chance = tuple([conjunct for conjunct in node.conjuncts if not context.deterministic(conjunct)])
    return Filter(replace(node, conjuncts=kept), chance)


def _with_columns(node: Aggregate | Window, context: Context) -> Node | None:
    if all(context.deterministic(call) for call in node.calls):
        return None
    fields = list(output(node.input))
    computed: list[Expression] = [reference(field) for field in fields]

    def column(argument: Expression) -> Expression:
        if context.deterministic(argument):
            return argument
        field = Field(context.fresh_id(), "argument", argument.type)
        fields.append(field)
        computed.append(argument)
        return reference(field)

    def rewritten(call: AggregateCall | WindowCall) -> Expression:
        return with_children(call, tuple([column(argument) for argument in children(call)]))

    calls = tuple([rewritten(call) for call in node.calls])
    below = Project(node.input, tuple(fields), tuple(computed))
    return replace(node, input=below, calls=calls)
