"""Checkpoints: what a task saves, and the decisions of whoever collects it.

A decision is a pure function from facts to a named outcome; late, repeated and unknown messages are outcomes, not
exceptions.  :class:`Checkpoints` only keeps the facts.

::

    begin --every task acknowledged--> complete (older pending ones are dropped)
      |
      +--not now--> declined, with the reason
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tableflow.records import dataclass, replace
from tableflow.runtime.source import Later, Split, SplitAssigner

TaskId: TypeAlias = tuple[int, int]
"""(stage, task index)."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """How far the splits of a source task were read; ``open`` ones carry their offset."""

    finished: tuple[str, ...] = ()
    open: tuple[Split, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskSnapshot:
    """One task's state at a barrier: one entry per operator, and its splits if it has a source.

    ``finished``: the task had ended before; all its output is in the state of others, and restored it only ends.
    """

    task: TaskId
    states: tuple[bytes, ...]
    source: SourceState | None = None
    finished: bool = False


class Beginning(enum.Enum):
    """Whether a checkpoint may begin."""

    BEGUN = "begun"
    ENDED = "declined: the job is ending"
    UNSEALED = "declined: a published build is not sealed yet"
    OLD = "declined: a checkpoint with this or a later number has begun"


class Acknowledgement(enum.Enum):
    """What a task's message means."""

    PENDING = "others are still to come"
    COMPLETE = "it was the last one"
    DUPLICATE = "the task has said so before"
    LATE = "a later checkpoint is complete"
    UNKNOWN_TASK = "no such task"
    UNKNOWN_CHECKPOINT = "no such checkpoint has begun"


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decisions depend on; ``pending`` maps a checkpoint to the tasks that acknowledged it."""

    tasks: frozenset[TaskId]
    pending: Mapping[int, frozenset[TaskId]]
    newest: int = -1
    complete: int = -1


def may_begin(facts: Facts, checkpoint: int, *, ending: bool, unsealed: Sequence[str]) -> Beginning:
    """Whether ``checkpoint`` may begin while the job is ``ending`` or builds are ``unsealed``."""
    if ending:
        return Beginning.ENDED
    if checkpoint <= facts.newest:
        return Beginning.OLD
    return Beginning.UNSEALED if unsealed else Beginning.BEGUN


def judge(facts: Facts, checkpoint: int, task: TaskId) -> Acknowledgement:
    """What it means that ``task`` acknowledges ``checkpoint``."""
    if task not in facts.tasks:
        return Acknowledgement.UNKNOWN_TASK
    if checkpoint <= facts.complete:
        return Acknowledgement.LATE
    if checkpoint not in facts.pending:
        return Acknowledgement.UNKNOWN_CHECKPOINT
    if task in facts.pending[checkpoint]:
        return Acknowledgement.DUPLICATE
    if facts.pending[checkpoint] | {task} == facts.tasks:
        return Acknowledgement.COMPLETE
    return Acknowledgement.PENDING


class Checkpoints:
    """The facts, and the snapshots of what is pending."""

    def __init__(self, tasks: Sequence[TaskId]) -> None:
        self.facts = Facts(frozenset(tasks), {})
        self._snapshots: dict[int, dict[TaskId, TaskSnapshot]] = {}

    def begin(self, checkpoint: int, *, ending: bool, unsealed: Sequence[str]) -> Beginning:
        """Begins a checkpoint if it may."""
        decision = may_begin(self.facts, checkpoint, ending=ending, unsealed=unsealed)
        if decision is Beginning.BEGUN:
            pending = {**self.facts.pending, checkpoint: frozenset[TaskId]()}
            self.facts = replace(self.facts, pending=pending, newest=checkpoint)
            self._snapshots[checkpoint] = {}
        return decision

    def awaiting(self, task: TaskId) -> list[int]:
        """Pending checkpoints that this task has not acknowledged, the oldest first."""
        return [checkpoint for checkpoint, tasks in self.facts.pending.items() if task not in tasks]

    def acknowledge(self, checkpoint: int, snapshot: TaskSnapshot) -> tuple[Acknowledgement, tuple[TaskSnapshot, ...]]:
        """Takes a task's snapshot; with COMPLETE come the snapshots of all tasks, by stage and index."""
        outcome = judge(self.facts, checkpoint, snapshot.task)
        if outcome not in (Acknowledgement.PENDING, Acknowledgement.COMPLETE):
            return outcome, ()
        self._snapshots[checkpoint][snapshot.task] = snapshot
        acknowledged = self.facts.pending[checkpoint] | {snapshot.task}
        if outcome is Acknowledgement.PENDING:
            self.facts = replace(self.facts, pending={**self.facts.pending, checkpoint: acknowledged})
            return outcome, ()
        whole = self._snapshots[checkpoint]
        pending = {number: tasks for number, tasks in self.facts.pending.items() if number > checkpoint}
        self.facts = replace(self.facts, pending=pending, complete=checkpoint)
        self._snapshots = {number: held for number, held in self._snapshots.items() if number > checkpoint}
        return outcome, tuple(whole[task] for task in sorted(whole))


class RestoredAssigner:
    """An assigner that goes on where a checkpoint left its source: open splits first, finished ones never again."""

    def __init__(self, fresh: SplitAssigner, states: Sequence[SourceState]) -> None:
        self._fresh = fresh
        self._open = [split for state in states for split in state.open]
        self._known = {split.id for split in self._open}.union(*(state.finished for state in states))

    def next(self, task_index: int) -> Split | Later | None:
        """The next split that is not finished."""
        if self._open:
            return self._open.pop(0)
        while True:
            given = self._fresh.next(task_index)
            if not isinstance(given, Split) or given.id not in self._known:
                return given
