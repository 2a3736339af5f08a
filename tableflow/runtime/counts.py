"""The frozen picture of what a job has counted, which EXPLAIN ANALYZE, SHOW JOBS and metrics render.

Blocks are read while their tasks write them: numbers may be a moment apart from each other, never wrong by themselves.
"""

from __future__ import annotations

from collections import Counter
from time import perf_counter_ns

from tableflow.records import dataclass
from tableflow.runtime.counters import OperatorBlock, TaskBlock
from tableflow.runtime.events import START_OF_TIME


@dataclass(frozen=True, slots=True)
class OperatorCounts:
    """One operator, summed over its tasks; times in microseconds, ``rows_in`` and ``batches_in`` per port.

    ``longest`` is the most processor time that any task worked between two looks at cancellation, 0 if that was short.
    ``first`` and ``last`` are nanoseconds of the performance counter, see :class:`OperatorBlock`, 0 if there were no rows.
    """

    name: str
    rows_in: tuple[int, ...]
    batches_in: tuple[int, ...]
    rows_out: int
    batches_out: int
    busy: int
    longest: int
    named: tuple[tuple[str, int], ...]
    first: int = 0
    last: int = 0
    idle: int = 0
    """Tasks of a source that are idle now."""
    ended: int = 0
    """Tasks of a source that have ended."""
    largest: int = 0
    """The most rows of any batch that a source gave."""
    cut: int = 0
    """The rows that a source gave before its last epoch."""
    state: int = 0
    """Bytes that it holds now."""
    state_rows: int = 0
    """Rows or groups that it holds now, as far as its structures can say."""
    split: tuple[str, int] | None = None
    """Of a source the split that holds time back, with its time; None where none counts."""
    waits: tuple[str, int] | None = None
    """What a task of it stands still for now, and the longest that one has (microseconds)."""


@dataclass(frozen=True, slots=True)
class EdgeCounts:
    """One exchange, summed over the producer's tasks.

    ``fullest`` is the most that waited in any of its channels, in events; 0 where as many may wait as there are.  ``queued`` are the
    events in the fullest of them now, of ``capacity``, and ``waiting`` the rows in all.
    """

    consumer: int
    port: int
    rows: int
    batches: int
    bytes: int
    fullest: int = 0
    queued: int = 0
    capacity: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class StageCounts:
    """One stage; times in microseconds are summed over tasks, ``watermark`` is the smallest of all inputs.

    ``longest`` is that of its tasks' longest step, as of :class:`OperatorCounts`; ``closing`` is processor time.
    """

    stage: int
    tasks: int
    source: OperatorCounts | None
    operators: tuple[OperatorCounts, ...]
    edges: tuple[EdgeCounts, ...]
    busy: int
    waiting: int
    backpressured: int
    longest: int
    closing: int
    bytes_in: int
    watermark: int
    inputs: tuple[tuple[int, int], ...] = ()
    """The stages that it is fed by and that do not say that nothing comes, with the least time that each has told it."""


@dataclass(frozen=True, slots=True)
class JobCounters:
    """The whole job at one moment; ``drawn``: steps whose order a seed has drawn, 0 if threads took them."""

    stages: tuple[StageCounts, ...]
    memory_used: int
    memory_peak: int
    drawn: int = 0

    @property
    def longest(self) -> int:
        """The most processor time that any task worked between two looks at cancellation, in microseconds."""
        return max(stage.longest for stage in self.stages)

    @property
    def closing(self) -> int:
        """Processor time that all tasks took to close, in microseconds."""
        return sum(stage.closing for stage in self.stages)

    def stage(self, id: int) -> StageCounts:
        """The counts of the stage with this id."""
        return next(stage for stage in self.stages if stage.stage == id)


def sum_operators(blocks: list[OperatorBlock]) -> OperatorCounts:
    """One operator over all its tasks, in one go."""
    rows_out = batches_out = busy = longest = idle = ended = largest = cut = first = last = state = state_rows = 0
    named: Counter[str] = Counter()
    for block in blocks:
        rows_out += block.rows_out
        batches_out += block.batches_out
        busy += block.busy
        longest = max(longest, block.longest)
        idle += block.idle
        ended += block.ended
        largest = max(largest, block.largest)
        cut += block.cut
        if block.first and (first == 0 or block.first < first):
            first = block.first
        last = max(last, block.last)
        for held in tuple(block.held):
            state += held.bytes
            if held.rows is not None:
                state_rows += held.rows()
        if block.named:
            named.update(dict(block.named))
    slowest = [found for block in blocks if (found := _slowest(block)) is not None]
    return OperatorCounts(
        name=blocks[0].name,
        rows_in=tuple(map(sum, zip(*[block.rows_in for block in blocks], strict=True))),
        batches_in=tuple(map(sum, zip(*[block.batches_in for block in blocks], strict=True))),
        rows_out=rows_out,
        batches_out=batches_out,
        busy=busy // 1000,
        longest=longest // 1000,
        named=tuple(sorted(named.items())),
        idle=idle,
        ended=ended,
        largest=largest,
        cut=cut,
        first=first,
        last=last,
        state=state,
        state_rows=state_rows,
        split=min(slowest, key=lambda each: each[1], default=None),
        waits=_longest_wait(blocks),
    )


def _slowest(block: OperatorBlock) -> tuple[str, int] | None:
    return None if block.split_time is None or block.ended else block.split_time.slowest


def _longest_wait(blocks: list[OperatorBlock]) -> tuple[str, int] | None:
    waiting = [waits for block in blocks if (waits := block.waits) is not None]
    if not waiting:
        return None
    what, since = min(waiting, key=lambda each: each[1])
    return what, (perf_counter_ns() - since) // 1000


def _time(blocks: list[TaskBlock], sources: list[OperatorBlock]) -> int:
    """The least time of all inputs; of a source that of the tasks that hold it back: those with splits, as long as they are not idle."""
    if not sources:
        return min((time for block in blocks for time in block.watermarks), default=START_OF_TIME)
    reading = [source.watermark for source in sources if source.splits and not source.idle]
    return min(reading) if reading else max(source.watermark for source in sources)


def _inputs(blocks: list[TaskBlock]) -> tuple[tuple[int, int], ...]:
    found: dict[int, int] = {}
    for block in blocks:
        for stage, time, silent in zip(block.told_by, block.watermarks, block.silent, strict=False):
            if not silent:
                found[stage] = min(time, found.get(stage, time))
    return tuple(sorted(found.items()))


def sum_tasks(stage: int, blocks: list[TaskBlock], targets: list[tuple[int, int, int, int, int, int]]) -> StageCounts:
    """One stage over all its tasks; ``targets`` are (consumer, port, fullest, queued, capacity, waiting) of its edges."""
    sources = [block.source for block in blocks if block.source is not None]
    edges = [
        EdgeCounts(
            consumer,
            port,
            rows=sum(block.edges[i].rows for block in blocks),
            batches=sum(block.edges[i].batches for block in blocks),
            bytes=sum(block.edges[i].bytes for block in blocks),
            fullest=fullest,
            queued=queued,
            capacity=capacity,
            waiting=waiting,
        )
        for i, (consumer, port, fullest, queued, capacity, waiting) in enumerate(targets)
    ]
    return StageCounts(
        stage=stage,
        tasks=len(blocks),
        source=sum_operators(sources) if sources else None,
        operators=tuple(
            sum_operators([block.operators[i] for block in blocks]) for i in range(len(blocks[0].operators))
        ),
        edges=tuple(edges),
        busy=sum(block.busy for block in blocks) // 1000,
        waiting=sum(block.waiting for block in blocks) // 1000,
        backpressured=sum(block.backpressured for block in blocks) // 1000,
        longest=max(block.longest for block in blocks) // 1000,
        closing=sum(block.closing for block in blocks) // 1000,
        bytes_in=sum(block.bytes_in for block in blocks),
        watermark=_time(blocks, sources),
        inputs=_inputs(blocks),
    )
