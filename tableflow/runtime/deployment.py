"""From a job graph to tasks and the channels between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, TypeAlias

from tableflow.config import (
    BATCH_ROWS,
    BUFFER_TIMEOUT,
    FORCE_REPRESENTATION,
    RUNTIME_MODE,
    SCHEDULER_SEED,
    SOURCE_IDLE_TIMEOUT,
    Settings,
)
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.blocking import ReadAhead, ReadInline
from tableflow.runtime.chain import Chain
from tableflow.runtime.channel import Channel
from tableflow.runtime.checkpoint import RestoredAssigner, TaskId, TaskSnapshot
from tableflow.runtime.context import Context, TaskWorld
from tableflow.runtime.counters import EdgeBlock, OperatorBlock, TaskBlock
from tableflow.runtime.counts import JobCounters, sum_tasks
from tableflow.runtime.drift import DriftGroup, SplitDrift
from tableflow.runtime.events import Watermark
from tableflow.runtime.exchange import Outputs, Writer
from tableflow.runtime.gate import Gate, Inlet, TaskInput
from tableflow.runtime.graph import JobGraph, OperatorSpec, SinkSpec, SourceSpec, Stage
from tableflow.runtime.looks import Looks
from tableflow.runtime.lookup import Lookups, OpenLookup, no_lookups, open_lookup
from tableflow.runtime.loop import LoopControl, LoopGate
from tableflow.runtime.memory import MemoryPool
from tableflow.runtime.merge import MergedChannels
from tableflow.runtime.narrowing import NarrowedSource
from tableflow.runtime.operator import Operator
from tableflow.runtime.pace import Pace
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.scheduler import Scheduler
from tableflow.runtime.simulation import SimulatedScheduler
from tableflow.runtime.sink import OpenSink, Prepared, Sinks, no_sinks
from tableflow.runtime.source import Narrowable, Source, Split, SplitAssigner, SplitReader
from tableflow.runtime.split_input import SplitInput
from tableflow.runtime.split_time import SourceTime
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
        self._sources = {s.id: self._source(s, s.source) for s in graph.stages if s.source is not None}
        self._times = {stage: SourceTime() for stage in self._sources}
        self._groups: defaultdict[str, DriftGroup] = defaultdict(DriftGroup)
        self._batch_mode = self._runs_as_batch()
        self._wiring = Wiring(graph, self.topology, around.settings, around.memory, around.result)
        self._contexts: list[Context] = []
        self.prepared: list[Prepared] = []
        self.tasks: list[Task] = []
        self.first: list[Task] = []
        for stage in graph.stages:
            self._deploy(stage)

    def _source(self, stage: Stage, spec: SourceSpec) -> Source:
        around = self._around
        source = around.sources(spec)
        # a saved split must mean the same when it is restored, so it must not depend on what a build held
        saved = around.keeps_snapshots or around.restored
        if not stage.narrowings or saved or not source.bounded or not isinstance(source, Narrowable):
            return source
        return NarrowedSource(source, stage.narrowings, self._publication)

    def _runs_as_batch(self) -> bool:
        """Whether time stays at its beginning until the end, so that no row is late."""
        mode = self._around.settings.get(RUNTIME_MODE)
        return mode == "batch" or (mode == "auto" and all(source.bounded for source in self._sources.values()))

    def _publication(self, key: str) -> PublishedBuild:
        build = self.builds.get(key)
        if build is None:
            raise InternalError(f"no stage publishes the build {key!r}")
        return build

    def _deploy(self, stage: Stage) -> None:
        """Makes the tasks of one stage."""
        assigner = None
        if stage.id in self._sources:
            assigner = self._sources[stage.id].assigner()
            saved = [s.source for task, s in sorted(self._around.restored.items()) if task[0] == stage.id and s.source]
            if saved:
                assigner = RestoredAssigner(assigner, saved)
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
            splits = self._splits(stage, index, block, assigner, timers)
            taken_from, judge_time = splits, (_no_time if self._batch_mode else splits.judge_time)
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

    def _splits(
        self, stage: Stage, index: int, block: TaskBlock, assigner: SplitAssigner, timers: TaskTimers
    ) -> SplitInput:
        around, source = self._around, self._sources[stage.id]
        block.source = OperatorBlock(stage.source.kind if stage.source is not None else "")
        simulated = isinstance(around.scheduler, SimulatedScheduler)
        forced = around.settings.get(FORCE_REPRESENTATION) != "natural"

        def open_reader(split: Split) -> SplitReader:
            reader: Any = source.reader(split, self._batch_rows)
            if not hasattr(reader, "interrupt"):  # isinstance of a protocol takes longer than to make a reader
                opened: SplitReader = reader
                return opened
            return ReadInline(reader) if simulated else ReadAhead(reader, around.memory, split.id)

        idle_timeout = around.settings.get(SOURCE_IDLE_TIMEOUT)
        return SplitInput(
            source.bounded, assigner, open_reader, index, timers, around.scheduler, idle_timeout, block.source,
            source_time=self._times[stage.id], drift=self._drift(stage, index, timers), count_forms=forced,
            pace=around.pace if self.topology.keeps_pace(stage.id) else None,
        )  # fmt: skip

    def _drift(self, stage: Stage, index: int, timers: TaskTimers) -> SplitDrift | None:
        """How a task's splits keep together with others, where the table wants it and time moves."""
        alignment = None if stage.source is None or self._batch_mode else stage.source.alignment
        if alignment is None:
            return None
        return SplitDrift(self._groups[alignment.group], alignment.max_drift, (stage.id, index), timers)

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
        self._sources.clear()
        del self._around  # it knows the job


def _no_time(_: int) -> Watermark | None:
    """In batch mode time stays where it is."""
    return None
