"""Join orders: the cheapest bushy tree per cluster, without cross products unless the query forces them.

Up to a limit of relations all connected subgraphs are combined by dynamic programming, after G. Moerkotte and T. Neumann,
"Analysis of Two Existing and One New Dynamic Programming Algorithm for the Generation of Optimal Bushy Join Trees
without Cross Products" (VLDB 2006); above it, and in very dense graphs, the pair with
the smallest result is joined first.  Sets of relations
are bit sets.  Hints: LEADING fixes a left-deep prefix, NO_REORDER keeps a SELECT block's joins as written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice

from tableflow.config import JOIN_ENUMERATION_LIMIT
from tableflow.planner.enumeration import connected_pairs
from tableflow.planner.join_building import Builder, Tree
from tableflow.planner.join_graph import Cluster, extract, is_cluster
from tableflow.planner.join_search import JoinSearch
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import Hint, Node, Scan
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.traversal import walk_plan

MOST_PAIRS = 5_000
"""Pairs of sets looked at before the rest is joined greedily: nine relations that are all joined with each other."""


def order_joins(root: Node, _required: frozenset[int], context: Context) -> Node:
    """The plan with every cluster of joins in the order that is cheapest by estimate."""
    pinned = frozenset([block for block, hint in context.hints if hint.name == "NO_REORDER"])
    return _order(root, context, pinned)


def _order(node: Node, context: Context, pinned: frozenset[int]) -> Node:
    if is_cluster(node, context, pinned):
        return _order_cluster(node, context, pinned)
    children = inputs(node)
    if not children:
        return node
    return with_inputs(node, tuple([_order(child, context, pinned) for child in children]))


def _order_cluster(root: Node, context: Context, pinned: frozenset[int]) -> Node:
    cluster = extract(root, context, pinned)
    for relation in cluster.relations:
        relation.node = _order(relation.node, context, pinned)
    builder = Builder(cluster, context)
    search = JoinSearch(cluster, context)
    prefix = _leading(cluster, context)
    tree = best_tree(cluster, search, context, prefix)
    return builder.build(tree)


def best_tree(cluster: Cluster, search: JoinSearch, context: Context, prefix: list[int]) -> Tree:
    """The cheapest tree over all relations, the hinted prefix left-deep at its bottom."""
    everything = (1 << len(cluster.relations)) - 1
    search.connect()
    units = [1 << i for i in range(len(cluster.relations))]
    if prefix:
        done = 1 << prefix[0]
        for position in prefix[1:]:
            if not search.combine(done, 1 << position):
                break
            done |= 1 << position
        units = [done, *[unit for unit in units if not unit & done]]
    if len(units) <= context.settings.get(JOIN_ENUMERATION_LIMIT):
        for first, second in islice(connected_pairs(units, search.neighbours), MOST_PAIRS):
            search.combine(first, second)
    if everything not in search.best:
        _join_greedily(units, search)
    return search.tree(everything)


def _join_greedily(units: list[int], search: JoinSearch) -> None:
    """Joins the pair with the smallest result until one set is left; connected pairs before cross products."""
    made = list(units)
    left = set(range(len(made)))
    pairs = [pair for j in range(len(made)) for pair in _pairs(made, range(j), j, search)]
    heapify(pairs)
    while pairs:
        _, _, i, j = heappop(pairs)
        if i in left and j in left:
            search.combine(made[i], made[j])
            left -= {i, j}
            made.append(made[i] | made[j])
            for pair in _pairs(made, sorted(left), len(made) - 1, search):
                heappush(pairs, pair)
            left.add(len(made) - 1)


def _pairs(
    made: list[int], of: Iterable[int], with_: int, search: JoinSearch
) -> Iterator[tuple[bool, float, int, int]]:
    """Pairs that can be joined, in the order of preference: (is a cross product, rows, numbers of the two sets)."""
    second = made[with_]
    for i in of:
        if search.allowed(made[i], second):
            yield not search.touching(made[i], second), search.rows(made[i] | second), i, with_


def _leading(cluster: Cluster, context: Context) -> list[int]:
    """Positions of the relations that a LEADING hint names, in its order."""
    for block, hint in context.hints:
        if hint.name == "LEADING":
            found = _positions(cluster, block, hint)
            if len(found) > 1:
                if len(found) < len(hint.arguments):
                    context.warn("hint LEADING names tables that are not joined with each other; it is used in part")
                return found
    return []


def _positions(cluster: Cluster, block: int, hint: Hint) -> list[int]:
    found: list[int] = []
    for name in hint.arguments:
        for i, relation in enumerate(cluster.relations):
            if i not in found and _has_alias(relation.node, name.lower(), block):
                found.append(i)
                break
    return found


def _has_alias(node: Node, name: str, block: int) -> bool:
    return any(
        isinstance(part, Scan) and part.block == block and part.alias.lower() == name for part in walk_plan(node)
    )
