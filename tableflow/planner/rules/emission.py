"""EMIT over finished data: results that later ones replace do not appear; firings that are rows of their own do.

A firing that sees the last rows of its group is an aggregate over a frame of rows, at the rows at which it fires.
"""

from __future__ import annotations

from tableflow.errors import UnsupportedError
from tableflow.expressions.coercion import cast
from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate, OnWindowClose
from tableflow.expressions.nodes import (
    WHOLE_PARTITION,
    Case,
    Expression,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    SortKey,
    WindowCall,
)
from tableflow.expressions.over import aggregate_over
from tableflow.expressions.registry import resolve_call, resolve_window
from tableflow.expressions.window_assigner import CountHop, CountTumble, Cumulate, Global, Hop, Tumble
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Aggregate, Filter, Node, Project, Window
from tableflow.planner.logical.predicates import call, disjunction
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.planner.logical.traversal import reference, transform_plan
from tableflow.planner.rules.window_tables import expand_window_table
from tableflow.planner.stream_facts import Streams
from tableflow.records import replace
from tableflow.types import BIGINT, DATE, INTERVAL, STRING, Field, TimestampType

_KEPT = Tumble | Hop | Cumulate | Global
_SO_FAR = Frame(FrameUnit.ROWS, FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.CURRENT_ROW))


def settle_emission(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """The last result of each group, or every firing."""
    assert isinstance(node, Aggregate)
    emit = node.emit
    if emit is None:
        return None
    if node.fire is None:
        return replace(node, emit=None, late=None)
    return _firings(node, emit, node.fire, context)


def fire_when_closed(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Firings of their own as of finished data: of KEEP LAST in sessions and windows of rows, which are known when they close, and those
    of KEEP LAST and GLOBAL over rows that may be taken back.

    Firings of such a window come out together when it closes; those of changing rows are what the rows so far say.  GLOBAL over these
    without EMIT is a grouping, and so are so many rows of them in an order.
    """
    assert isinstance(node, Aggregate)
    emit = node.emit
    if emit is None or node.fire is None:
        return _without_firings(node, required, context)
    table = _window_table(node.input)
    changing = not Streams(node.input).of(node.input).appends
    if not emit.evicts and not (changing and isinstance(table.assigner, Global)):
        return None
    if isinstance(table.assigner, _KEPT) and not changing:
        return None
    # Over rows that may be taken back no row is late: all are kept.
    if emit.lateness is not None and not changing:
        raise UnsupportedError(
            "the firings of a session come out when it closes, and are not corrected: with a late row it may be another session",
            hint="leave LATENESS out: a WATERMARK FOR that stays further behind waits for more rows; or leave KEEP LAST out",
            span=emit.span,
        )
    if node.late is not None:
        raise UnsupportedError(
            "LATE INTO with KEEP LAST is for TUMBLE, HOP and CUMULATE of rows that are only added",
            hint="leave LATE INTO out: late rows are counted",
            span=node.late.span,
        )
    if table.time is None and not table.order:
        raise UnsupportedError(
            "the last of rows that may be taken back are not known without an order"
            if changing
            else "the last rows of a window of rows are not known without an order",
            hint=f"{type(table.assigner).__name__.removeprefix('Count').upper()}(TABLE t ... ORDER BY ...)",
            span=emit.span,
        )
    fired = _firings(node, emit, node.fire, context)
    if not isinstance(table.assigner, Global):
        return fired
    rows = expand_window_table(table, required, context)
    assert rows is not None
    return transform_plan(fired, lambda each: rows if each is table else each)


def _without_firings(node: Aggregate, required: frozenset[int], context: Context) -> Node | None:
    """GLOBAL over rows that may be taken back has one result, which changes with them, and so has each window of so many rows."""
    table: Node = node.input
    while isinstance(table, (Filter, Project)):
        table = table.input
    if not isinstance(table, WindowTable) or Streams(node.input).of(node.input).appends:
        return None
    if isinstance(table.assigner, CountTumble | CountHop) and table.order:
        if node.emit is not None and any(isinstance(trigger, OnWindowClose) for trigger in node.emit.triggers):
            raise UnsupportedError(
                "a window of rows that may be taken back never closes", hint="EMIT ON UPDATE", span=node.emit.span
            )
    elif not isinstance(table.assigner, Global) or node.emit is not None:
        return None
    rows = expand_window_table(table, required, context)
    assert rows is not None
    return transform_plan(node, lambda each: rows if each is table else each)


def _firings(node: Aggregate, emit: Emit, fire: Field, context: Context) -> Node:
    _check(node)
    table = _window_table(node.input)
    order = table.order if table.time is None else (SortKey(reference(table.time)),)
    rows = _carrying(node.input, [key.column.id for key in order], table, context)
    numbering = resolve_window("row_number", [])
    number = Field(context.fresh_id(), "row_number", BIGINT, nullable=False)
    count = Field(context.fresh_id(), "rows", BIGINT, nullable=False)
    rows = Window(rows, node.keys, order, (number,), (numbering,))
    last = WindowCall(BIGINT, "count", (), WHOLE_PARTITION)
    by_number = (SortKey(reference(number)),)
    frame = _frame(emit, order)
    results = tuple([aggregate_over(call, frame) for call in node.calls])
    rows = Window(rows, node.keys, (), (count,), (last,))
    seen = by_number if frame.unit is FrameUnit.ROWS else order
    rows = Window(rows, node.keys, seen, node.results, results) if results else rows
    often = [trigger.rows for trigger in emit.triggers if isinstance(trigger, EveryRows)]
    every = min(often + [1 for trigger in emit.triggers if isinstance(trigger, OnUpdate)], default=None)
    interval = _interval(emit)
    fires: list[Expression] = []
    numbered: Expression = Literal(BIGINT, 1)
    if every is not None:
        step = Literal(BIGINT, every)
        fires = [call("eq", resolve_call("modulo", [reference(number), step]), Literal(BIGINT, 0))]
        before = resolve_call("add", [reference(number), Literal(BIGINT, every - 1)])
        numbered = resolve_call("integer_divide", [before, step])
    if interval is not None:
        rows, ends = _ends_of_intervals(rows, node.keys, number, time_in_order(order, emit), interval, context)
        fires.append(ends)
    fires.append(call("eq", reference(number), reference(count)))
    if interval is not None:
        fired = Field(context.fresh_id(), "fired", BIGINT, nullable=False)
        so_far = WindowCall(BIGINT, "count_if", (disjunction(fires),), _SO_FAR)
        rows = Window(rows, node.keys, by_number, (fired,), (so_far,))
        numbered = reference(fired)
    fields = (*node.keys, *node.results, fire)
    return Project(Filter(rows, (disjunction(fires),)), fields, (*passing((*node.keys, *node.results)), numbered))


def _ends_of_intervals(
    rows: Node, keys: tuple[Field, ...], number: Field, time: Expression, interval: int, context: Context
) -> tuple[Node, Expression]:
    """Whether a row is the last one of its group in an interval of its time; that of the last of all is for others to say."""
    following = resolve_window("lead", [time])
    after = Field(context.fresh_id(), "after", following.type)
    rows = Window(rows, keys, (SortKey(reference(number)),), (after,), (following,))
    return rows, call("is_distinct_from", _interval_of(time, interval), _interval_of(reference(after), interval))


def _interval_of(time: Expression, micros: int) -> Expression:
    """The number of the interval in which a time lies, rounded down."""
    since = resolve_call("date_diff", [Literal(STRING, "microsecond"), Literal(DATE, 0), time])
    back = resolve_call("subtract", [since, Literal(BIGINT, micros - 1)])
    floor = Case(BIGINT, (call("lt", since, Literal(BIGINT, 0)),), (back,), since)
    return resolve_call("integer_divide", [floor, Literal(BIGINT, micros)])


def _interval(emit: Emit) -> int | None:
    """The interval of event time, in microseconds, after which what has changed fires."""
    intervals = [each.micros for each in emit.triggers if isinstance(each, EveryInterval) and each.event_time]
    return min(intervals, default=None)


def time_in_order(order: tuple[SortKey, ...], emit: Emit) -> Expression:
    """The time in whose order rows come, of which intervals are over then; refuses any other order."""
    first = order[0].column if order and not order[0].descending else None
    if first is None or not isinstance(first.type, TimestampType):
        raise UnsupportedError(
            "EVERY ... OF EVENT TIME with firings of their own needs rows in the order of time",
            detail="an interval of time is over when a row of a later one comes, and rows in another order come back to it",
            hint="ORDER BY the time, or EVERY a number of rows",
            span=emit.span,
        )
    return first


def _check(node: Aggregate) -> None:
    for each in node.calls:
        if each.order:
            raise UnsupportedError(
                f"{each.function} with ORDER BY in an aggregation with KEEP LAST is not supported yet", span=each.span
            )


def _frame(emit: Emit, order: tuple[SortKey, ...]) -> Frame:
    """What a firing sees of the rows so far; of an interval up to the last row with its row's time."""
    start = FrameBound(FrameSide.UNBOUNDED_PRECEDING)
    if emit.keep_last is not None:
        time = order[0].column if len(order) == 1 and not order[0].descending else None
        if time is None or not isinstance(time.type, TimestampType):
            raise UnsupportedError(
                "KEEP LAST of an interval needs rows in the order of time", hint="ORDER BY the time", span=emit.span
            )
        back = resolve_call("subtract", [time, Literal(INTERVAL, (0, 0, emit.keep_last))])
        start = FrameBound(FrameSide.PRECEDING, key=cast(back, time.type))
        return Frame(FrameUnit.RANGE, start, FrameBound(FrameSide.CURRENT_ROW))
    if emit.keep_last_rows == 1:
        start = FrameBound(FrameSide.CURRENT_ROW)
    elif emit.keep_last_rows is not None:
        start = FrameBound(FrameSide.PRECEDING, emit.keep_last_rows - 1)
    return Frame(FrameUnit.ROWS, start, FrameBound(FrameSide.CURRENT_ROW))


def _window_table(node: Node) -> WindowTable:
    while not isinstance(node, WindowTable):
        assert isinstance(node, (Filter, Project))
        node = node.input
    return node


def _carrying(node: Node, columns: list[int], table: WindowTable, context: Context) -> Node:
    """The plan with these columns of the window table up to its top."""
    missing = [i for i in columns if i not in context.output_ids(node)]
    if node is table or not missing:
        return node
    assert isinstance(node, (Filter, Project))
    below = _carrying(node.input, columns, table, context)
    if isinstance(node, Filter):
        return replace(node, input=below)
    carried = tuple([f for f in context.output(table) if f.id in missing])
    return Project(below, (*node.fields, *carried), (*node.expressions, *passing(carried)))
