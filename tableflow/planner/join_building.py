"""From a tree over the relations of a cluster back to joins.

Invariant: each predicate is applied once, at the lowest join where all it needs is there; each class of equal columns gives
one equality for each pair of inputs that both have a column of it, so that all of them are equal in the end.
"""

from __future__ import annotations

from typing import TypeAlias

from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.join_graph import Cluster, Predicate
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Filter, Hint, Join, JoinKind, Node, Scan
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.traversal import walk_plan
from tableflow.planner.rules.filters import filtered
from tableflow.records import replace

Tree: TypeAlias = "int | tuple[Tree, Tree]"
"""A relation as a set of one bit, or a join."""


class Builder:
    """Builds the joins of one cluster."""

    def __init__(self, cluster: Cluster, context: Context) -> None:
        self._cluster = cluster
        self._context = context

    def build(self, tree: Tree) -> Node:
        """The plan of the whole cluster."""
        node, _ = self._build(tree)
        constant = [p.expression for p in self._cluster.predicates if not p.needs]
        return Filter(node, tuple(constant)) if constant else node

    def _build(self, tree: Tree) -> tuple[Node, int]:
        if isinstance(tree, int):
            return self._leaf(tree.bit_length() - 1), tree
        left, first = self._build(tree[0])
        right, second = self._build(tree[1])
        relation = self._cluster.relations[second.bit_length() - 1]
        conditions = self._applicable(first, second)
        if second & (second - 1) == 0 and relation.attach is not None:
            new: Node = replace(relation.attach, left=left, right=right)
            return (Filter(new, tuple(conditions)) if conditions else new), first | second
        equalities = self._equalities(first, second)
        block, hints = self._hints(left, right)
        return Join(JoinKind.INNER, left, right, (*equalities, *conditions), hints=hints, block=block), first | second

    def _leaf(self, position: int) -> Node:
        node = self._cluster.relations[position].node
        equalities: list[Expression] = []
        for members in self._cluster.classes:
            own = [column for owner, column in members if owner == position]
            equalities += [call("eq", own[0], other) for other in own[1:]]
        node = self._restricted(node, equalities)
        if self._cluster.relations[position].attach is not None:
            return node
        own_bit = 1 << position
        rest = [p.expression for p in self._cluster.predicates if p.needs == own_bit and not p.classed]
        return Filter(node, tuple(rest)) if rest else node

    def _restricted(self, node: Node, conjuncts: list[Expression]) -> Node:
        """Under the conjuncts that are new to it, in the scan if it is one."""
        new = filtered(node, conjuncts, self._context)
        if new is not node and isinstance(new, Filter) and isinstance(node, Scan) and node.limit is None:
            return replace(node, predicates=(*node.predicates, *new.conjuncts))
        return new

    def _applicable(self, first: int, second: int) -> list[Expression]:
        """Predicates that can be applied to the two sets together, but to neither alone."""
        whole = first | second

        def is_new(p: Predicate) -> bool:
            if p.classed or not p.needs or p.needs & ~whole:
                return False
            return bool(p.needs & ~first) and (bool(p.needs & ~second) or self._is_attached(second))

        return [p.expression for p in self._cluster.predicates if is_new(p)]

    def _is_attached(self, of: int) -> bool:
        return of & (of - 1) == 0 and self._cluster.relations[of.bit_length() - 1].attach is not None

    def _equalities(self, first: int, second: int) -> list[Expression]:
        found: list[Expression] = []
        for members in self._cluster.classes:
            left = _first_in(members, first)
            right = _first_in(members, second)
            if left is not None and right is not None:
                found.append(call("eq", left, right))
        return found

    def _hints(self, left: Node, right: Node) -> tuple[int, tuple[Hint, ...]]:
        """The block whose hints speak of the new join, and its hints."""
        if not self._cluster.hints:
            return 0, ()
        blocks = {part.block for side in (left, right) for part in walk_plan(side) if isinstance(part, Scan)}
        for block, hints in self._cluster.hints:
            if block in blocks:
                return block, hints
        return 0, ()


def _first_in(members: list[tuple[int, ColumnRef]], mask: int) -> ColumnRef | None:
    for position, column in members:
        if mask >> position & 1:
            return column
    return None
