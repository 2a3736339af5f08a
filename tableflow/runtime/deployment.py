"""From a job graph to tasks and the channels between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TypeAlias

from tableflow.config import (
    BATCH_ROWS,
    BUFFER_TIMEOUT,
    SCHEDULER_SEED,
    Settings,
)
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.chain import Chain
from tableflow.runtime.channel import Channel
from tableflow.runtime.checkpoint import TaskId, TaskSnapshot
from tableflow.runtime.context import Context, TaskWorld
from tableflow.runtime.counters import EdgeBlock, OperatorBlock, TaskBlock
from tableflow.runtime.counts import JobCounters, sum_tasks
from tableflow.runtime.exchange import Outputs, Writer
from tableflow.runtime.gate import Gate, Inlet, TaskInput
from tableflow.runtime.graph import JobGraph, OperatorSpec, SinkSpec, SourceSpec, Stage
from tableflow.runtime.looks import Looks
from tableflow.runtime.lookup import Lookups, OpenLookup, no_lookups, open_lookup
from tableflow.runtime.loop import LoopControl, LoopGate
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.merge import MergedChannels
from tableflow.runtime.operator import Operator
from tableflow.runtime.pace import Pace
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.scheduler import Scheduler
from tableflow.runtime.simulation import SimulatedScheduler
from tableflow.runtime.sink import OpenSink, Prepared, Sinks, no_sinks
from tableflow.runtime.source import Source, SplitAssigner
from tableflow.runtime.source_inputs import SourceInputs
from tableflow.runtime.task import Supervisor, Task
from tableflow.runtime.timers import TaskTimers
from tableflow.runtime.topology import Topology
from tableflow.runtime.wiring import Wiring
from tableflow.runtime.write_behind import BlockingSink, WriteBehind, WriteInline
from tableflow.runtime.writers import result_writer, writer

Build: TypeAlias = Callable[[OperatorSpec], Operator]
Sources: TypeAlias = Callable[[SourceSpec], Source]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tasks are made with and run in."""

    build: Build
    sources: Sources
    settings: Settings
    scheduler: Scheduler
    memory: MemoryPool
    job: Supervisor
    result: Channel
    keeps_snapshots: bool = False
    restored: Mapping[TaskId, TaskSnapshot] = field(default_factory=dict)
    sinks: Sinks = no_sinks
    lookups: Lookups = no_lookups
    pace: Pace | None = None


class Deployment:
    """All tasks of one job.  ``first`` are those that can begin without being woken by an input."""

    def __init__(self, graph: JobGraph, around: Surroundings) -> None:
        self.topology = Topology(graph)
        self._graph = graph
        self._around = around
        self._scheduler, self._memory = around.scheduler, around.memory
        self._batch_rows = around.settings.get(BATCH_ROWS)
        self._began = around.scheduler.now()
        self._blocks: dict[int, list[TaskBlock]] = {stage.id: [] for stage in graph.stages}
        self.builds = {
            key: PublishedBuild(key, stage.parallelism, self.topology.readers(key))
            for stage in graph.stages
            for key in stage.publishes
        }
        self._sources = SourceInputs(graph, self.topology, around, self._publication)
        self._wiring = Wiring(graph, self.topology, around.settings, around.memory, around.result)
        self._contexts: list[Context] = []
        self.prepared: list[Prepared] = []
        self.tasks: list[Task] = []
        self.first: list[Task] = []
        for stage in graph.stages:
            self._deploy(stage)

    def _publication(self, key: str) -> PublishedBuild:
        build = self.builds.get(key)
        if build is None:
            raise InternalError(f"no stage publishes the build {key!r}")
        return build

    def _deploy(self, stage: Stage) -> None:
        """Makes the tasks of one stage."""
        assigner = self._sources.assigner(stage)
        loop = LoopControl(stage.parallelism)
        for index in range(stage.parallelism):
            task = self._make_task(stage, index, assigner, loop)
            self.tasks.append(task)
            if not self.topology.incoming(stage.id):
                self.first.append(task)

    def _make_task(self, stage: Stage, index: int, assigner: SplitAssigner | None, loop: LoopControl) -> Task:
        around, topology = self._around, self.topology
        ports = topology.ports(stage.id)
        blocks = [OperatorBlock(spec.name, ports if i == 0 else 1) for i, spec in enumerate(stage.operators)]
        writers, edges = self._writers(stage, index)
        block = TaskBlock(blocks, edges)
        self._blocks[stage.id].append(block)
        timers = TaskTimers(around.scheduler)
        if assigner is None:
            taken_from: TaskInput = self._gate(stage, index, block, loop, timers)
            judge_time = None
        else:
            taken_from, judge_time = self._sources.of_task(stage, index, block, assigner, timers)
        world = TaskWorld(
            index, stage.parallelism, self._batch_rows, around.settings, around.memory, around.scheduler,
            self._publication, timers.set, lambda spec: self._open_sink(spec, (stage.id, index)),
            lambda spec: self._open_lookup(spec, (stage.id, index)), timers.notify, self._began,
        )  # fmt: skip
        chain = Chain(
            [around.build(spec) for spec in stage.operators],
            blocks,
            Outputs(writers, around.settings.get(BUFFER_TIMEOUT)),
            ports,
            judge_time,
            Looks(block),
        )
        contexts = [Context(world, i, blocks[i]) for i in range(len(blocks))]
        self._contexts += contexts
        task = Task(
            (stage.id, index),
            chain,
            taken_from,
            contexts,
            block,
            around.scheduler,
            around.job,
            timers,
            reads=[self._publication(key) for key in stage.reads],
            restored=around.restored.get((stage.id, index)),
            publishes=bool(stage.publishes),
            keeps_snapshots=around.keeps_snapshots,
        )
        self._wiring.attach(task, stage, index)
        return task

    def _open_sink(self, spec: SinkSpec, task: TaskId) -> OpenSink:
        writer = self._around.sinks(spec, task[1])
        if isinstance(writer, BlockingSink):
            name = f"{spec.kind}-{task[0]}-{task[1]}"
            simulated = self._around.settings.get(SCHEDULER_SEED) >= 0
            writer = WriteInline(writer) if simulated else WriteBehind(writer, self._around.memory, name)
        return OpenSink(spec, task, writer, self.prepared.append)

    def _open_lookup(self, spec: SourceSpec, task: TaskId) -> OpenLookup:
        inline = self._around.settings.get(SCHEDULER_SEED) >= 0
        return open_lookup(self._around.lookups(spec), f"{task[0]}-{task[1]}", inline=inline)

    def _writers(self, stage: Stage, index: int) -> tuple[list[Writer], list[EdgeBlock]]:
        outgoing = self.topology.outgoing(stage.id)
        blocks = [EdgeBlock() for _ in outgoing]
        writers = []
        for number, block in zip(outgoing, blocks, strict=True):
            edge = self._graph.edges[number]
            made = writer(
                edge, self._wiring.leaving(number, index), index, self._batch_rows, block, self._around.memory
            )
            made.leaves_loop = not self.topology.in_loop(edge)
            made.feeds_back = edge.feedback
            writers.append(made)
        if stage.id == self._graph.result:
            blocks.append(EdgeBlock())
            writers.append(result_writer(self._around.result, self._batch_rows, blocks[-1], self._around.memory))
        return writers, blocks

    def _gate(
        self, stage: Stage, index: int, block: TaskBlock, loop: LoopControl, timers: TaskTimers
    ) -> Gate | LoopGate:
        channels: list[Inlet] = []
        ports: list[int] = []
        back: list[Channel] = []
        back_ports: list[int] = []
        for number in self.topology.incoming(stage.id):
            edge = self._graph.edges[number]
            arriving = self._wiring.arriving(number, index)
            known = len(channels)
            if edge.feedback:
                back += arriving
                back_ports += [edge.port] * len(arriving)
            elif edge.ordering and len(arriving) > 1:
                channels.append(MergedChannels(arriving, edge.ordering, self._batch_rows))
                ports.append(edge.port)
            else:
                channels += arriving
                ports += [edge.port] * len(arriving)
            block.told_by += [edge.producer] * (len(channels) - known)
        gate = Gate(channels, ports)
        gate.count_in(block)
        return LoopGate(gate, back, back_ports, loop, timers) if back else gate

    def counters(self) -> JobCounters:
        """A picture of all counters."""
        scheduler = self._scheduler
        return JobCounters(
            stages=tuple(
                sum_tasks(stage.id, self._blocks[stage.id], self._targets(stage.id)) for stage in self._graph.stages
            ),
            memory_used=self._memory.used,
            memory_peak=self._memory.peak,
            drawn=scheduler.drawn if isinstance(scheduler, SimulatedScheduler) else 0,
        )

    def _targets(self, stage: int) -> list[tuple[int, int, int, int, int, int]]:
        """(consumer, port, fullest, queued, capacity, waiting) of a stage's exchanges; its block for the result comes after them."""
        edges, wiring = self._graph.edges, self._wiring
        numbers = self.topology.outgoing(stage)
        return [(edges[i].consumer, edges[i].port, wiring.fullest(i), *wiring.waiting(i)) for i in numbers]

    def dispose(self) -> None:
        """Gives back what channels and builds still hold; only when no task runs any more.

        What is left of a job refers to nothing that refers to it, so that it goes at once when nobody wants its counters any more:
        hundreds of objects a job that only a collection would find are milliseconds of a later query.
        """
        if not self.tasks:
            return
        self._wiring.dispose()
        for build in self.builds.values():
            build.free()
        for context in self._contexts:
            context.release_all()
        self.tasks.clear()
        self.first.clear()
        self._contexts.clear()
        self._sources.dispose()
        del self._around  # it knows the job
