"""Aggregation in windows under test: a node over (key, text, value, time), and what Python says of its rows."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from tableflow.expressions.emit import Emit
from tableflow.expressions.nodes import AggregateCall, ColumnRef
from tableflow.expressions.window_assigner import (
    CountHop,
    CountTumble,
    Delta,
    Landmark,
    Punctuated,
    Session,
    WindowAssigner,
)
from tableflow.physical.build import build_operator
from tableflow.physical.late_target import LateTarget
from tableflow.physical.node import Input
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.runtime.graph import OperatorSpec, SinkSpec
from tableflow.serialization import dumps, loads
from tableflow.types import BIGINT, DOUBLE, INT, STRING, TIMESTAMP, DecimalType, Field, SqlType
from tests.physical.event_harness import EventHarness

KEY, TEXT, VALUE, TIME = Field(10, "k", INT), Field(11, "s", STRING), Field(12, "v", BIGINT), Field(13, "ts", TIMESTAMP)
FIELDS = (KEY, TEXT, VALUE, TIME)
START, END, LAST = (
    Field(20, "window_start", TIMESTAMP),
    Field(21, "window_end", TIMESTAMP),
    Field(22, "window_time", TIMESTAMP),
)
FIRE = Field(23, "window_fire", BIGINT)
Row = tuple[Any, ...]


def ref(field: Field) -> ColumnRef:
    return ColumnRef(field.type, field.id, field.name)


CALLS = (
    AggregateCall(BIGINT, "count"),
    AggregateCall(DecimalType(38, 0), "sum", (ref(VALUE),)),
    AggregateCall(BIGINT, "max", (ref(VALUE),)),
    AggregateCall(STRING, "min", (ref(TEXT),)),
    AggregateCall(BIGINT, "count", (ref(TEXT),), distinct=True),
    AggregateCall(DOUBLE, "avg", (ref(VALUE),)),
)


def answers(rows: list[Row]) -> Row:
    """What the calls say of rows (key, text, value, ...)."""
    values = [row[2] for row in rows if row[2] is not None]
    texts = [row[1] for row in rows if row[1] is not None]
    return (
        len(rows),
        sum(values) if values else None,
        max(values, default=None),
        min(texts, default=None),
        len(set(texts)),
        sum(values) / len(values) if values else None,
    )


def node_of(
    assigner: WindowAssigner,
    emit: Emit | None = None,
    keys: tuple[Field, ...] = (KEY,),
    time: SqlType = TIMESTAMP,
    **more: Any,
) -> WindowedAggregate:
    """A node with all calls and window columns."""
    moment = Field(TIME.id, TIME.name, time)
    partition = more.get("partition", ())
    # As planned: rows meet by what their windows depend on, or else by their keys.
    by_rows = isinstance(assigner, (Session, CountTumble, CountHop, Punctuated, Landmark, Delta))
    meeting = partition if by_rows else tuple([f.id for f in keys])
    leaf = Input(fields=(KEY, TEXT, VALUE, moment), dealt=meeting)
    calls = more.pop("calls", CALLS)
    bounds = {
        name: more.pop(name, None if of is None else Field(of.id, of.name, time))
        for name, of in (("start", START), ("end", END), ("window_time", None), ("fire", None))
    }
    shown = tuple(f for f in bounds.values() if f is not None)
    results = tuple(Field(30 + i, f"r{i}", call.type) for i, call in enumerate(calls))
    given = {"partition": (), "order": (), "time": TIME.id, **bounds, **more}
    return WindowedAggregate(
        fields=(*keys, *shown, *results),
        input=leaf,
        assigner=assigner,
        keys=keys,
        calls=calls,
        emit=emit or Emit(),
        **given,
    )


def late_target() -> LateTarget:
    """Late rows as they are: the input's columns, the window they missed, and the watermark."""
    made = tuple(Field(40 + i, name, TIMESTAMP) for i, name in enumerate(("start", "end", "mark")))
    columns = (KEY, TEXT, VALUE, TIME, *made)
    values = tuple(map(ref, columns))
    return LateTarget("late", SinkSpec("late", None), tuple(f.name for f in columns), values, made)


def harness_of(node: WindowedAggregate, **options: Any) -> EventHarness:
    """An operator made of what is left of the node as JSON."""
    read = loads(dumps(node))
    assert read == node
    return EventHarness(lambda: build_operator(OperatorSpec("", read, "")), node.input.fields, **options)


def grouped(pairs: list[tuple[Row, Row]]) -> dict[Row, list[Row]]:
    """Rows by group, of (group, row)."""
    groups = defaultdict(list)
    for group, row in pairs:
        groups[group].append(row)
    return groups


def plain_times(rows: list[Row]) -> list[Row]:
    """Timestamps as microseconds."""
    epoch = datetime(1970, 1, 1)

    def number(value: Any) -> Any:
        return round((value - epoch).total_seconds() * 1_000_000) if isinstance(value, datetime) else value

    return [tuple(map(number, row)) for row in rows]
