"""LIMIT: merged, dropped where it says nothing, and repeated below so that less is made."""

from __future__ import annotations

from tableflow.config import LATE_COLUMNS
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import copy_plan
from tableflow.planner.logical.facts import at_most_one_row, empty, present
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Window,
)
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.traversal import reference, transform_plan
from tableflow.planner.rules.group_keys import is_told_apart
from tableflow.records import replace

_MANY_ROWS = 200_000.0
"""Fewer are grouped in less time than it takes to begin another scan."""
_MANY_GROUPS = 64.0
"""Groups for each that is wanted: these are then found in a small part of the rows."""
_KEEPS_LEFT_ROWS = frozenset({JoinKind.LEFT, JoinKind.MARK, JoinKind.SINGLE})


def merge_limits(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """LIMIT 0 is empty, LIMIT over LIMIT is one, LIMIT over at most one row is none."""
    assert isinstance(node, Limit)
    if node.limit == 0:
        return empty(context.output(node))
    if node.offset == 0 and (node.limit is None or at_most_one_row(node.input, context)):
        return node.input
    inner = node.input
    if not isinstance(inner, Limit):
        return None
    limit = node.limit
    if inner.limit is not None:
        left = max(0, inner.limit - node.offset)
        limit = left if limit is None else min(limit, left)
    return Limit(inner.input, limit, inner.offset + node.offset)


def push_limit(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Below a projection; repeated in the branches of UNION ALL, on a join's preserved side, and in a scan."""
    assert isinstance(node, Limit)
    child = node.input
    if isinstance(child, Project):
        if not all(context.deterministic(e) for e in child.expressions):
            return None
        return replace(child, input=replace(node, input=child.input))
    if node.limit is None:
        return None
    most = node.limit + node.offset
    match child:
        case SetOperation(kind=SetKind.UNION_ALL, inputs=branches):
            new = tuple([_limited(branch, most, context) for branch in branches])
            if all(a is b for a, b in zip(branches, new, strict=True)):
                return None
            return replace(node, input=replace(child, inputs=new))
        case Join(kind=kind, left=left) if kind in _KEEPS_LEFT_ROWS and not child.dependent:
            limited = _limited(left, most, context)
            return None if limited is left else replace(node, input=replace(child, left=limited))
        case Scan(predicates=(), limit=limit) if limit is None or limit > most:
            return replace(node, input=replace(child, limit=most))
        case _:
            return None


def _limited(node: Node, most: int, context: Context) -> Node:
    inner = node
    while isinstance(inner, Project):
        inner = inner.input
    match inner:
        case Limit(limit=limit) if limit is not None and limit <= most:
            return node
        case Scan(limit=limit) if limit is not None and limit <= most:
            return node
        case _:
            return node if at_most_one_row(node, context) else Limit(node, most)


def settle_limited_groups(root: Node, required: frozenset[int], context: Context) -> Node:
    """``LIMIT n`` over groups in no order: the first n keys that are met say which groups come out, and only their rows are read.

    The keys come from a copy of the input, which ends as soon as there are enough; a semi join with them tells the scan which rows there are
    (reduce_aggregate_by_semi_join does the same where a join says which groups are wanted).
    """
    return transform_plan(root, lambda node: _with_settled_groups(node, context) if isinstance(node, Limit) else node)


def _with_settled_groups(node: Limit, context: Context) -> Node:
    groups = node.input
    if node.limit is None or not isinstance(groups, Aggregate) or not groups.keys or not groups.calls:
        return node
    most, rows = node.limit + node.offset, groups.input
    if not all(is_told_apart(key.type) for key in groups.keys) or not _is_read_twice_for_less(groups, most, context):
        return node
    copied, renamed = copy_plan(rows, context)
    wanted = [renamed[key.id] for key in groups.keys]
    both = present(rows, context) | present(copied, context)
    conjuncts = tuple(
        [
            call("eq" if {key.id, other.id} <= both else "is_not_distinct_from", reference(key), reference(other))
            for key, other in zip(groups.keys, wanted, strict=True)
        ]
    )
    first = Limit(Aggregate(copied, tuple(wanted), (), ()), most)
    return replace(node, input=replace(groups, input=Join(JoinKind.SEMI, rows, first, conjuncts)))


def _is_read_twice_for_less(groups: Aggregate, most: int, context: Context) -> bool:
    """Whether the rows are those of one table, which are the same when they are read again, and have far more groups than are wanted."""
    table, statistics = groups.input, context.statistics
    while isinstance(table, (Filter, Project)):
        table = table.input
    if not isinstance(table, Scan) or not table.provider.bounded or table.provider.statistics().rows is None:
        return False
    mode = context.settings.get(LATE_COLUMNS)
    if mode == "off" or not context.deterministic_plan(groups.input):
        return False
    estimates = {key.id: statistics.column(groups.input, key.id) for key in groups.keys}
    known = [key for key, one in estimates.items() if not (one.unknown or one.guessed)]
    many = bool(known) and statistics.distinct(groups.input, known) > most * _MANY_GROUPS
    return mode == "always" or (many and statistics.rows(groups.input) >= _MANY_ROWS)


def drop_useless_sort(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """A sort below anything but a LIMIT, a projection or the result orders rows for nobody."""
    assert isinstance(node, (Filter, Join, Aggregate, Window, SetOperation, Sort))
    old = inputs(node)
    for child in old:
        if type(child) is Sort:
            break
    else:
        return None
    return with_inputs(node, tuple([child.input if isinstance(child, Sort) else child for child in old]))
