"""Long computations in steps: generators that pause when some milliseconds have passed, and give their result at the end.

Between pauses the caller looks at whatever may stop it; who has nothing to look at runs them in one go.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


def finish(steps: Generator[None, None, T]) -> T:
    """The result, without pauses."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
