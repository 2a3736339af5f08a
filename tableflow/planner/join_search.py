"""Rows and costs of sets of relations, and the best tree found for each.

The rows of a set do not depend on how it is joined: products of relations, of one selectivity per class of equal columns
and of those of other predicates; so cheaper trees are comparable.
"""

from __future__ import annotations

from itertools import combinations

from tableflow.expressions.nodes import ColumnRef
from tableflow.planner.column_statistics import ColumnEstimate
from tableflow.planner.cost import hash_join_cost, nested_loop_cost
from tableflow.planner.join_building import Tree
from tableflow.planner.join_cardinality import key_distinct, sides
from tableflow.planner.join_graph import Cluster, Predicate, Relation
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.known_predicates import is_known
from tableflow.planner.logical.nodes import JoinKind
from tableflow.planner.rules.disjunctions import is_disjunction, side_of_disjunction
from tableflow.planner.selectivity import selectivity

_LEAST_ROWS = 1e-3
_RESIDUAL = 0.9


class JoinSearch:
    """``best`` maps a set to (cost, left set, right set); single relations cost nothing."""

    def __init__(self, cluster: Cluster, context: Context) -> None:
        self._cluster = cluster
        self._context = context
        self._statistics = context.statistics
        relations = cluster.relations
        self.best: dict[int, tuple[float, int, int]] = {}
        self._rows: dict[int, float] = {}
        self._attached = 0
        for i, relation in enumerate(relations):
            if relation.attach is None:
                self.best[1 << i] = (0.0, 0, 0)
            else:
                self._attached |= 1 << i
        self._factors = [self._factor(relation) for relation in relations]
        self._inner_rows = [max(_LEAST_ROWS, self._statistics.rows(relation.node)) for relation in relations]
        self._classes = [self._class_counts(members) for members in cluster.classes]
        self._compound = self._compound_keys()
        self._others = [(p.needs, self._selectivity(p)) for p in cluster.predicates if not p.classed and p.needs]
        self._hashable = self._hashable_predicates()
        self._class_masks = [sum([bit for bit, _ in members]) for members in self._classes]
        self._adjacent = [0] * len(relations)

    def connect(self) -> None:
        """Makes the graph: an edge where a predicate joins two relations; forced cross products connect the rest."""
        for members in self._cluster.classes:
            mask = 0
            for position, _ in members:
                mask |= 1 << position
            self._link(mask)
        for predicate in self._cluster.predicates:
            if predicate.reads.bit_count() == 2:
                self._link(predicate.reads)
        for i, relation in enumerate(self._cluster.relations):
            if relation.attach is not None:
                self._adjacent[i] |= relation.needs
                for j in range(len(self._adjacent)):
                    if relation.needs >> j & 1:
                        self._adjacent[j] |= 1 << i
        components = self._components()
        for first, second in combinations(components, 2):
            hub = self._smallest(first)
            self._adjacent[hub] |= second
            for j in range(len(self._adjacent)):
                if second >> j & 1:
                    self._adjacent[j] |= 1 << hub

    def _link(self, mask: int) -> None:
        for i in range(len(self._adjacent)):
            if mask >> i & 1:
                self._adjacent[i] |= mask & ~(1 << i)

    def _components(self) -> list[int]:
        found: list[int] = []
        left = (1 << len(self._adjacent)) - 1
        while left:
            part = left & -left
            while True:
                grown = (part | self.neighbours(part)) & left
                if grown == part:
                    break
                part = grown
            found.append(part)
            left &= ~part
        return sorted(found, key=lambda part: (self._inner_rows[self._smallest(part)], part))

    def _smallest(self, mask: int) -> int:
        members = [i for i in range(len(self._adjacent)) if mask >> i & 1]
        free = [i for i in members if not self._attached >> i & 1] or members
        return min(free, key=lambda i: (self._inner_rows[i], i))

    def neighbours(self, of: int) -> int:
        """Relations with an edge into the set."""
        found, rest = 0, of
        while rest:
            bit = rest & -rest
            found |= self._adjacent[bit.bit_length() - 1]
            rest ^= bit
        return found & ~of

    def touching(self, first: int, second: int) -> bool:
        """Whether an edge joins the sets."""
        return bool(self.neighbours(first) & second)

    def _is_attached(self, of: int) -> bool:
        return bool(of & self._attached) and of & (of - 1) == 0

    def allowed(self, first: int, second: int) -> bool:
        """Whether the sets can be joined now."""
        if self._is_attached(second):
            return first in self.best and self._cluster.relations[second.bit_length() - 1].needs & ~first == 0
        if self._is_attached(first):
            return second in self.best and self._cluster.relations[first.bit_length() - 1].needs & ~second == 0
        return first in self.best and second in self.best

    def combine(self, first: int, second: int) -> bool:
        """Considers joining two sets; True if it is possible."""
        if self._attached and not self.allowed(first, second):
            return False
        if self._attached and self._is_attached(first):
            first, second = second, first
        whole = first | second
        if self._attached and self._is_attached(second):
            cost = self.best[first][0] + self._attach_cost(first, second.bit_length() - 1)
        else:
            left, right = self.rows(first), self.rows(second)
            if left < right:
                first, second, left, right = second, first, right, left
            join = hash_join_cost if self._has_keys(first, second) else nested_loop_cost
            cost = self.best[first][0] + self.best[second][0] + join(left, right, self.rows(whole))
        known = self.best.get(whole)
        if known is None or cost < known[0]:
            self.best[whole] = (cost, first, second)
        return True

    def tree(self, of: int) -> Tree:
        """The best tree of a set."""
        _, first, second = self.best.get(of, (0.0, 0, 0))
        return of if not first else (self.tree(first), self.tree(second))

    def rows(self, of: int) -> float:
        """Expected rows of a set, however it is joined."""
        known = self._rows.get(of)
        if known is not None:
            return known
        rows, rest = 1.0, of
        while rest:
            bit = rest & -rest
            position = bit.bit_length() - 1
            rows *= self._factors[position] if bit & self._attached else self._inner_rows[position]
            rest ^= bit
        for members in self._classes:
            counts = sorted([count for bit, count in members if bit & of])
            for count in counts[1:]:
                rows /= count
        for pair, factor in self._compound:
            if pair & of == pair:
                rows *= factor
        for needs, factor in self._others:
            if needs & of == needs:
                rows *= factor
        self._rows[of] = rows = max(_LEAST_ROWS, rows)
        return rows

    def _attach_cost(self, first: int, position: int) -> float:
        relation = self._cluster.relations[position]
        assert relation.attach is not None
        left, right, out = self.rows(first), self._inner_rows[position], self.rows(first | 1 << position)
        if not any(sides(c, relation.attach, self._statistics) for c in relation.attach.conjuncts):
            return nested_loop_cost(left, right, out)
        straight = hash_join_cost(left, right, out)
        if relation.attach.kind is JoinKind.MARK or relation.attach.null_aware:
            return straight
        return min(straight, hash_join_cost(right, left, out))

    def _has_keys(self, first: int, second: int) -> bool:
        for mask in self._class_masks:
            if mask & first and mask & second:
                return True
        whole = first | second
        for needs, left, right in self._hashable:
            if needs & ~whole == 0 and (
                (left & ~first == 0 and right & ~second == 0) or (left & ~second == 0 and right & ~first == 0)
            ):
                return True
        return False

    def _hashable_predicates(self) -> list[tuple[int, int, int]]:
        """Equalities of expressions: what they need, and the relations either side reads."""
        found = []
        for predicate in self._cluster.predicates:
            sides_of = self._is_hashable(predicate)
            if sides_of is not None:
                found.append((predicate.needs, *sides_of))
        return found

    def _is_hashable(self, predicate: Predicate) -> tuple[int, int] | None:
        """The relations either side of an equality reads, if they are disjoint."""
        if predicate.classed or getattr(predicate.expression, "function", None) not in {"eq", "is_not_distinct_from"}:
            return None
        masks = []
        for arg in predicate.expression.args:  # type: ignore[attr-defined]
            mask = 0
            for column in self._context.columns(arg):
                mask |= 1 << self._cluster.owner[column]
            masks.append(mask)
        return (masks[0], masks[1]) if masks[0] and masks[1] and not masks[0] & masks[1] else None

    def _column(self, column: int) -> ColumnEstimate | None:
        position = self._cluster.owner.get(column)
        if position is None:
            return None
        node = self._cluster.relations[position].node
        return self._statistics.column(node, column) if column in self._context.output_ids(node) else None

    def _factor(self, relation: Relation) -> float:
        """By how much an attached join multiplies the rows of what it is attached to."""
        join = relation.attach
        if join is None or join.kind is JoinKind.MARK:
            return 1.0
        share, matches = 1.0, max(_LEAST_ROWS, self._statistics.rows(relation.node))
        others = 0
        for conjunct in join.conjuncts:
            pair = sides(conjunct, join, self._statistics)
            left = None if pair is None else self._column(pair[0].id)
            right = None if pair is None else self._column(pair[1].id)
            if left is None or right is None:
                others += 1
                continue
            share = min(share, right.distinct / max(1.0, right.base, left.distinct))
            matches /= key_distinct(left, right)
        share *= _RESIDUAL**others
        match join.kind:
            case JoinKind.SEMI:
                return share
            case JoinKind.ANTI:
                return max(0.02, 1.0 - share)
            case _:
                return max(1.0, matches)

    def _class_counts(self, members: list[tuple[int, ColumnRef]]) -> list[tuple[int, float]]:
        """Distinct counts per relation; where several are only bounded by rows, the smallest bound counts."""
        found: dict[int, tuple[float, bool]] = {}
        for position, column in members:
            estimate = self._column(column.id)
            count = max(1.0, estimate.base) if estimate is not None else 1.0
            limited = estimate is not None and estimate.limited
            known = found.get(position)
            if known is None or count < known[0]:
                found[position] = (count, limited)
        bounds = [count for count, limited in found.values() if limited]
        least = min(bounds) if len(bounds) > 1 else None
        return [
            (1 << position, count if least is None or not limited else min(count, least))
            for position, (count, limited) in found.items()
        ]

    def _compound_keys(self) -> list[tuple[int, float]]:
        """Corrections for pairs of relations that several classes join: one compound key."""
        found: dict[int, list[float]] = {}
        for members in self._classes:
            for (a, count_a), (b, count_b) in combinations(members, 2):
                found.setdefault(a | b, []).append(max(count_a, count_b))
        result = []
        for pair, counts in found.items():
            if len(counts) > 1:
                product = 1.0
                for count in counts:
                    product /= count
                bases = [
                    self._statistics.base_rows(self._cluster.relations[i].node)
                    for i in range(len(self._cluster.relations))
                    if pair >> i & 1
                ]
                result.append((pair, max(1.0, 1.0 / max(1.0, min(bases)) / product)))
        return sorted(result)

    def _selectivity(self, predicate: Predicate) -> float:
        """What an OR implies for single relations and was applied there is not counted twice."""
        factor = selectivity(self._column, predicate.expression)
        if is_disjunction(predicate.expression):
            for i, relation in enumerate(self._cluster.relations):
                if not predicate.reads >> i & 1 or relation.attach is not None:
                    continue
                ids = self._context.output_ids(relation.node)
                implied = side_of_disjunction(predicate.expression, ids, self._context)
                if implied is not None and is_known(implied, relation.node, self._context):
                    factor /= max(1e-6, selectivity(self._column, implied))
        return min(1.0, factor)
