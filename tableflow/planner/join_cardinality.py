"""Rows of joins: containment of keys, with what a range of key values says about foreign keys.

``a = b`` keeps one of ``max(distinct a, distinct b)`` pairs.  Where both counts are only known to be at most the
rows, the smaller one counts: such a column is most often a foreign key into the other.  Several equalities between the
same two inputs are one compound key, which matches at least as often as the smaller input has rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableflow.expressions.nodes import Cast, ColumnRef, Expression
from tableflow.planner.column_statistics import ColumnEstimate
from tableflow.planner.logical.facts import matches_at_most_one
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Limit, Node, Project, Scan, Sort
from tableflow.planner.selectivity import selectivity

if TYPE_CHECKING:
    from tableflow.planner.statistics import Statistics

_RESIDUAL_OF_EXISTS = 0.9


def base_rows(statistics: Statistics, node: Node) -> float:
    """Rows before filters and semi joins took any away."""
    match node:
        case Scan():
            return statistics.table_rows(node)
        case Filter(input=child) | Project(input=child) | Sort(input=child) | Limit(input=child):
            return base_rows(statistics, child)
        case Join(kind=JoinKind.SEMI | JoinKind.ANTI | JoinKind.MARK, left=left):
            return base_rows(statistics, left)
        case Join(kind=JoinKind.INNER | JoinKind.LEFT | JoinKind.SINGLE, left=left, right=right):
            return max(base_rows(statistics, left), base_rows(statistics, right))
        case _:
            return statistics.rows(node)


def key_distinct(first: ColumnEstimate, second: ColumnEstimate) -> float:
    """How many pairs there are to one that matches."""
    if first.limited and second.limited:
        return max(1.0, min(first.base, second.base))
    return max(1.0, first.base, second.base)


def sides(conjunct: Expression, join: Join, statistics: Statistics) -> tuple[ColumnRef, ColumnRef] | None:
    """The left and the right column of an equality between the inputs."""
    function = getattr(conjunct, "function", None)
    if function == "is_true":
        return sides(conjunct.args[0], join, statistics)  # type: ignore[attr-defined]
    if function not in {"eq", "is_not_distinct_from"}:
        return None
    a, b = (_column(arg) for arg in conjunct.args)  # type: ignore[attr-defined]
    if a is None or b is None:
        return None
    left, right = statistics.context.output_ids(join.left), statistics.context.output_ids(join.right)
    if a.id in left and b.id in right:
        return a, b
    return (b, a) if b.id in left and a.id in right else None


def _column(of: Expression) -> ColumnRef | None:
    while isinstance(of, Cast):
        of = of.operand
    return of if isinstance(of, ColumnRef) else None


def equality_selectivity(statistics: Statistics, left: Node, right: Node, pairs: list[tuple[int, int]]) -> float:
    """Of equalities between columns of two inputs, together."""
    product = 1.0
    for a, b in pairs:
        product /= key_distinct(statistics.column(left, a), statistics.column(right, b))
    if len(pairs) > 1:
        smaller = max(1.0, min(statistics.base_rows(left), statistics.base_rows(right)))
        product = max(product, 1.0 / smaller)
    return product


def join_rows(statistics: Statistics, join: Join) -> float:
    """Expected output rows of a join."""
    left, right = statistics.rows(join.left), statistics.rows(join.right)
    if join.kind in {JoinKind.MARK, JoinKind.SINGLE}:
        return left
    found = [(conjunct, sides(conjunct, join, statistics)) for conjunct in join.conjuncts]
    pairs = [(pair[0].id, pair[1].id) for _, pair in found if pair is not None]
    rest = [conjunct for conjunct, pair in found if pair is None]
    if join.kind in {JoinKind.SEMI, JoinKind.ANTI}:
        share = semi_share(statistics, join, pairs, len(rest))
        return left * (share if join.kind is JoinKind.SEMI else max(0.02, 1.0 - share))
    matched = left * right * equality_selectivity(statistics, join.left, join.right, pairs)
    lookup = statistics.lookup_in_inputs(join)
    for conjunct in rest:
        matched *= selectivity(lookup, conjunct)
    if matches_at_most_one(join.conjuncts, join.right, statistics.context):
        matched = min(matched, left)
    match join.kind:
        case JoinKind.LEFT:
            return max(left, matched)
        case JoinKind.RIGHT:
            return max(right, matched)
        case JoinKind.FULL:
            return max(left, matched) + max(0.0, right - matched)
        case _:
            return matched


def semi_share(statistics: Statistics, join: Join, pairs: list[tuple[int, int]], others: int) -> float:
    """The share of left rows that find a partner."""
    share = 1.0 if statistics.rows(join.right) > 0 else 0.0
    for a, b in pairs:
        left, right = statistics.column(join.left, a), statistics.column(join.right, b)
        share = min(share, right.distinct / max(1.0, right.base, left.distinct))
    return min(1.0, share) * _RESIDUAL_OF_EXISTS**others
