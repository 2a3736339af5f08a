"""One parallel instance of a stage: takes input, runs the chain, never blocks.

Invariants: while an emission is unfinished no input is taken; operators and inputs are closed exactly once, however the
task ends.  Its turns are in :mod:`tableflow.runtime.turns`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter_ns
from typing import Protocol

from tableflow.columnar.batch import Batch
from tableflow.errors import InternalError, MemoryLimitError, RowError, TableFlowError
from tableflow.runtime.chain import Chain, Progress
from tableflow.runtime.checkpoint import TaskId, TaskSnapshot
from tableflow.runtime.context import Context
from tableflow.runtime.counters import TaskBlock
from tableflow.runtime.events import Epoch, Watermark
from tableflow.runtime.gate import TaskInput
from tableflow.runtime.looks import elapsed
from tableflow.runtime.operator import Wake
from tableflow.runtime.published import PublishedBuild
from tableflow.runtime.scheduler import Scheduler
from tableflow.runtime.split_input import SplitInput
from tableflow.runtime.timers import TaskTimers
from tableflow.runtime.turns import Outcome, Turns
from tableflow.runtime.wake import After


class Supervisor(Protocol):
    """What a task needs of its job."""

    stopping: bool
    """Whether every task is to close now."""

    def failed(self, error: TableFlowError) -> None:
        """A task failed; the first error wins and stops the job."""
        ...

    def acknowledged(self, checkpoint: int, snapshot: TaskSnapshot) -> None:
        """A task has passed a checkpoint on and saved its state."""
        ...

    def ended(self, task: Task) -> None:
        """A task has closed everything."""
        ...


class Task:
    """See the module."""

    def __init__(
        self,
        id: TaskId,
        chain: Chain,
        input: TaskInput,
        contexts: Sequence[Context],
        block: TaskBlock,
        scheduler: Scheduler,
        job: Supervisor,
        timers: TaskTimers,
        *,
        reads: Sequence[PublishedBuild] = (),
        restored: TaskSnapshot | None = None,
        publishes: bool = False,
        keeps_snapshots: bool = False,
    ) -> None:
        self.id = id
        self.block = block
        self._timers = timers
        timers.wake = self.wake
        self._chain = chain
        self._looks = chain.looks
        self._input = input
        self._splits = input if isinstance(input, SplitInput) else None
        self._contexts = list(contexts)
        self._scheduler = scheduler
        self._job = job
        self._reads = list(reads)
        self._restored = restored
        self._publishes = publishes
        self._opened = False
        self.begun = False
        """Whether it has had a turn: its operators and their writers are open, unless it waits for what it reads."""
        self._turns = Turns()
        self._since = perf_counter_ns()
        self._progress = Progress.FREE
        self._awaited: Wake | None = None
        self._closing: Iterator[tuple[int, Callable[[], None]]] | None = None
        self._keeps_snapshots = keeps_snapshots
        self.final: TaskSnapshot | None = None
        """The state at the end of all input, which every later checkpoint takes."""
        if keeps_snapshots:
            chain.on_snapshot = self._acknowledge

    def report_epochs(self, arrived: Callable[[int, TaskId], None]) -> None:
        """Tells of every epoch that has passed this task; before it runs."""
        self._chain.on_epoch = lambda epoch: arrived(epoch.number, self.id)

    def wake(self) -> None:
        """Something has happened that the task may wait for; from any thread."""
        if self._turns.wake():
            self._scheduler.submit(self)

    def run(self) -> None:
        """One turn on a worker thread."""
        self._turns.begin()
        began = perf_counter_ns()
        self._looks.begin(began)
        block = self.block
        if self._progress is Progress.FULL:
            block.backpressured += began - self._since
        else:
            block.waiting += began - self._since
        outcome = Outcome.MORE
        try:
            outcome = self._guarded_step()
        finally:  # an interrupt leaves the task runnable, so that it can still be closed
            self._since = elapsed(self._looks, self._chain.running)
            block.busy += self._since - began
            block.steps += 1
            self.begun = True
            if self._turns.settle(outcome):
                self._scheduler.submit(self)
        if outcome is Outcome.ENDED:
            self._job.ended(self)

    def _guarded_step(self) -> Outcome:
        try:
            if not self._job.stopping:
                outcome = self._step()
                if outcome is not Outcome.ENDED:
                    return outcome
        except Exception as error:  # noqa: BLE001 - whatever it is ends the job, with the operator's name on it
            self._job.failed(self._named(error))
        self._close()
        return Outcome.ENDED

    def _step(self) -> Outcome:
        """Makes progress until there is no input, no room, or no budget."""
        if not self._opened and not self._open():
            return Outcome.WAIT
        chain, job, timers, looks = self._chain, self._job, self._timers, self._looks
        budget = self._scheduler.budget()
        source = self.block.source
        fed = 0
        while True:
            self._progress = chain.pull(budget, job)
            if chain.ended:
                self._keep_final_state()
                return Outcome.ENDED
            if self._progress is not Progress.FREE:
                break
            if chain.outputs.closed and not self._publishes:
                return Outcome.ENDED
            spent = fed >= budget.pulls or elapsed(looks, chain.running) >= budget.deadline
            if spent or job.stopping:
                self._progress = Progress.SPENT
                break
            if timers.pending and timers.deliver(chain):
                continue
            chain.current = -1
            taken = self._input.next(chain.operators[0].preferred_port() if chain.has_preference else None)
            if taken is None:
                break
            elapsed(looks, source)
            if job.stopping:
                self._progress = Progress.SPENT
                break
            fed += 1
            if taken.__class__ is Batch:
                chain.feed(taken, self._input.port)
            elif taken.__class__ is Watermark and self._splits is not None:
                chain.source_time(taken)
            else:
                chain.control(taken)  # type: ignore[arg-type]
        return self._rest()

    def inject(self, epoch: Epoch) -> bool:
        """Sends an epoch from here if this is a task of a source; from any thread."""
        if self._splits is None:
            return False
        self._splits.inject(epoch)
        self.wake()
        return True

    def ask(self, tell: Callable[[TaskId], None]) -> bool:
        """Has it told when all that this task of a source has to read now has been given; whether it is one.  From any thread."""
        if self._splits is None:
            return False
        self._splits.backlogs.ask(lambda: tell(self.id))
        self.wake()
        return True

    def _acknowledge(self, epoch: Epoch, states: tuple[bytes, ...]) -> None:
        source = None if self._splits is None else self._splits.noted
        if epoch.checkpoint is not None:
            self._job.acknowledged(epoch.checkpoint, TaskSnapshot(self.id, states, source))

    def _keep_final_state(self) -> None:
        if self._restored is not None and self._restored.finished:
            self.final = self._restored
        elif self._keeps_snapshots:
            states = tuple(operator.snapshot() for operator in self._chain.operators)
            source = None if self._splits is None else self._splits.state()
            self.final = TaskSnapshot(self.id, states, source, finished=True)

    def _rest(self) -> Outcome:
        """What the end of a step means for the scheduler."""
        outputs, timers = self._chain.outputs, self._timers
        outputs.tend(self._scheduler.now())
        if not self._chain.input_wanted:
            self._input.close()
        if self._progress is Progress.SPENT:
            return Outcome.MORE
        timers.arm(_earlier(outputs.deadline, self._input.deadline))
        if self._progress is Progress.SUSPENDED:
            self._wait_for(self._chain.suspended)
        return Outcome.WAIT

    def _wait_for(self, wake: Wake | None) -> None:
        """Subscribes to what the chain is suspended on, once."""
        if wake is None or wake is self._awaited:
            return
        if isinstance(wake, After):
            wake = self._timers.after(wake)
            self._chain.suspended = wake
        self._awaited = wake
        wake.subscribe(self.wake)

    def _open(self) -> bool:
        """Opens the operators once everything they read is sealed; whether that is so."""
        for build in self._reads:
            if not build.sealed.ready:
                self._wait_for(build.sealed)
                return False
        self._opened = True
        chain, restored = self._chain, self._restored
        if restored is not None and restored.finished:
            chain.skip_to_end()
            return True
        for position, (operator, context) in enumerate(zip(chain.operators, self._contexts, strict=True)):
            chain.current = position
            operator.open(context)
            if restored is not None:
                operator.restore([restored.states[position]])
        return True

    def abandon(self) -> None:
        """Closes the task although its turn was interrupted; only when no thread runs it or ever will."""
        self._close()
        self._turns.settle(Outcome.ENDED)

    def _close(self) -> None:
        """Gives everything back, whatever state it is in; an error in it is reported like any other."""
        chain = self._chain
        self._looks.closing()
        if self._closing is None:
            steps: list[Callable[[], None]] = [
                self._timers.close,
                chain.outputs.close,
                chain.discard,
                self._input.close,
            ]
            steps += [operator.close for operator in chain.operators]
            steps += [context.release for context in self._contexts]
            steps += [build.reader_closed for build in self._reads]
            # Kept, so that a close that is interrupted and resumed does nothing twice.
            self._closing = iter(enumerate(steps, -4))
        for position, step in self._closing:
            try:
                chain.current = min(position, len(chain.operators) - 1)
                step()
            except Exception as error:  # noqa: BLE001 - the rest must still be closed
                self._job.failed(self._named(error))
        chain.forget()
        self._looks.closed()

    def _named(self, error: Exception) -> TableFlowError:
        """The error as the user sees it."""
        if isinstance(error, RowError) and error.row is not None and self._splits is not None:
            place = self._splits.place_of(error.row, error.rows)
            error.detail = "; ".join(part for part in (place, error.detail) if part) or None
        if isinstance(error, TableFlowError):
            return error
        position = self._chain.current
        where = (
            f"operator {self.block.operators[position].name!r}" if position >= 0 else f"the input of stage {self.id[0]}"
        )
        wrapped: TableFlowError
        if isinstance(error, MemoryError):
            hint = "lower memory.limit, so that the query is refused before the machine is exhausted"
            wrapped = MemoryLimitError(f"{where} got no memory from the system", detail=str(error) or None, hint=hint)
        else:
            wrapped = InternalError(f"{where} failed", detail=f"{type(error).__name__}: {error}")
        wrapped.__cause__ = error
        return wrapped


def _earlier(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
