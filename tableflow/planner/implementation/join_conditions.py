"""A join condition taken apart: pairs of keys that a hash table can compare, and the rest."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from tableflow.expressions.nodes import Call, Expression, column_ids
from tableflow.planner.logical import nodes as logical
from tableflow.records import dataclass

if TYPE_CHECKING:
    from tableflow.planner.implementation.search import Search

_COMPARISONS = {"eq": False, "is_not_distinct_from": True}


@dataclass(frozen=True, slots=True)
class JoinCondition:
    """``left[i]`` compared with ``right[i]``, NULL-safely where ``null_safe[i]``; ``residual`` are other conjuncts."""

    left: tuple[Expression, ...]
    right: tuple[Expression, ...]
    null_safe: tuple[bool, ...]
    residual: tuple[Expression, ...]

    def flipped(self) -> JoinCondition:
        """With the sides exchanged."""
        return JoinCondition(self.right, self.left, self.null_safe, self.residual)


def analyse(search: Search, join: logical.Join) -> JoinCondition:
    """Splits the conjuncts of a join by the sides they read; the pair that is not NULL-safe comes last."""
    return pairs_of(search, join.conjuncts, join.left, join.right, last_compared=join.null_aware)


def pairs_of(
    search: Search,
    conjuncts: Sequence[Expression],
    left: logical.Node,
    right: logical.Node,
    *,
    last_compared: bool = False,
) -> JoinCondition:
    """Splits conjuncts by the sides they read; ``last_compared``: the pair that is not NULL-safe comes last."""
    left_ids, right_ids = search.output(left).keys(), search.output(right).keys()
    pairs: list[tuple[Expression, Expression, bool]] = []
    residual: list[Expression] = []
    for conjunct in conjuncts:
        pair = key_pair(conjunct, left_ids, right_ids)
        if pair is None:
            residual.append(conjunct)
        else:
            pairs.append(pair)
    if last_compared:
        pairs.sort(key=lambda pair: not pair[2])
    return JoinCondition(
        tuple(pair[0] for pair in pairs),
        tuple(pair[1] for pair in pairs),
        tuple(pair[2] for pair in pairs),
        tuple(residual),
    )


def key_pair(
    conjunct: Expression, left_ids: Set[int], right_ids: Set[int]
) -> tuple[Expression, Expression, bool] | None:
    """What a conjunct compares, of the left and of the right, and whether NULL-safely; None if it is no such comparison."""
    if not isinstance(conjunct, Call) or conjunct.function not in _COMPARISONS:
        return None
    first, second = conjunct.args
    first_ids, second_ids = column_ids(first), column_ids(second)
    if not first_ids or not second_ids:
        return None
    null_safe = _COMPARISONS[conjunct.function]
    if first_ids <= left_ids and second_ids <= right_ids:
        return first, second, null_safe
    if first_ids <= right_ids and second_ids <= left_ids:
        return second, first, null_safe
    return None


def needs_three_values(join: logical.Join, condition: JoinCondition) -> bool:
    """Whether NULLs decide in a way that only a nested loop evaluates: NOT IN or a MARK over several comparisons."""
    if join.kind is logical.JoinKind.MARK or join.null_aware:
        comparisons = sum(1 for safe in condition.null_safe if not safe)
        return comparisons + len(condition.residual) > 1
    return False
