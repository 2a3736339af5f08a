"""What the shape of a job graph says, before any task exists.  Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import InternalError
from tableflow.runtime.graph import Edge, ExchangeKind, JobGraph


class Topology:
    """Answers about a graph; its constructor refuses graphs that cannot run."""

    def __init__(self, graph: JobGraph) -> None:
        self.graph = graph
        self.stages = {stage.id: stage for stage in graph.stages}
        self._following: dict[int, list[int]] = {stage.id: [] for stage in graph.stages}
        self._incoming: dict[int, list[int]] = {stage.id: [] for stage in graph.stages}
        self._outgoing: dict[int, list[int]] = {stage.id: [] for stage in graph.stages}
        for number, edge in enumerate(graph.edges):
            self._check(edge)
            self._following[edge.producer].append(edge.consumer)
            self._incoming[edge.consumer].append(number)
            self._outgoing[edge.producer].append(number)
        if graph.result is not None and self.stages[graph.result].parallelism != 1:
            raise InternalError("the result stage has more than one task")
        self._reached = {stage: self._reach(stage) for stage in self._following}
        self._check_loops()

    def _check(self, edge: Edge) -> None:
        producers, consumers = self.stages[edge.producer].parallelism, self.stages[edge.consumer].parallelism
        if edge.kind is ExchangeKind.FORWARD and producers != consumers:
            raise InternalError(f"a forward exchange joins {producers} with {consumers} tasks")
        if edge.kind is ExchangeKind.GATHER and consumers != 1:
            raise InternalError(f"a gather exchange has {consumers} consuming tasks")
        if edge.kind is ExchangeKind.RANGE and not (edge.boundaries and len(edge.keys) == 1):
            raise InternalError("a range exchange has one key and boundaries")

    def _reach(self, start: int) -> frozenset[int]:
        found: set[int] = set()
        frontier = list(self._following[start])
        while frontier:
            stage = frontier.pop()
            if stage not in found:
                found.add(stage)
                frontier += self._following[stage]
        return frozenset(found)

    def _check_loops(self) -> None:
        for edge in self.graph.edges:
            if edge.feedback and not self.in_loop(edge):
                raise InternalError(f"the feedback from stage {edge.producer} does not close a loop")
        # Without the feedback edges nothing may reach itself.
        forward = [edge for edge in self.graph.edges if not edge.feedback]
        open_stages = set(self.stages)
        while open_stages:
            ready = {s for s in open_stages if not any(e.consumer == s and e.producer in open_stages for e in forward)}
            if not ready:
                raise InternalError(f"stages {sorted(open_stages)} form a loop without feedback")
            open_stages -= ready

    def in_loop(self, edge: Edge) -> bool:
        """Whether supersteps travel on this edge."""
        return edge.producer in self._reached[edge.consumer]

    def incoming(self, stage: int) -> Sequence[int]:
        """Numbers of the edges that end at a stage."""
        return self._incoming[stage]

    def outgoing(self, stage: int) -> Sequence[int]:
        """Numbers of the edges that begin at a stage."""
        return self._outgoing[stage]

    def ports(self, stage: int) -> int:
        """How many input ports a stage has, one at least."""
        return max([self.graph.edges[i].port for i in self._incoming[stage]], default=0) + 1

    @property
    def has_side_effects(self) -> bool:
        """Whether a stage does something that is neither sent, nor published, nor the result."""
        producers = {edge.producer for edge in self.graph.edges}
        return any(
            stage.id not in producers and not stage.publishes and stage.id != self.graph.result
            for stage in self.graph.stages
        )

    @property
    def last_stages(self) -> frozenset[int]:
        """Stages behind which no other comes."""
        return frozenset(self.stages) - {edge.producer for edge in self.graph.edges}

    def keeps_pace(self, stage: int) -> bool:
        """Whether a source may wait there for an epoch to pass: not where an epoch cannot pass before the source has ended."""
        behind = {stage} | self._reached[stage]
        return not any(self.stages[each].publishes for each in behind) and not any(
            edge.blocking or edge.feedback for edge in self.graph.edges if edge.producer in behind
        )

    def readers(self, key: str) -> int:
        """How many tasks read the build with this key."""
        return sum(stage.parallelism for stage in self.graph.stages if key in stage.reads)
