"""Joins of a kind that asks for more than the query needs become simpler ones."""

from __future__ import annotations

from tableflow.expressions.nodes import Call, ColumnRef, Expression, Literal
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.facts import at_most_one_row, exactly_one_row, matches_at_most_one, present
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node, Project
from tableflow.planner.logical.predicates import never_null, rejects_null, without_is_true
from tableflow.planner.logical.structure import inputs
from tableflow.planner.rules.filters import above
from tableflow.records import replace
from tableflow.types import BOOLEAN


def right_to_left(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``a RIGHT JOIN b`` is ``b LEFT JOIN a``; only the order of the output columns differs."""
    assert isinstance(node, Join)
    if node.kind is not JoinKind.RIGHT or node.dependent:
        return None
    return replace(node, kind=JoinKind.LEFT, left=node.right, right=node.left)


def mark_to_semi(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A filter on the mark keeps the matched rows (SEMI) or the others (ANTI); afterwards the mark is a constant."""
    assert isinstance(node, Filter)
    join = node.input
    if not isinstance(join, Join) or join.kind is not JoinKind.MARK or join.mark is None:
        return None
    mark = join.mark.id
    for i, conjunct in enumerate(node.conjuncts):
        kind = _kind_of_mark_test(conjunct, mark)
        if kind is None:
            continue
        join_kind, null_aware, value = kind
        rest = [*node.conjuncts[:i], *node.conjuncts[i + 1 :]]
        read_on = mark in required or any(mark in context.columns(c) for c in rest)
        if read_on and value is None:
            continue
        conditions = join.conjuncts if null_aware else tuple([without_is_true(c) for c in join.conjuncts])
        new: Node = replace(join, kind=join_kind, mark=None, null_aware=null_aware, conjuncts=conditions)
        if read_on:
            fields = context.output(join)
            new = Project(new, fields, (*passing(fields[:-1]), Literal(BOOLEAN, value=value)))
        return above(rest, new)
    return None


def _kind_of_mark_test(conjunct: Expression, mark: int) -> tuple[JoinKind, bool, bool | None] | None:
    """Join kind and null-awareness that a test of the mark amounts to, and the mark of the rows it keeps, if constant."""
    match conjunct:
        case ColumnRef(id=i) | Call(function="is_true", args=(ColumnRef(id=i),)) if i == mark:
            return JoinKind.SEMI, False, True
        case Call(function="not" | "is_false", args=(ColumnRef(id=i),)) if i == mark:
            return JoinKind.ANTI, True, False
        case Call(function="is_not_true", args=(ColumnRef(id=i),)) if i == mark:
            return JoinKind.ANTI, False, None
        case Call(function="not", args=(Call(function="is_true", args=(ColumnRef(id=i),)),)) if i == mark:
            return JoinKind.ANTI, False, None
        case _:
            return None


def null_aware_to_plain_anti(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """NOT IN whose comparison is never NULL is a plain anti join."""
    assert isinstance(node, Join)
    if node.kind is not JoinKind.ANTI or not node.null_aware:
        return None
    both = present(node.left, context) | present(node.right, context)
    if not all(never_null(conjunct, both) for conjunct in node.conjuncts):
        return None
    return replace(node, null_aware=False, conjuncts=tuple([without_is_true(c) for c in node.conjuncts]))


def null_safe_to_equality(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``a IS NOT DISTINCT FROM b`` is ``a = b`` where one of them is never NULL and only TRUE counts."""
    assert isinstance(node, (Join, Filter))
    if isinstance(node, Join) and (node.kind is JoinKind.MARK or node.null_aware):
        return None
    new = tuple([_as_equality(conjunct, node, context) for conjunct in node.conjuncts])
    return None if all(a is b for a, b in zip(node.conjuncts, new, strict=True)) else replace(node, conjuncts=new)


def _as_equality(conjunct: Expression, node: Join | Filter, context: Context) -> Expression:
    match conjunct:
        case Call(function="is_not_distinct_from", args=args):
            below = frozenset[int]().union(*[present(child, context) for child in inputs(node)])
            return replace(conjunct, function="eq") if any(never_null(arg, below) for arg in args) else conjunct
        case _:
            return conjunct


_NULLS_RIGHT = frozenset({JoinKind.LEFT, JoinKind.FULL, JoinKind.SINGLE})
_NULLS_LEFT = frozenset({JoinKind.FULL, JoinKind.RIGHT})


def outer_to_inner(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A predicate above that is not TRUE for padded rows drops them, so they need not be made."""
    if isinstance(node, Filter):
        new = _strengthened(node.input, node.conjuncts, context)
        return None if new is node.input else replace(node, input=new)
    assert isinstance(node, Join)
    if node.kind is JoinKind.INNER:
        left = _strengthened(node.left, node.conjuncts, context)
        right = _strengthened(node.right, node.conjuncts, context)
    elif node.kind is JoinKind.SEMI:
        left, right = _strengthened(node.left, node.conjuncts, context), node.right
    elif node.kind is JoinKind.LEFT:
        left, right = node.left, _strengthened(node.right, node.conjuncts, context)
    else:
        return None
    if left is node.left and right is node.right:
        return None
    return replace(node, left=left, right=right)


def _strengthened(node: Node, conjuncts: tuple[Expression, ...], context: Context) -> Node:
    """The node, given that its rows are filtered by the conjuncts above."""
    if isinstance(node, Filter):
        new = _strengthened(node.input, conjuncts, context)
        return node if new is node.input else replace(node, input=new)
    if not isinstance(node, Join) or node.dependent:
        return node
    if node.kind in _NULLS_RIGHT or node.kind in _NULLS_LEFT:
        kind = _kind_under(node, conjuncts, context)
        if kind is not node.kind:
            node = replace(node, kind=kind)
    left, right = node.left, node.right
    if node.kind is not JoinKind.FULL and node.kind is not JoinKind.RIGHT:
        left = _strengthened(left, conjuncts, context)
    if node.kind is JoinKind.INNER:
        right = _strengthened(right, conjuncts, context)
    return node if left is node.left and right is node.right else replace(node, left=left, right=right)


def _kind_under(join: Join, conjuncts: tuple[Expression, ...], context: Context) -> JoinKind:
    drops_right = join.kind in _NULLS_RIGHT and _rejected(conjuncts, context.output_ids(join.right))
    drops_left = join.kind in _NULLS_LEFT and _rejected(conjuncts, context.output_ids(join.left))
    match join.kind:
        case JoinKind.LEFT if drops_right:
            return JoinKind.INNER
        case JoinKind.RIGHT if drops_left:
            return JoinKind.INNER
        case JoinKind.FULL if drops_right and drops_left:
            return JoinKind.INNER
        case JoinKind.FULL if drops_right:
            return JoinKind.RIGHT
        case JoinKind.FULL if drops_left:
            return JoinKind.LEFT
        case _:
            return join.kind


def _rejected(conjuncts: tuple[Expression, ...], ids: frozenset[int]) -> bool:
    return any(rejects_null(conjunct, ids) for conjunct in conjuncts)


def single_to_left(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A scalar subquery that cannot give two rows needs no check; one that always gives a row needs no padding."""
    assert isinstance(node, Join)
    if node.kind not in {JoinKind.SINGLE, JoinKind.LEFT} or node.dependent:
        return None
    if not node.conjuncts and exactly_one_row(node.right, context):
        return replace(node, kind=JoinKind.INNER)
    if node.kind is JoinKind.SINGLE and (
        at_most_one_row(node.right, context) or matches_at_most_one(node.conjuncts, node.right, context)
    ):
        return replace(node, kind=JoinKind.LEFT)
    return None


def drop_unused_join(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A join that only adds columns nobody reads is its left input: MARK, and LEFT if it never multiplies rows."""
    assert isinstance(node, Join)
    if node.kind is JoinKind.MARK and node.mark is not None and node.mark.id not in required:
        return node.left
    if node.kind is not JoinKind.LEFT or not required.isdisjoint(context.output_ids(node.right)):
        return None
    if not all(context.movable(conjunct) for conjunct in node.conjuncts):
        return None
    return node.left if matches_at_most_one(node.conjuncts, node.right, context) else None
