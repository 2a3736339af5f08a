"""The operators of one task, one behind the other, and the emissions that are not finished yet.

Invariants: events reach each operator in the order they came in; what an operator emits for a control event comes
before the event; while an emission is unfinished nothing new is fed.  The unfinished work is a stack: the deepest
operator's emission is on top and is pulled first, so at most one batch per operator is in flight.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter_ns
from typing import Any, Protocol, TypeAlias

from tableflow.columnar.batch import Batch
from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.alignment import Aligned, PortEnded
from tableflow.runtime.counters import OperatorBlock
from tableflow.runtime.events import END_OF_TIME, START_OF_TIME, EndOfInput, Epoch, Idle, Superstep, Watermark
from tableflow.runtime.exchange import Outputs
from tableflow.runtime.looks import LONG, Looks
from tableflow.runtime.operator import Emission, Operator, Suspend, Wake


class Stoppable(Protocol):
    """Whoever may want the chain to stop."""

    stopping: bool


class Progress(enum.Enum):
    """Where pulling stopped."""

    FREE = enum.auto()  # nothing unfinished: more can be fed
    FULL = enum.auto()  # an output has no room
    SUSPENDED = enum.auto()  # an operator waits
    SPENT = enum.auto()  # the budget of this step is used up


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a step may do: until ``deadline`` (perf_counter nanoseconds) and at most ``pulls`` pulls."""

    deadline: int
    pulls: int


@dataclass(frozen=True, slots=True)
class _EndOfPort:
    """``on_end(port)`` of one operator, once what was emitted before is finished."""

    port: int


@dataclass(frozen=True, slots=True)
class _Freeze:
    """The moment between an operator's last emission of an epoch and the epoch itself."""


_Step: TypeAlias = Watermark | Idle | Epoch | Superstep | EndOfInput | _EndOfPort | _Freeze
Snapshots: TypeAlias = Callable[[Epoch, tuple[bytes, ...]], None]
Judge: TypeAlias = Callable[[int], Watermark | None]
_EXHAUSTED: Any = object()


class Chain:
    """See the module; ``current`` is the operator that runs, for error messages."""

    def __init__(
        self,
        operators: Sequence[Operator],
        blocks: Sequence[OperatorBlock],
        outputs: Outputs,
        ports: int,
        judge_time: Judge | None = None,
        looks: Looks | None = None,
    ) -> None:
        """``judge_time`` makes task time of generated watermarks; without it the later one counts."""
        self.looks = looks or Looks()
        self.operators = list(operators)
        self.outputs = outputs
        self._length = len(operators)
        self.current = 0
        self.ended = False
        self.input_wanted = True
        self.suspended: Wake | None = None
        self._blocks = list(blocks)
        self.on_snapshot: Snapshots | None = None
        """Gets the states of all operators when they have passed a checkpoint on."""
        self.on_epoch: Callable[[Epoch], None] | None = None
        """Is told of every epoch that has passed all operators."""
        self._frozen: list[bytes] = []
        self._judge_time = judge_time
        self._generated = START_OF_TIME
        self._times = [START_OF_TIME] * len(self.operators)
        self._sent = START_OF_TIME
        self._idle = False
        # (operator, emission to pull) or (operator, None, event to hand to it); len(operators) means the outputs.
        self._stack: list[tuple[int, Emission | None, _Step | None]] = []
        self._open_ports = list(range(ports))
        self._ending = -1
        self._may_finish = [type(operator).finished is not Operator.finished for operator in operators]
        self._contributes = [operator.contributes for operator in operators]
        self._makes_time = [operator.generates_watermarks for operator in operators]
        self._units = [operator.time_unit for operator in operators]
        self._delays_time = [operator.delays_watermarks for operator in operators]
        self.has_preference = bool(operators) and (type(operators[0]).preferred_port is not Operator.preferred_port)

    @property
    def running(self) -> OperatorBlock | None:
        """The counters of the operator that runs, or ran last."""
        return self._blocks[self.current] if 0 <= self.current < self._length else None

    def feed(self, batch: Batch, port: int) -> None:
        """One batch for the first operator; only when pulling said FREE."""
        if self._idle:
            # Whoever ignores us must wait for us again, even if no row of this batch comes through.
            self._idle = False
            self.outputs.control(Watermark(self._sent))
        self._arrive(batch, batch.rows, 0, port)

    def control(self, event: Aligned) -> None:
        """One aligned control event for the first operator; only when pulling said FREE."""
        if isinstance(event, PortEnded):
            if event.last:
                self.end()
            else:
                self._open_ports.remove(event.port)
                self._stack.append((0, None, _EndOfPort(event.port)))
        else:
            self._stack.append((0, None, event))

    def source_time(self, watermark: Watermark) -> None:
        """Time has advanced because a split ended, fell silent or knows it: for those behind the generator of watermarks."""
        behind = len(self._makes_time) - self._makes_time[::-1].index(True) if True in self._makes_time else 0
        self._stack.append((behind, None, watermark))

    def end(self) -> None:
        """All inputs have ended."""
        self._stack.append((0, None, EndOfInput()))

    def skip_to_end(self) -> None:
        """Everything was given before, in an earlier life: only the end goes out."""
        self._stack.append((len(self.operators), None, EndOfInput()))

    def timer(self, position: int, time: int) -> None:
        """A timer of the operator at ``position`` has come; only when pulling said FREE."""
        self.current = position
        self._started(position, self.operators[position].on_timer(time))

    def ready(self, position: int) -> None:
        """What the operator at ``position`` waits for has come; only when pulling said FREE."""
        self.current = position
        self._started(position, self.operators[position].on_ready())

    def pull(self, budget: Budget, job: Stoppable) -> Progress:
        """Works the stack down until it is empty or something is in the way."""
        stack, outputs, looks = self._stack, self.outputs, self.looks
        pulls = budget.pulls
        if self.suspended is not None:
            if not self.suspended.ready:
                return Progress.SUSPENDED
            self.suspended = None
        while stack:
            if outputs.full:
                return Progress.FULL
            if pulls == 0 or job.stopping:
                return Progress.SPENT
            pulls -= 1
            began = perf_counter_ns()
            if began - looks.at > LONG:
                looks.was_long(began, self.running)
            looks.at = began
            index, emission, event = stack[-1]
            if emission is None:
                stack.pop()
                self._hand(index, event)
                continue
            self.current = index
            item: Any = next(emission, _EXHAUSTED)
            now = perf_counter_ns()
            self._blocks[index].busy += now - began
            if now - began > LONG:
                looks.was_long(now, self._blocks[index])
            looks.at = now
            if job.stopping:
                return Progress.SPENT
            if item is _EXHAUSTED:
                stack.pop()
                self._rested(index)
            elif item.__class__ is Batch:
                self._emitted(item, index)
            elif item.__class__ is Suspend:
                if not item.wake.ready:
                    self.suspended = item.wake
                    return Progress.SUSPENDED
            else:
                self._odd(item, index)
            if now >= budget.deadline:
                return Progress.SPENT if stack else Progress.FREE
        return Progress.FREE

    def _arrive(self, batch: Batch, rows: int, index: int, port: int) -> None:
        """A batch reaches an operator, or the outputs."""
        if index == self._length:
            if rows:
                self.outputs.rows(batch, rows)
            return
        block = self._blocks[index]
        block.rows_in[port] += rows
        block.batches_in[port] += 1
        self.current = index
        block.last = began = perf_counter_ns()
        emission = self.operators[index].process(batch, port)
        block.busy += perf_counter_ns() - began
        self._started(index, emission)

    def _emitted(self, batch: Batch, index: int) -> None:
        rows = batch.rows
        if rows:
            block = self._blocks[index]
            block.rows_out += rows
            block.batches_out += 1
            self._arrive(batch, rows, index + 1, 0)

    def _odd(self, item: Any, index: int) -> None:
        """An item that is neither a batch nor a wait."""
        if isinstance(item, Watermark) and self._makes_time[index]:
            watermark = self._later_only(item.time) if self._judge_time is None else self._judge_time(item.time)
            if watermark is not None:
                self._stack.append((index + 1, None, watermark))
        elif isinstance(item, Watermark) and self._delays_time[index]:
            self._stack.append((index + 1, None, item))
        else:
            raise InternalError("an emission gave something that is no batch", detail=repr(item)[:200])

    def _later_only(self, time: int) -> Watermark | None:
        """Generated time that has advanced."""
        if time <= self._generated:
            return None
        self._generated = time
        return Watermark(time)

    def _started(self, index: int, emission: Emission | None) -> None:
        if emission is not None:
            self._stack.append((index, emission, None))
        else:
            self._rested(index)

    def _rested(self, index: int) -> None:
        """An operator has emitted all it had to say so far."""
        if (
            self._may_finish[index]
            and index > self._ending
            and self.operators[index].finished
            and not any(self._contributes[self._ending + 1 : index])
        ):
            self._finish_early(index)

    def _finish_early(self, index: int) -> None:
        """No input can change what this operator gives: whoever is before it stops, and it comes to its end."""
        self.input_wanted = False
        self.discard()
        self._ending = index - 1
        self._stack.append((index, None, EndOfInput()))

    def _hand(self, index: int, event: _Step | None) -> None:
        """Hands a control event to one operator; it reaches the next one behind what this one emits for it."""
        if index == self._length:
            self._send(event)
            return
        self.current = index
        operator, stack = self.operators[index], self._stack
        began = perf_counter_ns()
        emission: Iterator[Any] | None = None
        match event:
            case Watermark():
                event = event.rounded_down(self._units[index])
                delays = self._delays_time[index]
                if not self._makes_time[index] and not delays:
                    stack.append((index + 1, None, event))
                # One that only ends idleness tells the operator nothing new.
                if event.time > self._times[index] or delays:
                    self._times[index] = event.time
                    emission = operator.on_watermark(event)
            case Idle():
                stack.append((index + 1, None, event))
                emission = operator.on_idle()
            case Epoch():
                stack.append((index + 1, None, event))
                if event.checkpoint is not None and self.on_snapshot is not None:
                    stack.append((index, None, _Freeze()))
                emission = operator.on_epoch(event)
            case Superstep():
                stack.append((index + 1, None, event))
                emission = operator.on_superstep(event)
            case EndOfInput():
                self._ending = index
                ports = self._open_ports if index == 0 else [0]
                stack.append((index + 1, None, event))
                stack.extend((index, None, _EndOfPort(port)) for port in reversed(ports))
                emission = operator.on_watermark(Watermark(END_OF_TIME))
            case _EndOfPort(port=port):
                emission = operator.on_end(port)
            case _Freeze():
                self._frozen.append(operator.snapshot())
        self._blocks[index].busy += perf_counter_ns() - began
        self._started(index, emission)

    def _send(self, event: Any) -> None:
        """A control event has passed all operators."""
        self.outputs.control(event)
        match event:
            case Watermark(time=time):
                self._sent = time
                self._idle = False
            case Idle():
                self._idle = True
            case EndOfInput():
                self.ended = True
            case Epoch(checkpoint=checkpoint):
                if checkpoint is not None and self.on_snapshot is not None:
                    states, self._frozen = tuple(self._frozen), []
                    self.on_snapshot(event, states)
                if self.on_epoch is not None:
                    self.on_epoch(event)

    def forget(self) -> None:
        """Lets go of the operators, with their tables and buffers, and of those who are told: a job is looked at long after its end."""
        self.operators.clear()
        self.on_snapshot = self.on_epoch = None

    def discard(self) -> None:
        """Drops all unfinished emissions, the deepest first, closing those that can be closed."""
        self.suspended = None
        while self._stack:
            index, emission, _ = self._stack.pop()
            close = getattr(emission, "close", None)
            if close is not None:
                self.current = index
                close()
