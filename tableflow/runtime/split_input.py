"""The input of a source task: splits from the assigner, batches from their readers.

Readers that have nothing to give are left alone until they wake the task.  A bounded source reads few splits at a
time, an unbounded one all that it is given.  Epochs are injected between batches, and note the offsets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

from tableflow.columnar.batch import Batch
from tableflow.columnar.representation import stored_as
from tableflow.records import replace
from tableflow.runtime.alignment import PortEnded
from tableflow.runtime.backlog import Backlogs, Newest
from tableflow.runtime.checkpoint import SourceState
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.drift import SplitDrift
from tableflow.runtime.events import Epoch, Idle, Watermark
from tableflow.runtime.gate import Taken
from tableflow.runtime.open_split import OpenSplit
from tableflow.runtime.operator import Wake
from tableflow.runtime.pace import Pace, Pause
from tableflow.runtime.silence import Silence
from tableflow.runtime.source import Later, Split, SplitAssigner, SplitReader
from tableflow.runtime.split_time import SourceTime, SplitTime
from tableflow.runtime.timers import TaskTimers, Timekeeper
from tableflow.runtime.wake import After

_BOUNDED_READERS = 4
_ASKED_AGAIN = 20_000
"""Microseconds after which an assigner is asked for more although its splits have rows all the time."""


class SplitInput:
    """See the module."""

    def __init__(
        self,
        bounded: bool,
        assigner: SplitAssigner,
        open_reader: Callable[[Split], SplitReader],
        task_index: int,
        timers: TaskTimers,
        clock: Timekeeper,
        idle_timeout: int,
        block: OperatorBlock,
        *,
        source_time: SourceTime | None = None,
        drift: SplitDrift | None = None,
        count_forms: bool = False,
        pace: Pace | None = None,
    ) -> None:
        """``count_forms``: the columns of all batches are counted by how they are stored, in ``block``."""
        self.port = 0
        self.deadline: int | None = None
        self.noted = SourceState()
        """Where the splits stood at the last epoch that :meth:`next` gave."""
        self._bounded = bounded
        self._assigner = assigner
        self._open_reader = open_reader
        self._task_index = task_index
        self._timers = timers
        self._clock = clock
        self._block = block
        self._count_forms = count_forms
        self._open: deque[OpenSplit] = deque()
        self._finished: list[str] = []
        self._time = block.split_time = SplitTime(source_time, task_index, drift)
        self._current = ""
        self._before = self._length = 0
        """Of the batch given last: the rows of its split before it, and its own."""
        self._assignment: Wake | None = None
        self._exhausted = False
        self._asked = 0
        self._silence = Silence(idle_timeout, clock, self._time, block)
        self._epochs: deque[Epoch] = deque()
        self._pause = None if pace is None else Pause(pace, timers.wake, block)
        self._newest = Newest()
        self._pending: deque[Watermark | Idle] = deque()
        self.backlogs = Backlogs()
        """Questions are asked from any thread, followed by a wake-up of the task."""

    def inject(self, epoch: Epoch) -> None:
        """Sends an epoch before the next batch; from any thread, followed by a wake-up of the task."""
        self._epochs.append(epoch)

    def state(self) -> SourceState:
        """Where the splits stand now."""
        opened = tuple(replace(each.split, offset=each.reader.offset()) for each in self._open)
        return SourceState(tuple(self._finished), opened)

    def judge_time(self, time: int) -> Watermark | None:
        """A watermark generated from the batch given last: the task's, if it has advanced."""
        advanced = self._time.advanced(self._current, time)
        if advanced is not None:
            self._block.watermark = advanced.time
            # The task tells it now; what it was to tell next lies behind it.
            self._pending = deque(event for event in self._pending if not isinstance(event, Watermark))
        return advanced

    def place_of(self, row: int, rows: int) -> str | None:
        """Which row a place in the batch given last is, if that batch has so many rows."""
        if rows != self._length:
            return None
        return f"it is row {self._before + row + 1:,} of {self._current!r}"

    def next(self, preferred: int | None) -> Taken | None:
        """The next epoch, watermark, batch, or the end; None when every reader waits."""
        if self.backlogs:
            self._answer()
        if self._pending:
            return self._pending.popleft()
        if self._epochs and not self._at_end and self._caught_up():
            return self._epoch()
        if self._pause is not None and self._waits(self._pause):
            return None if self._bounded else self._tell_silence()
        began = perf_counter_ns()
        try:
            batch = self._poll()
        finally:
            self._block.busy += perf_counter_ns() - began
        if batch is not None:
            self._silence.ends()
            self.deadline = None
            self._block.first = self._block.first or began
            self._block.rows_out += batch.rows
            self._block.batches_out += 1
            if batch.rows > self._block.largest:
                self._block.largest = batch.rows
            if self._count_forms:
                self._block.named.update(f"{stored_as(column)}_columns" for column in batch.columns)
            return batch
        if self._at_end:
            if self._pending:
                return self._pending.popleft()
            if self.backlogs:
                self._answer()
            self._block.ended = True
            self._block.cut = self._block.rows_out
            return PortEnded(0, last=True)
        silence = None if self._bounded else self._tell_silence()
        if silence is not None:
            return silence
        if self._pending:
            return self._pending.popleft()
        if self._epochs and self._caught_up():
            return self._epoch()  # the readers have nothing more, which they may have said just now
        if self.backlogs:
            self._answer()
        return None

    def _answer(self) -> None:
        """Tells those who have asked what has been given, if it has."""
        if self.backlogs.begin():
            self._assignment = None  # so that the assigner looks now, and not when it would
        self.backlogs.answer(self._open, self._time.held, known=self._exhausted or self._assignment is not None)

    @property
    def _at_end(self) -> bool:
        """Whether the end is known, which stands for every epoch: one that is asked for then is behind it."""
        return self._exhausted and not self._open

    def _epoch(self) -> Epoch:
        self._newest.forget()
        self._block.cut = self._block.rows_out
        self.noted = self.state()
        epoch = self._epochs.popleft()
        if self._pause is not None:
            self._pause.sent(epoch.number)
        return epoch

    def _waits(self, pause: Pause) -> bool:
        """Whether nothing may be read for now; at the end there is nothing to wait for."""
        if self._at_end:
            pause.ends()
            return False
        return pause.holds()

    def _caught_up(self) -> bool:
        """Whether all that was there when the next epoch was first seen has been given."""
        if not (self._bounded or self._exhausted or self._assignment is not None):
            return False  # what there is to read is not known before the assigner was asked for it
        return self._newest.reached(self._open, self._time.held)

    def _poll(self) -> Batch | None:
        """The next batch of any split: asks each that may have something once, then the assigner for more."""
        if self._open and not self._exhausted:
            self._look_for_more()
        while True:
            for _ in range(len(self._open)):
                current = self._open[0]
                batch = self._ask(current) if self._may_read(current) else None
                if batch is not None:
                    return batch
                if self._open and self._open[0] is current:
                    self._open.rotate(-1)
            if not self._take_split() or self._pending:
                break  # what is to be told goes before the rows of the split
        if any(self._may_read(each) for each in self._open):
            self._timers.wake()
        return None

    def _may_read(self, split: OpenSplit) -> bool:
        """Whether a split may have something that is wanted now."""
        if not split.ready:
            return False
        if self._time.held(split.split.id):
            self._block.named["held_back"] += 1
            return False
        return True

    def _look_for_more(self) -> None:
        """Time must not stand still until a reader has no rows: it does until all splits that are known are handed out."""
        finite: Any = self._assigner
        if getattr(finite, "exhausted", False):
            self._exhausted = True
            self._note(self._time.handed_out())
        elif not self._bounded and self._assignment is None and self._clock.now() - self._asked >= _ASKED_AGAIN:
            self._take_split()

    def _ask(self, current: OpenSplit) -> Batch | None:
        given = current.reader.poll()
        current.awaited = None
        if isinstance(given, Batch):
            current.spoke()
            self._note(self._time.spoke(current.split.id))
            self._current = current.split.id
            self._before, self._length = current.rows, given.length
            current.rows += given.length
            return given if given.rows else None
        if isinstance(given, Later):
            current.fell_silent(self._clock.now())
            current.awaited = self._subscribe(given.wake)
        elif isinstance(given, Watermark):
            self._note(self._time.spoke(current.split.id))
            current.spoke()
            self._silence.ends()
            self._note(self._time.advanced(current.split.id, given.time))
        elif isinstance(given, Idle):
            current.silent_since = self._clock.now()
            current.idle = True
            self._note(self._time.silent(current.split.id))
        else:
            self._open.popleft()
            self._block.splits -= 1
            self._finished.append(current.split.id)
            self._note(self._time.finished(current.split.id))
            self._count(current.reader)
            current.reader.close()
        return None

    def _subscribe(self, wake: Wake) -> Wake:
        if isinstance(wake, After):
            wake = self._timers.after(wake)
        wake.subscribe(self._timers.wake)
        return wake

    def _take_split(self) -> bool:
        """Asks for one more split; whether there was one."""
        if self._exhausted or (self._bounded and len(self._open) >= _BOUNDED_READERS):
            return False
        if self._assignment is not None and not self._assignment.ready:
            return False
        self._assignment = None
        self._asked = self._clock.now()
        given = self._assigner.next(self._task_index)
        self._count(self._assigner)
        if given is None:
            self._exhausted = True
            self._note(self._time.handed_out())
        elif isinstance(given, Later):
            # A task that is idle must not be ahead of the first rows of another one.
            if self._open or not self._silence.told:
                self._note(self._time.handed_out())
            self._assignment = self._subscribe(given.wake)
        else:
            self._time.opened(given.id)
            if self._silence.told and not self._open:
                self._pending.append(Watermark(self._time.watermark))  # that it counts again
                self._silence.ends()
            self._open.appendleft(OpenSplit(given, self._open_reader(given)))
            self._block.splits += 1
            return True
        return False

    def _note(self, watermark: Watermark | None) -> None:
        if watermark is not None:
            self._block.watermark = watermark.time
            self._pending.append(watermark)

    def _tell_silence(self) -> Taken | None:
        """What follows from silence so far."""
        if self._silence.judge(self._open, self._note):
            self._pending.append(Idle())
        self.deadline = self._silence.deadline
        return self._pending.popleft() if self._pending else None

    def close(self) -> None:
        """Closes all readers."""
        self._exhausted = True
        self._block.split_time = self._block.waits = None
        self._time.close()
        while self._open:
            reader = self._open.popleft().reader
            self._count(reader)
            reader.close()

    def _count(self, of: object) -> None:
        take_counts = getattr(of, "take_counts", None)  # isinstance of a protocol takes longer than the call
        if take_counts is not None:
            named = self._block.named
            for name, count in take_counts().items():
                named[name] += count
