"""Filters: splitting, merging, and moving them down over everything but joins.

A conjunct moves to where it sees other rows only if it is movable: deterministic, and failing for no row.
"""

from __future__ import annotations

from collections.abc import Iterable

from tableflow.expressions.nodes import Call, ColumnRef, Expression
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.known_predicates import is_known
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    Node,
    Project,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Window,
)
from tableflow.planner.logical.predicates import split
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import Field


def filtered(node: Node, conjuncts: Iterable[Expression], context: Context) -> Node:
    """The node under a filter with those conjuncts that are not known to hold already."""
    new = [conjunct for conjunct in dict.fromkeys(conjuncts) if not is_known(conjunct, node, context)]
    return Filter(node, tuple(new)) if new else node


def above(kept: list[Expression], node: Node) -> Node:
    """The node under a filter with these conjuncts, if there are any."""
    return Filter(node, tuple(kept)) if kept else node


def split_conjuncts(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """One conjunct per AND operand, each once."""
    assert isinstance(node, (Filter, Join))
    for conjunct in node.conjuncts:
        if isinstance(conjunct, Call) and conjunct.function == "and":
            break
    else:
        return None
    parts = [part for conjunct in node.conjuncts for part in split(conjunct)]
    return replace(node, conjuncts=tuple(_once(parts)))


def _once(of: list[Expression]) -> list[Expression]:
    return list(dict.fromkeys(of))


def merge_filters(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """``Filter(Filter(x))`` is one filter; no conjunct is none."""
    assert isinstance(node, Filter)
    if not node.conjuncts:
        return node.input
    if isinstance(node.input, Filter):
        return Filter(node.input.input, tuple(_once([*node.input.conjuncts, *node.conjuncts])))
    return None


def push_filter_into_scan(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Deterministic conjuncts directly above a scan become its predicates: they see the same rows there."""
    assert isinstance(node, Filter)
    scan = node.input
    if not isinstance(scan, Scan) or scan.limit is not None:
        return None
    own = context.output_ids(scan)
    pushed: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        movable = context.deterministic(conjunct) and context.columns(conjunct) <= own
        (pushed if movable else kept).append(conjunct)
    if not pushed:
        return None
    return above(kept, replace(scan, predicates=tuple(_once([*scan.predicates, *pushed]))))


def push_filter_through_project(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Conjuncts move below a projection, over the expressions of its columns; the rows are the same there."""
    assert isinstance(node, Filter)
    project = node.input
    if not isinstance(project, Project):
        return None
    by_id: dict[int, Expression] = {}
    fixed: set[int] = set()
    for f, e in zip(project.fields, project.expressions, strict=True):
        if isinstance(e, ColumnRef) and e.id == f.id:
            continue
        if context.deterministic(e):
            by_id[f.id] = e
        else:
            fixed.add(f.id)
    pushed: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        movable = context.deterministic(conjunct) and fixed.isdisjoint(context.columns(conjunct))
        (pushed if movable else kept).append(conjunct)
    if not pushed:
        return None
    below = filtered(project.input, [substitute_columns(c, by_id, context) for c in pushed], context)
    return above(kept, replace(project, input=below))


def push_filter_through_aggregate(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Movable conjuncts over group keys move below the grouping."""
    assert isinstance(node, Filter)
    aggregate = node.input
    if not isinstance(aggregate, Aggregate) or aggregate.late is not None:
        return None  # rows that come too late are wanted of all groups
    return below_whole_groups(node, aggregate, aggregate.keys, context)


def below_whole_groups(
    node: Filter, of_groups: Aggregate | Window, keys: tuple[Field, ...], context: Context
) -> Node | None:
    """Movable conjuncts over ``keys`` move below what looks at rows with equal keys together: they keep or drop all of them."""
    ids = frozenset([f.id for f in keys])
    pushed: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        columns = context.columns(conjunct)
        (pushed if columns and columns <= ids and context.movable(conjunct) else kept).append(conjunct)
    if not pushed:
        return None
    return above(kept, replace(of_groups, input=filtered(of_groups.input, pushed, context)))


def push_filter_through_set_operation(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Movable conjuncts move into every branch (EXCEPT: all branches too, equal rows agree on a condition)."""
    assert isinstance(node, Filter)
    operation = node.input
    if not isinstance(operation, SetOperation):
        return None
    own = context.output_ids(operation)
    pushed: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        movable = context.columns(conjunct) <= own and (
            context.movable(conjunct) or (operation.kind is SetKind.UNION_ALL and context.deterministic(conjunct))
        )
        (pushed if movable else kept).append(conjunct)
    if not pushed:
        return None
    branches: list[Node] = []
    for branch, columns in zip(operation.inputs, operation.columns, strict=True):
        by_id: dict[int, Expression] = {f.id: reference(c) for f, c in zip(operation.fields, columns, strict=True)}
        branches.append(filtered(branch, [substitute_columns(c, by_id, context) for c in pushed], context))
    return above(kept, replace(operation, inputs=tuple(branches)))


def push_filter_through_sort(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Sorting fewer rows: deterministic conjuncts see the same rows below a sort."""
    assert isinstance(node, Filter)
    sort = node.input
    if not isinstance(sort, Sort):
        return None
    return replace(sort, input=Filter(sort.input, node.conjuncts))
