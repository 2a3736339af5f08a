"""Correlated predicates lifted to the top of a subquery.

:func:`lift` gives a plan without references to the outer row and conjuncts such that, for every outer row, the subquery's
rows are the plan's rows for which all conjuncts are TRUE.  Through a grouping only equalities with the outer row can
be lifted: their inner sides become group keys.  None means that this is not enough, see ``unnesting_bind``.
"""

from __future__ import annotations

from dataclasses import field

from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.facts import at_most_one_row, matches_at_most_one
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Limit, Node, Project, Sort, Window
from tableflow.planner.logical.predicates import column_pair
from tableflow.planner.logical.traversal import expressions, map_expressions, reference
from tableflow.planner.unnesting_groups import GroupKeys
from tableflow.planner.unnesting_windows import below_project, limited_per_group
from tableflow.records import dataclass, replace
from tableflow.types import Field, FloatType

ZERO_WHEN_EMPTY = frozenset({"count", "count_if"})


@dataclass(slots=True)
class Lifted:
    """See the module.

    ``scalar``: the subquery gives one row for every outer row, the plan only where a group exists.  Then ``outputs``
    says what the subquery's columns are, over the plan's and the outer columns, where those are NULL without a group.
    """

    node: Node
    conjuncts: list[Expression] = field(default_factory=list)
    scalar: bool = False
    outputs: dict[int, tuple[Field, Expression]] = field(default_factory=dict)


def lift(node: Node, outer: frozenset[int], context: Context, *, existential: bool) -> Lifted | None:
    """The subquery without references to ``outer``; ``existential`` if multiplicities do not matter."""
    if context.free(node).isdisjoint(outer):
        return Lifted(node)
    match node:
        case Filter():
            return _lift_filter(node, outer, context, existential=existential)
        case Project():
            return _lift_project(node, outer, context, existential=existential)
        case Sort(input=child):
            return lift(child, outer, context, existential=existential)
        case Join():
            return _lift_join(node, outer, context, existential=existential)
        case Aggregate(results=(), input=child) if existential and node.keys:
            lifted = lift(child, outer, context, existential=existential)
            return lifted if lifted is not None and not lifted.scalar else _lift_aggregate(node, outer, context)
        case Aggregate():
            return _lift_aggregate(node, outer, context)
        case Window():
            return _lift_window(node, outer, context)
        case Limit():
            return _lift_limit(node, outer, context, existential=existential)
        case _:
            return None


def _lift_filter(node: Filter, outer: frozenset[int], context: Context, *, existential: bool) -> Lifted | None:
    lifted = lift(node.input, outer, context, existential=existential)
    if lifted is None or lifted.scalar:
        return None
    local = [c for c in node.conjuncts if outer.isdisjoint(context.columns(c))]
    correlated = [c for c in node.conjuncts if not outer.isdisjoint(context.columns(c))]
    if not all(context.deterministic(c) for c in correlated):
        return None
    if correlated or lifted.conjuncts:
        # what fails for some row counts only where the others hold, so it goes where they go
        failing = [c for c in local if not context.movable(c)]
        if not all(context.deterministic(c) for c in failing):
            return None
        correlated += failing
        local = [c for c in local if c not in failing]
    below = Filter(lifted.node, tuple(local)) if local else lifted.node
    return Lifted(below, [*lifted.conjuncts, *correlated])


def equal_columns(conjuncts: list[Expression], outer: frozenset[int]) -> dict[int, Expression]:
    """Outer columns that the conjuncts equate with an inner one, which may stand for them (-0.0 = 0.0 may not)."""
    found: dict[int, Expression] = {}
    for conjunct in conjuncts:
        pair = column_pair(conjunct)
        if pair is None or isinstance(pair[0].type, FloatType):
            continue
        for a, b in (pair, pair[::-1]):
            if a.id in outer and b.id not in outer:
                found.setdefault(a.id, b)
    return found


def _lift_project(node: Project, outer: frozenset[int], context: Context, *, existential: bool) -> Lifted | None:
    lifted = lift(node.input, outer, context, existential=existential)
    if lifted is None:
        return None
    if lifted.scalar:
        return projected(node, lifted, context)
    if lifted.conjuncts and fails_for_some_row(node, context):
        return None
    new = _with_stand_ins(node, lifted, outer, context)
    if new is None:
        return None
    assert isinstance(new, Project)
    kept = {f.id for f in new.fields}
    needed = {i for c in lifted.conjuncts for i in context.columns(c)} - outer
    extra = tuple([f for f in context.output(lifted.node) if f.id in needed - kept])
    below = Project(lifted.node, (*new.fields, *extra), (*new.expressions, *passing(extra)))
    return Lifted(below, lifted.conjuncts)


def projected(node: Project, scalar: Lifted, context: Context) -> Lifted:
    """A projection over a lifted scalar subquery is computed above the join, where the outer row is."""
    by_id = {i: expression for i, (_, expression) in scalar.outputs.items()}
    pairs = zip(node.fields, node.expressions, strict=True)
    scalar.outputs = {f.id: (f, substitute_columns(e, by_id, context)) for f, e in pairs}
    return scalar


def _with_stand_ins(node: Node, lifted: Lifted, outer: frozenset[int], context: Context) -> Node | None:
    """The node with inner columns where it reads outer ones that they equal; None if it reads others."""
    if all(outer.isdisjoint(context.columns(e)) for e in expressions(node)):
        return node
    standing_in = equal_columns(lifted.conjuncts, outer)
    new = map_expressions(node, lambda e: substitute_columns(e, standing_in, context))
    return new if all(outer.isdisjoint(context.columns(e)) for e in expressions(new)) else None


_LIFTS_LEFT = frozenset({JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK, JoinKind.SINGLE})


def _lift_join(node: Join, outer: frozenset[int], context: Context, *, existential: bool) -> Lifted | None:
    correlated = [c for c in node.conjuncts if not outer.isdisjoint(context.columns(c))]
    if node.kind is JoinKind.INNER:
        left = lift(node.left, outer, context, existential=existential)
        right = lift(node.right, outer, context, existential=existential)
        if left is None or right is None or left.scalar:
            return None
        if right.scalar:
            filtered = _inner_with_scalar(node, left, right, outer, context)
            return None if filtered is None else Lifted(filtered, left.conjuncts)
        if not all(context.deterministic(c) for c in correlated):
            return None
        if correlated or left.conjuncts or right.conjuncts:
            correlated += [c for c in node.conjuncts if c not in correlated and not context.movable(c)]
            if not all(context.deterministic(c) for c in correlated):
                return None
        local = tuple([c for c in node.conjuncts if c not in correlated])
        new = replace(node, left=left.node, right=right.node, conjuncts=local)
        return Lifted(new, [*left.conjuncts, *right.conjuncts, *correlated])
    if node.kind not in _LIFTS_LEFT:
        return None
    left = lift(node.left, outer, context, existential=existential)
    if left is None or left.scalar:
        return None
    joined = _with_left_lifted(node, left, outer, context)
    if joined is None:
        return None
    # above the join the condition would come too late for rows that make it fail
    return Lifted(joined, left.conjuncts) if not left.conjuncts or not _join_fails(joined, context) else None


def _with_left_lifted(node: Join, left: Lifted, outer: frozenset[int], context: Context) -> Node | None:
    """The join over the lifted left side, whose columns stand for the outer ones in the condition and on the right."""
    right = lift(node.right, outer, context, existential=node.kind in {JoinKind.SEMI, JoinKind.ANTI})
    if right is None:
        return None
    standing_in = equal_columns(left.conjuncts, outer)
    own = [substitute_columns(c, standing_in, context) for c in node.conjuncts]
    matched = [substitute_columns(c, standing_in, context) for c in right.conjuncts]
    if any(not outer.isdisjoint(context.columns(c)) for c in (*own, *matched)):
        return None
    if (matched or own != list(node.conjuncts)) and (node.kind in {JoinKind.MARK, JoinKind.SINGLE} or node.null_aware):
        return None
    if not right.scalar:
        return replace(node, left=left.node, right=right.node, conjuncts=(*matched, *own))
    if node.kind is JoinKind.LEFT and not own:
        padded = replace(node, left=left.node, right=right.node, conjuncts=tuple(matched))
        return _with_outputs(padded, right, standing_in, outer, context)
    return None


def _with_outputs(
    node: Join, scalar: Lifted, standing_in: dict[int, Expression], outer: frozenset[int], context: Context
) -> Node | None:
    """A lifted scalar subquery's columns computed above the LEFT join that finds its groups."""
    kept = context.output(node.left)
    outputs = [(f, substitute_columns(e, standing_in, context)) for f, e in scalar.outputs.values()]
    if any(not outer.isdisjoint(context.columns(e)) for _, e in outputs):
        return None
    return Project(node, (*kept, *[f for f, _ in outputs]), (*passing(kept), *[e for _, e in outputs]))


def _inner_with_scalar(node: Join, left: Lifted, right: Lifted, outer: frozenset[int], context: Context) -> Node | None:
    """An inner join with a scalar subquery of the same outer row: a LEFT join that finds its groups, and a filter."""
    standing_in = equal_columns(left.conjuncts, outer)
    matched = [substitute_columns(c, standing_in, context) for c in right.conjuncts]
    own = [substitute_columns(c, standing_in, context) for c in node.conjuncts]
    if any(not outer.isdisjoint(context.columns(c)) for c in (*matched, *own)):
        return None
    padded = replace(node, kind=JoinKind.LEFT, left=left.node, right=right.node, conjuncts=tuple(matched))
    new = _with_outputs(padded, right, standing_in, outer, context)
    if new is None or not all(context.movable(c) for c in own) or _join_fails(new, context):
        return None
    return Filter(new, tuple(own)) if own else new


def _join_fails(node: Node, context: Context) -> bool:
    if isinstance(node, Project):
        return fails_for_some_row(node, context) or fails_for_some_row(node.input, context)
    return fails_for_some_row(node, context)


def fails_for_some_row(node: Node, context: Context) -> bool:
    """Whether the node itself, without its inputs, may fail for a row of them."""
    if isinstance(node, Join) and node.kind is JoinKind.SINGLE:
        finds_one = matches_at_most_one(node.conjuncts, node.right, context)
        return not finds_one or not all(context.movable(e) for e in expressions(node))
    return not all(context.movable(e) for e in expressions(node))


def _lift_aggregate(node: Aggregate, outer: frozenset[int], context: Context) -> Lifted | None:
    lifted = lift(node.input, outer, context, existential=False)
    if lifted is None or lifted.scalar or fails_for_some_row(node, context):
        return None
    new = _with_stand_ins(node, lifted, outer, context)
    if new is None:
        return None
    assert isinstance(new, Aggregate)
    grouped = _grouped(lifted, node.keys, outer, context)
    if grouped is None:
        return None
    below, keys, conjuncts = grouped
    found = Lifted(replace(new, input=below, keys=keys), conjuncts)
    return found if node.keys else as_scalar(found, context)


def as_scalar(lifted: Lifted, context: Context) -> Lifted:
    """A grouping as the scalar subquery it stands for: counts are 0 where there is no group, other aggregates NULL."""
    node = lifted.node
    assert isinstance(node, Aggregate)
    results: list[Field] = []
    for f, aggregate in zip(node.results, node.calls, strict=True):
        if aggregate.function in ZERO_WHEN_EMPTY:
            new = context.fresh(f)
            results.append(new)
            zero = Literal(f.type, 0)
            lifted.outputs[f.id] = (f, Call(f.type, "coalesce", (reference(replace(new, nullable=True)), zero)))
        else:
            results.append(f)
            lifted.outputs[f.id] = (f, reference(f))
    lifted.node = replace(node, results=tuple(results))
    lifted.scalar = True
    return lifted


def _lift_limit(node: Limit, outer: frozenset[int], context: Context, *, existential: bool) -> Lifted | None:
    """A limit that says nothing is left out; others count the rows of each group of rows with equal keys."""
    if node.offset == 0 and node.limit != 0 and at_most_one_row(node.input, context):
        return lift(node.input, outer, context, existential=existential)
    if node.limit == 0:
        return None
    sunk = below_project(node, context)
    if sunk is not node:
        return lift(sunk, outer, context, existential=existential)
    lifted = lift(node.input, outer, context, existential=False)
    found = None if lifted is None or lifted.scalar else _grouped(lifted, (), outer, context)
    if found is None:
        return None
    below, keys, conjuncts = found
    return Lifted(limited_per_group(node, below, keys, context), conjuncts)


def _lift_window(node: Window, outer: frozenset[int], context: Context) -> Lifted | None:
    lifted = lift(node.input, outer, context, existential=False)
    if lifted is None or lifted.scalar or fails_for_some_row(node, context):
        return None
    new = _with_stand_ins(node, lifted, outer, context)
    found = None if new is None else _grouped(lifted, node.partition, outer, context)
    if found is None:
        return None
    assert isinstance(new, Window)
    below, keys, conjuncts = found
    return Lifted(replace(new, input=below, partition=keys), conjuncts)


def _grouped(
    lifted: Lifted, keys: tuple[Field, ...], outer: frozenset[int], context: Context
) -> tuple[Node, tuple[Field, ...], list[Expression]] | None:
    """The plan, group keys and conjuncts such that the conjuncts decide for whole groups; None if they cannot."""
    by_id = {f.id: f for f in keys}
    grouped = GroupKeys(lifted.node, by_id, outer, context)
    taken = [grouped.take(conjunct) for conjunct in lifted.conjuncts]
    conjuncts = [conjunct for conjunct in taken if conjunct is not None]
    return None if len(conjuncts) < len(taken) else (grouped.input(), tuple(by_id.values()), conjuncts)
