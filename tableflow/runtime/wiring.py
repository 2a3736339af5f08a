"""The channels of one job: those of each edge, and who sits at their ends."""

from __future__ import annotations

from tableflow.config import CHANNEL_BATCHES, Settings
from tableflow.runtime.channel import Channel
from tableflow.runtime.graph import JobGraph, Stage
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.task import Task
from tableflow.runtime.topology import Topology


class Wiring:
    """See the module.  A forward edge has one channel for each producing task, any other one for each pair of tasks."""

    def __init__(
        self, graph: JobGraph, topology: Topology, settings: Settings, memory: MemoryPool, result: Channel
    ) -> None:
        self._graph = graph
        self._topology = topology
        self._capacity = settings.get(CHANNEL_BATCHES)
        self._memory = memory
        self._result = result
        self._channels = [self._connect(number) for number in range(len(graph.edges))]

    def _connect(self, number: int) -> list[list[Channel]]:
        """The channels of one edge: by producing task, then in the order of consuming tasks."""
        edge = self._graph.edges[number]
        unbounded = None
        if edge.blocking or edge.feedback:
            kind = "feedback" if edge.feedback else "blocking exchange"
            unbounded = f"the {kind} from stage {edge.producer} to stage {edge.consumer}"
        targets = 1 if edge.kind.value == "forward" else self._topology.stages[edge.consumer].parallelism
        return [
            [Channel(self._capacity, self._memory, unbounded, blocking=edge.blocking) for _ in range(targets)]
            for _ in range(self._topology.stages[edge.producer].parallelism)
        ]

    def leaving(self, number: int, index: int) -> list[Channel]:
        """The channels of an edge that begin at one producing task."""
        return self._channels[number][index]

    def arriving(self, number: int, index: int) -> list[Channel]:
        """The channels of an edge that end at one consuming task."""
        channels = self._channels[number]
        if self._graph.edges[number].kind.value == "forward":
            return channels[index]
        return [targets[index] for targets in channels]

    def attach(self, task: Task, stage: Stage, index: int) -> None:
        """Tells the channels of a task that it is at their ends."""
        for number in self._topology.incoming(stage.id):
            for channel in self.arriving(number, index):
                channel.consumer = task
        for number in self._topology.outgoing(stage.id):
            for channel in self.leaving(number, index):
                channel.producer = task
        if stage.id == self._graph.result:
            self._result.producer = task

    def fullest(self, number: int) -> int:
        """The most events that any channel of an edge has held; 0 if it has no limit."""
        edge = self._graph.edges[number]
        if edge.blocking or edge.feedback:
            return 0
        return max(channel.fullest for targets in self._channels[number] for channel in targets)

    def waiting(self, number: int) -> tuple[int, int, int]:
        """What waits in the channels of an edge now: the most events in any of them, how many it may hold, and all rows."""
        channels = [channel for targets in self._channels[number] for channel in targets]
        return max(map(len, channels)), self._capacity, sum(channel.rows for channel in channels)

    def dispose(self) -> None:
        """Gives back what channels still hold; only when no task runs any more."""
        for producers in self._channels:
            for targets in producers:
                for channel in targets:
                    channel.dispose()
