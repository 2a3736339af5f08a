"""What travels on a channel: batches and control events, in one order that is never changed."""

from __future__ import annotations

from typing import TypeAlias

from tableflow.columnar.batch import Batch
from tableflow.records import dataclass

START_OF_TIME = -(2**63)
"""The watermark before anything is known: no row is late."""

END_OF_TIME = 2**63 - 1
"""The watermark after the last row of an input that ends."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """The claim that later rows on this channel have event time >= ``time`` (microseconds)."""

    time: int

    def rounded_down(self, unit: int) -> Watermark:
        """To a multiple of so many microseconds; where time begins and ends stays."""
        beyond = self.time % unit
        if not beyond or self.time in {START_OF_TIME, END_OF_TIME}:
            return self
        return Watermark(max(self.time - beyond, START_OF_TIME))


@dataclass(frozen=True, slots=True)
class Idle:
    """The input has nothing to give for now; it does not hold time back until its next row or watermark."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A numbered cut through all inputs; with ``checkpoint`` it is also a snapshot barrier.

    ``time``: when it was made (microseconds since 1970), which is when the epoch that follows it began.
    """

    number: int
    checkpoint: int | None = None
    time: int = START_OF_TIME


@dataclass(frozen=True, slots=True)
class Superstep:
    """The end of one round of a loop."""

    number: int


@dataclass(frozen=True, slots=True)
class EndOfInput:
    """Nothing follows: ``Watermark(END_OF_TIME)`` and every later epoch at once."""


Control: TypeAlias = Watermark | Idle | Epoch | Superstep | EndOfInput
Event: TypeAlias = Batch | Control
