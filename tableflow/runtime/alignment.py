"""How the control events of several channels become one sequence for the task.

Pure bookkeeping: no queue, no thread, no clock.  The task's gate tells it what came on which channel and asks which
channels are held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from tableflow.errors import InternalError
from tableflow.records import dataclass
from tableflow.runtime.events import (
    END_OF_TIME,
    START_OF_TIME,
    Control,
    EndOfInput,
    Epoch,
    Idle,
    Superstep,
    Watermark,
)


@dataclass(frozen=True, slots=True)
class PortEnded:
    """All channels of ``port`` have ended; ``last``: it was the last port."""

    port: int
    last: bool


Aligned: TypeAlias = Watermark | Idle | Epoch | Superstep | PortEnded


class Alignment:
    """What a task knows of its input channels.

    One channel::

                 row, watermark                    Epoch n, Superstep n
        idle ----------------------> active ------------------------------> held
             <----------------------        <------------------------------
                      Idle                   every channel held or ended: n goes on
                                    active --EndOfInput--> ended (final)

    The task's watermark is the minimum over the channels that are neither idle nor ended; it never turns back.
    When all that have not ended are idle, time stays where it is and the task is idle itself.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        """``ports`` gives the port of each channel."""
        self.ports = tuple(ports)
        self.watermark = START_OF_TIME
        self.watermarks = [START_OF_TIME] * len(self.ports)
        self.held = [False] * len(self.ports)
        self.ended = [False] * len(self.ports)
        self.idle = [False] * len(self.ports)
        self._barrier: Epoch | Superstep | None = None
        self._open = {port: self.ports.count(port) for port in sorted(set(self.ports))}
        self._all_idle = False
        self.any_idle = False

    @property
    def finished(self) -> bool:
        """Whether every channel has ended."""
        return not any(self._open.values())

    def row(self, channel: int) -> tuple[Aligned, ...]:
        """A batch has come; it ends the channel's idleness.  Needed only while ``any_idle``."""
        if not self.idle[channel]:
            return ()
        self.idle[channel] = False
        return self._time()

    def control(self, channel: int, event: Control) -> tuple[Aligned, ...]:
        """A control event has come; what the task has to do now, in order."""
        if self.ended[channel]:
            raise InternalError("an event came after the end of its input", detail=repr(event))
        match event:
            case Watermark(time=time):
                self.idle[channel] = False
                self.watermarks[channel] = max(self.watermarks[channel], time)
                return self._time()
            case Idle():
                self.idle[channel] = True
                return self._time()
            case Epoch() | Superstep():
                return self._hold(channel, event)
            case EndOfInput():
                return self._end(channel)

    def _time(self) -> tuple[Aligned, ...]:
        """The watermark and idleness after a change, if the task must tell."""
        active = [i for i in range(len(self.ports)) if not self.ended[i] and not self.idle[i]]
        self.any_idle = any(self.idle)
        if not active:
            if all(self.ended) or self._all_idle:
                return ()
            self._all_idle = True
            return (Idle(),)
        time = min(self.watermarks[i] for i in active)
        if time > self.watermark:
            self.watermark = time
            self._all_idle = False
            return (Watermark(time),)
        if self._all_idle:
            # Whoever ignored us must wait for us again, although time has not moved.
            self._all_idle = False
            return (Watermark(self.watermark),)
        return ()

    def _hold(self, channel: int, event: Epoch | Superstep) -> tuple[Aligned, ...]:
        if self._barrier is not None and self._barrier != event:
            raise InternalError("two inputs disagree about the next barrier", detail=f"{self._barrier} and {event}")
        self._barrier = event
        self.held[channel] = True
        return self._pass_barrier()

    def _pass_barrier(self) -> tuple[Aligned, ...]:
        if self._barrier is None or not all(held or ended for held, ended in zip(self.held, self.ended, strict=True)):
            return ()
        event, self._barrier = self._barrier, None
        self.held = [False] * len(self.held)
        return (event,)

    def _end(self, channel: int) -> tuple[Aligned, ...]:
        self.ended[channel] = True
        self.idle[channel] = False
        self.watermarks[channel] = END_OF_TIME
        port = self.ports[channel]
        self._open[port] -= 1
        ended = () if self._open[port] else (PortEnded(port, last=self.finished),)
        # A barrier that waited for this channel alone goes last: an end is before all barriers that are yet to come.
        return (*self._time(), *ended, *self._pass_barrier())
