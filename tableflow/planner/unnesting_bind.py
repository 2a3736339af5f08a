"""A subquery evaluated for all outer rows at once: its domain joined in at the lowest places that need it.

:func:`bind` gives a plan with one more column per outer column, such that for each row of the domain the rows with that row's
values (NULLs equal) are the subquery's rows for it; and there are no rows for other values.
"""

from __future__ import annotations

from dataclasses import field

from tableflow.errors import InternalError, UnsupportedError
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.expressions.window_assigner import Session
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.copying import copy_plan, passing
from tableflow.planner.logical.facts import at_most_one_row
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Replicate,
    SetKind,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.time_nodes import AsofJoin, TemporalJoin, WindowTable
from tableflow.planner.logical.traversal import map_expressions, reference
from tableflow.planner.unnesting_lift import ZERO_WHEN_EMPTY, fails_for_some_row
from tableflow.planner.unnesting_windows import below_project, limited_per_group, partitioned_by
from tableflow.records import dataclass, replace
from tableflow.types import Field


@dataclass(frozen=True, slots=True)
class Domain:
    """The distinct values of ``columns`` (of the outer row), as a plan whose keys are in their order."""

    plan: Aggregate
    columns: tuple[Field, ...]
    shared: dict[int, tuple[int, Node, tuple[Field, ...]]] = field(default_factory=dict)
    """Shared plans that were bound, by key: their new keys, and the columns that hold the outer ones."""

    @property
    def ids(self) -> frozenset[int]:
        """Ids of the outer columns."""
        return frozenset([f.id for f in self.columns])


@dataclass(frozen=True, slots=True)
class Bound:
    """A bound subquery; ``columns`` are its columns that hold the outer ones, by the outer ids."""

    node: Node
    columns: dict[int, Field]

    def expressions(self) -> dict[int, Expression]:
        """What stands for the outer columns."""
        return {i: reference(f) for i, f in self.columns.items()}


def _instance(domain: Domain, context: Context) -> Bound:
    copy, _ = copy_plan(domain.plan, context)
    return Bound(copy, dict(zip([f.id for f in domain.columns], context.output(copy), strict=True)))


def _depends(node: Node, domain: Domain, context: Context) -> bool:
    return not context.free(node).isdisjoint(domain.ids)


def _may_fail(node: Node, context: Context) -> bool:
    """Whether the node is one that is evaluated for each row and fails for some: then not where there is no outer row."""
    return isinstance(node, (Filter, Project)) and fails_for_some_row(node, context)


def bind(node: Node, domain: Domain, context: Context) -> Bound:
    """See the module."""
    if not _depends(node, domain, context) and not _may_fail(node, context):
        instance = _instance(domain, context)
        return Bound(Join(JoinKind.INNER, instance.node, node), instance.columns)
    match node:
        case Filter(input=child):
            bound = bind(child, domain, context)
            return Bound(_substituted(replace(node, input=bound.node), bound, context), bound.columns)
        case Project(input=child):
            return _bind_project(node, bind(child, domain, context), context)
        case Sort(input=child):
            return bind(child, domain, context)
        case Join():
            return _bind_join(node, domain, context)
        case Aggregate():
            return _bind_aggregate(node, domain, context)
        case Window():
            return _bind_window(node, bind(node.input, domain, context), context)
        case Limit():
            return _bind_limit(node, domain, context)
        case SetOperation():
            return _bind_set_operation(node, domain, context)
        case Replicate(input=child):
            bound = bind(child, domain, context)
            return Bound(replace(node, input=bound.node), bound.columns)
        case Shared():
            return _bind_shared(node, domain, context)
        case WindowTable():
            return _bind_window_table(node, bind(node.input, domain, context), context)
        case _:
            return _bind_leaf(node, domain, context)


def _substituted(node: Node, bound: Bound, context: Context) -> Node:
    by_id = bound.expressions()
    return map_expressions(node, lambda e: substitute_columns(e, by_id, context))


def _bind_project(node: Project, bound: Bound, context: Context) -> Bound:
    new = _substituted(replace(node, input=bound.node), bound, context)
    assert isinstance(new, Project)
    own = {f.id for f in new.fields}
    extra = tuple([f for f in bound.columns.values() if f.id not in own])
    with_domain = replace(new, fields=(*new.fields, *extra), expressions=(*new.expressions, *passing(extra)))
    return Bound(with_domain, bound.columns)


def _bind_window_table(node: WindowTable, bound: Bound, context: Context) -> Bound:
    """Windows that depend on other rows are those of one outer row."""
    partition = node.partition
    if node.time is None or isinstance(node.assigner, Session):
        partition = tuple({f.id: f for f in (*partition, *bound.columns.values())}.values())
    table = replace(node, input=bound.node, partition=partition)
    return Bound(_substituted(table, bound, context), bound.columns)


def _bind_leaf(node: Node, domain: Domain, context: Context) -> Bound:
    if isinstance(node, (AsofJoin, TemporalJoin)):
        raise UnsupportedError(
            "a join as of a time in a subquery that refers to the outer row is not supported over streams",
            span=node.span,
        )
    if not isinstance(node, Values):
        raise InternalError(f"a {type(node).__name__} cannot refer to an outer row")
    if len(node.rows) == 1:
        instance = _instance(domain, context)
        return _bind_project(Project(instance.node, node.fields, node.rows[0]), instance, context)
    rows = [Values((), ((),)) for _ in node.rows]
    branches: list[Project] = []
    for row, unit in zip(node.rows, rows, strict=True):
        fields = tuple([context.fresh(f) for f in node.fields])
        branches.append(Project(unit, fields, row))
    columns = tuple([branch.fields for branch in branches])
    return bind(SetOperation(SetKind.UNION_ALL, tuple(branches), node.fields, columns), domain, context)


def _same(left: Bound, right: Bound) -> tuple[Expression, ...]:
    return tuple(
        [call("is_not_distinct_from", reference(f), reference(right.columns[i])) for i, f in left.columns.items()]
    )


def _bind_join(node: Join, domain: Domain, context: Context) -> Bound:
    left_depends, right_depends = _depends(node.left, domain, context), _depends(node.right, domain, context)
    if node.kind is JoinKind.RIGHT:
        node = replace(node, kind=JoinKind.LEFT, left=node.right, right=node.left)
        left_depends, right_depends = right_depends, left_depends
    if node.kind is JoinKind.INNER and right_depends and not left_depends:
        right = bind(node.right, domain, context)
        return Bound(_substituted(replace(node, right=right.node), right, context), right.columns)
    left = bind(node.left, domain, context)
    if node.kind is JoinKind.FULL:
        return _bind_full_join(node, left, domain, context)
    if not right_depends:
        return Bound(_substituted(replace(node, left=left.node), left, context), left.columns)
    right = bind(node.right, domain, context)
    new = _substituted(replace(node, left=left.node, right=right.node), left, context)
    assert isinstance(new, Join)
    return Bound(replace(new, conjuncts=(*_same(left, right), *new.conjuncts)), left.columns)


def _bind_full_join(node: Join, left: Bound, domain: Domain, context: Context) -> Bound:
    """Both sides per outer row; the outer values are those of whichever side is there."""
    right = bind(node.right, domain, context)
    new = _substituted(replace(node, left=left.node, right=right.node), left, context)
    assert isinstance(new, Join)
    new = replace(new, conjuncts=(*_same(left, right), *new.conjuncts))
    own = context.output_ids(node.left) | context.output_ids(node.right)
    kept = tuple([f for f in context.output(new) if f.id in own])
    merged = {i: context.fresh(f, nullable=True) for i, f in left.columns.items()}
    either: list[Expression] = [
        Call(f.type, "coalesce", (reference(left.columns[i]), reference(right.columns[i]))) for i, f in merged.items()
    ]
    return Bound(Project(new, (*kept, *merged.values()), (*passing(kept), *either)), merged)


def bind_groups(node: Aggregate, domain: Domain, context: Context) -> tuple[Bound, Aggregate]:
    """The bound input, and the grouping over it, by the outer columns too."""
    bound = bind(node.input, domain, context)
    new = _substituted(replace(node, input=bound.node), bound, context)
    assert isinstance(new, Aggregate)
    own = {f.id for f in node.keys}
    extra = tuple([f for f in bound.columns.values() if f.id not in own])
    return bound, replace(new, keys=(*node.keys, *extra))


def _bind_aggregate(node: Aggregate, domain: Domain, context: Context) -> Bound:
    bound, new = bind_groups(node, domain, context)
    if node.keys:
        return Bound(new, bound.columns)
    # without keys there is a row for every row of the domain, also where the input has none
    zeros = {f.id for f, c in zip(node.results, node.calls, strict=True) if c.function in ZERO_WHEN_EMPTY}
    counted = tuple([context.fresh(f) if f.id in zeros else f for f in node.results])
    grouped = Bound(replace(new, results=counted), bound.columns)
    instance = _instance(domain, context)
    joined = Join(JoinKind.LEFT, instance.node, grouped.node, _same(instance, grouped))
    domain_fields = tuple(instance.columns.values())
    values = [
        Call(f.type, "coalesce", (reference(c), Literal(f.type, 0))) if f.id in zeros else reference(f)
        for f, c in zip(node.results, counted, strict=True)
    ]
    fields = (*domain_fields, *node.results)
    return Bound(Project(joined, fields, (*passing(domain_fields), *values)), instance.columns)


def _bind_limit(node: Limit, domain: Domain, context: Context) -> Bound:
    if node.offset == 0 and (node.limit is None or (node.limit > 0 and at_most_one_row(node.input, context))):
        return bind(node.input, domain, context)
    sunk = below_project(node, context)
    if sunk is not node:
        return bind(sunk, domain, context)
    bound = bind(node.input, domain, context)
    if node.limit == 0:
        return Bound(Limit(bound.node, 0), bound.columns)
    return Bound(limited_per_group(node, bound.node, tuple(bound.columns.values()), context), bound.columns)


def _bind_shared(node: Shared, domain: Domain, context: Context) -> Bound:
    """One plan for all readers again, which have the outer columns behind their own."""
    known = domain.shared.get(node.key)
    if known is None:
        bound = bind(node.input, domain, context)
        known = domain.shared[node.key] = (context.fresh_id(), *_beside(node.columns, bound, domain, context))
    key, plan, held = known
    columns = {f.id: context.fresh(h) for f, h in zip(domain.columns, held, strict=True)}
    return Bound(Shared(key, plan, (*node.fields, *columns.values()), (*node.columns, *held)), columns)


def _beside(own: tuple[Field, ...], bound: Bound, domain: Domain, context: Context) -> tuple[Node, tuple[Field, ...]]:
    """The bound plan, and its columns that hold the outer ones, none of which is among its ``own``."""
    held = tuple([bound.columns[f.id] for f in domain.columns])
    ids = {f.id for f in own}
    if ids.isdisjoint([f.id for f in held]):
        return bound.node, held
    again = tuple([context.fresh(f) for f in held])
    return Project(bound.node, (*own, *again), (*passing(own), *passing(held))), again


def _bind_window(node: Window, bound: Bound, context: Context) -> Bound:
    """Partitions per outer row: the outer columns are partition columns too."""
    new = _substituted(replace(node, input=bound.node), bound, context)
    assert isinstance(new, Window)
    return Bound(partitioned_by(new, tuple(bound.columns.values())), bound.columns)


def _bind_set_operation(node: SetOperation, domain: Domain, context: Context) -> Bound:
    branches: list[Node] = []
    read: list[tuple[Field, ...]] = []
    for branch, own in zip(node.inputs, node.columns, strict=True):
        plan, held = _beside(own, bind(branch, domain, context), domain, context)
        branches.append(plan)
        read.append((*own, *held))
    columns = {f.id: context.fresh(f, nullable=True) for f in domain.columns}
    fields = (*node.fields, *columns.values())
    return Bound(replace(node, inputs=tuple(branches), fields=fields, columns=tuple(read)), columns)
