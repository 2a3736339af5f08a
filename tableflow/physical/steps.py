"""Computations in steps inside an emission: at every pause the task looks at cancellation and its budget."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from tableflow.runtime.operator import Suspend
from tableflow.runtime.wake import READY

T = TypeVar("T")
_PAUSE = Suspend(READY)


def pausing(steps: Generator[None, None, T]) -> Generator[Suspend, None, T]:
    """The result of the steps, with a suspension for each pause; used with ``yield from``."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        yield _PAUSE
