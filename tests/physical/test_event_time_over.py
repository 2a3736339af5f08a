"""OVER in the order of event time: rows come out once, when time has passed them, with what a batch plan gives for all of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tableflow.columnar.batch import Batch
from tableflow.columnar.kernels.sorting import sort_batch
from tableflow.errors import DataError
from tableflow.expressions.coercion import cast
from tableflow.expressions.nodes import (
    RUNNING,
    Call,
    ColumnRef,
    Expression,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    WindowCall,
)
from tableflow.physical import event_time_over
from tableflow.physical.event_time_over import EventTimeOver
from tableflow.physical.node import Input
from tableflow.physical.over_frames import reach
from tableflow.physical.properties import OrderingKey
from tableflow.physical.window import WindowAggregate, WindowAggregateOperator
from tableflow.runtime.events import START_OF_TIME, Watermark
from tableflow.serialization import dumps, loads
from tableflow.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INT,
    INTERVAL,
    STRING,
    TIMESTAMP,
    ArrayType,
    DecimalType,
    Field,
    SqlType,
)
from tests.kernels.columns import rows_of
from tests.physical.changelogs import operator_of
from tests.physical.event_harness import EventHarness, HarnessContext, batch_of

KEY, TIME, VALUE, TEXT = Field(1, "k", INT), Field(2, "ts", TIMESTAMP), Field(3, "v", INT), Field(4, "s", STRING)
INPUTS = (KEY, TIME, VALUE, TEXT)
K, T, V, S = (ColumnRef(f.type, f.id, f.name) for f in INPUTS)
REAL = cast(V, DOUBLE)
EVEN = Call(BOOLEAN, "eq", (Call(INT, "modulo", (V, Literal(INT, 2))), Literal(INT, 0)))
ONE, TWO = Literal(INT, 1), Literal(INT, 2)
ROWS, GROUPS, RANGE = FrameUnit.ROWS, FrameUnit.GROUPS, FrameUnit.RANGE
BEFORE, BEHIND = FrameSide.PRECEDING, FrameSide.FOLLOWING
FIRST, HERE = FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.CURRENT_ROW)
LAST = FrameBound(FrameSide.UNBOUNDED_FOLLOWING)


def _away(side: FrameSide, micros: int) -> FrameBound:
    distance = Literal(INTERVAL, (0, 0, micros))
    return FrameBound(side, key=Call(TIMESTAMP, "add" if side is BEHIND else "subtract", (T, distance)))


def _call(function: str, *args: Expression, of: SqlType = BIGINT, frame: Frame = RUNNING, **more: Any) -> WindowCall:
    return WindowCall(of, function, args, frame, **more)


SO_FAR = Frame(ROWS, FIRST, HERE)
CALLS = (
    _call("row_number"),
    _call("rank"),
    _call("dense_rank"),
    _call("count"),
    _call("count", V, frame=SO_FAR),
    _call("count_if", EVEN),
    _call("sum", V),
    _call("sum", cast(V, BIGINT), of=DecimalType(38, 0), frame=SO_FAR),
    _call("sum", REAL, of=DOUBLE),
    _call("avg", V, of=DOUBLE),
    _call("avg", cast(V, DecimalType(9, 2)), of=DOUBLE, frame=SO_FAR),
    _call("avg", REAL, of=DOUBLE),
    *(_call(f, REAL, of=DOUBLE) for f in ("var_samp", "var_pop", "stddev_samp", "stddev_pop")),
    _call("min", S, of=STRING),
    _call("max", V, of=INT, frame=SO_FAR, distinct=True),
    _call("bool_and", EVEN, of=BOOLEAN),
    _call("bool_or", EVEN, of=BOOLEAN),
    _call("first_value", V, of=INT),
    _call("first_value", V, of=INT, ignore_nulls=True),
    _call("any_value", S, of=STRING),
    _call("last_value", S, of=STRING, frame=SO_FAR),
    _call("last_value", V, of=INT, ignore_nulls=True),
    _call("nth_value", V, TWO, of=INT),
    _call("lag", V, ONE, of=INT),
    _call("lag", V, TWO, Literal(INT, -9), of=INT),
    _call("lag", V, ONE, of=INT, ignore_nulls=True),
    _call("lead", V, Literal(INT, -1), of=INT),
    _call("count", V, distinct=True),
    _call("count", S, distinct=True, frame=SO_FAR),
    _call("sum", V, distinct=True),
    _call("avg", REAL, of=DOUBLE, distinct=True),
    _call("var_pop", REAL, of=DOUBLE, distinct=True, frame=SO_FAR),
    _call("string_agg", S, Literal(STRING, ","), of=STRING, frame=SO_FAR, distinct=True),
    _call("array_agg", V, of=ArrayType(INT), frame=SO_FAR),
    _call("sum", V, frame=Frame(ROWS, FrameBound(BEFORE, 2), HERE)),
    _call("max", S, of=STRING, frame=Frame(ROWS, FrameBound(BEFORE, 3), FrameBound(BEFORE, 1))),
    _call("sum", V, frame=Frame(ROWS, FIRST, FrameBound(BEFORE, 1))),
    _call("sum", V, frame=Frame(ROWS, HERE, FrameBound(BEHIND, 0))),
    _call("sum", V, frame=Frame(GROUPS, FrameBound(BEFORE, 1), HERE)),
    _call("count", V, distinct=True, frame=Frame(GROUPS, FrameBound(BEFORE, 2), FrameBound(BEFORE, 1))),
    _call("sum", V, frame=Frame(RANGE, _away(BEFORE, 3), HERE)),
    _call("min", V, of=INT, frame=Frame(RANGE, _away(BEFORE, 5), _away(BEFORE, 2))),
)
BEYOND = (
    _call("sum", V, frame=Frame(RANGE, _away(BEFORE, 2), _away(BEHIND, 3))),
    _call("last_value", V, of=INT, frame=Frame(RANGE, FIRST, _away(BEHIND, 2))),
    _call("count", frame=Frame(RANGE, _away(BEHIND, 1), _away(BEHIND, 4))),
)
NEVER = (
    _call("lead", V, ONE, of=INT),
    _call("lag", V, V, of=INT),
    _call("ntile", TWO),
    _call("percent_rank", of=DOUBLE),
    _call("sum", V, frame=Frame(ROWS, FIRST, LAST)),
    _call("sum", V, frame=Frame(ROWS, HERE, FrameBound(BEHIND, 1))),
    _call("sum", V, frame=Frame(GROUPS, HERE, FrameBound(BEHIND, 1))),
)


def node_of(calls: tuple[WindowCall, ...], *, by: bool = True, ttl: int = 0) -> EventTimeOver:
    results = tuple(Field(20 + i, call.function, call.type) for i, call in enumerate(calls))
    return EventTimeOver(
        fields=(*INPUTS, *results),
        input=Input(fields=INPUTS),
        partition=(KEY.id,) if by else (),
        order=(OrderingKey(TIME.id),),
        results=results,
        calls=calls,
        ttl=ttl,
    )


def harness_of(node: EventTimeOver, *, rebuild: bool = False, batch_rows: int = 65_536) -> EventHarness:
    read = loads(dumps(node))
    assert read == node
    return EventHarness(operator_of(read), INPUTS, rebuild=rebuild, batch_rows=batch_rows)


def expected(node: EventTimeOver, rows: list[Any]) -> list[Any]:
    """What the operator of finished data says of all rows."""
    if not rows:
        return []
    batch_node = WindowAggregate(
        fields=node.fields,
        input=node.input,
        partition=node.partition,
        order=node.order,
        results=node.results,
        calls=node.calls,
    )
    operator = WindowAggregateOperator(batch_node)
    operator.open(HarnessContext())
    keys = [*([0] if node.partition else []), 1, *([] if node.partition else [0]), 2, 3]
    ordered = sort_batch(batch_of(INPUTS, rows), [(i, False, False) for i in keys])
    emissions = [operator.process(ordered, 0), operator.on_end(0)]
    made = [item for each in emissions for item in each or () if isinstance(item, Batch)]
    return [row for batch in made for row in rows_of(batch)]


def plain(rows: list[Any]) -> list[str]:
    """Rows that can be compared: numbers to nine digits."""
    return sorted(repr([f"{x:.9g}" if isinstance(x, float) else str(x) for x in row]) for row in rows)


ROW = st.tuples(
    st.none() | st.integers(0, 1),
    st.none() | st.integers(-3, 6),
    st.none() | st.integers(0, 3),
    st.none() | st.sampled_from(["a", "b"]),
)
EVENTS = st.lists(st.lists(ROW, max_size=6) | st.integers(1, 8), max_size=12)


def check(node: EventTimeOver, events: list[Any], *, rebuild: bool, batch_rows: int = 65_536) -> None:
    """Rows come in time order, none behind a watermark that was told, and add up to the batch answer of those that were not late."""
    harness = harness_of(node, rebuild=rebuild, batch_rows=batch_rows)
    time, timely, late = 0, [], 0
    for event in events:
        if isinstance(event, str):
            getattr(harness, event)()
            assert [item for item in harness.said if isinstance(item, Watermark)][-1].time <= time
            continue
        if isinstance(event, int):
            time += event
            harness.watermark(time)
            continue
        rows = [(k, None if at is None else time + at, v, s) for k, at, v, s in event]
        known = [row for row in rows if time == 0 or row[1] is None or row[1] >= time]
        late += len(rows) - len(known)
        timely += known
        harness.rows(rows)
    harness.end()
    assert harness.context.counted["late_rows"] == late
    assert plain([row[:-1] for row in harness.emitted]) == plain([row[:-1] for row in expected(node, timely)])
    told, last = START_OF_TIME, START_OF_TIME
    for item in harness.said:
        if isinstance(item, Watermark):
            assert item.time >= told
            told = item.time
        elif isinstance(item, Batch):
            for at in item.columns[1].array.cast("int64").to_pylist():
                assert at is None or (at >= told and at >= last)
                last = last if at is None else at
    assert told == max(told, time)
    harness.close()


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_final_rows_are_those_of_finished_data(data: Any) -> None:
    calls = data.draw(st.lists(st.sampled_from(CALLS), min_size=1, max_size=4, unique=True))
    calls += data.draw(st.lists(st.sampled_from(BEYOND), max_size=1)) if data.draw(st.booleans()) else []
    node = node_of(tuple(calls), by=data.draw(st.booleans()))
    check(node, data.draw(EVENTS), rebuild=data.draw(st.booleans()), batch_rows=data.draw(st.sampled_from([1, 65_536])))


@pytest.mark.parametrize("call", [*CALLS, *BEYOND], ids=lambda call: f"{call.function}-{call.frame.unit.value}")
def test_each_call(call: WindowCall, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(i % 3 or None, i * 7 % 11 - 2, i % 4 or None, "ab"[i % 2]) for i in range(30)]
    node = node_of((call,))
    events = [rows[:10], 3, rows[10:12], 1, 4, rows[12:20], rows[20:], 2, [(1, None, 1, "a")], 9]
    check(node, events, rebuild=True)
    monkeypatch.setattr(event_time_over, "_PIECE_ROWS", 2)
    check(node, [*events, rows * 2, 20, rows], rebuild=False)
    monkeypatch.setattr(event_time_over, "_LEAST_READ", 0)
    monkeypatch.setattr(event_time_over, "_READ_PER_ROW", 1)
    for rebuild in (False, True):
        check(
            node,
            [rows, 3, rows[10:12], 1, 4, rows[12:20], 1, "epoch", rows[20:], 2, rows, 1, "idle", rows[3:9], 9],
            rebuild=rebuild,
        )


@pytest.mark.parametrize("call", NEVER, ids=lambda call: call.function)
def test_calls_that_end_with_no_time(call: WindowCall) -> None:
    assert reach(call) is None


def _feed(node: EventTimeOver, *, rows: int = 20_000, step: int = 1000) -> EventHarness:
    """Rows of ten partitions, one for each microsecond, the watermark behind each batch; memory must not grow meanwhile."""
    harness = harness_of(node)
    most = []
    for first in range(0, rows, step):
        harness.rows([(i % 10, i, i % 7, "ab"[i % 2]) for i in range(first, first + step)])
        harness.watermark(first + step)
        most.append(harness.context.state_bytes)
    assert most[-1] <= 1.2 * most[4], most
    return harness


@pytest.mark.parametrize(
    "call",
    [
        _call("sum", V),
        _call("count", V, distinct=True),
        _call("lag", V, TWO, of=INT),
        _call("sum", V, frame=Frame(ROWS, FrameBound(BEFORE, 20), HERE)),
        _call("sum", V, frame=Frame(GROUPS, FrameBound(BEFORE, 20), HERE)),
        _call("max", V, of=INT, frame=Frame(RANGE, _away(BEFORE, 100), HERE)),
        _call("max", V, of=INT, frame=Frame(RANGE, _away(BEFORE, 100), _away(BEHIND, 50))),
    ],
    ids=lambda call: f"{call.function}-{call.frame.unit.value}",
)
def test_only_what_frames_need_is_kept(call: WindowCall) -> None:
    harness = _feed(node_of((call,)))
    assert harness.context.state_bytes < 400_000
    harness.end()
    assert sum(batch.rows for batch in harness.batches) == 20_000
    assert harness.context.state_bytes == 0
    harness.close()


def test_silent_partitions_keep_nothing_that_time_has_passed() -> None:
    harness = harness_of(node_of((_call("sum", V, frame=Frame(RANGE, _away(BEFORE, 10), HERE)),)))
    harness.rows([(k, 1, 1, "a") for k in range(5000)])
    harness.watermark(2)
    assert harness.context.state_bytes > 0
    harness.watermark(12)
    harness.rows([(1, 20, 5, "a")])
    harness.watermark(21)
    assert [row[4] for row in harness.emitted[-1:]] == [5]
    assert harness.context.state_rows == 1
    harness.watermark(50)
    assert harness.context.state_rows == 0
    assert harness.context.state_bytes < 10_000


@pytest.mark.parametrize("rebuild", [False, True])
def test_partitions_that_do_not_change_are_forgotten(rebuild: bool) -> None:
    calls = (
        _call("count"),
        _call("count", V, distinct=True),
        _call("sum", V, frame=Frame(ROWS, FrameBound(BEFORE, 5), HERE)),
    )
    harness = harness_of(node_of(calls, ttl=100), rebuild=rebuild)

    def last(key: int, time: int) -> tuple[Any, ...]:
        harness.rows([(key, time, 1, "a")])
        harness.watermark(time + 1)
        return harness.take()[-1][4:7]

    assert last(1, 1) == (1, 1, 1)
    assert last(2, 2) == (1, 1, 1)
    harness.clock(60)
    assert last(1, 3) == (2, 1, 2)
    harness.clock(140)
    assert last(1, 4) == (3, 1, 3)
    assert last(2, 5) == (1, 1, 1)
    harness.clock(1000)
    assert harness.context.state_rows == 0
    assert last(1, 6) == (1, 1, 1)


def test_a_sum_that_does_not_fit_is_an_error() -> None:
    huge = cast(Literal(BIGINT, 2**62), BIGINT)
    harness = harness_of(node_of((_call("sum", huge, of=BIGINT),)))
    harness.rows([(1, 1, 1, "a")])
    harness.watermark(2)
    harness.rows([(1, 3, 1, "a")])
    with pytest.raises(DataError, match="sum"):
        harness.watermark(4)


@pytest.mark.parametrize("rebuild", [False, True])
def test_rows_with_long_frames_gather_for_a_while(rebuild: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as many rows would be read for few, not longer than for an epoch, a silence, or a moment."""
    monkeypatch.setattr(event_time_over, "_LEAST_READ", 50)
    harness = harness_of(node_of((_call("sum", V, frame=Frame(RANGE, _away(BEFORE, 1000), HERE)),)), rebuild=rebuild)

    def row(time: int) -> list[int]:
        harness.rows([(1, time, 1, "a")])
        harness.watermark(time + 1)
        return [item[4] for item in harness.take()]

    harness.rows([(1, i, 1, "a") for i in range(100)])
    harness.watermark(100)
    assert len(harness.take()) == 100
    assert row(100) == []
    assert row(101) == []
    harness.rows([(1, 100, 1, "a")])
    assert harness.context.counted["late_rows"] == 1
    harness.clock(harness.context.time + 50_000)
    assert [row[4] for row in harness.emitted] == [101, 102]
    assert [item.time for item in harness.said if isinstance(item, Watermark)] == [102]
    harness.take()
    assert row(102) == []
    harness.epoch()
    assert [row[4] for row in harness.take()] == [103]
    assert row(103) == []
    harness.idle()
    assert [row[4] for row in harness.take()] == [104]
    assert [row(104 + i) for i in range(5)] == [[]] * 5
    harness.rows([(1, 109 + i, 1, "a") for i in range(5)])
    harness.watermark(200)
    assert [row[4] for row in harness.take()] == list(range(105, 115))
