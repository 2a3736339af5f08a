"""Every dependent join becomes an ordinary one.

After T. Neumann and A. Kemper, "Unnesting Arbitrary Queries" (BTW 2015), and T. Neumann, "Improving Unnesting of Complex
Queries" (BTW 2025).  Innermost joins first.  For each, correlated predicates are *lifted* to the join where that is enough
(equalities through groupings); otherwise the right side is *bound* to the domain: the distinct values of the outer
columns, computed from a copy of the left side, are joined into the right side, so that it is evaluated for all of
them at once, and the join asks for equal values.
"""

from __future__ import annotations

from tableflow.errors import InternalError
from tableflow.expressions.nodes import Call, ColumnRef, Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import copy_plan, passing
from tableflow.planner.logical.facts import present
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Shared,
    Sort,
)
from tableflow.planner.logical.predicates import call, conjunction, is_true, never_null
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.traversal import reference, walk_plan
from tableflow.planner.rewriting import required_of_inputs
from tableflow.planner.unnesting_bind import Bound, Domain, bind, bind_groups
from tableflow.planner.unnesting_first_row import first_row_as_aggregate
from tableflow.planner.unnesting_lift import Lifted, as_scalar, lift, projected
from tableflow.records import replace
from tableflow.types import Field

_EXISTENTIAL = frozenset({JoinKind.SEMI, JoinKind.ANTI, JoinKind.MARK})
_KINDS = _EXISTENTIAL | {JoinKind.INNER, JoinKind.LEFT, JoinKind.SINGLE}


def unnest_dependent_joins(root: Node, required: frozenset[int], context: Context) -> Node:
    """The plan without dependent joins; refuses by name what needs rows numbered per group."""
    if not any(isinstance(node, Join) and node.dependent for node in walk_plan(root)):
        return root
    return _visit(root, required, context)


def _visit(node: Node, required: frozenset[int], context: Context) -> Node:
    children = inputs(node)
    if children:
        needed = required_of_inputs(node, required, context)
        pairs = zip(children, needed, strict=True)
        node = with_inputs(node, tuple([_visit(child, wanted, context) for child, wanted in pairs]))
    return _unnest(node, required, context) if isinstance(node, Join) and node.dependent else node


def _unnest(join: Join, required: frozenset[int], context: Context) -> Node:
    if join.kind not in _KINDS:
        raise InternalError(f"a {join.kind.value} join cannot be dependent")
    outer = context.free(join.right) & context.output_ids(join.left)
    if not outer:
        return replace(join, dependent=False)
    right = _without_idle_parts(join)
    if join.kind is JoinKind.SINGLE and not join.conjuncts:
        right = first_row_as_aggregate(right, required & context.output_ids(right), context)
    join = replace(join, right=right)
    lifted = lift(right, outer, context, existential=join.kind in _EXISTENTIAL)
    if lifted is not None:
        if not lifted.scalar:
            return _joined(join, lifted.node, tuple(lifted.conjuncts), context)
        if join.kind in {JoinKind.SINGLE, JoinKind.LEFT, JoinKind.INNER} and not join.conjuncts:
            return _scalar_join(join, lifted, context)
    return _bound_join(join, outer, context)


def _without_idle_parts(join: Join) -> Node:
    """The right side without sorts and limits that do not matter to this join."""
    right = join.right
    if join.kind in _EXISTENTIAL and not join.conjuncts:
        while True:
            match right:
                case Sort(input=child) | Project(input=child):
                    right = child
                case Limit(input=child, offset=0, limit=limit) if limit is None or limit > 0:
                    right = child
                case _:
                    return right
    return right


def _joined(join: Join, right: Node, correlation: tuple[Expression, ...], context: Context) -> Join:
    """The join with the correlation in its condition, where NULL means that the inner row is not there."""
    if join.kind is JoinKind.MARK or join.null_aware:
        right, correlation = _two_valued(join.left, right, correlation, context)
    return replace(join, right=right, conjuncts=(*correlation, *join.conjuncts), dependent=False)


def _two_valued(
    left: Node, right: Node, correlation: tuple[Expression, ...], context: Context
) -> tuple[Node, tuple[Expression, ...]]:
    """The correlation such that it is never NULL, equalities still as ones that can be hashed.

    ``(l = r) IS TRUE`` is ``l IS NOT DISTINCT FROM r`` where ``r`` is not NULL, which a filter on the right side sees to.
    """
    left_ids, right_ids = context.output_ids(left), context.output_ids(right)
    both = present(left, context) | present(right, context)
    keys: list[Expression] = []
    rest: list[Expression] = []
    for conjunct in correlation:
        match conjunct:
            case Call(function="eq", args=(a, b)) if context.movable(conjunct):
                if context.columns(a) <= right_ids:
                    a, b = b, a
                if context.columns(a) <= left_ids and context.columns(b) <= right_ids and context.columns(b):
                    if not never_null(b, both):
                        right = Filter(right, (call("is_not_null", b),))
                    keys.append(call("is_not_distinct_from", a, b))
                    continue
            case Call(function="is_not_distinct_from"):
                keys.append(conjunct)
                continue
            case _:
                pass
        rest.append(conjunct)
    return right, (*keys, is_true(conjunction(rest), both)) if rest else tuple(keys)


def _scalar_join(join: Join, lifted: Lifted, context: Context) -> Node:
    """A scalar aggregate per group: outer rows without a group get what the aggregate gives for no rows."""
    joined = replace(_joined(join, lifted.node, tuple(lifted.conjuncts), context), kind=JoinKind.LEFT)
    if all(isinstance(e, ColumnRef) and e.id == i for i, (_, e) in lifted.outputs.items()):
        return joined
    left = context.output(join.left)
    fields = (*left, *[f for f, _ in lifted.outputs.values()])
    return Project(joined, fields, (*passing(left), *[e for _, e in lifted.outputs.values()]))


def _bound_join(join: Join, outer: frozenset[int], context: Context) -> Node:
    columns = tuple([f for f in context.output(join.left) if f.id in outer])
    left, domain = _domain_of(join.left, columns, context)
    join = replace(join, left=left)
    whole = Domain(domain, columns)
    if join.kind in {JoinKind.SINGLE, JoinKind.LEFT, JoinKind.INNER} and not join.conjuncts:
        scalar = _bound_scalar(join.right, left, whole, context)
        if scalar is not None:
            return _scalar_join(join, scalar, context)
    bound = bind(join.right, whole, context)
    return _joined(join, bound.node, _same(left, bound, columns, context), context)


def _bound_scalar(right: Node, left: Node, domain: Domain, context: Context) -> Lifted | None:
    """A scalar aggregate over its bound input: the join itself pads outer rows that have no group."""
    match right:
        case Project(input=child):
            below = _bound_scalar(child, left, domain, context)
            return None if below is None else projected(right, below, context)
        case Aggregate(keys=()):
            bound, grouped = bind_groups(right, domain, context)
            return as_scalar(Lifted(grouped, list(_same(left, bound, domain.columns, context))), context)
        case _:
            return None


def _same(left: Node, bound: Bound, columns: tuple[Field, ...], context: Context) -> tuple[Expression, ...]:
    outer_present, inner_present = present(left, context), present(bound.node, context)
    conjuncts = []
    for column in columns:
        inner = bound.columns[column.id]
        two_valued = column.id in outer_present and inner.id in inner_present
        function = "eq" if two_valued else "is_not_distinct_from"
        conjuncts.append(call(function, reference(column), reference(inner)))
    return tuple(conjuncts)


def _domain_of(left: Node, columns: tuple[Field, ...], context: Context) -> tuple[Node, Aggregate]:
    """The left side, and the distinct values of its columns from a copy of it."""
    if context.deterministic_plan(left):
        copy, renamed = copy_plan(_source_of(left, frozenset([f.id for f in columns]), context), context)
        return left, Aggregate(copy, tuple([renamed[f.id] for f in columns]), (), ())
    # chance must fall once: both read the same rows
    fields = context.output(left)
    inner, renamed = copy_plan(left, context)
    columns_read = tuple([renamed.get(f.id, f) for f in fields])
    key = context.fresh_id()
    again = tuple([context.fresh(f) for f in fields])
    by_id = {f.id: copy for f, copy in zip(fields, again, strict=True)}
    domain = Aggregate(Shared(key, inner, again, columns_read), tuple([by_id[f.id] for f in columns]), (), ())
    return Shared(key, inner, fields, columns_read), domain


def _source_of(left: Node, ids: frozenset[int], context: Context) -> Node:
    """The left side without joins that only add columns nobody asked for: the distinct values are the same."""
    match left:
        case Join(kind=JoinKind.MARK | JoinKind.SINGLE | JoinKind.LEFT, left=child) if not left.dependent:
            return _source_of(child, ids, context) if ids <= context.output_ids(child) else left
        case Project(input=child) if ids <= context.output_ids(child):
            return _source_of(child, ids, context)
        case Filter(input=child):
            needed = ids | context.references(left)
            new = _source_of(child, needed, context)
            return left if new is child else replace(left, input=new)
        case _:
            return left
