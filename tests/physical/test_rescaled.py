"""Operators whose tasks become more, or fewer, at an epoch: each has the state of its keys, and together they say what one says that has all of it.

Windows have such tests of their own (``test_windows_rescaled``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.kernels.partition import KeyRange, partition
from tableflow.expressions.nodes import (
    AggregateCall,
    ColumnRef,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    WindowCall,
)
from tableflow.expressions.registry import resolve_call
from tableflow.physical.changelog_aggregate import ChangelogAggregate
from tableflow.physical.changelog_join import ChangelogJoin
from tableflow.physical.changelog_over import ChangelogOver
from tableflow.physical.changelog_top_n import ChangelogTopN
from tableflow.physical.current_join import CurrentJoin
from tableflow.physical.current_watermark import CurrentWatermark
from tableflow.physical.epoch_time import EpochTime
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.hash_join import HashJoinKind
from tableflow.physical.node import Input, PhysicalNode, positions
from tableflow.physical.normalize import Normalize
from tableflow.physical.properties import OrderingKey
from tableflow.physical.retention import Retention
from tableflow.physical.timed_join import timed
from tableflow.physical.versioned_join import VersionedJoin
from tableflow.types import BIGINT, INT, STRING, TIMESTAMP, ArrayType, DecimalType, Field
from tests.physical.changelogs import dealt, operator_of
from tests.physical.event_harness import EventHarness, Row, batch_of, summed

K, S, V, TIME = Field(1, "k", INT), Field(2, "s", STRING), Field(3, "v", INT), Field(4, "time", TIMESTAMP)
L, W, AT = Field(5, "l", INT), Field(6, "w", INT), Field(7, "at", TIMESTAMP)
LEFT, RIGHT = (K, S, V, TIME), (L, W, AT)
ROWS, OTHERS = Input(fields=LEFT), Input(fields=RIGHT)
BY_K = Input(fields=LEFT, dealt=(K.id,))
FIRST, HERE = FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.CURRENT_ROW)


def ref(of: Field) -> ColumnRef:
    return ColumnRef(of.type, of.id, of.name)


CALLS = (
    AggregateCall(BIGINT, "count"),
    AggregateCall(DecimalType(38, 0), "sum", (ref(V),)),
    AggregateCall(INT, "min", (ref(V),)),
    AggregateCall(STRING, "max", (ref(S),)),
    AggregateCall(BIGINT, "count", (ref(V),), distinct=True),
)
LISTED = AggregateCall(ArrayType(INT), "array_agg", (ref(V),), order=(ref(V),), directions=((False, False),))
PLACE = Field(30, "n", BIGINT)


def grouped(*keys: Field, calls: Sequence[AggregateCall] = CALLS, leaf: Input = ROWS, **how: Any) -> ChangelogAggregate:
    results = tuple(Field(20 + i, f"r{i}", call.type) for i, call in enumerate(calls))
    return ChangelogAggregate(fields=(*keys, *results), input=leaf, keys=keys, calls=tuple(calls), **how)


def joined(kind: HashJoinKind, **how: Any) -> ChangelogJoin:
    fields = LEFT if kind in {HashJoinKind.SEMI, HashJoinKind.ANTI} else (*LEFT, *RIGHT)
    keys = {"left_keys": (ref(K),), "right_keys": (ref(L),), "null_safe": (False,)}
    return ChangelogJoin(fields=fields, left=ROWS, right=OTHERS, kind=kind, **keys, **how)


TIMES = {
    "left_retention": Retention(TIME.id, 4),
    "right_retention": Retention(AT.id, 4),
    "left_appends": True,
    "right_appends": True,
    "residual": (resolve_call("eq", [ref(TIME), ref(AT)]),),
}
VERSIONED = {"left_keys": (ref(K),), "right_keys": (ref(L),), "null_safe": (False,), "time": TIME.id, "versions": AT.id}
OVER = (
    WindowCall(BIGINT, "count", (ref(V),), distinct=True, frame=Frame(FrameUnit.RANGE, FIRST, HERE)),
    WindowCall(DecimalType(38, 0), "sum", (ref(V),), frame=Frame(FrameUnit.RANGE, FIRST, HERE)),
    WindowCall(INT, "lag", (ref(V), Literal(INT, 2))),
)
CHANGING: dict[str, PhysicalNode] = {
    "groups": grouped(K),
    "groups of two columns": grouped(S, K, leaf=BY_K),
    "groups with a time to live": grouped(K, ttl=1_000_000),
    "groups per epoch": grouped(K, S, leaf=BY_K, per_epoch=True),
    "whole groups": grouped(K, calls=(LISTED,)),
    "whole groups after some rows": grouped(K, calls=(LISTED,), every_rows=3),
    "over": ChangelogOver(
        fields=(K, V, PLACE), input=ROWS, partition=(K.id,), order=(OrderingKey(V.id),), results=(PLACE,),
        calls=(WindowCall(BIGINT, "row_number"),),
    ),
    "top": ChangelogTopN(fields=(K, V), input=ROWS, partition=(K.id,), order=(OrderingKey(V.id),), limit=2),
    **{f"join {kind.value}": joined(kind) for kind in HashJoinKind if kind.value in {"inner", "left", "right", "full", "semi", "anti"}},
}  # fmt: skip
ADDING: dict[str, PhysicalNode] = {
    "groups after some rows": grouped(K, S, leaf=BY_K, retracting=False, every_rows=3),
    "groups that end": grouped(K, TIME, leaf=BY_K, retracting=False, closes=Retention(TIME.id, 0), final=True),
    "distinct rows": grouped(K, S, calls=(), leaf=BY_K, retracting=False),
    "first rows": ChangelogTopN(
        fields=(K, V, S), input=ROWS, partition=(K.id,), order=(OrderingKey(V.id),), limit=2, appends=True
    ),
    "first rows with places": ChangelogTopN(
        fields=(K, V, S, PLACE), input=ROWS, partition=(K.id,), order=(OrderingKey(V.id),), limit=3, appends=True, rank=PLACE
    ),
    "over in time": EventTimeOver(
        fields=(*LEFT, *(Field(20 + i, call.function, call.type) for i, call in enumerate(OVER))), input=ROWS,
        partition=(K.id,), order=(OrderingKey(TIME.id),),
        results=tuple(Field(20 + i, call.function, call.type) for i, call in enumerate(OVER)), calls=OVER,
    ),
    "rows that are put": Normalize(fields=LEFT, input=ROWS, key=(K.id,)),
    "join in time left": timed(joined(HashJoinKind.LEFT, **TIMES), 4),
    "join in time full": timed(joined(HashJoinKind.FULL, **TIMES), 4),
    "join of versions": VersionedJoin(fields=(*LEFT, W), left=ROWS, right=OTHERS, kind=HashJoinKind.LEFT, left_appends=True, **VERSIONED),
    "join of versions at the end": VersionedJoin(
        fields=(*LEFT, W), left=ROWS, right=OTHERS, kind=HashJoinKind.INNER, left_appends=True, at_end=True, **VERSIONED
    ),
    "join with a table": CurrentJoin(
        fields=(*LEFT, W), left=ROWS, right=OTHERS, kind=HashJoinKind.LEFT, left_keys=(ref(K),), right_keys=(ref(L),)
    ),
}  # fmt: skip
NODES = CHANGING | ADDING


class Tasks:
    """As many operators as asked for, among which rows are dealt as an exchange deals them."""

    def __init__(self, node: PhysicalNode, tasks: int) -> None:
        self._node = dealt(node)
        self._time = 0
        self.tasks = [self._new() for _ in range(tasks)]
        self._said: list[Row] = []

    def _new(self) -> EventHarness:
        return EventHarness(operator_of(self._node), *(leaf.fields for leaf in self._node.inputs))

    def rows(self, port: int, rows: Sequence[Row], weights: Sequence[int] | None = None) -> None:
        leaf = self._node.inputs[port]
        assert isinstance(leaf, Input)
        batch = batch_of(leaf.fields, rows, weights)
        where = positions(leaf.fields)
        parts = partition(hash_rows([batch.columns[where[key]] for key in leaf.dealt]), len(self.tasks))
        for task, selection in zip(self.tasks, parts, strict=True):
            if len(selection):
                task.batch(batch.with_selection(selection), port)

    def watermark(self, time: int, *, only: int | None = None) -> None:
        self._time = time
        for number, task in enumerate(self.tasks):
            if only in {None, number}:
                task.watermark(time)

    def epoch(self) -> None:
        for task in self.tasks:
            task.epoch()

    def rescale(self, count: int) -> None:
        """Every new task gets what every old one has of its range of keys; the old ones go on with something else."""
        parts = [[task.operator.snapshot(KeyRange.part(i, count)) for task in self.tasks] for i in range(count)]
        for port in range(len(self._node.inputs)):
            self.rows(port, made(99, 50, self._time, port))
        for each in self.tasks:
            each.close()
        self.tasks = [self._new() for _ in range(count)]
        for task, saved in zip(self.tasks, parts, strict=True):
            task.operator.restore(saved)
            task.watermark(self._time)

    def take(self) -> None:
        """What has been said counts."""
        self._said += [row for task in self.tasks for row in task.take()]

    def end(self) -> Any:
        for task in self.tasks:
            task.end()
        self.take()
        for task in self.tasks:
            task.close()
        return summed([tuple(tuple(v) if isinstance(v, list) else v for v in row) for row in self._said])


def made(seed: int, count: int, time: int, port: int) -> list[Row]:
    rng = np.random.default_rng(seed * 2 + port)
    keys, values = rng.integers(0, 9 if port else 15, count).tolist(), rng.integers(0, 9, count).tolist()
    times = (time + rng.integers(0, 6, count)).tolist()
    if port:
        return list(zip(keys, values, times, strict=True))
    return [(key, "ab"[value % 2], value, at) for key, value, at in zip(keys, values, times, strict=True)]


def answer(name: str, counts: Sequence[int]) -> Any:
    """All that is said of some epochs of rows, in turn by so many tasks."""
    tasks = Tasks(NODES[name], counts[0])
    ports = range(len(NODES[name].inputs))
    for epoch, count in enumerate(counts):
        if count != len(tasks.tasks):
            tasks.rescale(count)
        time = 4 * epoch
        for port in ports:
            rows = made(epoch, 40, time, port)
            tasks.rows(port, rows, [2] * 40 if name in CHANGING else None)
            if name in CHANGING and epoch:  # of the rows before some go, some go more often than they came
                gone = made(epoch - 1, 40, time - 4, port)
                tasks.rows(port, gone[::2], [-3 if i % 3 == 0 else -2 for i in range(20)])
                tasks.rows(port, gone[::6], [1] * len(gone[::6]))
        tasks.watermark(time + 2)
        for port in ports:
            tasks.rows(port, made(epoch + 50, 10, time + 2, port))
        tasks.epoch()
        tasks.take()
    return tasks.end()


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("counts", [(1, 3, 2, 1), (3, 2, 4, 1)])
def test_tasks_become_more_and_fewer(name: str, counts: Sequence[int]) -> None:
    expected = answer(name, (1, 1, 1, 1))
    assert len(expected) > 10
    assert answer(name, counts) == expected


@pytest.mark.parametrize(
    "name", ["groups that end", "over in time", "join in time left", "join in time full", "join of versions"]
)
def test_time_has_come_further_for_some(name: str) -> None:
    """Behind what delays watermarks; nothing is said twice then, and rows that their task has not passed are not late."""
    tasks, one = Tasks(NODES[name], 3), Tasks(NODES[name], 1)
    ports = range(len(NODES[name].inputs))
    for port in ports:
        for each in (tasks, one):
            each.rows(port, made(1, 60, 0, port))
    tasks.watermark(11, only=0)
    tasks.watermark(8, only=2)
    for time, count in ((3, 2), (4, 3), (7, 1)):
        tasks.watermark(time)
        tasks.epoch()
        tasks.take()
        tasks.rescale(count)
    for port in ports:
        for each in (tasks, one):
            each.rows(port, made(2, 60, 20, port))
    expected = one.end()
    assert len(expected) > 10
    assert tasks.end() == expected


@pytest.mark.parametrize("name", NODES)
def test_state_is_really_divided(name: str) -> None:
    tasks = Tasks(NODES[name], 1)
    for port in range(len(NODES[name].inputs)):
        rows = [(key, "ab"[key % 2], key % 9, key % 7) if port == 0 else (key, key % 9, key % 7) for key in range(3000)]
        tasks.rows(port, rows)
    operator = tasks.tasks[0].operator
    whole = len(operator.snapshot())
    parts = [len(operator.snapshot(KeyRange.part(i, 3))) for i in range(3)]
    assert max(parts) < whole // 2
    assert min(parts) > whole // 5


def test_times_are_in_every_part() -> None:
    """What is no key's, but wanted by every task: each part says it, and the least of several counts."""
    now = Field(9, "now", TIMESTAMP)
    for node, furthest in (
        (CurrentWatermark(fields=(*LEFT, now), input=ROWS, watermark=now), 6),
        (EpochTime(fields=(*LEFT, now), input=ROWS, time=now), 6),
    ):
        parts = []
        for time in (6, 8):
            harness = EventHarness(operator_of(node), LEFT)
            harness.watermark(time)
            harness.epoch(time=time)
            parts.append([harness.operator.snapshot(KeyRange.part(i, 3)) for i in range(3)])
            harness.watermark(1000)
        for of_task in zip(*parts, strict=True):
            fresh = EventHarness(operator_of(node), LEFT)
            fresh.operator.restore(of_task)
            fresh.rows([(1, "a", 1, 0)])
            assert fresh.emitted[0][-2].microsecond == furthest
