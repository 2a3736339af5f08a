"""Which nodes take their rows as they arrive, and why: *arrival-ordered* nodes.

A node is one if its result depends on the order of its rows and the query does not say that order: it has no ORDER BY, one by
processing time, or one under which different rows tie.  Reasons are said in the query's words.  Rows of which no two are equal in the
columns of the order follow from it; so do rows that differ in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tableflow.expressions.emit import Emit, EveryInterval, EveryRows, OnUpdate
from tableflow.expressions.nodes import AggregateCall, ColumnRef, FrameSide, FrameUnit, SortKey, WindowCall, column_ids
from tableflow.expressions.window_assigner import (
    CountHop,
    CountTumble,
    Cumulate,
    Delta,
    Hop,
    Landmark,
    Punctuated,
    Session,
    Tumble,
    assigner_expressions,
)
from tableflow.planner.logical.nodes import Aggregate, Limit, Node, Sort, Window
from tableflow.planner.logical.structure import output
from tableflow.planner.logical.time_nodes import WindowedAggregate, WindowTable
from tableflow.planner.logical.traversal import walk_plan
from tableflow.planner.processing_time import is_processing_time
from tableflow.records import dataclass
from tableflow.types import TimestampType


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What is known of nodes: sets of columns that are unique together, and the columns that are read above."""

    keys: Callable[[Node], tuple[frozenset[int], ...]]
    needed: Callable[[Node], frozenset[int]]


IN_TIME = (Tumble, Hop, Cumulate, Session)
ELEMENTS = frozenset({"array_agg", "string_agg"})
"""What these give has the same elements in any order."""
_OF_A_ROW = frozenset({*ELEMENTS, "first", "last", "any_value"})
_BY_PLACE = frozenset({"row_number", "ntile", "lag", "lead", "first_value", "last_value", "nth_value"})
_NUMBERED = {
    CountTumble: "TUMBLE of rows",
    CountHop: "HOP of rows",
    Punctuated: "PUNCTUATED",
    Landmark: "LANDMARK",
    Delta: "DELTA",
}
_BY_RANK = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})


def arrival_reasons(node: Node, known: RowFacts, *, told_apart: bool = False) -> Iterator[str]:
    """Why a node is arrival-ordered; nothing if it is not.

    ``told_apart``: rows that tie are told apart by their other columns, as operators over changelogs do it.
    """
    found: Iterable[str | None] = ()
    match node:
        case Limit():
            found = (limit_reason(node, known, told_apart=told_apart),)
        case Window():
            found = _window_reasons(node, known, told_apart)
        case Aggregate(input=child, keys=by, calls=calls):
            found = (call_reason(call, child, [f.id for f in by], known) for call in calls)
        case WindowedAggregate(input=child, keys=by, calls=calls):
            own = (call_reason(call, child, [f.id for f in by], known) for call in calls)
            found = (firing_reason(node, known), *own)
        case WindowTable():
            found = (numbering_reason(node, known),)
    yield from filter(None, found)


def limit_reason(node: Limit, known: RowFacts, *, told_apart: bool = False) -> str | None:
    """Why the rows of a LIMIT depend on how rows arrive."""
    sort = node.input if isinstance(node.input, Sort) else None
    what = f"LIMIT {node.limit}" if node.limit is not None else f"OFFSET {node.offset}"
    keys = () if sort is None else sort.keys
    return _Ordering(what, keys, frozenset(), node.input, known.needed(node)).reason(known, told_apart=told_apart)


def _window_reasons(node: Window, known: RowFacts, told_apart: bool) -> Iterator[str | None]:
    for call in node.calls:
        yield window_call_reason(call, node, known, told_apart=told_apart)
    if node.limit is not None and not node.calls:
        yield first_rows_reason(node, known, told_apart=told_apart)


def first_rows_reason(node: Window, known: RowFacts, *, told_apart: bool = False) -> str | None:
    """Why the first rows of each partition depend on how rows arrive."""
    return _over("row_number OVER", node, node.calls, known, told_apart)


def window_call_reason(call: WindowCall, node: Window, known: RowFacts, *, told_apart: bool = False) -> str | None:
    """Why the value of a call with OVER depends on how rows arrive."""
    return _over(f"{call.function} OVER", node, (call,), known, told_apart) if takes_places(call) else None


def _over(what: str, node: Window, calls: Iterable[WindowCall], known: RowFacts, told_apart: bool) -> str | None:
    read = known.needed(node).union(*(column_ids(call) for call in calls))
    partition = frozenset(f.id for f in node.partition)
    return _Ordering(what, node.order, partition, node.input, read).reason(known, told_apart=told_apart)


def takes_places(call: WindowCall) -> bool:
    """Whether a call with OVER tells rows apart that are equal in the order."""
    if call.function in _BY_PLACE or call.function in _OF_A_ROW:
        return True
    return call.function not in _BY_RANK and call.frame.unit is FrameUnit.ROWS and not _whole(call)


def follows_order(call: WindowCall) -> bool:
    """Whether a call with OVER looks at the order at all."""
    return takes_places(call) or call.function in _BY_RANK or not _whole(call)


def _whole(call: WindowCall) -> bool:
    sides = call.frame.start.side, call.frame.end.side
    return sides == (FrameSide.UNBOUNDED_PRECEDING, FrameSide.UNBOUNDED_FOLLOWING)


def call_reason(call: AggregateCall, below: Node, by: Iterable[int], known: RowFacts) -> str | None:
    """Why the result of an aggregate, over groups of equal columns ``by``, depends on how rows arrive."""
    if call.function not in _OF_A_ROW:
        return None
    given = {*(e.id for e in call.order if isinstance(e, ColumnRef)), *by}
    same = all(arg in call.order or column_ids(arg) <= given for arg in call.args)
    if same or any(key <= given for key in known.keys(below)):
        return None
    return (
        f"{call.function} without ORDER BY" if not call.order else f"{call.function}, of rows that tie in its ORDER BY"
    )


def asked(node: WindowTable | WindowedAggregate) -> frozenset[int]:
    """Columns that the conditions of a window function read."""
    return frozenset[int]().union(*(column_ids(e) for e in assigner_expressions(node.assigner)))


def numbering_reason(node: WindowTable | WindowedAggregate, known: RowFacts) -> str | None:
    """Why it depends on how rows arrive which of them are in one window."""
    name = _NUMBERED.get(type(node.assigner))
    return None if name is None else _in_windows(name, node, node.order, known)


def fires_by_time(emit: Emit) -> bool:
    """Whether it depends on when rows arrive how often a window fires."""
    return any(isinstance(trigger, EveryInterval) for trigger in emit.triggers)


def firing_reason(node: WindowedAggregate, known: RowFacts) -> str | None:
    """Why it depends on how rows arrive what a window is, or what its firings see."""
    numbered = numbering_reason(node, known)
    if numbered is not None or node.fire is None:
        return numbered
    emit = node.emit or Emit()
    order = node.order
    if isinstance(node.assigner, IN_TIME) and node.time is not None:
        order = (SortKey(ColumnRef(node.time.type, node.time.id, node.time.name)),)
    # Rows in the order of time wait for it, and so have the intervals that their own times say.
    in_time = bool(order) and isinstance(order[0].column.type, TimestampType) and not order[0].descending
    if any(isinstance(each, EveryInterval) and not (each.event_time and in_time) for each in emit.triggers):
        return "EMIT EVERY INTERVAL, of rows that have come by then"
    by_rows = any(isinstance(trigger, (EveryRows, OnUpdate)) for trigger in emit.triggers)
    if emit.keep_last is not None or not (by_rows or emit.evicts):
        return None  # a firing sees all rows up to its time
    return _in_windows("EMIT EVERY" if emit.keep_last_rows is None else "KEEP LAST", node, order, known)


def _in_windows(
    what: str, node: WindowTable | WindowedAggregate, order: tuple[SortKey, ...], known: RowFacts
) -> str | None:
    group, read = {f.id for f in node.partition}, known.needed(node) | asked(node)
    if isinstance(node, WindowedAggregate):
        keys = {f.id for f in node.keys}
        # Where windows are cut by row, what is a row's key matters to its place.
        group |= set() if type(node.assigner) in _NUMBERED else keys
        read = asked(node).union(keys, *(column_ids(call) for call in node.calls))
    return _Ordering(what, order, frozenset(group), node.input, read).reason(known, told_apart=False)


def _follow_from(columns: frozenset[int], below: Node) -> set[int]:
    """Bounds of windows that follow from others."""
    found: set[int] = set()
    for node in walk_plan(below):
        if isinstance(node, (WindowTable, WindowedAggregate)) and isinstance(node.assigner, (Tumble, Hop, Cumulate)):
            ends = {f.id for f in (node.end, node.window_time) if f is not None}
            if ends & columns:
                found |= {f.id for f in (node.start, node.end, node.window_time) if f is not None}
    return found


@dataclass(frozen=True, slots=True)
class _Ordering:
    """Rows of ``below`` in this order within their partition, of which ``read`` is all that matters."""

    what: str
    order: tuple[SortKey, ...]
    partition: frozenset[int]
    below: Node
    read: frozenset[int]

    def reason(self, known: RowFacts, *, told_apart: bool) -> str | None:
        """Why that is not a total order, but for rows that are the same."""
        columns = self.partition | {key.column.id for key in self.order}
        differing = {f.id for f in output(self.below)} & self.read - columns
        if not differing or any(key <= columns for key in known.keys(self.below)):
            return None
        if differing <= _follow_from(columns, self.below):
            return None
        if not self.order:
            return f"{self.what} without ORDER BY"
        if is_processing_time(self.below, self.order[0].column.id):
            return f"{self.what}, in order of processing time"
        if told_apart:
            return None
        return f"{self.what}, of rows that tie in ORDER BY {', '.join(key.column.name for key in self.order)}"
