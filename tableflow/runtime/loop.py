"""Loops: the gate of a head task, which takes the initial rows and then what the tail feeds back, round by round.

::

    initial --all initial inputs ended--> emits Superstep(0) --> round 0
    round n --Superstep(n) on every feedback channel--> reported --all heads have reported-->
        some head got rows: emits Superstep(n + 1) --> round n + 1
        none did:           ended

The feedback channels are outside the credits (the tail must never wait for the head, which waits for the tail); what
they hold is a reservation that can be refused.  Supersteps stay inside the loop.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from tableflow.columnar.batch import Batch
from tableflow.runtime.alignment import PortEnded
from tableflow.runtime.channel import Channel
from tableflow.runtime.events import EndOfInput, Superstep
from tableflow.runtime.gate import Gate, Taken
from tableflow.runtime.timers import TaskTimers
from tableflow.runtime.wake import Signal


class LoopControl:
    """What all heads of one loop decide together: whether there is another round."""

    def __init__(self, heads: int) -> None:
        self._heads = heads
        self._lock = threading.Lock()
        self._reported = 0
        self._rows = 0
        self._decided = Signal()
        self._goes_on = False

    def report(self, rows: int) -> Signal:
        """One head's rows of this round; the signal is set when :meth:`goes_on` is decided."""
        with self._lock:
            decided = self._decided
            self._reported += 1
            self._rows += rows
            last = self._reported == self._heads
            if last:
                self._goes_on = self._rows > 0
                self._reported = self._rows = 0
                self._decided = Signal()
        if last:
            decided.set()
        return decided

    def leave(self) -> None:
        """One head ends for good; the others go on without it."""
        with self._lock:
            self._heads -= 1
            last = 0 < self._heads == self._reported
            if last:
                self._goes_on = self._rows > 0
                self._reported = self._rows = 0
            decided = self._decided
            if last:
                self._decided = Signal()
        if last:
            decided.set()

    @property
    def goes_on(self) -> bool:
        """The last decision; stable until every head has reported the next round."""
        return self._goes_on


class LoopGate:
    """See the module.  Initial rows keep their port, rows fed back come on theirs."""

    def __init__(
        self, initial: Gate, feedback: Sequence[Channel], ports: Sequence[int], control: LoopControl, timers: TaskTimers
    ) -> None:
        self.port = 0
        self.deadline: int | None = None
        self._initial: Gate | None = initial
        self._first = initial
        self._feedback = list(feedback)
        self._ports = list(ports)
        self._control = control
        self._timers = timers
        self._arrived = [False] * len(self._feedback)
        self._rows = 0
        self._takes_part = True
        self._round = 0
        self._decided: Signal | None = None
        self._ending = sorted({*initial.alignment.ports, *ports})

    def next(self, preferred: int | None) -> Taken | None:
        """The next batch of this round, the end of the round, or the end."""
        if self._initial is not None:
            taken = self._initial.next(preferred)
            if not isinstance(taken, PortEnded):
                self.port = self._initial.port
                return taken
            if not taken.last:
                return self.next(preferred)
            self._initial = None
            return Superstep(0)
        if self._decided is not None:
            return self._next_round()
        for index, channel in enumerate(self._feedback):
            while channel.ready and not self._arrived[index]:
                event, _ = channel.next()
                if isinstance(event, Batch):
                    self.port = self._ports[index]
                    self._rows += event.rows
                    return event
                # The tail ends only by itself if nobody wants its rows any more.
                self._arrived[index] = isinstance(event, (Superstep, EndOfInput))
        if all(self._arrived):
            self._decided = self._control.report(self._rows)
            self._decided.subscribe(self._timers.wake)
            return self._next_round()
        return None

    def _next_round(self) -> Taken | None:
        """The next superstep, or the ends of all ports one by one; None until the heads have decided."""
        assert self._decided is not None
        if not self._decided.ready:
            return None
        if self._control.goes_on:
            self._decided = None
            self._rows = 0
            self._round += 1
            self._arrived = [False] * len(self._feedback)
            return Superstep(self._round)
        port = self._ending.pop(0)
        return PortEnded(port, last=not self._ending)

    def close(self) -> None:
        """Closes all channels."""
        if self._takes_part:
            self._takes_part = False
            self._control.leave()
        self._first.close()
        for channel in self._feedback:
            channel.close()
