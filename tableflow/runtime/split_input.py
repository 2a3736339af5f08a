"""The input of a source task: splits from the assigner, batches from their readers.

Readers that have nothing to give are left alone until they wake the task.  A bounded source reads few splits at a
time, an unbounded one all that it is given.  Epochs are injected between batches.
"""

from __future__ import annotations

from collections import deque
from time import perf_counter_ns
from typing import Any

from tableflow.columnar.batch import Batch
from tableflow.runtime.alignment import PortEnded
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.events import Epoch, Idle
from tableflow.runtime.gate import Taken
from tableflow.runtime.operator import Wake
from tableflow.runtime.source import Done, Later, Source, Split, SplitAssigner, SplitReader
from tableflow.runtime.timers import TaskTimers, Timekeeper
from tableflow.runtime.wake import After

_BOUNDED_READERS = 4


class OpenSplit:
    """A split that is being read, and what its reader waits for."""

    __slots__ = ("awaited", "reader", "silent_since", "split")

    def __init__(self, split: Split, reader: SplitReader) -> None:
        self.split = split
        self.reader = reader
        self.awaited: Wake | None = None
        self.silent_since: int | None = None

    @property
    def ready(self) -> bool:
        """Whether it is worth polling."""
        return self.awaited is None or self.awaited.ready


class SplitInput:
    """See the module."""

    def __init__(
        self,
        source: Source,
        assigner: SplitAssigner,
        task_index: int,
        batch_rows: int,
        timers: TaskTimers,
        clock: Timekeeper,
        idle_timeout: int,
        block: OperatorBlock,
    ) -> None:
        self.port = 0
        self.deadline: int | None = None
        self._source = source
        self._assigner = assigner
        self._task_index = task_index
        self._batch_rows = batch_rows
        self._timers = timers
        self._clock = clock
        self._idle_timeout = idle_timeout
        self._block = block
        self._open: deque[OpenSplit] = deque()
        self._assignment: Wake | None = None
        self._exhausted = False
        self._idle = False
        self._epochs: deque[Epoch] = deque()
        self._closed = False

    def inject(self, epoch: Epoch) -> None:
        """Sends an epoch before the next batch; from any thread, followed by a wake-up of the task."""
        self._epochs.append(epoch)

    def offsets(self) -> tuple[tuple[str, Any], ...]:
        """Where each open split stands, by split id."""
        return tuple((each.split.id, each.reader.offset()) for each in self._open)

    def next(self, preferred: int | None) -> Taken | None:
        """The next epoch, batch, or the end; None when every reader waits."""
        if self._epochs:
            return self._epochs.popleft()
        began = perf_counter_ns()
        try:
            batch = self._poll()
        finally:
            self._block.busy += perf_counter_ns() - began
        if batch is not None:
            self._idle = False
            self.deadline = None
            self._block.rows_out += batch.rows
            self._block.batches_out += 1
            return batch
        if self._exhausted and not self._open:
            return PortEnded(0, last=True)
        return None if self._source.bounded else self._silence()

    def _poll(self) -> Batch | None:
        """The next batch of any split."""
        while True:
            for _ in range(len(self._open)):
                current = self._open[0]
                if not current.ready:
                    self._open.rotate(-1)
                    continue
                given = current.reader.poll()
                if isinstance(given, Batch):
                    current.silent_since = None
                    current.awaited = None
                    if given.rows:
                        return given
                elif isinstance(given, Later):
                    self._put_off(current, given)
                elif isinstance(given, Done):
                    self._open.popleft()
                    current.reader.close()
            if not any(each.ready for each in self._open) and not self._take_split():
                return None

    def _put_off(self, current: OpenSplit, later: Later) -> None:
        if current.silent_since is None:
            current.silent_since = self._clock.now()
        if current.awaited is not later.wake:
            current.awaited = self._subscribe(later.wake)
        self._open.rotate(-1)

    def _subscribe(self, wake: Wake) -> Wake:
        if isinstance(wake, After):
            wake = self._timers.after(wake)
        wake.subscribe(self._timers.wake)
        return wake

    def _take_split(self) -> bool:
        """Asks for one more split; whether there was one."""
        if self._exhausted or (self._source.bounded and len(self._open) >= _BOUNDED_READERS):
            return False
        if self._assignment is not None and not self._assignment.ready:
            return False
        self._assignment = None
        given = self._assigner.next(self._task_index)
        if given is None:
            self._exhausted = True
        elif isinstance(given, Later):
            self._assignment = self._subscribe(given.wake)
        else:
            self._open.appendleft(OpenSplit(given, self._source.reader(given, self._batch_rows)))
            return True
        return False

    def _silence(self) -> Idle | None:
        """Idle, once, when every open split has been silent for the timeout."""
        if self._idle or not self._open:
            return None
        since = max(each.silent_since or 0 for each in self._open)
        if self._clock.now() >= since + self._idle_timeout:
            self._idle = True
            self.deadline = None
            return Idle()
        self.deadline = since + self._idle_timeout
        return None

    def close(self) -> None:
        """Closes all readers."""
        self._exhausted = True
        while self._open:
            self._open.popleft().reader.close()
