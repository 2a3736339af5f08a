"""Watermarks are the greatest value of the expression so far, split by split; NULL times have a policy."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tableflow.errors import DataError
from tableflow.expressions.casting.calendar import limits
from tableflow.expressions.evaluation import project
from tableflow.expressions.nodes import ColumnRef, Literal
from tableflow.expressions.registry import resolve_call
from tableflow.physical.assign_watermarks import (
    AssignWatermarks,
    AssignWatermarksOperator,
    TimeNulls,
    latest_time,
    within_time,
)
from tableflow.physical.build import build_operator
from tableflow.physical.node import Input
from tableflow.records import replace
from tableflow.runtime.events import Watermark
from tableflow.runtime.graph import OperatorSpec
from tableflow.serialization import dumps, loads
from tableflow.types import INT, INTERVAL, TIMESTAMP, Field, TimestampType
from tests.physical.event_harness import EventHarness, batch_of
from tests.physical.jobs import collect
from tests.runtime.simple import Batches, Plan, Through

VALUE, TIME = Field(10, "v", INT), Field(11, "ts", TIMESTAMP)
SECOND = 1_000_000


def node(time: Field = TIME, nulls: TimeNulls = TimeNulls.FAIL) -> AssignWatermarks:
    """Five seconds of disorder."""
    fields = (VALUE, time)
    column = ColumnRef(time.type, time.id, time.name)
    behind = resolve_call("subtract", [column, Literal(INTERVAL, (0, 0, 5 * SECOND))])
    return AssignWatermarks(fields=fields, input=Input(fields=fields), column=time.id, expression=behind, nulls=nulls)


def harness(of: AssignWatermarks) -> EventHarness:
    made = loads(dumps(of))
    assert made == of
    return EventHarness(lambda: build_operator(OperatorSpec("", made, "")), of.fields, rebuild=True)


def said(of: EventHarness) -> list[object]:
    return [item if isinstance(item, Watermark) else item.rows for item in of.said]


def test_a_watermark_follows_each_batch():
    events = harness(node())
    events.rows([(1, 20 * SECOND), (2, 30 * SECOND), (3, 7 * SECOND)])
    events.rows([])
    events.rows([(1, 10 * SECOND)])
    assert said(events) == [3, Watermark(25 * SECOND), 1, Watermark(5 * SECOND)]
    assert events.batches[0].event_time == 1


def test_watermarks_are_times_that_the_column_can_have():
    coarse = node(Field(11, "ts", TimestampType(0)))
    shorter = Literal(INTERVAL, (0, 0, 4 * SECOND + SECOND // 2))
    events = harness(replace(coarse, expression=replace(coarse.expression, args=(coarse.expression.args[0], shorter))))
    events.rows([(1, 20 * SECOND)])
    events.rows([(1, -2 * SECOND)])
    assert said(events) == [1, Watermark(16 * SECOND), 1, Watermark(-6 * SECOND)]


def test_nanoseconds_round_down():
    events = harness(node(Field(11, "ts", TimestampType(9))))
    events.rows([(1, 20_000_000_999)])
    events.rows([(1, -1)])
    assert said(events) == [1, Watermark(15 * SECOND), 1, Watermark(-5 * SECOND - 1)]


@pytest.mark.parametrize(
    ("nulls", "expected"),
    [(TimeNulls.DROP, [1, Watermark(SECOND)]), (TimeNulls.PASS, [3, Watermark(SECOND), 1])],
)
def test_null_times(nulls, expected):
    events = harness(node(nulls=nulls))
    events.rows([(1, None), (2, 6 * SECOND), (3, None)])
    events.rows([(1, None)])
    assert said(events) == expected


def test_null_time_fails_by_default():
    events = harness(node())
    with pytest.raises(DataError, match="event time 'ts' of a row is NULL"):
        events.rows([(1, 5), (2, None)])


class Marks(Through):
    """Remembers the watermarks it sees."""

    def __init__(self, seen: list[int]) -> None:
        self._seen = seen

    def on_watermark(self, watermark):
        self._seen.append(watermark.time)


def test_time_in_a_task_is_that_of_its_slowest_split():
    plan, seen = Plan(), []
    fields = (VALUE, TIME)
    splits = [[batch_of(fields, [(1, t * SECOND)]) for t in times] for times in ((10, 100), (20, 30))]
    operators = (lambda: AssignWatermarksOperator(node()), lambda: Marks(seen))
    result = plan.stage(*operators, source=Batches(*splits))
    collect(plan, result)
    assert seen[-1] == 2**63 - 1
    assert all(mark <= 95 * SECOND for mark in seen[:-1])
    assert seen == sorted(set(seen))


DAY = 86_400 * SECOND


@pytest.mark.parametrize("by", [(0, 0, 5 * SECOND), (0, 2, -SECOND), (1, 0, 0), (-1, 1, 0)], ids=str)
def test_the_greatest_mark_is_found_whatever_moves_time(by: tuple[int, int, int]):
    """Of the 30th and the 31st of March a month before, the earlier hour of the latter gives an earlier mark."""
    given = node()
    moved = resolve_call("subtract", [ColumnRef(TIMESTAMP, 11, "ts"), Literal(INTERVAL, by)])
    given = replace(given, expression=moved)
    march = 59 * DAY
    times = [march + 29 * DAY + 23 * 3600 * SECOND, march + 30 * DAY + SECOND, march, march + 30 * DAY]
    events = harness(given)
    marks = []
    for kept in ([0, 1, 2, 3], [0], [1], [2], [3]):
        events.rows([(place, times[place]) for place in kept])
        marks.append(events.said[-1])
    assert all(isinstance(mark, Watermark) for mark in marks)
    assert marks[0] == max(marks[1:], key=lambda mark: mark.time)


def test_of_selected_rows_the_latest_counts():
    operator = AssignWatermarksOperator(node())
    batch = batch_of(node().fields, [(1, 50 * SECOND), (2, 20 * SECOND), (3, 30 * SECOND)])
    *_, mark = operator.process(batch.with_selection(np.array([1, 2], np.uint32)), 0)
    assert mark == Watermark(25 * SECOND)


def test_a_mark_beyond_the_years_is_left_out_though_it_is_the_latest():
    ahead = resolve_call("add", [ColumnRef(TIMESTAMP, 11, "ts"), Literal(INTERVAL, (0, 1, 0))])
    events = harness(replace(node(), expression=ahead))
    last = datetime(9999, 12, 31, 23, tzinfo=UTC)
    events.rows([(1, int(last.timestamp()) * SECOND), (2, 7 * SECOND)])
    assert said(events) == [2, Watermark(DAY + 7 * SECOND)]


@pytest.mark.parametrize("precision", [3, 6, 9])
def test_marks_by_addition_are_those_of_the_evaluator(precision: int):
    time = Field(11, "ts", TimestampType(precision))
    expression = ColumnRef(time.type, time.id, time.name)
    for name, by in (("add", (0, 1, 3)), ("subtract", (0, 2, -7)), ("subtract", (0, 0, SECOND))):
        expression = resolve_call(name, [expression, Literal(INTERVAL, by)])
    operator = AssignWatermarksOperator(replace(node(time), expression=expression))
    first, last = limits(time.type)
    unit = 1000 if precision == 9 else 1
    near = [0, 1, DAY * unit - 1, DAY * unit, 3 * DAY * unit]
    for at in [*(first + n for n in near), *(last - n for n in near), 0, -1, 999, -1001]:
        rows = batch_of((VALUE, time), [(1, at)])
        (mark,) = project([within_time(expression)], rows, operator._positions)
        assert operator._moved(at) == latest_time(mark), at
    months = resolve_call("subtract", [ColumnRef(time.type, time.id), Literal(INTERVAL, (1, 0, 0))])
    assert AssignWatermarksOperator(replace(node(time), expression=months))._moved(0) is None
