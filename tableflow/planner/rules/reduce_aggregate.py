"""A join with few rows tells an aggregation which groups are wanted, before they are made."""

from __future__ import annotations

from tableflow.expressions.nodes import Call, ColumnRef
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import copy_plan
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Node, Project, Scan
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.structure import inputs
from tableflow.planner.logical.traversal import reference, transform_plan
from tableflow.records import replace

_FEWER_ROWS = 4.0


def reduce_aggregate_by_semi_join(root: Node, required: frozenset[int], context: Context) -> Node:
    """``X JOIN aggregate(Y) ON X.k = key`` reads only those rows of Y whose key is in X (a semi join with a copy of X).

    Groups that meet no row of X are lost in the join anyway.  This is the magic-set rewriting of Mumick and Pirahesh,
    "Implementation of Magic-sets in a Relational Database System" (1994), where it is cheap: X is several times smaller
    than Y, before its own filters too, and has no aggregation in it.
    """
    return transform_plan(root, lambda node: _rewritten(node, context) if isinstance(node, Join) else node)


def _rewritten(join: Join, context: Context) -> Node:
    if join.kind not in {JoinKind.INNER, JoinKind.LEFT, JoinKind.SINGLE, JoinKind.SEMI}:
        return join
    right = _reduced(join.right, join.left, join, context)
    if right is not join.right:
        return replace(join, right=right)
    left = _reduced(join.left, join.right, join, context) if join.kind is JoinKind.INNER else join.left
    return join if left is join.left else replace(join, left=left)


def _reduced(side: Node, other: Node, join: Join, context: Context) -> Node:
    """``side`` with its aggregation's input reduced to keys of ``other``, or ``side`` itself."""
    match side:
        case Filter(input=below):
            reduced = _reduced(below, other, join, context)
            return side if reduced is below else replace(side, input=reduced)
        case Project(input=below):
            reduced = _reduced(below, other, join, context)
            return side if reduced is below else replace(side, input=reduced)
        case Aggregate(keys=keys) if keys:
            pairs = _pairs(side, other, join, context)
            if not pairs or not _is_beneficial(side, other, pairs, context):
                return side
            copied, renamed = copy_plan(other, context)
            conjuncts = tuple([call("eq", key, reference(renamed[column.id])) for key, column in pairs])
            return replace(side, input=Join(JoinKind.SEMI, side.input, copied, conjuncts))
        case _:
            return side


def _pairs(side: Aggregate, other: Node, join: Join, context: Context) -> list[tuple[ColumnRef, ColumnRef]]:
    """Keys of the aggregation that the join equates with columns of the other side."""
    keys = {f.id for f in side.keys}
    columns = context.output_ids(other)
    found = []
    for conjunct in join.conjuncts:
        match conjunct:
            case Call(function="eq", args=(ColumnRef() as a, ColumnRef() as b)):
                if a.id in keys and b.id in columns:
                    found.append((a, b))
                elif b.id in keys and a.id in columns:
                    found.append((b, a))
    return found


def _is_beneficial(side: Aggregate, other: Node, pairs: list[tuple[ColumnRef, ColumnRef]], context: Context) -> bool:
    if not _is_plain(other) or not context.deterministic_plan(other):
        return False
    statistics = context.statistics
    rows = statistics.rows(side.input)
    groups = statistics.distinct(side.input, [key.id for key, _ in pairs])
    wanted = statistics.distinct(other, [column.id for _, column in pairs])
    return (
        wanted * _FEWER_ROWS < groups and _read(other, context) * _FEWER_ROWS < _read(side.input, context) <= rows * 16
    )


def _is_plain(node: Node) -> bool:
    """Whether the subplan only reads, filters and joins."""
    return isinstance(node, (Scan, Filter, Project, Join)) and all(_is_plain(child) for child in inputs(node))


def _read(node: Node, context: Context) -> float:
    """Rows that all scans below read."""
    if isinstance(node, Scan):
        return context.statistics.table_rows(node)
    return sum(_read(child, context) for child in inputs(node))
