"""From a job graph to tasks and the channels between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from tableflow.config import BATCH_ROWS, BUFFER_TIMEOUT, CHANNEL_BATCHES, SOURCE_IDLE_TIMEOUT, Settings
from tableflow.errors import InternalError
from tableflow.runtime.chain import Chain
from tableflow.runtime.channel import Channel
from tableflow.runtime.context import Context, TaskWorld
from tableflow.runtime.counters import EdgeBlock, JobCounters, OperatorBlock, TaskBlock, sum_tasks
from tableflow.runtime.exchange import Outputs
from tableflow.runtime.gate import Gate, TaskInput
from tableflow.runtime.graph import Edge, ExchangeKind, JobGraph, OperatorSpec, SourceSpec, Stage
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.operator import Operator
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.scheduler import Scheduler
from tableflow.runtime.source import Source, SplitAssigner
from tableflow.runtime.split_input import SplitInput
from tableflow.runtime.task import Supervisor, Task
from tableflow.runtime.timers import TaskTimers
from tableflow.runtime.writers import result_writer, writer

Build: TypeAlias = Callable[[OperatorSpec], Operator]
Sources: TypeAlias = Callable[[SourceSpec], Source]


class Deployment:
    """All tasks of one job.  ``first`` are those that can begin without being woken by an input."""

    def __init__(
        self,
        graph: JobGraph,
        build: Build,
        sources: Sources,
        settings: Settings,
        scheduler: Scheduler,
        memory: MemoryPool,
        job: Supervisor,
        result: Channel,
    ) -> None:
        self._graph = graph
        self._build = build
        self._sources = sources
        self._settings = settings
        self._scheduler = scheduler
        self._memory = memory
        self._job = job
        self._result = result
        self._batch_rows = settings.get(BATCH_ROWS)
        self._stages = {stage.id: stage for stage in graph.stages}
        self._blocks: dict[int, list[TaskBlock]] = {}
        self.builds = self._make_builds()
        # channels[edge][producer task][consumer task], None where an exchange joins no such pair
        self._channels = [self._connect(edge) for edge in graph.edges]
        self.tasks: list[Task] = []
        self.first: list[Task] = []
        for stage in graph.stages:
            self._deploy(stage)

    @property
    def has_side_effects(self) -> bool:
        """Whether a stage does something that is neither sent, nor published, nor the result."""
        producers = {edge.producer for edge in self._graph.edges}
        return any(
            stage.id not in producers and not stage.publishes and stage.id != self._graph.result
            for stage in self._graph.stages
        )

    def _make_builds(self) -> dict[str, PublishedBuild]:
        builds: dict[str, PublishedBuild] = {}
        for stage in self._graph.stages:
            for key in stage.publishes:
                if key in builds:
                    raise InternalError(f"two stages publish the build {key!r}")
                readers = sum(other.parallelism for other in self._graph.stages if key in other.reads)
                builds[key] = PublishedBuild(key, stage.parallelism, readers)
        return builds

    def _publication(self, key: str) -> PublishedBuild:
        build = self.builds.get(key)
        if build is None:
            raise InternalError(f"no stage publishes the build {key!r}")
        return build

    def _connect(self, edge: Edge) -> list[list[Channel | None]]:
        """The channels of one edge."""
        producers = self._stages[edge.producer].parallelism
        consumers = self._stages[edge.consumer].parallelism
        if edge.kind is ExchangeKind.FORWARD and producers != consumers:
            raise InternalError(f"a forward exchange joins {producers} with {consumers} tasks")
        if edge.kind is ExchangeKind.GATHER and consumers != 1:
            raise InternalError(f"a gather exchange has {consumers} consuming tasks")
        capacity = self._settings.get(CHANNEL_BATCHES)
        held = f"the blocking exchange from stage {edge.producer} to stage {edge.consumer}" if edge.blocking else None
        return [
            [
                Channel(capacity, self._memory, held) if edge.kind is not ExchangeKind.FORWARD or i == j else None
                for j in range(consumers)
            ]
            for i in range(producers)
        ]

    def _deploy(self, stage: Stage) -> None:
        """Makes the tasks of one stage."""
        source = self._sources(stage.source) if stage.source is not None else None
        assigner = source.assigner() if source is not None else None
        self._blocks[stage.id] = []
        for index in range(stage.parallelism):
            task = self._make_task(stage, index, source, assigner)
            self.tasks.append(task)

    def _make_task(self, stage: Stage, index: int, source: Source | None, assigner: SplitAssigner | None) -> Task:
        incoming = [
            (edge.port, channel)
            for edge, channels in zip(self._graph.edges, self._channels, strict=True)
            if edge.consumer == stage.id
            for row in channels
            if (channel := row[index]) is not None
        ]
        outgoing = [i for i, edge in enumerate(self._graph.edges) if edge.producer == stage.id]
        ports = max((port for port, _ in incoming), default=0) + 1
        operators = [OperatorBlock(spec.name, ports if i == 0 else 1) for i, spec in enumerate(stage.operators)]
        is_result = stage.id == self._graph.result
        edges = [EdgeBlock() for _ in range(len(outgoing) + is_result)]
        block = TaskBlock(operators, edges, len(incoming))
        self._blocks[stage.id].append(block)
        timers = TaskTimers(self._scheduler)
        taken_from = self._make_input(stage, index, incoming, source, assigner, timers, block)
        writers = [
            writer(self._graph.edges[i], self._channels[i][index], index, self._batch_rows, edges[n])
            for n, i in enumerate(outgoing)
        ]
        if is_result:
            if stage.parallelism != 1:
                raise InternalError("the result stage has more than one task")
            writers.append(result_writer(self._result, self._batch_rows, edges[-1]))
        world = TaskWorld(
            index, stage.parallelism, self._batch_rows, self._settings, self._memory, self._scheduler,
            self._publication, timers.set,
        )  # fmt: skip
        task = Task(
            name=f"stage {stage.id} task {index}",
            chain=Chain(
                [self._build(spec) for spec in stage.operators],
                operators,
                Outputs(writers, self._settings.get(BUFFER_TIMEOUT)),
                ports,
            ),
            input=taken_from,
            contexts=[Context(world, i, operators[i]) for i in range(len(operators))],
            block=block,
            scheduler=self._scheduler,
            job=self._job,
            timers=timers,
            reads=[self._publication(key) for key in stage.reads],
            publishes=bool(stage.publishes),
        )
        for _, channel in incoming:
            channel.consumer = task
        for i in outgoing:
            for produced in self._channels[i][index]:
                if produced is not None:
                    produced.producer = task
        if is_result:
            self._result.producer = task
        if not incoming:
            self.first.append(task)
        return task

    def _make_input(
        self,
        stage: Stage,
        index: int,
        incoming: list[tuple[int, Channel]],
        source: Source | None,
        assigner: SplitAssigner | None,
        timers: TaskTimers,
        block: TaskBlock,
    ) -> TaskInput:
        if source is None or assigner is None or stage.source is None:
            gate = Gate([channel for _, channel in incoming], [port for port, _ in incoming])
            gate.count_in(block)
            return gate
        block.source = OperatorBlock(stage.source.kind)
        return SplitInput(
            source, assigner, index, self._batch_rows, timers, self._scheduler,
            self._settings.get(SOURCE_IDLE_TIMEOUT), block.source,
        )  # fmt: skip

    def counters(self) -> JobCounters:
        """A picture of all counters."""
        return JobCounters(
            stages=tuple(
                sum_tasks(
                    stage.id,
                    self._blocks[stage.id],
                    [(edge.consumer, edge.port) for edge in self._graph.edges if edge.producer == stage.id],
                )
                for stage in self._graph.stages
            ),
            memory_used=self._memory.used,
            memory_peak=self._memory.peak,
        )

    def dispose(self) -> None:
        """Gives back what channels and builds still hold; only when no task runs any more."""
        for rows in self._channels:
            for row in rows:
                for channel in row:
                    if channel is not None:
                        channel.dispose()
        for build in self.builds.values():
            build.free()
