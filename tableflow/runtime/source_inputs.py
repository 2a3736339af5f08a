"""The sources of a job, and the inputs of the tasks that read them.

What the tasks of one source know together (how far each is in event time), and those of sources that keep together, is made here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tableflow.config import BATCH_ROWS, FORCE_REPRESENTATION, RUNTIME_MODE, SOURCE_IDLE_TIMEOUT
from tableflow.runtime.blocking import ReadAhead, ReadInline
from tableflow.runtime.chain import Judge
from tableflow.runtime.checkpoint import RestoredAssigner
from tableflow.runtime.counters import OperatorBlock, TaskBlock
from tableflow.runtime.drift import DriftGroup, SplitDrift
from tableflow.runtime.events import Watermark
from tableflow.runtime.graph import JobGraph, SourceSpec, Stage
from tableflow.runtime.narrowing import NarrowedSource
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.simulation import SimulatedScheduler
from tableflow.runtime.source import Source, Split, SplitAssigner, SplitReader
from tableflow.runtime.split_input import SplitInput
from tableflow.runtime.split_time import SourceTime
from tableflow.runtime.timers import TaskTimers
from tableflow.runtime.topology import Topology

if TYPE_CHECKING:
    from tableflow.runtime.deployment import Surroundings


class SourceInputs:
    """Of one job; ``publication`` gives the published builds by which sources are narrowed."""

    def __init__(
        self,
        graph: JobGraph,
        topology: Topology,
        around: Surroundings,
        publication: Callable[[str], PublishedBuild],
    ) -> None:
        self._topology = topology
        self._around = around
        self._publication = publication
        self._batch_rows = around.settings.get(BATCH_ROWS)
        self._sources = {s.id: self._source(s, s.source) for s in graph.stages if s.source is not None}
        self._times = {stage: SourceTime() for stage in self._sources}
        self._groups: defaultdict[str, DriftGroup] = defaultdict(DriftGroup)
        self._batch_mode = self._runs_as_batch()

    def _source(self, stage: Stage, spec: SourceSpec) -> Source:
        around = self._around
        source = around.sources(spec)
        # a saved split must mean the same when it is restored, so it must not depend on what a build held
        saved = around.keeps_snapshots or around.restored
        if not stage.narrowings or saved or not source.bounded or not hasattr(source, "narrowed"):
            return source  # isinstance of a protocol takes longer than to make a source
        return NarrowedSource(source, stage.narrowings, self._publication)

    def _runs_as_batch(self) -> bool:
        """Whether time stays at its beginning until the end, so that no row is late."""
        mode = self._around.settings.get(RUNTIME_MODE)
        return mode == "batch" or (mode == "auto" and all(source.bounded for source in self._sources.values()))

    def assigner(self, stage: Stage) -> SplitAssigner | None:
        """Who hands the splits of a stage's source to its tasks, behind what a checkpoint says of them; None without a source."""
        if stage.id not in self._sources:
            return None
        assigner = self._sources[stage.id].assigner()
        saved = [s.source for task, s in sorted(self._around.restored.items()) if task[0] == stage.id and s.source]
        return RestoredAssigner(assigner, saved) if saved else assigner

    def of_task(
        self, stage: Stage, index: int, block: TaskBlock, assigner: SplitAssigner, timers: TaskTimers
    ) -> tuple[SplitInput, Judge]:
        """The input of one task, and what makes its time of generated watermarks."""
        splits = self._splits(stage, index, block, assigner, timers)
        return splits, (_no_time if self._batch_mode else splits.judge_time)

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
            pace=around.pace if self._topology.keeps_pace(stage.id) else None,
        )  # fmt: skip

    def _drift(self, stage: Stage, index: int, timers: TaskTimers) -> SplitDrift | None:
        """How a task's splits keep together with others, where the table wants it and time moves."""
        alignment = None if stage.source is None or self._batch_mode else stage.source.alignment
        if alignment is None:
            return None
        return SplitDrift(self._groups[alignment.group], alignment.max_drift, (stage.id, index), timers)

    def dispose(self) -> None:
        """Lets go of the sources, when no task runs any more."""
        self._sources.clear()
        del self._around, self._publication  # they know the job


def _no_time(_: int) -> Watermark | None:
    """In batch mode time stays where it is."""
    return None
