"""Implementation rules of streams for what knows of time: watermarks, windows, aggregation in windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tableflow.catalog.provider import is_stored
from tableflow.errors import UnsupportedError
from tableflow.expressions.emit import Emit, EveryInterval, OnWindowClose
from tableflow.expressions.nodes import Literal
from tableflow.expressions.window_assigner import Cumulate, Delta, Global, Hop, Landmark, Punctuated, Session, Tumble
from tableflow.physical.late_target import LateTarget
from tableflow.physical.node import PhysicalNode
from tableflow.physical.properties import OrderingKey
from tableflow.physical.windowed_aggregate import WindowedAggregate
from tableflow.physical.windowed_operator import windowed_operator
from tableflow.planner.implementation import costs
from tableflow.planner.implementation.changelogs import refuse
from tableflow.planner.implementation.ordering import ordering_by
from tableflow.planner.implementation.requirements import IN_ONE_TASK, NOTHING, Required, hashed
from tableflow.planner.implementation.search import Search
from tableflow.planner.implementation.time_windows import implement_window_table
from tableflow.planner.implementation.upserts import assign, upserts_in_time
from tableflow.planner.logical import nodes as logical
from tableflow.planner.logical import time_nodes as timed
from tableflow.planner.logical.late_into import LateInto
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.traversal import walk_plan
from tableflow.planner.processing_time import is_processing_time
from tableflow.planner.rules.emission import time_in_order
from tableflow.types import Field, IntegerType


def implement_watermarks(search: Search, node: timed.AssignWatermarks, required: Required) -> Iterable[PhysicalNode]:
    """In the source's own chain: time is judged split by split."""
    if required != NOTHING:
        yield search.best(node, NOTHING)
        return
    replacing = upserts_in_time(search, node)
    yield assign(search, node, search.best(node.input, NOTHING)) if replacing is None else replacing


def implement_stream_window_table(
    search: Search, node: timed.WindowTable, required: Required
) -> Iterable[PhysicalNode]:
    """Windows that follow from a row's time are found row by row; others only together with what is computed in them."""
    if isinstance(node.assigner, (Tumble, Hop, Cumulate)):
        yield from implement_window_table(search, node, required)
        return
    if isinstance(node.assigner, Global):
        raise refuse("rows in a GLOBAL window have no end that they could wait for", "read the table itself")
    wanted = search.needed(node)
    start, end, window_time = (
        f if f is not None and f.id in wanted else None for f in (node.start, node.end, node.window_time)
    )
    whole = timed.WindowedAggregate(
        node.input, node.assigner, node.time, node.partition, node.order, start, end, window_time, None, (), (), ()
    )
    yield _windowed(search, node, whole, search.cardinality.rows(node))


def implement_windowed_aggregate(
    search: Search, node: timed.WindowedAggregate, required: Required
) -> Iterable[PhysicalNode]:
    """Rows of one partition meet, and those of one key where a key's windows depend on no other rows."""
    yield _windowed(search, node, node, search.cardinality.rows(node))


def _windowed(
    search: Search, owner: timed.WindowedAggregate | timed.WindowTable, node: timed.WindowedAggregate, rows: float
) -> PhysicalNode:
    """The operator of ``node``; in place of a table function it gives the rows themselves."""
    changing = not search.stream(node.input).appends
    by_clock = node.time is not None and is_processing_time(node.input, node.time.id)
    _check_windows(search, node, changing=changing, by_clock=by_clock)
    order, in_time = _order(search, node, changing=changing)
    _check_firings(search, node)
    # A group that is not by the columns of PARTITION BY has rows of several partitions.
    by_keys = isinstance(node.assigner, (Tumble, Hop, Cumulate, Global))
    meeting = tuple([f.id for f in (node.keys if by_keys else node.partition)])
    child = search.best(node.input, hashed(meeting, exact=False) if meeting else IN_ONE_TASK)
    kept: tuple[Field, ...] = ()
    if isinstance(owner, timed.WindowTable):
        wanted = search.needed(owner)
        # Rows are counted even if nobody reads a column.
        kept = tuple([f for f in child.fields if f.id in wanted]) or child.fields[:1]
    fields = (*node.keys, *node.made, *node.results, *kept)
    work = costs.aggregate_cost(child.facts.estimate.rows, rows, len(node.calls))
    planned = WindowedAggregate(
        fields=fields,
        facts=search.facts(owner, fields, (child,), work, child.facts.properties.partitioning),
        input=child,
        assigner=node.assigner,
        time=None if node.time is None else node.time.id,
        partition=tuple(f.id for f in node.partition),
        order=order,
        in_time=in_time,
        rows=kept,
        start=node.start,
        end=node.end,
        window_time=node.window_time,
        fire=node.fire,
        keys=node.keys,
        calls=node.calls,
        emit=Emit() if node.emit is None else replace(node.emit, span=None),
        changing=changing,
        processing_time=by_clock,
        untimed=node.time is not None and not by_clock and node.time.id not in search.stream(node.input).event_time,
        # By the clock rows come when they come, never late.
        late=None if node.late is None or by_clock else _late(node.late),
        once=_once(node) if node.late is None else None,
    )
    # What no operator computes is refused now, not when the job starts.
    try:
        windowed_operator(planned)
    except UnsupportedError as error:
        error.at(None if node.emit is None else node.emit.span)
        raise
    return planned


def _once(node: timed.WindowedAggregate) -> tuple[int, int] | None:
    """Where each row is there for each of several numbers by which it is grouped, as for grouping sets: their column, and one of them."""
    below = node.input
    while isinstance(below, (logical.Filter, logical.Project)):
        below = below.input
    if not isinstance(below, logical.Join) or below.conjuncts:
        return None
    keys = {f.id for f in node.keys}
    for side in (below.left, below.right):
        if isinstance(side, logical.Values) and len(side.fields) == 1 and side.fields[0].id in keys:
            numbers = [row[0].value for row in side.rows if isinstance(row[0], Literal)]
            if isinstance(side.fields[0].type, IntegerType) and len(set(numbers)) == len(side.rows):
                return side.fields[0].id, numbers[0]
    return None


def _check_windows(search: Search, node: timed.WindowedAggregate, *, changing: bool, by_clock: bool) -> None:
    """Refuses windows that cannot be kept up to date, or never close."""
    if changing and isinstance(node.assigner, (Session, Punctuated, Landmark, Delta)):
        raise refuse(
            f"windows of {type(node.assigner).__name__.upper()} over rows that may be taken back would have to be cut anew",
            "use TUMBLE, HOP or CUMULATE, or group rows that are only added",
        )
    if changing and node.late is not None:
        raise refuse(
            "what comes too late for a window may be the end of a row that was in it: LATE INTO needs rows that are only added",
            "leave LATE INTO out: late changes are counted",
            node.late.span,
        )
    time = search.stream(node.input)
    given = node.time is None or node.time.id in time.event_time or by_clock
    if not given and not time.bounded and _waits_for_time(node):
        assert node.time is not None
        scans = [each for each in walk_plan(node.input) if isinstance(each, logical.Scan)]
        stored = [scan.table for scan in scans if is_stored(scan.provider)]
        if any(_ends_by_the_clock(below) for below in walk_plan(node.input)):
            raise refuse(
                f"windows of column {node.time.name!r} never close: it tells of windows by processing time, and no watermark follows them",
                "take the time anew where they have closed: SELECT PROCTIME() AS p, ... in the query that groups by them, and windows"
                " of p over that",
            )
        raise refuse(
            f"windows of column {node.time.name!r} never close: it is not the event time of its table",
            f"{stored[0]!r} is a table of the database, and has none: say EMIT ON UPDATE, or take the windows in the query"
            " that makes its rows (windows of windows are those of window_time)"
            if stored and len(stored) == len(scans)
            else "declare WATERMARK FOR it (register_stream: watermark=(column, delay)), or say EMIT ON UPDATE",
        )


def _check_firings(search: Search, node: timed.WindowedAggregate) -> None:
    """Refuses firings at intervals of a time that rows which end are not in the order of: nothing says when one is over."""
    emit = node.emit
    if emit is None or not isinstance(node.assigner, Global) or not search.stream(node.input).bounded:
        return
    if any(isinstance(trigger, EveryInterval) and trigger.event_time for trigger in emit.triggers):
        time_in_order(node.order, emit)


def _ends_by_the_clock(node: logical.Node) -> bool:
    """Whether it makes windows by processing time."""
    match node:
        case timed.WindowTable(input=child, time=time) | timed.WindowedAggregate(input=child, time=time):
            return time is not None and is_processing_time(child, time.id)
        case _:
            return False


def _order(search: Search, node: timed.WindowedAggregate, *, changing: bool) -> tuple[tuple[OrderingKey, ...], bool]:
    """The order in which rows count, and whether it begins with their event time."""
    time = search.stream(node.input)
    order = ordering_by(node.order)
    if order and is_processing_time(node.input, order[0].column):
        order = ()  # rows come in this order
    in_time = bool(order) and order[0].column in time.event_time
    if (
        order
        and not (in_time or time.bounded or changing)
        and not isinstance(node.assigner, (Tumble, Hop, Cumulate, Session))
    ):
        times = [column.name for column in output(node.input) if column.id in time.event_time]
        named = ", ".join([*times[:1], *[key.column.name for key in node.order]])
        raise refuse(
            f"rows in the order of {node.order[0].column.name!r} would wait for an end that does not come",
            f"order them by the event time of their table{f': ORDER BY ({named})' if times else ', with WATERMARK FOR it'}; or "
            "leave ORDER BY out: rows count as they arrive then",
        )
    return order, in_time


def check_late_rows(root: logical.Node) -> None:
    """Refuses a plan that computes an aggregation twice, which would write its late rows twice."""
    seen: set[int] = set()
    for node in walk_plan(root):
        late = node.late if isinstance(node, (logical.Aggregate, timed.WindowedAggregate)) else None
        if late is not None and late.made[0].id in seen:
            raise UnsupportedError(
                "a query with LATE INTO would be computed twice, and write each late row twice",
                hint="keep it as CREATE STREAMING TABLE ... AS, and read that one",
                span=late.span,
            )
        if late is not None:
            seen.add(late.made[0].id)


def _late(late: LateInto) -> LateTarget:
    return LateTarget(
        late.name, late.sink, late.columns, (*late.values, *late.window), late.made, late.required, late.span
    )


def _waits_for_time(node: timed.WindowedAggregate) -> bool:
    """Whether results come when windows close, or rows wait for their turn."""
    emit = node.emit or Emit()
    return not emit.triggers or emit.evicts or any(isinstance(trigger, OnWindowClose) for trigger in emit.triggers)
