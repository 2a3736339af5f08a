"""Which build rows have found a partner, over all probing tasks.

Every task keeps marks of its own.  Over a published table they are contributed to a second publication, whose sealer
combines them; then each task gives back its range of the build rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tableflow.runtime.operator import OperatorContext, Reservation, Suspend
from tableflow.runtime.publication import Publication

Marks = npt.NDArray[np.uint8]
_BYTES = 6
"""For each build row: a mark here, one in what tasks combine, and the way on from a marked row in a probe."""


def marks_publication(publication: str) -> str:
    """The key under which the marks for a published build are combined."""
    return f"{publication}.marks"


class MarksSealer:
    """A row is marked if any task marked it."""

    def __init__(self) -> None:
        self._marks: Marks = np.zeros(0, np.uint8)

    def plan(self, partials: Sequence[Marks]) -> int:
        """No parts: combining is a byte per row and task."""
        self._marks = partials[0].copy()
        for other in partials[1:]:
            np.bitwise_or(self._marks, other, out=self._marks)
        return 0

    def seal(self, part: int) -> None:
        """Never called, for want of parts."""

    def finish(self) -> Marks:
        """The combined marks."""
        return self._marks


class BuildMarks:
    """One task's marks for ``rows`` build rows."""

    def __init__(self, rows: int, reservation: Reservation) -> None:
        reservation.resize(_BYTES * rows)
        self._marks: Marks = np.zeros(rows, np.uint8)

    @property
    def found(self) -> Marks:
        """Of each build row whether this task has found a partner."""
        return self._marks

    def add(self, rows: npt.NDArray[np.uint32]) -> None:
        """These rows have a partner."""
        self._marks[rows] = 1

    def combined(self, context: OperatorContext, publication: str) -> Iterator[Suspend]:
        """Waits until the marks are those of all tasks (of a published build)."""
        shared: Publication[Marks, Marks] = context.publication(marks_publication(publication))
        yield from shared.contribute(context.task_index, self._marks, MarksSealer())
        self._marks = shared.handle()

    def rows(self, context: OperatorContext, *, marked: bool, shared: bool) -> npt.NDArray[np.int64]:
        """The build rows that are (not) marked: this task's share of them if the build is shared."""
        first, last = 0, len(self._marks)
        if shared:
            first, last = (last * (context.task_index + i) // context.parallelism for i in (0, 1))
        return np.flatnonzero(self._marks[first:last] == marked) + first
