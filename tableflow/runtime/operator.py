"""The contract between the runtime and everything it runs.

An operator is single-threaded by contract.  It touches files, sockets and the clock only through its context, and
holds no field outliving a call that is not declared state.  A callback that emits returns an iterator; the
task pulls it while the task's outputs have credit, one batch of at most ``context.batch_rows`` rows at a time, and
looks at cancellation and its time budget between pulls.  While an iterator is unfinished the task takes no other
input, so an operator may keep a cursor in it and emit without bound in constant memory.

An iterator may yield :class:`Suspend` instead of a batch: the task then sleeps until the wake-up fires and pulls
again.  That is how an operator waits for others to finish a published build, or for I/O, without blocking a thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.partition import EVERY_KEY, KeyRange
from tableflow.records import dataclass
from tableflow.runtime.events import Epoch, Superstep, Watermark

if TYPE_CHECKING:
    from tableflow.config import Settings
    from tableflow.runtime.graph import SinkSpec, SourceSpec
    from tableflow.runtime.lookup import OpenLookup
    from tableflow.runtime.publication import Publication
    from tableflow.runtime.sink import OpenSink


class Wake(Protocol):
    """Something that will become ready; tasks subscribe to it instead of blocking."""

    @property
    def ready(self) -> bool:
        """Whether waiting is over."""
        ...

    def subscribe(self, callback: Any) -> None:
        """Calls ``callback()`` once when ready (at once if it is already); from any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Suspend:
    """Yielded by an operator's iterator: pull again only after ``wake`` is ready."""

    wake: Wake


Emission: TypeAlias = Iterator[Batch | Suspend | Watermark]
"""Batches, waits, and (only from an operator that ``generates_watermarks`` or ``delays_watermarks``) watermarks."""


class Reservation(Protocol):
    """A part of the memory budget held by one growing structure of one operator."""

    rows: Callable[[], int] | None
    """How many rows or groups the structure has, if it can say."""

    @property
    def bytes(self) -> int:
        """Bytes held now."""
        ...

    def resize(self, bytes: int) -> None:
        """Holds ``bytes`` from now on; raises :class:`~tableflow.errors.MemoryLimitError` when refused."""
        ...

    def release(self) -> None:
        """Gives everything back; further calls do nothing."""
        ...


class OperatorContext(Protocol):
    """What an operator may see of the world; given to :meth:`Operator.open`."""

    @property
    def task_index(self) -> int:
        """Number of this instance among ``parallelism``, from 0."""
        ...

    @property
    def parallelism(self) -> int:
        """Tasks of this stage."""
        ...

    @property
    def batch_rows(self) -> int:
        """Most rows an emitted batch may have."""
        ...

    @property
    def settings(self) -> Settings:
        """Frozen settings of the job."""
        ...

    def reserve(self, name: str, bytes: int = 0) -> Reservation:
        """A new reservation, named in errors and counters as ``<operator> <name>``."""
        ...

    def publication(self, key: str) -> Publication[Any, Any]:
        """The published build with this key: to contribute to, or (once sealed) to read."""
        ...

    def count(self, counter: str, by: int = 1) -> None:
        """Adds to a counter of this operator that EXPLAIN ANALYZE shows."""
        ...

    def waits(self, what: str | None) -> None:
        """Says what the operator stands still for from now on, None: for nothing."""
        ...

    def sink(self, spec: SinkSpec) -> OpenSink:
        """A new writer of this task; aborted and closed with the task unless it was prepared."""
        ...

    def lookup(self, spec: SourceSpec) -> OpenLookup:
        """An outside table that answers questions of this task; closed with the task."""
        ...

    def notify(self, wake: Wake) -> None:
        """Asks for one :meth:`Operator.on_ready` as soon as ``wake`` is ready and the task is free."""
        ...

    def now(self) -> int:
        """Processing time in microseconds since 1970; simulated under a seed."""
        ...

    @property
    def began(self) -> int:
        """When the job began, the same for all its tasks: the time of its first epoch."""
        ...

    def set_timer(self, time: int) -> None:
        """Asks for one :meth:`Operator.on_timer` as soon as :meth:`now` has reached ``time``; equal times are one timer."""
        ...


class Operator(ABC):
    """One parallel instance of a physical operator; only :meth:`process` is required."""

    time_unit: int = 1
    """Microseconds between two values of the times that it compares with watermarks (of the coarsest of them): it and those behind it
    are told of watermarks that are multiples of it.  A row that waits elsewhere until time has reached the next value, as the last moment of a
    window does, comes behind a watermark between the two, and would be late.
    """

    def open(self, context: OperatorContext) -> None:  # noqa: B027 - optional hook
        """Called once, before anything else, in the task's own thread of control."""

    @abstractmethod
    def process(self, batch: Batch, port: int) -> Emission | None:
        """Takes one batch of input ``port``."""

    def preferred_port(self) -> int | None:
        """The only port it wants input from now (a join's build side first); None: any.  Bounded inputs only."""
        return None

    def on_watermark(self, watermark: Watermark) -> Emission | None:
        """Event time has advanced; the watermark itself follows what is emitted here."""
        return None

    def on_timer(self, time: int) -> Emission | None:
        """A processing-time timer that was set through the context has come (microseconds)."""
        return None

    def on_ready(self) -> Emission | None:
        """Something that the context was asked to notify of is ready."""
        return None

    def on_idle(self) -> Emission | None:
        """The input does not hold time back for now; rows that wait inside the operator must come out before that is told."""
        return None

    def on_epoch(self, epoch: Epoch) -> Emission | None:
        """An epoch is aligned on all inputs; it follows what is emitted here.

        What comes behind it belongs to the next one, whose time is ``epoch.time`` at every operator of the job.
        """
        return None

    def on_superstep(self, superstep: Superstep) -> Emission | None:
        """A round of a loop has ended on all inputs."""
        return None

    def on_end(self, port: int) -> Emission | None:
        """Input ``port`` has ended.  The output ends after the last port's emission is finished."""
        return None

    @property
    def finished(self) -> bool:
        """Whether further input cannot change the output (LIMIT reached): the task then ends its inputs early."""
        return False

    @property
    def contributes(self) -> bool:
        """Whether other tasks wait for what it says when its input ends: then nobody behind it may end its input early."""
        return False

    @property
    def generates_watermarks(self) -> bool:
        """Whether it makes event time: watermarks it yields go on, those of its input (but the last) stop at it."""
        return False

    @property
    def delays_watermarks(self) -> bool:
        """Whether watermarks wait inside it behind rows: it yields each one later, and none passes it otherwise."""
        return False

    def snapshot(self, keys: KeyRange = EVERY_KEY) -> bytes:
        """The state of these keys, frozen: whatever the operator does next, :meth:`restore` of a new instance makes this of it.

        Keys are told by the hash by which the exchange in front deals rows out.  What no key tells is in the part that is ``keys.first``, or,
        where every task needs it (as the watermark), in each.
        """
        return b""

    def restore(self, parts: Sequence[bytes]) -> None:  # noqa: B027 - optional hook
        """Called after :meth:`open` with what :meth:`snapshot` gave for ranges of keys that have none in common, of one or several tasks."""

    def close(self) -> None:  # noqa: B027 - optional hook
        """Gives files and reservations back; always called, also after errors and cancellation, any state."""
