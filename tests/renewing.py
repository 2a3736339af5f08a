"""Jobs whose operators are thrown away after every event: new ones, opened afresh, are restored from their snapshots, in three parts by ranges of keys.

Whoever keeps more between two events than declared state gives another answer then, and whoever forgets to set its timers again is never
woken.  An operator lives on once an input of it has ended, since who reads from a snapshot is told of that end again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.kernels.partition import KeyRange
from tableflow.physical.build import build_operator
from tableflow.physical.node import Input, PhysicalNode, positions
from tableflow.runtime.events import Epoch, Watermark
from tableflow.runtime.graph import OperatorSpec
from tableflow.runtime.operator import Emission, Operator
from tableflow.session import job_keeper, jobs
from tests.physical.event_harness import in_three

OF_FINISHED_DATA = frozenset(
    {
        "CollectAggregateOperator", "FetchColumnsOperator", "HashAggregateOperator", "HashBuildOperator", "HashJoinOperator",
        "NestedLoopJoinOperator", "PartitionTopNOperator", "PublishRowsOperator", "PublishedScanOperator", "RoutedWriteOperator",
        "SortRowsOperator", "TableWriteOperator", "TopNOperator", "ValuesScanOperator", "WindowAggregateOperator",
    }
)  # fmt: skip
"""What reads an input to its end before it says anything: that input can be read again from the start."""

UNKEYED = frozenset(
    {"CurrentWatermarkOperator", "EpochTimeOperator", "LimitRowsOperator", "LookupJoinOperator", "PipelineOperator", "StreamWriteOperator"}
)  # fmt: skip
"""What may have several tasks, and state, without rows being dealt among them by their keys: it keeps nothing for a key between epochs."""


class World:
    """An operator's context which the next one finds as it was left, but for timers: those of a predecessor do not fire."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self._reservations: dict[str, Any] = {}
        self._sinks: list[Any] = []
        self._lookups: list[Any] = []
        self.timers: set[int] = set()
        self.begin()

    def begin(self) -> None:
        """Another operator comes."""
        self._next_sink, self._next_lookup = iter(self._sinks), iter(self._lookups)
        self.timers.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def reserve(self, name: str, bytes: int = 0) -> Any:
        if name not in self._reservations:
            self._reservations[name] = self._context.reserve(name)
        self._reservations[name].resize(bytes)
        return self._reservations[name]

    def sink(self, spec: Any) -> Any:
        opened = next(self._next_sink, None)
        if opened is None:
            opened = self._context.sink(spec)
            self._sinks.append(opened)
            self._next_sink = iter(())
        return opened

    def lookup(self, spec: Any) -> Any:
        opened = next(self._next_lookup, None)
        if opened is None:
            opened = self._context.lookup(spec)
            self._lookups.append(opened)
            self._next_lookup = iter(())
        return opened

    def set_timer(self, time: int) -> None:
        self.timers.add(time)
        self._context.set_timer(time)


class Renewed(Operator):
    """See the module."""

    def __init__(
        self, make: Callable[[], Operator], renewals: Counter[str], inputs: Sequence[PhysicalNode] = ()
    ) -> None:
        self._make, self._renewals, self._inputs = make, renewals, inputs
        self._operator = make()
        self.time_unit = self._operator.time_unit
        self._ends = False

    def open(self, context: Any) -> None:
        self._world = World(context)
        alone = context.parallelism == 1 or type(self._operator).snapshot is Operator.snapshot
        assert alone or type(self._operator).__name__ in UNKEYED or all(leaf.dealt for leaf in self._inputs)  # type: ignore[attr-defined]
        self._operator.open(self._world)

    def _then_renewed(self, emission: Emission | None) -> Emission:
        yield from emission or ()
        if self._ends:
            return
        parts = in_three(self._operator)
        self._operator.close()
        self._world.begin()
        self._operator = self._make()
        self._operator.open(self._world)
        self._operator.restore(parts)
        self._renewals[type(self._operator).__name__] += 1

    def _dealt_here(self, batch: Batch, leaf: PhysicalNode) -> bool:
        """Whether the rows are those that an exchange by the hash of what the leaf names gives this task."""
        if not isinstance(leaf, Input) or not leaf.dealt:
            return True
        where = positions(leaf.fields)
        hashes = hash_rows([batch.columns[where[key]] for key in leaf.dealt], batch.selection)
        return bool(KeyRange.part(self._world.task_index, self._world.parallelism).holds(hashes).all())

    def process(self, batch: Batch, port: int) -> Emission:
        assert self._dealt_here(batch, self._inputs[port])
        return self._then_renewed(self._operator.process(batch, port))

    def on_watermark(self, watermark: Watermark) -> Emission:
        return self._then_renewed(self._operator.on_watermark(watermark))

    def on_timer(self, time: int) -> Emission | None:
        if time not in self._world.timers:
            return None
        self._world.timers.discard(time)
        return self._then_renewed(self._operator.on_timer(time))

    def on_ready(self) -> Emission:
        return self._then_renewed(self._operator.on_ready())

    def on_idle(self) -> Emission:
        return self._then_renewed(self._operator.on_idle())

    def on_epoch(self, epoch: Epoch) -> Emission:
        return self._then_renewed(self._operator.on_epoch(epoch))

    def on_end(self, port: int) -> Emission | None:
        self._ends = True
        return self._operator.on_end(port)

    def preferred_port(self) -> int | None:
        return self._operator.preferred_port()

    @property
    def finished(self) -> bool:
        return self._operator.finished

    @property
    def contributes(self) -> bool:
        return self._operator.contributes

    @property
    def generates_watermarks(self) -> bool:
        return self._operator.generates_watermarks

    @property
    def delays_watermarks(self) -> bool:
        return self._operator.delays_watermarks

    def close(self) -> None:
        self._operator.close()


@contextmanager
def renewing() -> Iterator[Counter[str]]:
    """Jobs that begin inside the with block; how often operators were renewed, by class."""
    renewals: Counter[str] = Counter()

    def build(spec: OperatorSpec) -> Operator:
        if type(build_operator(spec)).__name__ in OF_FINISHED_DATA:
            return build_operator(spec)
        return Renewed(lambda: build_operator(spec), renewals, spec.definition.inputs)

    with patch.object(jobs, "build_operator", build), patch.object(job_keeper, "build_operator", build):
        yield renewals
