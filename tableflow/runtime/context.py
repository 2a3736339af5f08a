"""What an operator sees of the world: the runtime's side of :class:`~tableflow.runtime.operator.OperatorContext`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter_ns
from typing import Any, Protocol

from tableflow.config import Settings
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.events import START_OF_TIME
from tableflow.runtime.graph import SinkSpec, SourceSpec
from tableflow.runtime.lookup import OpenLookup
from tableflow.runtime.memory import MemoryPool, PoolReservation
from tableflow.runtime.operator import Wake
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.sink import OpenSink


class Clock(Protocol):
    """Processing time."""

    def now(self) -> int:
        """Microseconds since 1970; never turns back."""
        ...


def _nobody_asked(spec: SourceSpec) -> OpenLookup:
    raise InternalError(f"nobody answers for {spec.kind!r} here")


def _nothing_told(_wake: Wake, _position: int) -> None:
    raise InternalError("nobody is told of anything here")


@dataclass(frozen=True, slots=True)
class TaskWorld:
    """What all operators of one task share."""

    task_index: int
    parallelism: int
    batch_rows: int
    settings: Settings
    memory: MemoryPool
    clock: Clock
    publication: Callable[[str], PublishedBuild]
    set_timer: Callable[[int, int], None]
    open_sink: Callable[[SinkSpec], OpenSink]
    open_lookup: Callable[[SourceSpec], OpenLookup] = _nobody_asked
    notify: Callable[[Wake, int], None] = _nothing_told
    began: int = START_OF_TIME


class Context:
    """The context of one operator of one task; holds its reservations until they are released."""

    def __init__(self, world: TaskWorld, position: int, block: OperatorBlock) -> None:
        self._world = world
        self._position = position
        self._block = block
        self._reservations: list[PoolReservation] = []
        block.held = self._reservations
        self._sinks: list[OpenSink] = []
        self._lookups: list[OpenLookup] = []

    @property
    def task_index(self) -> int:
        """Number of this instance, from 0."""
        return self._world.task_index

    @property
    def parallelism(self) -> int:
        """Tasks of this stage."""
        return self._world.parallelism

    @property
    def batch_rows(self) -> int:
        """Most rows an emitted batch may have."""
        return self._world.batch_rows

    @property
    def settings(self) -> Settings:
        """Frozen settings of the job."""
        return self._world.settings

    def reserve(self, name: str, bytes: int = 0) -> PoolReservation:
        """A new reservation; what is left of it is released when the task closes."""
        reservation = self._world.memory.reserve(f"operator {self._block.name!r} ({name})", bytes)
        self._reservations.append(reservation)
        return reservation

    def publication(self, key: str) -> Any:
        """The published build with this key."""
        return self._world.publication(key)

    def sink(self, spec: SinkSpec) -> OpenSink:
        """A new writer; what is not prepared when the task closes is aborted."""
        opened = self._world.open_sink(spec)
        self._sinks.append(opened)
        return opened

    def lookup(self, spec: SourceSpec) -> OpenLookup:
        """An outside table for this task."""
        opened = self._world.open_lookup(spec)
        self._lookups.append(opened)
        return opened

    def notify(self, wake: Wake) -> None:
        """Asks for ``on_ready`` once ``wake`` is ready."""
        self._world.notify(wake, self._position)

    def count(self, counter: str, by: int = 1) -> None:
        """Adds to a named counter of this operator."""
        self._block.named[counter] += by

    def waits(self, what: str | None) -> None:
        """Says what the operator stands still for from now on, None: for nothing."""
        self._block.waits = None if what is None else (what, perf_counter_ns())

    def now(self) -> int:
        """Processing time in microseconds since 1970."""
        return self._world.clock.now()

    @property
    def began(self) -> int:
        """When the job began."""
        return self._world.began

    def set_timer(self, time: int) -> None:
        """Asks for ``on_timer`` once :meth:`now` has reached ``time``."""
        self._world.set_timer(time, self._position)

    def release(self) -> None:
        """The task has closed: closes its sinks and lookups, and gives all reservations back that nobody adopted."""
        with ExitStack() as closing:
            for sink in self._sinks:
                closing.callback(sink.close)
            for lookup in self._lookups:
                closing.callback(lookup.close)
        self._block.waits = None
        for reservation in self._reservations:
            reservation.rows = None  # who looks at a job afterwards keeps no operator
            if not reservation.adopted:
                reservation.release()

    def release_all(self) -> None:
        """The job has ended: gives back what another task resized after this one had closed (sealing a build)."""
        for reservation in self._reservations:
            reservation.release()
        self._reservations.clear()
