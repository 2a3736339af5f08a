"""What is known of a column is known of every column it is equal to."""

from __future__ import annotations

from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal, walk
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.known_predicates import is_known, known_predicates
from tableflow.planner.logical.nodes import Join, JoinKind, Node
from tableflow.planner.logical.predicates import column_pair
from tableflow.planner.rules.filters import filtered
from tableflow.records import replace
from tableflow.types import FloatType

_TO_LEFT = frozenset({JoinKind.INNER, JoinKind.SEMI})
_TO_RIGHT = frozenset({JoinKind.INNER, JoinKind.SEMI, JoinKind.LEFT, JoinKind.SINGLE})

MOST_PARTS = 8
"""Columns and calls of a predicate that is said of another column."""
MOST_DERIVED = 8
"""Predicates that are said of one column because they hold for another."""


def derive_join_predicates(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """From ``a = b`` and a predicate over ``a`` alone follows the predicate over ``b``, on the other side."""
    assert isinstance(node, Join)
    if node.kind not in _TO_RIGHT and not (node.kind is JoinKind.ANTI and not node.null_aware):
        return None
    left_ids = context.output_ids(node.left)
    left, right = node.left, node.right
    for conjunct in node.conjuncts:
        pair = column_pair(conjunct)
        # -0.0 equals 0.0, yet a function may tell them apart
        if pair is None or isinstance(pair[0].type, FloatType):
            continue
        a, b = pair if pair[0].id in left_ids else (pair[1], pair[0])
        if (a.id in left_ids) is (b.id in left_ids):
            continue
        right = filtered(right, _moved(left, a, b, right, context), context)
        if node.kind in _TO_LEFT:
            left = filtered(left, _moved(right, b, a, left, context), context)
    if left is node.left and right is node.right:
        return None
    return replace(node, left=left, right=right)


def _moved(source: Node, a: ColumnRef, b: ColumnRef, target: Node, context: Context) -> list[Expression]:
    """Predicates over ``a`` alone that hold in ``source``, said of ``b``, unless ``target`` knows them."""
    alone = frozenset((a.id,))
    found = []
    for predicate in known_predicates(source, context):
        if context.columns(predicate) == alone and context.movable(predicate) and _is_useful(predicate):
            said = substitute_columns(predicate, {a.id: b}, context)
            if not is_known(said, target, context) and context.derive_once(said, b.id, MOST_DERIVED):
                found.append(said)
    return found


def _is_useful(predicate: Expression) -> bool:
    """Small enough, lest ``a = f(a)`` by way of other columns grow for ever; IS NOT NULL is said by the equality."""
    if isinstance(predicate, Call) and predicate.function == "is_not_null":
        return False
    size = 0
    for node in walk(predicate):
        size += not isinstance(node, Literal)
        if size > MOST_PARTS:
            return False
    return True
