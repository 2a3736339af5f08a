r"""What a connector implements to be written to, and how the runtime keeps the writers of a job.

::

    open --write()*--> open --prepare()--> prepared --close()--> closed
      \--abort()--> aborted --close()--> closed

Invariant: every writer that was opened is closed exactly once, and one that was not prepared is aborted first.  A token
is what the coordinator commits, idempotently, when all tasks have ended; a job that failed has tokens of no use, and
whoever started it gives back what they stand for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from tableflow.columnar.batch import Batch
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.graph import SinkSpec
from tableflow.runtime.operator import Wake
from tableflow.runtime.write_behind import BlockingSink


class SinkWriter(Protocol):
    """Takes the rows of one task; owned by it."""

    def write(self, batch: Batch) -> None:
        """Rows to add; those of weight -1 are to be removed, by the key in the first columns, others may be absent."""
        ...

    def prepare(self) -> Any:
        """Everything written is where a commit of this token (a plain value) makes it count; no more writes follow."""
        ...

    def abort(self) -> None:
        """Nothing of what was written is wanted."""
        ...

    def close(self) -> None:
        """Gives files back; called once, after :meth:`prepare` or :meth:`abort`."""
        ...


class BufferingWriter:
    """A :class:`SinkWriter` that holds rows in memory, which its operator accounts for."""

    @property
    def held(self) -> int:
        """Bytes that it holds."""
        raise NotImplementedError

    @property
    def rows(self) -> int:
        """How many rows it holds; asked by anybody, and may be a moment behind."""
        return 0

    @property
    def catching_up(self) -> bool:
        """Whether what it holds waits for longer than the end of an epoch."""
        return False

    def give_back(self) -> None:
        """Holds as little as it can, from now on."""
        raise NotImplementedError


Sinks: TypeAlias = Callable[[SinkSpec, int], SinkWriter | BlockingSink]
"""Opens the writer of one task, given its index; one that blocks gets a thread of its own."""


def no_sinks(spec: SinkSpec, _task_index: int) -> SinkWriter:
    """For jobs that only read."""
    raise InternalError(f"the job was given no way to open the sink {spec.kind!r}")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What one task has ready to be committed."""

    spec: SinkSpec
    stage: int
    task_index: int
    token: Any


class Publishing(Wake, Protocol):
    """What has been written up to an epoch, on its way to where others see it; ready when it is there or has failed."""

    def result(self) -> None:
        """Returns if it is there; raises what went wrong."""
        ...


@runtime_checkable
class EpochWriter(SinkWriter, Protocol):
    """A writer whose rows count epoch by epoch, without a commit by whoever started the job."""

    def publish(self, epoch: int) -> Publishing | None:
        """Makes all that was written count; begins at once, ends elsewhere.  None if there is nothing to wait for.

        ``epoch`` is negative at the end of all input.
        """
        ...


class Bounded(Protocol):
    """What a writer may be besides: it takes no more than it can hold."""

    @property
    def room(self) -> Wake | None:
        """What to wait for before the next rows; None if they may come at once."""
        ...


class OpenSink:
    """A task's writer as its operator sees it; see the module."""

    def __init__(
        self, spec: SinkSpec, task: tuple[int, int], writer: SinkWriter, report: Callable[[Prepared], None]
    ) -> None:
        self._spec = spec
        self._task = task
        self._writer = writer
        self._buffering = writer if isinstance(writer, BufferingWriter) else None
        # A protocol's isinstance takes longer than all else that opening a small statement's sink does.
        self._bounded = cast("Bounded", writer) if hasattr(type(writer), "room") else None
        self._report = report
        self._finished = False
        self._closed = False

    def write(self, batch: Batch) -> None:
        """See :class:`SinkWriter`."""
        self._writer.write(batch)

    def publish(self, epoch: int) -> Publishing | None:
        """See :class:`EpochWriter`; None if rows count only when the job has ended."""
        return self._writer.publish(epoch) if isinstance(self._writer, EpochWriter) else None

    @property
    def room(self) -> Wake | None:
        """See :class:`Bounded`."""
        return self._bounded.room if self._bounded is not None else None

    @property
    def held(self) -> int:
        """Bytes that the writer holds in memory."""
        return 0 if self._buffering is None else self._buffering.held

    @property
    def buffers(self) -> bool:
        """Whether the writer holds rows in memory, which its operator accounts for."""
        return self._buffering is not None

    @property
    def rows(self) -> int:
        """See :class:`BufferingWriter`."""
        return 0 if self._buffering is None else self._buffering.rows

    @property
    def catching_up(self) -> bool:
        """See :class:`BufferingWriter`."""
        return self._buffering is not None and self._buffering.catching_up

    def give_back(self) -> None:
        """See :class:`BufferingWriter`."""
        if self._buffering is not None:
            self._buffering.give_back()

    def prepare(self) -> Any:
        """See :class:`SinkWriter`; the token goes to the coordinator."""
        token = self._writer.prepare()
        self._finished = True
        self._report(Prepared(self._spec, *self._task, token))
        return token

    def abort(self) -> None:
        """See :class:`SinkWriter`; nothing happens if it was prepared or aborted."""
        if not self._finished:
            self._finished = True
            self._writer.abort()

    def close(self) -> None:
        """Aborts what was not prepared and closes; again it does nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            self.abort()
        finally:
            self._writer.close()
