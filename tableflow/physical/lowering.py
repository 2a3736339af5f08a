"""From a physical plan to a job graph: the plan is cut into stages at exchanges, publications and operators with
several streamed inputs.

What stays together is a chain that one task runs without handing rows to anybody.  An operator's definition is its
plan node with :class:`~tableflow.physical.node.Input` leaves, so a job graph is all that a worker needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from tableflow.config import PARALLELISM, Settings
from tableflow.expressions.intervals import Domain
from tableflow.expressions.nodes import column_ids
from tableflow.physical.exchange import Exchange
from tableflow.physical.node import ByKind, Input, PhysicalNode, positions
from tableflow.physical.properties import OrderingKey, PartitioningKind
from tableflow.records import dataclass, replace
from tableflow.runtime.graph import Edge, ExchangeKind, JobGraph, Narrowing, OperatorSpec, SourceSpec, Stage
from tableflow.types import Field

if TYPE_CHECKING:
    from tableflow.physical.changelog_top_n import ChangelogTopN
    from tableflow.physical.fork import Fork
    from tableflow.physical.hash_aggregate import HashAggregate
    from tableflow.physical.hash_join import HashJoin
    from tableflow.physical.materialize import SharedResult
    from tableflow.physical.nested_loop_join import NestedLoopJoin
    from tableflow.physical.scan import TableScan

Place = tuple[int, int]
"""(stage, position in its chain) of an operator; position -1 is the stage's source."""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A job graph, and where each plan node went (by identity): for EXPLAIN ANALYZE."""

    graph: JobGraph
    root: PhysicalNode
    places: Mapping[int, Place]

    def nodes(self) -> Iterator[tuple[PhysicalNode, Place]]:
        """Every node that became an operator or a source, once."""
        seen: set[int] = set()
        stack = [self.root]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if id(node) in self.places and not isinstance(node, Exchange):
                yield node, self.places[id(node)]
            stack.extend(node.inputs)


@dataclass(slots=True)
class _Chain:
    """A stage that is being put together; its last operator gives the rows with these fields."""

    id: int
    parallelism: int
    fields: tuple[Field, ...]
    operators: list[OperatorSpec] = field(default_factory=list)
    source: SourceSpec | None = None
    narrowings: tuple[Narrowing, ...] = ()
    publishes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)


def lower(root: PhysicalNode, settings: Settings) -> Lowered:
    """The job graph of a plan; its rows come from the single task of ``graph.result``."""
    lowering = _Lowering(settings)
    last = lowering.lower(root)
    if last.parallelism != 1:
        last = lowering.exchange(last, ExchangeKind.GATHER, 1)
    result = lowering.close(last)
    stages = tuple(sorted(lowering.stages, key=lambda stage: stage.id))
    return Lowered(JobGraph(stages, tuple(lowering.edges), result, settings.texts), root, lowering.places)


class _Lowering:
    def __init__(self, settings: Settings) -> None:
        self.parallelism = settings.get(PARALLELISM)
        self.stages: list[Stage] = []
        self.edges: list[Edge] = []
        self.places: dict[int, Place] = {}
        self._next = 0
        self._published: set[str] = set()
        self._forked: dict[str, tuple[int, int, tuple[Field, ...]]] = {}
        self._domains: dict[int, Domain] = {}

    def lower(self, node: PhysicalNode) -> _Chain:
        """The chain that gives the rows of ``node``."""
        way = _WAYS[type(node)]
        if way is not None:
            return way(self, node)
        below = node.inputs
        return self._append(self.lower(below[0]) if below else self._open(1, ()), node)

    def close(self, chain: _Chain) -> int:
        """Ends a chain; its stage is complete."""
        self.stages.append(
            Stage(
                chain.id,
                tuple(chain.operators),
                chain.parallelism,
                chain.source,
                tuple(chain.publishes),
                tuple(dict.fromkeys(chain.reads)),
                chain.narrowings,
            )
        )
        return chain.id

    def exchange(
        self,
        chain: _Chain,
        kind: ExchangeKind,
        parallelism: int,
        keys: tuple[int, ...] = (),
        ordering: tuple[OrderingKey, ...] = (),
        *,
        blocking: bool = False,
        boundaries: tuple[int, ...] = (),
        shared: bool = False,
    ) -> _Chain:
        """A new chain that receives the rows of ``chain`` on port 0."""
        where = positions(chain.fields)
        head = self._open(parallelism, chain.fields)
        self.edges.append(
            Edge(
                self.close(chain),
                head.id,
                0,
                kind,
                tuple(where[key] for key in keys),
                tuple((where[key.column], key.descending, key.nulls_first) for key in ordering),
                blocking,
                boundaries=boundaries,
                shared=shared,
            )
        )
        return head

    def _open(self, parallelism: int, fields: tuple[Field, ...]) -> _Chain:
        chain = _Chain(self._next, parallelism, fields)
        self._next += 1
        return chain

    def _append(self, chain: _Chain, node: PhysicalNode, inputs: tuple[tuple[Field, ...], ...] | None = None) -> _Chain:
        """Puts ``node`` at the end of the chain, cut off from its inputs (which deliver ``inputs``)."""
        arriving = tuple(child.fields for child in node.inputs) if inputs is None else inputs
        leaves = [self._leaf(fields, child) for fields, child in zip(arriving, node.inputs, strict=True)]
        definition = node.with_inputs(tuple(leaves))
        self.places[id(node)] = (chain.id, len(chain.operators))
        chain.operators.append(OperatorSpec(type(node).__name__, definition, type(node).__name__))
        chain.fields = node.fields
        return chain

    def _leaf(self, fields: tuple[Field, ...], child: PhysicalNode) -> Input:
        # An outer join below may have added NULLs to a column that has none in its table.
        known = tuple((f.id, _admitting_nulls(self._domains[f.id], f)) for f in fields if f.id in self._domains)
        placed = child.facts.properties.partitioning
        return Input(fields=fields, domains=known, dealt=placed.keys if placed.kind is PartitioningKind.HASH else ())

    def _scan(self, node: TableScan) -> _Chain:
        self._domains.update(node.domains)
        chain = self._open(self.parallelism, node.fields)
        chain.source = node.source
        chain.narrowings = tuple(Narrowing(one.publication, one.key, one.column) for one in node.filters)
        chain.reads += [one.publication for one in node.filters]
        self.places[id(node)] = (chain.id, -1)
        return chain

    def _exchange(self, node: Exchange, *, shared: bool = False) -> _Chain:
        chain = self.lower(node.input)
        parallelism = node.parallelism or self.parallelism
        self.places[id(node)] = (chain.id, len(chain.operators) - 1)
        return self.exchange(
            chain,
            node.kind,
            parallelism,
            node.keys,
            node.ordering,
            blocking=node.blocking,
            boundaries=node.boundaries,
            shared=shared,
        )

    def _hash_join(self, node: HashJoin) -> _Chain:
        from tableflow.physical.hash_build import HashBuild
        from tableflow.physical.hash_join import BUILD_MARKING, HashJoinKind, JoinDistribution
        from tableflow.physical.join_marks import marks_publication

        if node.distribution is not JoinDistribution.PUBLISHED:
            return self._meeting(node)
        build = self.lower(node.right)
        payload = _payload(node)
        terminal = HashBuild(
            fields=payload,
            facts=node.right.facts,
            input=node.right,
            keys=node.right_keys,
            null_safe=node.null_safe,
            publication=node.publication,
            null_aware=node.null_aware or node.kind is HashJoinKind.MARK,
            described=node.described,
        )
        self._append(build, terminal)
        build.publishes.append(node.publication)
        self.close(build)
        chain = self.lower(node.left)
        chain.reads.append(node.publication)
        if node.kind in BUILD_MARKING:
            chain.publishes.append(marks_publication(node.publication))
        return self._append(chain, node, (chain.fields, payload))

    def _nested_loop_join(self, node: NestedLoopJoin) -> _Chain:
        from tableflow.physical.hash_join import BUILD_MARKING
        from tableflow.physical.join_marks import marks_publication

        self._publish_rows(node.right, node.publication)
        chain = self._reading(node, self.lower(node.left), node.publication)
        if node.kind in BUILD_MARKING:
            chain.publishes.append(marks_publication(node.publication))
        return chain

    def _top_n(self, node: ChangelogTopN) -> _Chain:
        from tableflow.physical.first_rows import keeps_first_rows

        return self._append(self._dealt(node.input, shared=keeps_first_rows(node)), node)

    def _aggregate(self, node: HashAggregate) -> _Chain:
        return self._append(self._dealt(node.input, shared=True), node)

    def _dealt(self, below: PhysicalNode, *, shared: bool) -> _Chain:
        """The rows below; if they are dealt by a hash, to an operator that can keep batches by reference if ``shared``."""
        if shared and isinstance(below, Exchange) and below.kind is ExchangeKind.HASH:
            return self._exchange(below, shared=True)
        return self.lower(below)

    def _sort(self, node: Any) -> _Chain:
        chain = self._append(self.lower(node.input), node)
        if node.publication:
            chain.publishes.append(node.publication)
        return chain

    def _reading(self, node: PhysicalNode, chain: _Chain, publication: str) -> _Chain:
        chain.reads.append(publication)
        return self._append(chain, node)

    def _publish_rows(self, node: PhysicalNode, publication: str) -> None:
        from tableflow.physical.materialize import PublishRows

        if publication in self._published:
            return
        self._published.add(publication)
        chain = self.lower(node)
        self._append(chain, PublishRows(fields=node.fields, facts=node.facts, input=node, publication=publication))
        chain.publishes.append(publication)
        self.close(chain)

    def _shared(self, node: SharedResult) -> _Chain:
        from tableflow.physical.materialize import PublishedScan

        self._publish_rows(node.input, node.publication)
        single = node.facts.properties.partitioning.kind is PartitioningKind.SINGLE
        chain = self._open(1 if single else self.parallelism, node.fields)
        chain.reads.append(node.publication)
        scan = PublishedScan(fields=node.fields, facts=node.facts, publication=node.publication)
        self._append(chain, scan)
        self.places[id(node)] = self.places[id(scan)]
        return chain

    def _fork(self, node: Fork) -> _Chain:
        """Every reader gets an edge of its own from the stage that gives the rows."""
        if node.key not in self._forked:
            chain = self.lower(node.input)
            self._forked[node.key] = self.close(chain), chain.parallelism, chain.fields
        producer, parallelism, fields = self._forked[node.key]
        head = self._open(parallelism, fields)
        self.edges.append(Edge(producer, head.id, 0, ExchangeKind.FORWARD))
        return self._append(head, node, (fields,))

    def _meeting(self, node: PhysicalNode) -> _Chain:
        """An operator with several streamed inputs heads a stage of its own."""
        producers = []
        for child in node.inputs:
            if isinstance(child, Exchange):
                chain = self.lower(child.input)
                self.places[id(child)] = (chain.id, len(chain.operators) - 1)
                where = positions(chain.fields)
                keys = tuple(where[key] for key in child.keys)
                parallelism = child.parallelism or self.parallelism
                producers.append((self.close(chain), child.kind, keys, parallelism, child.boundaries))
            else:
                chain = self.lower(child)
                kind = ExchangeKind.FORWARD
                producers.append((self.close(chain), kind, (), chain.parallelism, ()))
        head = self._open(self._common_parallelism(node, [p for *_, p, _ in producers]), node.fields)
        for port, (producer, kind, keys, parallelism, boundaries) in enumerate(producers):
            if kind is ExchangeKind.FORWARD and parallelism != head.parallelism:
                kind = ExchangeKind.REBALANCE
            shared = kind is ExchangeKind.HASH and _SHARING[type(node)] is True
            self.edges.append(Edge(producer, head.id, port, kind, keys, boundaries=boundaries, shared=shared))
        return self._append(head, node)

    def _common_parallelism(self, node: PhysicalNode, offered: list[int]) -> int:
        if type(node).__name__ == "UnionAll":
            return self.parallelism
        return offered[0]


_WAYS: ByKind[Callable[[_Lowering, Any], _Chain]] = ByKind(
    {
        "TableScan": _Lowering._scan,
        "Exchange": _Lowering._exchange,
        "HashJoin": _Lowering._hash_join,
        "NestedLoopJoin": _Lowering._nested_loop_join,
        "ChangelogJoin": _Lowering._meeting,
        "VersionedJoin": _Lowering._meeting,
        "CurrentJoin": _Lowering._meeting,
        "UnionAll": _Lowering._meeting,
        "SharedResult": _Lowering._shared,
        "Fork": _Lowering._fork,
        "ChangelogTopN": _Lowering._top_n,
        "HashAggregate": _Lowering._aggregate,
        "SortRows": _Lowering._sort,
    }
)
"""How nodes are lowered that do not just stand at the end of a chain."""
_SHARING = ByKind(dict.fromkeys(("ChangelogJoin", "VersionedJoin", "CurrentJoin"), True))
"""Joins that keep batches by reference."""


def _payload(join: HashJoin) -> tuple[Field, ...]:
    """Build columns that probing needs: those of the output and of the residual condition."""
    read = {f.id for f in join.fields}.union(*(column_ids(e) for e in join.residual))
    return tuple(f for f in join.right.fields if f.id in read)


def _admitting_nulls(domain: Domain, column: Field) -> Domain:
    return replace(domain, nullable=True) if column.nullable and not domain.nullable else domain
