"""A cluster of joins that may be reordered, as relations, predicates and classes of equal columns.

Inner joins give *relations* and predicates.  A SEMI, ANTI, LEFT or MARK join in between gives an *attached* relation, its
right input: it is joined, by its own kind and condition, to any set that holds the relations its condition reads.
Both commute with inner joins, so the order is free; what cannot move stays inside a relation.
"""

from __future__ import annotations

from dataclasses import field

from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Filter, Hint, Join, JoinKind, Node
from tableflow.planner.logical.predicates import column_pair
from tableflow.records import dataclass

ATTACHED = frozenset({JoinKind.SEMI, JoinKind.ANTI, JoinKind.LEFT, JoinKind.MARK})


@dataclass(slots=True)
class Relation:
    """An input of the cluster; ``attach`` is the join it belongs to, if it is not joined by inner joins."""

    node: Node
    attach: Join | None = None
    needs: int = 0


@dataclass(slots=True)
class Predicate:
    """A conjunct: ``reads`` are the relations of its columns; it may be applied where all of ``needs`` are joined.

    ``classed``: it equates two columns of a class, which stand for it.
    """

    expression: Expression
    reads: int
    needs: int
    classed: bool = False


@dataclass(slots=True)
class Cluster:
    """See the module.  Sets of relations are bit sets over the positions in ``relations``."""

    relations: list[Relation] = field(default_factory=list)
    predicates: list[Predicate] = field(default_factory=list)
    classes: list[list[tuple[int, ColumnRef]]] = field(default_factory=list)
    hints: list[tuple[int, tuple[Hint, ...]]] = field(default_factory=list)
    owner: dict[int, int] = field(default_factory=dict)


def extract(root: Node, context: Context, pinned: frozenset[int]) -> Cluster:
    """The cluster below a join (or a filter over one); ``pinned`` are the blocks whose joins keep their order."""
    cluster = Cluster()
    conjuncts: list[tuple[Expression, int]] = []
    _collect(root, cluster, conjuncts, context, pinned)
    for expression, below in conjuncts:
        reads = _relations_of(context.columns(expression), cluster)
        needs = reads if context.movable(expression) else below
        cluster.predicates.append(Predicate(expression, reads, needs | reads))
    for i, relation in enumerate(cluster.relations):
        if relation.attach is not None:
            columns = [context.columns(c) for c in relation.attach.conjuncts]
            reads = _relations_of(frozenset().union(*columns), cluster) & ~(1 << i)
            relation.needs = reads or relation.needs & -relation.needs
    _classify(cluster)
    return cluster


def _relations_of(columns: frozenset[int], cluster: Cluster) -> int:
    found = 0
    for column in columns:
        position = cluster.owner.get(column)
        if position is not None:
            found |= 1 << position
    return found


def _collect(
    node: Node,
    cluster: Cluster,
    conjuncts: list[tuple[Expression, int]],
    context: Context,
    pinned: frozenset[int],
) -> int:
    """Adds what is below to the cluster; gives the set of relations that were added."""
    if not is_cluster(node, context, pinned):
        return 1 << _add(node, cluster, context, None, 0)
    if isinstance(node, Filter):
        below = _collect(node.input, cluster, conjuncts, context, pinned)
        conjuncts += [(c, below) for c in node.conjuncts]
        return below
    assert isinstance(node, Join)
    _note_hints(node, cluster)
    below = _collect(node.left, cluster, conjuncts, context, pinned)
    if node.kind is not JoinKind.INNER:
        return below | 1 << _add(node.right, cluster, context, node, below)
    below |= _collect(node.right, cluster, conjuncts, context, pinned)
    conjuncts += [(c, below) for c in node.conjuncts]
    return below


def is_attachable(join: Join, context: Context) -> bool:
    """Whether the join may be done earlier or later among inner joins."""
    return not join.dependent and all(context.movable(c) for c in join.conjuncts)


def is_cluster(node: Node, context: Context, pinned: frozenset[int]) -> bool:
    """Whether the node is a join that may be reordered, or a filter over one that may move with it."""
    if isinstance(node, Filter):
        return isinstance(node.input, Join) and _is_free(node.input, context, pinned) and _is_certain(node, context)
    return isinstance(node, Join) and _is_free(node, context, pinned)


def _is_certain(node: Filter, context: Context) -> bool:
    return all(context.deterministic(conjunct) for conjunct in node.conjuncts)


def _is_free(join: Join, context: Context, pinned: frozenset[int]) -> bool:
    if join.block in pinned or join.dependent:
        return False
    return join.kind is JoinKind.INNER or (join.kind in ATTACHED and is_attachable(join, context))


def _note_hints(join: Join, cluster: Cluster) -> None:
    if join.hints and (join.block, join.hints) not in cluster.hints:
        cluster.hints.append((join.block, join.hints))


def _add(node: Node, cluster: Cluster, context: Context, attach: Join | None, below: int) -> int:
    position = len(cluster.relations)
    cluster.relations.append(Relation(node, attach, below))
    for column in context.output_ids(node):
        cluster.owner[column] = position
    if attach is not None and attach.mark is not None:
        cluster.owner[attach.mark.id] = position
    return position


def _classify(cluster: Cluster) -> None:
    """Groups columns that equalities between unattached relations make equal, of the same type."""
    class_of: dict[int, list[tuple[int, ColumnRef]]] = {}
    for predicate in cluster.predicates:
        pair = column_pair(predicate.expression)
        if pair is None or predicate.needs != predicate.reads or pair[0].id == pair[1].id:
            continue
        owners = [cluster.owner.get(column.id) for column in pair]
        if any(owner is None or cluster.relations[owner].attach is not None for owner in owners):
            continue
        predicate.classed = True
        merged: list[tuple[int, ColumnRef]] = []
        for owner, column in zip(owners, pair, strict=True):
            assert owner is not None
            known = class_of.get(column.id, [(owner, column)])
            merged += [member for member in known if member not in merged]
        merged.sort(key=lambda member: (member[0], member[1].id))
        for member in merged:
            class_of[member[1].id] = merged
    seen: list[list[tuple[int, ColumnRef]]] = []
    for members in class_of.values():
        if not any(members is other for other in seen):
            seen.append(members)
    cluster.classes = sorted(seen, key=lambda members: (members[0][0], members[0][1].id))
