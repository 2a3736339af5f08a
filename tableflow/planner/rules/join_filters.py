"""Filters and join conditions: each conjunct goes to the lowest place where it may be.

Which side may take a conjunct follows from the join's kind: a side whose rows survive unmatched (the left of a LEFT join)
takes conjuncts from above but not from the condition, a side that is only looked at takes those of the condition.
"""

from __future__ import annotations

from tableflow.expressions.nodes import Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.facts import present
from tableflow.planner.logical.known_predicates import is_known
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node
from tableflow.planner.logical.predicates import never_null
from tableflow.planner.rules.filters import above, filtered
from tableflow.records import replace

_FROM_ABOVE_TO_LEFT = frozenset(
    {JoinKind.INNER, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK}
)
_FROM_ABOVE_TO_RIGHT = frozenset({JoinKind.INNER, JoinKind.RIGHT})
_CONDITION_TO_LEFT = frozenset({JoinKind.INNER, JoinKind.SEMI, JoinKind.RIGHT})
_CONDITION_TO_RIGHT = frozenset(
    {JoinKind.INNER, JoinKind.SEMI, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.ANTI, JoinKind.MARK}
)


def push_filter_below_subquery(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A subquery is asked for those outer rows only that the movable conjuncts beside it accept.

    Not only cheaper: what a subquery fails for counts only where those conjuncts hold.
    """
    assert isinstance(node, Filter)
    join = node.input
    if not (isinstance(join, Join) and join.dependent and join.kind in _FROM_ABOVE_TO_LEFT):
        return None
    left_ids, own = context.output_ids(join.left), context.output_ids(join)
    pushed: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        columns = context.columns(conjunct) & own
        (pushed if columns and columns <= left_ids and context.movable(conjunct) else kept).append(conjunct)
    return above(kept, replace(join, left=filtered(join.left, pushed, context))) if pushed else None


def push_filter_into_join(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Conjuncts above a join move to a side, or become conditions of an inner join."""
    assert isinstance(node, Filter)
    join = node.input
    if not isinstance(join, Join):
        return None
    left_ids, right_ids = context.output_ids(join.left), context.output_ids(join.right)
    own = context.output_ids(join)
    left: list[Expression] = []
    right: list[Expression] = []
    condition: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        # what is not of the join is of an outer row, and constant here
        columns = context.columns(conjunct) & own
        movable = context.movable(conjunct)
        if not columns or not context.deterministic(conjunct):
            kept.append(conjunct)
        elif movable and columns <= left_ids and join.kind in _FROM_ABOVE_TO_LEFT:
            left.append(conjunct)
        elif movable and columns <= right_ids and join.kind in _FROM_ABOVE_TO_RIGHT:
            right.append(conjunct)
        elif join.kind is JoinKind.INNER:
            condition.append(conjunct)
        else:
            kept.append(conjunct)
    if not (left or right or condition):
        return None
    new = replace(
        join,
        left=filtered(join.left, left, context),
        right=filtered(join.right, right, context),
        conjuncts=(*join.conjuncts, *[c for c in condition if c not in join.conjuncts]),
    )
    return above(kept, new)


def push_join_condition_down(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Conjuncts of a condition that read one side become filters of that side."""
    assert isinstance(node, Join)
    if not node.conjuncts or node.kind is JoinKind.FULL:
        return None
    left_ids, right_ids = context.output_ids(node.left), context.output_ids(node.right)
    left: list[Expression] = []
    right: list[Expression] = []
    kept: list[Expression] = []
    three_valued = node.kind is JoinKind.MARK or (node.kind is JoinKind.ANTI and node.null_aware)
    for conjunct in node.conjuncts:
        columns = context.columns(conjunct)
        if not columns or not context.movable(conjunct):
            kept.append(conjunct)
        elif columns <= left_ids and node.kind in _CONDITION_TO_LEFT:
            left.append(conjunct)
        elif (
            columns <= right_ids
            and node.kind in _CONDITION_TO_RIGHT
            and not (three_valued and not never_null(conjunct, present(node.right, context)))
        ):
            right.append(conjunct)
        elif (
            node.kind is JoinKind.INNER
            # what relates both sides neither of them knows by itself
            and (node.dependent or columns.isdisjoint(left_ids) or columns.isdisjoint(right_ids))
            and (is_known(conjunct, node.left, context) or is_known(conjunct, node.right, context))
        ):
            continue
        else:
            kept.append(conjunct)
    if len(kept) == len(node.conjuncts):
        return None
    return replace(
        node,
        left=filtered(node.left, left, context),
        right=filtered(node.right, right, context),
        conjuncts=tuple(kept),
    )
