"""Windows whose tasks become more, or fewer: each has the state of its keys, and together they say what one says that has all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tableflow.columnar.kernels.hashing import hash_rows
from tableflow.columnar.kernels.partition import KeyRange, partition
from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate
from tableflow.expressions.nodes import AggregateCall, Literal, WindowCall
from tableflow.expressions.registry import resolve_call
from tableflow.expressions.window_assigner import (
    CountHop,
    CountTumble,
    Cumulate,
    Delta,
    Global,
    Hop,
    Landmark,
    Punctuated,
    Session,
    Tumble,
)
from tableflow.physical.closed_windows import ClosedWindows
from tableflow.physical.node import Input, UnaryNode
from tableflow.physical.properties import OrderingKey
from tableflow.physical.retention import Retention
from tableflow.physical.row_firings import RowFirings
from tableflow.types import BIGINT, ArrayType, Field
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness, Row, batch_of, summed
from tests.physical.windowed import FIRE, KEY, TEXT, TIME, VALUE, node_of, ref

BY_TIME = (OrderingKey(TIME.id),)
BIG = resolve_call("gt", [ref(VALUE), Literal(BIGINT, 6)])
ROWS_OF = (
    AggregateCall(ArrayType(BIGINT), "array_agg", (ref(VALUE),), order=(ref(VALUE),), directions=((False, False),)),
    AggregateCall(BIGINT, "count"),
)
NUMBERS = {"start": Field(20, "window_start", BIGINT), "end": Field(21, "window_end", BIGINT)}
PARTED: dict[str, Any] = {"partition": (KEY.id,), **NUMBERS}
LATE = Emit((EveryRows(2),), lateness=5)
TEXTS = {"keys": (TEXT,), "partition": (KEY.id,)}
NODES: dict[str, UnaryNode] = {
    "tumble": node_of(Tumble(10)),
    "hop": node_of(Hop(5, 15)),
    "cumulate": node_of(Cumulate(4, 12)),
    "rows of hop": node_of(Hop(5, 15), calls=ROWS_OF),
    "hop of several": node_of(Hop(5, 15), keys=(KEY, TEXT)),
    "early hop": node_of(Hop(5, 15), LATE),
    "changing tumble": node_of(Tumble(10), Emit((OnUpdate(),)), changing=True),
    "untimed": node_of(Tumble(10), untimed=True),
    "session": node_of(Session(3), partition=(KEY.id,)),
    "session of texts": node_of(Session(3), **TEXTS),
    "early session": node_of(Session(3), LATE, partition=(KEY.id,)),
    "early session of texts": node_of(Session(3), LATE, **TEXTS),
    "so many rows": node_of(CountTumble(3), **PARTED),
    "hop of rows": node_of(CountHop(2, 3), calls=ROWS_OF, **PARTED),
    "punctuated": node_of(Punctuated(BIG), **PARTED),
    "landmark": node_of(Landmark(BIG), order=BY_TIME, **PARTED),
    "delta": node_of(Delta(ref(VALUE), Literal(BIGINT, 4)), keys=(TEXT,), **PARTED),
    "early rows": node_of(CountTumble(5), Emit((EveryRows(2),)), keys=(TEXT,), **PARTED),
    "global": node_of(Global(), Emit((EveryRows(2),)), fire=FIRE),
    "global in order": node_of(Global(), Emit((EveryRows(3),)), fire=FIRE, order=BY_TIME),
    "global at intervals": node_of(
        Global(), Emit((EveryRows(3), EveryInterval(4, event_time=True))), fire=FIRE, order=BY_TIME
    ),
    "last rows": node_of(Global(), Emit((EveryRows(2),), keep_last_rows=3), fire=FIRE, order=BY_TIME),
    "last rows of windows": node_of(Hop(5, 15), Emit((EveryRows(2),), keep_last=4), fire=FIRE),
    "last rows of intervals": node_of(
        Tumble(10), Emit((EveryInterval(4, event_time=True),), keep_last_rows=2), fire=FIRE
    ),
    "corrected last rows": node_of(Hop(5, 15), Emit((EveryRows(2),), keep_last_rows=3, lateness=5), fire=FIRE),
    "over": ClosedWindows(
        fields=(KEY, TEXT, VALUE, TIME, Field(9, "n", BIGINT)),
        input=Input(fields=(KEY, TEXT, VALUE, TIME), dealt=(KEY.id,)),
        partition=(TIME.id, KEY.id),
        order=(OrderingKey(VALUE.id),),
        results=(Field(9, "n", BIGINT),),
        calls=(WindowCall(BIGINT, "row_number"),),
        closes=Retention(TIME.id, 0),
    ),
}
ALONE: dict[str, UnaryNode] = {
    "rows": node_of(CountTumble(3), partition=(), keys=(TEXT,), **NUMBERS),
    "rows in order": node_of(Landmark(BIG), Emit((OnUpdate(),)), partition=(), order=BY_TIME, **NUMBERS),
    "session": node_of(Session(3), keys=(TEXT,)),
    "tumble": node_of(Tumble(10), keys=()),
    "global": node_of(Global(), Emit((EveryRows(2),)), keys=(), fire=FIRE),
    "last rows": node_of(Global(), Emit((EveryRows(2),), keep_last_rows=3), keys=(), fire=FIRE, order=BY_TIME),
}
EVERY_NODE = pytest.mark.parametrize("node", NODES.values(), ids=NODES)


class Tasks:
    """As many operators as asked for, among which rows are dealt as an exchange deals them."""

    def __init__(self, node: UnaryNode, tasks: int) -> None:
        self._node = node
        self._dealt = [node.input.fields.index(f) for f in node.input.fields if f.id in node.input.dealt]  # type: ignore[attr-defined]
        self.tasks = [self._new() for _ in range(tasks)]
        self._said: list[Row] = []

    def _new(self) -> EventHarness:
        return EventHarness(operator_of(self._node), self._node.input.fields)

    def rows(self, rows: Sequence[Row]) -> None:
        batch = batch_of(self._node.input.fields, rows)
        columns = [batch.columns[i] for i in self._dealt]
        parts = partition(hash_rows(columns), len(self.tasks)) if columns else [np.arange(len(rows), dtype=np.uint32)]
        for task, selection in zip(self.tasks, parts, strict=False):
            if len(selection):
                task.batch(batch.with_selection(selection))

    def watermark(self, time: int, *, only: int | None = None) -> None:
        for number, task in enumerate(self.tasks):
            if only in {None, number}:
                task.watermark(time)

    def rescale(self, count: int) -> None:
        """Every new task gets what every old one has of its range of keys."""
        parts = [self.in_parts(count, task) for task in range(len(self.tasks))]
        self.begin(count, [list(of_task) for of_task in zip(*parts, strict=True)])

    def in_parts(self, count: int, task: int = 0) -> list[bytes]:
        """The state of one task in parts for so many."""
        return [self.tasks[task].operator.snapshot(KeyRange.part(i, count)) for i in range(count)]

    def begin(self, count: int, parts: list[list[bytes]]) -> None:
        """New tasks with these parts of state each."""
        for each in self.tasks:
            self._said += each.emitted
            each.close()
        self.tasks = [self._new() for _ in range(count)]
        for task, saved in zip(self.tasks, parts, strict=True):
            task.operator.restore(saved)

    def end(self) -> None:
        for task in self.tasks:
            task.end()

    def changes(self) -> Any:
        return summed(
            [tuple(map(shown, row)) for row in [*self._said, *[row for t in self.tasks for row in t.emitted]]]
        )


def shown(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def made(seed: int, count: int, time: int) -> list[Row]:
    rng = np.random.default_rng(seed)
    keys, texts, values = rng.integers(0, 12, count), rng.integers(0, 2, count), rng.integers(0, 10, count)
    times = time + rng.integers(0, 6, count)
    if count:
        times.sort()
    return [(int(k), "ab"[t], int(v), int(at)) for k, t, v, at in zip(keys, texts, values, times, strict=True)]


def answer(node: UnaryNode, events: Callable[[Tasks], None], tasks: int) -> Any:
    of = Tasks(node, tasks)
    events(of)
    of.end()
    changes = of.changes()
    for task in of.tasks:
        task.close()
    return changes


@EVERY_NODE
@pytest.mark.parametrize("counts", [(1, 3, 2), (3, 1, 4)])
def test_tasks_become_more_and_fewer(node: UnaryNode, counts: tuple[int, ...]) -> None:
    def events(tasks: Tasks, *, scaled: bool) -> None:
        for seed, count in enumerate([*counts, counts[0]]):
            tasks.rows(made(seed, 40, 6 * seed))
            tasks.watermark(6 * seed + 2)
            if scaled:
                tasks.rescale(count)
            tasks.rows(made(seed + 100, 20, 6 * seed + 2))

    expected = answer(node, lambda tasks: events(tasks, scaled=False), 1)
    assert len(expected) > 20
    assert answer(node, lambda tasks: events(tasks, scaled=True), counts[0]) == expected


@pytest.mark.parametrize("node", ALONE.values(), ids=ALONE)
@pytest.mark.parametrize("rows_before", [0, 30])
def test_what_no_key_tells_apart_is_in_one_part(node: UnaryNode, rows_before: int) -> None:
    first, second = made(5, rows_before, 0), made(6, 40, 6)

    def events(tasks: Tasks) -> None:
        tasks.rows(first)
        tasks.watermark(4)
        tasks.rows(second)

    tasks = Tasks(node, 1)
    tasks.rows(first)
    tasks.watermark(4)
    parts = tasks.in_parts(3)
    assert len(parts[0]) > len(parts[1]) == len(parts[2]) or not rows_before
    tasks.begin(1, [parts])
    tasks.rows(second)
    tasks.end()
    assert tasks.changes() == answer(node, events, 1)


@EVERY_NODE
def test_state_is_really_divided(node: UnaryNode) -> None:
    harness = EventHarness(operator_of(node), node.input.fields)
    harness.rows([(key, "ab"[key % 2], key % 10, key % 7) for key in range(3000)])
    harness.watermark(1)
    whole = len(harness.operator.snapshot())
    parts = [len(harness.operator.snapshot(KeyRange.part(i, 3))) for i in range(3)]
    assert max(parts) < whole // 2
    assert min(parts) > whole // 5


@pytest.mark.parametrize("name", ["tumble", "hop", "cumulate", "rows of hop", "early hop", "session", "over"])
def test_time_has_come_further_for_some(name: str) -> None:
    """No window is given twice, and none is lost; rows that no task has passed are not late."""
    node = NODES[name]
    tasks = Tasks(node, 3)
    first, second = made(1, 60, 0), made(2, 60, 20)
    tasks.rows(first)
    tasks.watermark(11, only=0)
    tasks.watermark(16, only=2)
    tasks.watermark(3)
    tasks.rescale(2)
    tasks.watermark(4)
    tasks.rescale(3)
    tasks.watermark(7)
    tasks.rescale(1)
    tasks.rows(second)
    tasks.watermark(12)
    tasks.watermark(14)
    tasks.watermark(24)
    tasks.rescale(2)
    tasks.end()
    assert tasks.changes() == answer(node, lambda of: of.rows([*first, *second]), 1)


def test_the_clock_goes_on_where_it_was_furthest() -> None:
    from tableflow.types import TimestampType
    from tests.physical.test_processing_time_windows import SECOND, said
    from tests.physical.windowed import CALLS, harness_of

    zoned = TimestampType(3, zoned=True)
    node = node_of(Hop(10 * SECOND, 20 * SECOND), time=zoned, calls=CALLS[:1], processing_time=True)
    one, two = harness_of(node), harness_of(node)
    one.clock(3 * SECOND)
    two.clock(14 * SECOND)
    one.rows([(1, "a", 1, None)])
    two.rows([(2, "a", 1, None)])
    one.clock(12 * SECOND)
    two.clock(21 * SECOND)
    assert said(one) == [(1, -10, 10, 1, 1)]
    assert said(two) == [(2, 0, 20, 1, 1)]
    both = harness_of(node)
    both.context.time = 13 * SECOND
    both.operator.restore([one.operator.snapshot(), two.operator.snapshot()])
    both.clock(20 * SECOND)
    both.rows([(1, "a", 1, None)])
    both.clock(50 * SECOND)
    assert said(both) == [(1, 0, 20, 1, 1), (1, 10, 30, 1, 1), (1, 20, 40, 1, 1), (2, 10, 30, 1, 1)]


@pytest.mark.parametrize("keys", [(KEY,), ()])
def test_rows_since_a_firing_are_counted_on(keys: tuple[Field, ...]) -> None:
    types, places = [f.type for f in keys], [0 for _ in keys]

    def counting() -> RowFirings:
        return RowFirings(types, places, 3, places)

    def batch(*values: int) -> Any:
        return batch_of((KEY,), [(value,) for value in values])

    firings = counting()
    several = range(50)
    assert firings.take(batch(*several)) is None if keys else firings.take(batch(1, 1)) is None
    parts = [firings.snapshot(KeyRange.part(i, 3)) for i in range(3)]
    assert not keys or len(max(parts, key=len)) < len(firings.snapshot())
    firings = counting()
    firings.restore(parts)
    if keys:
        assert firings.take(batch(*several)) is None
        fired = firings.take(batch(*several))
        assert fired is not None
        assert sorted(fired[0].array.to_pylist()) == list(several)
    else:
        assert firings.take(batch(1)) == []
