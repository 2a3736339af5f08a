"""Window table functions over finished data, as ordinary windows (those of time alone have an operator of their own).

A session begins where the row before is too far away, so that sessions are numbered by a running sum; windows of rows follow
from the row's number in its partition.  Streaming plans keep the node.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.expressions.coercion import cast
from tableflow.expressions.nodes import (
    RUNNING,
    WHOLE_PARTITION,
    Expression,
    Frame,
    FrameBound,
    FrameSide,
    FrameUnit,
    Literal,
    SortKey,
    WindowCall,
)
from tableflow.expressions.registry import resolve_call, resolve_window
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
from tableflow.planner.logical.context import Context
from tableflow.planner.logical.copying import passing
from tableflow.planner.logical.nodes import Filter, Join, JoinKind, Node, Project, Values, Window
from tableflow.planner.logical.predicates import call
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.planner.logical.traversal import reference
from tableflow.types import BIGINT, BOOLEAN, INTERVAL, Field, TimestampType

_BEFORE = Frame(FrameUnit.ROWS, FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.PRECEDING, 1))
_SO_FAR = Frame(FrameUnit.ROWS, FrameBound(FrameSide.UNBOUNDED_PRECEDING), FrameBound(FrameSide.CURRENT_ROW))


def expand_window_table(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """The node's rows by windows over partitions."""
    assert isinstance(node, WindowTable)
    match node.assigner:
        case Tumble() | Hop() | Cumulate():
            return None
        case Session(gap=gap):
            return _session(node, gap, context)
        case CountTumble(rows=rows):
            return _count_tumble(node, rows, context)
        case CountHop(slide=slide, rows=rows):
            return _count_hop(node, slide, rows, context)
        case Global():
            return _with_columns(node.input, node, (None, None, None), context)
        case Punctuated(condition=condition):
            return _numbered(node, _count_if(condition, _BEFORE), context)
        case Landmark(condition=condition):
            return _numbered(node, _count_if(condition, _SO_FAR), context, first=1)
        case Delta(value=value, threshold=threshold):
            return _numbered(node, WindowCall(BIGINT, "delta_number", (value, threshold)), context)


def _session(node: WindowTable, gap: int, context: Context) -> Node:
    assert node.time is not None
    time, length = reference(node.time), Literal(INTERVAL, (0, 0, gap))
    present = Filter(node.input, (call("is_not_null", time),))
    by_time = (SortKey(time),)
    before = _field("before", resolve_window("lag", [time]), context)
    neighbours = Window(present, node.partition, by_time, (before,), (resolve_window("lag", [time]),))
    last = cast(resolve_call("add", [reference(before), length]), node.time.type)
    apart = call("ge", time, last)
    # peers of one time are in one session, so that it does not matter which of them comes first
    begun = WindowCall(BIGINT, "count_if", (apart,), RUNNING)
    number = _field("session", begun, context)
    numbered = Window(neighbours, node.partition, by_time, (number,), (begun,))
    first, latest = (WindowCall(node.time.type, name, (time,), WHOLE_PARTITION) for name in ("min", "max"))
    start, end = _field("start", first, context), _field("end", latest, context)
    bounded = Window(numbered, (*node.partition, number), (), (start, end), (first, latest))
    closing = cast(resolve_call("add", [reference(end), length]), node.time.type)
    return _with_columns(bounded, node, (reference(start), closing, _tick_before(closing, node.time)), context)


def _tick_before(end: Expression, time: Field) -> Expression:
    """The end minus one unit of the time column's precision."""
    assert isinstance(time.type, TimestampType)
    if time.type.precision > 6:  # no interval is as short
        return resolve_call("moment_before", [end])
    tick = Literal(INTERVAL, (0, 0, 10 ** (6 - time.type.precision)))
    return cast(resolve_call("subtract", [end, tick]), time.type)


def _count_tumble(node: WindowTable, rows: int, context: Context) -> Node:
    numbered, number = _row_numbers(node, context)
    index = _arithmetic("integer_divide", _arithmetic("subtract", reference(number), _big(1)), _big(rows))
    before = _arithmetic("multiply", index, _big(rows))
    start, end = _arithmetic("add", before, _big(1)), _arithmetic("add", before, _big(rows))
    return _with_columns(numbered, node, (start, end, None), context)


def _count_hop(node: WindowTable, slide: int, rows: int, context: Context) -> Node:
    """Row n is in the windows that end at the multiples of the slide from n to n + rows - 1."""
    numbered, number = _row_numbers(node, context)
    step = Field(context.fresh_id(), "hop", BIGINT, nullable=False)
    hops = Values((step,), tuple([(_big(i * slide),) for i in range(-(-rows // slide))]))
    spread: Node = Join(JoinKind.INNER, numbered, hops)
    ahead = _arithmetic("integer_divide", _arithmetic("add", reference(number), _big(slide - 1)), _big(slide))
    end = _arithmetic("add", _arithmetic("multiply", ahead, _big(slide)), reference(step))
    start = _arithmetic("add", _arithmetic("subtract", end, _big(rows)), _big(1))
    spread = Filter(spread, (call("le", start, reference(number)),))
    return _with_columns(spread, node, (start, end, None), context)


def _numbered(node: WindowTable, windows: WindowCall, context: Context, first: int = 0) -> Node:
    """Windows of rows that a running call numbers; those below ``first`` are none."""
    numbered, number = _row_numbers(node, context)
    by_number = (SortKey(reference(number)),)
    window = _field("window", windows, context)
    rows: Node = Window(numbered, node.partition, by_number, (window,), (windows,))
    if first:
        rows = Filter(rows, (call("ge", reference(window), _big(first)),))
    lowest, highest = (WindowCall(BIGINT, name, (reference(number),), WHOLE_PARTITION) for name in ("min", "max"))
    start, end = _field("start", lowest, context), _field("end", highest, context)
    rows = Window(rows, (*node.partition, window), (), (start, end), (lowest, highest))
    return _with_columns(rows, node, (reference(start), reference(end), None), context)


def _row_numbers(node: WindowTable, context: Context) -> tuple[Node, Field]:
    numbering = resolve_window("row_number", [])
    number = Field(context.fresh_id(), "row_number", BIGINT, nullable=False)
    return Window(node.input, node.partition, node.order, (number,), (numbering,)), number


def _count_if(condition: Expression, frame: Frame) -> WindowCall:
    assert condition.type == BOOLEAN
    return WindowCall(BIGINT, "count_if", (condition,), frame)


def _with_columns(rows: Node, node: WindowTable, values: Sequence[Expression | None], context: Context) -> Project:
    """The columns of the node's input and of the window; None is NULL."""
    kept = context.output(node.input)
    pairs = zip((node.start, node.end, node.window_time), values, strict=True)
    made = [(f, Literal(f.type, None) if value is None else value) for f, value in pairs if f is not None]
    fields = (*kept, *[f for f, _ in made])
    return Project(rows, fields, (*passing(kept), *[value for _, value in made]))


def _field(name: str, of: Expression, context: Context) -> Field:
    return Field(context.fresh_id(), name, of.type)


def _big(value: int) -> Literal:
    return Literal(BIGINT, value)


def _arithmetic(function: str, *args: Expression) -> Expression:
    return resolve_call(function, list(args))
