"""Published builds: a result that a bounded stage shares with readers instead of sending rows.

Every task of the stage contributes a private partial.  When the last has come, a :class:`Sealer` cuts the work into
parts; each part is sealed by exactly one task, in parallel; the last part done finishes the handle.  Nothing is
ever written by two tasks, and readers get the handle read-only.

::

    open --contribute(last)--> sealing --seal(last part)--> sealed --release(last reader)--> freed
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from tableflow.runtime.operator import Reservation, Suspend, Wake

Partial_contra = TypeVar("Partial_contra", contravariant=True)
Partial = TypeVar("Partial")
Handle_co = TypeVar("Handle_co", covariant=True)
Handle = TypeVar("Handle")


class Sealer(Protocol[Partial_contra, Handle_co]):
    """How partials become the handle; the operator's file provides it."""

    def plan(self, partials: Sequence[Partial_contra]) -> int:
        """Called once with all partials, in task order; returns into how many parts sealing is cut (>= 0)."""
        ...

    def seal(self, part: int) -> Iterator[None] | None:
        """Does one part; called once per part, by any task, concurrently with other parts.

        What may take long is done in steps: the iterator that it returns is then driven to its end.
        """
        ...

    def finish(self) -> Handle_co:
        """Called once after all parts; returns what readers see."""
        ...


class Publication(Protocol[Partial, Handle]):
    """One published build, seen by the tasks that make it and the tasks that read it."""

    def contribute(self, task_index: int, partial: Partial, sealer: Sealer[Partial, Handle]) -> Iterator[Suspend]:
        """Hands in this task's partial, helps to seal, and returns when the handle is there.

        Used as ``yield from context.publication(key).contribute(...)`` in an emission; ``sealer`` of the last contributor
        is the one that is used.
        """
        ...

    def adopt(self, reservation: Reservation) -> None:
        """Takes over the memory that the handle lives in: released when the publication is freed, not with the task.

        The operator that reserved it must not resize or release it any more.
        """
        ...

    @property
    def sealed(self) -> Wake:
        """Ready once the handle is there."""
        ...

    def handle(self) -> Handle:
        """The sealed result; :class:`~tableflow.errors.InternalError` before that."""
        ...
