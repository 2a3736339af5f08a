"""Implementation rules of joins: which side is built, and how its rows meet the other side's.

Published: the build side is sealed once for all tasks and probe rows stay where they are.  Broadcast: every task
builds all rows by itself.  Partitioned: both sides are exchanged by the keys.  Hints restrict the alternatives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tableflow.expressions.nodes import ColumnRef, Expression, column_ids
from tableflow.physical.hash_join import HashJoin, HashJoinKind, JoinDistribution
from tableflow.physical.nested_loop_join import NestedLoopJoin
from tableflow.physical.node import PhysicalNode
from tableflow.physical.project import ProjectColumns
from tableflow.physical.properties import ANYWHERE, REPLICATED, Partitioning, PartitioningKind
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.enforcers import enforce, keep
from tableflow.planner.implementation.join_conditions import JoinCondition, analyse, needs_three_values
from tableflow.planner.implementation.join_hints import JoinAdvice, advise
from tableflow.planner.implementation.requirements import NOTHING, Required, hashed
from tableflow.planner.implementation.search import Draft, Search, visible
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical.nodes import JoinKind
from tableflow.records import dataclass, replace
from tableflow.types import Field

STRAIGHT = {
    JoinKind.INNER: HashJoinKind.INNER,
    JoinKind.LEFT: HashJoinKind.LEFT,
    JoinKind.RIGHT: HashJoinKind.RIGHT,
    JoinKind.FULL: HashJoinKind.FULL,
    JoinKind.SEMI: HashJoinKind.SEMI,
    JoinKind.ANTI: HashJoinKind.ANTI,
    JoinKind.MARK: HashJoinKind.MARK,
    JoinKind.SINGLE: HashJoinKind.SINGLE,
}
_FLIPPED = {
    JoinKind.INNER: HashJoinKind.INNER,
    JoinKind.LEFT: HashJoinKind.RIGHT,
    JoinKind.RIGHT: HashJoinKind.LEFT,
    JoinKind.FULL: HashJoinKind.FULL,
    JoinKind.SEMI: HashJoinKind.BUILD_SEMI,
    JoinKind.ANTI: HashJoinKind.BUILD_ANTI,
}
_LOOPING = frozenset({JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI, JoinKind.SINGLE})
"""Kinds whose left rows are compared with all of a sealed right side, one after the other."""
_MARKS_BUILD = frozenset({HashJoinKind.RIGHT, HashJoinKind.FULL, HashJoinKind.BUILD_SEMI, HashJoinKind.BUILD_ANTI})


@dataclass(frozen=True, slots=True)
class Orientation:
    """One way round: which input probes, which is built, under which kind."""

    probe: logical.Node
    build: logical.Node
    kind: HashJoinKind
    condition: JoinCondition


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Joins that do not depend on what is required, and the ways round in which a build may be published."""

    drafts: tuple[PhysicalNode | Draft, ...]
    publishing: tuple[Orientation, ...] = ()


def implement_join(search: Search, node: logical.Join, required: Required) -> Iterable[PhysicalNode | Draft]:
    """Hash joins both ways round under each distribution; nested loops where no equality can be hashed."""
    known = search.alternatives.get(id(node))
    if known is None:
        known = search.alternatives[id(node)] = _alternatives(search, node)
    yield from known.drafts
    yield from _keeping_places(search, node, known.publishing, required)


def _alternatives(search: Search, node: logical.Join) -> Alternatives:
    """What may be done whatever is required."""
    condition = analyse(search, node)
    if not condition.left or needs_three_values(node, condition):
        return Alternatives((_nested_loop(search, node),))
    advice = advise(search, node)
    orientations = tuple(_orientations(node, condition, advice))
    drafts = [draft for one in orientations for draft in _distributions(search, node, one, advice)]
    return Alternatives(tuple(drafts), orientations if advice.allows(JoinDistribution.PUBLISHED) else ())


def published_join(search: Search, node: logical.Join, build: logical.Node) -> PhysicalNode | Draft | None:
    """A join whose side ``build`` is sealed before the other one is read; None if it cannot be done that way round."""
    condition = analyse(search, node)
    if needs_three_values(node, condition):
        return None
    if not condition.left:
        if node.kind is JoinKind.INNER or (node.kind in _LOOPING and not node.null_aware and build is node.right):
            return _nested_loop(search, node, build)
        return None
    for orientation in _orientations(node, condition, JoinAdvice()):
        if orientation.build is build and orientation.kind not in _MARKS_BUILD:
            return _published(search, node, orientation, NOTHING)
    return None


def _orientations(node: logical.Join, condition: JoinCondition, advice: JoinAdvice) -> Iterator[Orientation]:
    straight = Orientation(node.left, node.right, STRAIGHT[node.kind], condition)
    flippable = node.kind in _FLIPPED and not node.null_aware
    if advice.build != "left" or not flippable:
        yield straight
    if advice.build != "right" and flippable:
        yield Orientation(node.right, node.left, _FLIPPED[node.kind], condition.flipped())


def _distributions(search: Search, node: logical.Join, orientation: Orientation, advice: JoinAdvice) -> Iterator[Draft]:
    marked = orientation.kind in _MARKS_BUILD
    null_aware = node.null_aware and any(not safe for safe in orientation.condition.null_safe)
    if advice.allows(JoinDistribution.PUBLISHED):
        yield _published(search, node, orientation, NOTHING)
    if search.parallelism == 1:
        return
    if advice.distribution is JoinDistribution.BROADCAST and not marked:
        yield _broadcast(search, node, orientation)
    if advice.allows(JoinDistribution.PARTITIONED) and not null_aware and node.kind is not JoinKind.MARK:
        yield _partitioned(search, node, orientation)


def _keeping_places(
    search: Search, node: logical.Join, orientations: Iterable[Orientation], required: Required
) -> Iterator[Draft]:
    """Joins with published builds that leave probe rows where they are required to be."""
    keys = required.partitioning.keys
    for orientation in orientations:
        if keys and search.output(orientation.probe).keys() >= set(keys):
            yield _published(search, node, orientation, replace(required, ordering=()))


def _published(search: Search, node: logical.Join, orientation: Orientation, of_probe: Required) -> Draft:
    build = search.best(orientation.build, NOTHING)
    probe = search.best(orientation.probe, of_probe)
    return _hash_join(search, node, orientation, probe, build, JoinDistribution.PUBLISHED)


def _broadcast(search: Search, node: logical.Join, orientation: Orientation) -> Draft:
    probe = search.best(orientation.probe, NOTHING)
    build = search.best(orientation.build, NOTHING)
    everywhere = enforce(
        search, keep(build, _kept(search, node, build, orientation.condition.right)), Required(REPLICATED)
    )
    return _hash_join(search, node, orientation, probe, everywhere, JoinDistribution.BROADCAST)


def _partitioned(search: Search, node: logical.Join, orientation: Orientation) -> Draft:
    condition = orientation.condition
    probe, probe_keys = by_columns(search, orientation.probe, condition.left)
    build, build_keys = by_columns(search, orientation.build, condition.right)
    if probe_keys is not condition.left or build_keys is not condition.right:
        orientation = replace(orientation, condition=replace(condition, left=probe_keys, right=build_keys))
    return _hash_join(search, node, orientation, probe, build, JoinDistribution.PARTITIONED)


def _kept(search: Search, node: logical.Join, side: PhysicalNode, keys: tuple[Expression, ...]) -> frozenset[int]:
    read = search.needed(node).union(*(column_ids(e) for e in (*node.conjuncts, *keys)))
    return read & {f.id for f in side.fields}


def by_columns(
    search: Search, side: logical.Node, keys: tuple[Expression, ...]
) -> tuple[PhysicalNode, tuple[Expression, ...]]:
    """The side exchanged by its keys, computing those that are not columns yet."""
    if all(isinstance(key, ColumnRef) for key in keys):
        ids = tuple(dict.fromkeys(key.id for key in keys if isinstance(key, ColumnRef)))
        if len(ids) == len(keys):
            return search.best(side, hashed(ids, exact=True)), keys
    plan = search.best(side, NOTHING)
    extra: list[tuple[Field, Expression]] = []
    columns: list[ColumnRef] = []
    for key in keys:
        field = Field(search.fresh_id(), "key", key.type)
        extra.append((field, key))
        columns.append(ColumnRef(key.type, field.id, field.name))
    fields = (*plan.fields, *(f for f, _ in extra))
    expressions = (*(ColumnRef(f.type, f.id, f.name) for f in plan.fields), *(e for _, e in extra))
    plan = ProjectColumns(fields=fields, facts=plan.facts.handed_on(), input=plan, expressions=expressions)
    wanted = hashed(tuple(column.id for column in columns), exact=True)
    return enforce(search, plan, wanted), tuple(columns)


_PROBE_ONLY = frozenset({HashJoinKind.SEMI, HashJoinKind.ANTI, HashJoinKind.MARK})
_BUILD_ONLY = frozenset({HashJoinKind.BUILD_SEMI, HashJoinKind.BUILD_ANTI})


def join_output(
    search: Search, node: logical.Join, kind: HashJoinKind, probe: PhysicalNode, build: PhysicalNode
) -> tuple[Field, ...]:
    """The columns of a join that are needed: the probe's, then the build's, then the mark."""
    wanted = search.needed(node)
    nullable = search.output(node)
    if kind in _PROBE_ONLY:
        columns = probe.fields
    else:
        columns = build.fields if kind in _BUILD_ONLY else (*probe.fields, *build.fields)
    fields = tuple([nullable[f.id] for f in columns if f.id in wanted and f.id in nullable])
    return fields if node.mark is None else (*fields, node.mark)


def _hash_join(
    search: Search,
    node: logical.Join,
    orientation: Orientation,
    probe: PhysicalNode,
    build: PhysicalNode,
    distribution: JoinDistribution,
) -> Draft:
    """A hash join that is only priced."""
    wanted = search.needed(node)
    columns = [i for i in search.output(node) if i in wanted or (node.mark is not None and i == node.mark.id)]
    build_rows, probe_rows = build.facts.estimate.rows, probe.facts.estimate.rows
    rows = search.cardinality.rows(node)
    building = costs.build_cost(build_rows, build.facts.estimate.row_bytes)
    probing = costs.probe_cost(probe_rows, build_rows, rows, len(columns))
    if orientation.kind in _MARKS_BUILD:
        building += build_rows * 2.0
    partitioning = probe.facts.properties.partitioning
    if distribution is JoinDistribution.PUBLISHED:
        # Sealing is spread over all tasks even where a single one probes.
        building = building * search.share(partitioning) / search.parallelism + costs.STAGE
    elif distribution is JoinDistribution.BROADCAST:
        building *= search.parallelism
    work = probing + building
    delivered = _delivered(orientation.kind, partitioning)

    def built() -> PhysicalNode:
        return _built(search, node, orientation, probe, build, distribution, work)

    cost = search.cost((probe, build), work, delivered)
    return Draft(cost, visible(delivered, columns), rows, search.cardinality.row_bytes(node, columns), built)


def _built(
    search: Search,
    node: logical.Join,
    orientation: Orientation,
    probe: PhysicalNode,
    build: PhysicalNode,
    distribution: JoinDistribution,
    work: float,
) -> PhysicalNode:
    fields = join_output(search, node, orientation.kind, probe, build)
    delivered = _delivered(orientation.kind, probe.facts.properties.partitioning)
    published = distribution is JoinDistribution.PUBLISHED
    return HashJoin(
        fields=fields,
        facts=search.facts(node, fields, (probe, build), work, delivered),
        left=probe,
        right=build,
        kind=orientation.kind,
        distribution=distribution,
        left_keys=orientation.condition.left,
        right_keys=orientation.condition.right,
        null_safe=orientation.condition.null_safe,
        residual=orientation.condition.residual,
        null_aware=node.null_aware,
        mark=None if node.mark is None else node.mark.id,
        publication=search.publication("join") if published else "",
        span=node.span,
    )


def _delivered(kind: HashJoinKind, probe: Partitioning) -> Partitioning:
    if probe.kind is PartitioningKind.SINGLE:
        return probe
    # Rows of the build side that found no partner come out wherever they lie: only the exchanged join keeps a promise,
    # and FULL and RIGHT put NULLs into the probe's keys.
    if kind in _MARKS_BUILD:
        return ANYWHERE
    return ANYWHERE if probe.kind is PartitioningKind.REPLICATED else probe


def _nested_loop(search: Search, node: logical.Join, sealed: logical.Node | None = None) -> PhysicalNode:
    """``sealed``: the side that is published, if it is known; else the smaller one where that is free."""
    left, right = node.left, node.right
    kind = STRAIGHT[node.kind]
    if sealed is None and node.kind is JoinKind.INNER:
        sealed = left if search.cardinality.rows(left) < search.cardinality.rows(right) else right
    if sealed is left:
        left, right = right, left
    outer, inner = search.best(left, NOTHING), search.best(right, NOTHING)
    fields = join_output(search, node, kind, outer, inner)
    pairs = outer.facts.estimate.rows * max(1.0, inner.facts.estimate.rows)
    work = pairs * costs.NESTED_PAIR * max(1, len(node.conjuncts)) + costs.STAGE
    partitioning = _delivered(kind, outer.facts.properties.partitioning)
    return NestedLoopJoin(
        fields=fields,
        facts=search.facts(node, fields, (outer, inner), work, partitioning),
        left=outer,
        right=inner,
        kind=kind,
        conjuncts=node.conjuncts,
        null_aware=node.null_aware,
        mark=None if node.mark is None else node.mark.id,
        publication=search.publication("loop"),
        span=node.span,
    )
