"""Aggregation over a window table function becomes one node in streams, where it can share panes and drop its state.

Filters over a window table move below it where a row's windows do not depend on other rows; those that ask for whole windows
move above the aggregation, as do aggregates that are nothing but a column of the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from tableflow.expressions.nodes import AggregateCall, ColumnRef, Expression
from tableflow.expressions.window_assigner import Cumulate, Global, Hop, Tumble
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.nodes import Aggregate, Filter, Join, JoinKind, Node, Project, Values
from tableflow.planner.logical.time_nodes import WindowedAggregate, WindowTable
from tableflow.planner.logical.traversal import reference
from tableflow.planner.rules.filters import above, filtered
from tableflow.records import dataclass, replace
from tableflow.types import Field

_BY_TIME = (Tumble, Hop, Cumulate)
_OF_EQUAL_VALUES = frozenset(["min", "max", "any_value"])
"""Aggregates that give the value that all rows have."""


def push_filter_through_window_table(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Movable conjuncts that do not read the window go below; where windows depend on rows, only whole partitions may."""
    assert isinstance(node, Filter)
    table = node.input
    if not isinstance(table, WindowTable):
        return None
    if isinstance(table.assigner, _BY_TIME):
        allowed = context.output_ids(table.input)
    else:
        allowed = frozenset([f.id for f in table.partition])
    pushed: list[Expression] = []
    kept: list[Expression] = []
    for conjunct in node.conjuncts:
        columns = context.columns(conjunct)
        (pushed if columns and columns <= allowed and context.movable(conjunct) else kept).append(conjunct)
    if not pushed:
        return None
    below = filtered(table.input, pushed, context)
    return above(kept, replace(table, input=below))


@dataclass(slots=True)
class _Pieces:
    """What an aggregation over a window table computes, over the table's own columns."""

    table: WindowTable
    conjuncts: list[Expression]
    keys: list[tuple[Field, Expression]]
    calls: list[tuple[Field, Expression]]
    late: tuple[Expression, ...]
    """What a late row is written as."""
    window: dict[int, Field] = field(default_factory=dict)
    """The key that holds a column of the window, by that column's id."""
    again: list[tuple[Field, Expression]] = field(default_factory=list)
    """Keys and results that follow from the window."""
    added: frozenset[int] = frozenset()
    """Columns of the window that only those read."""
    own: list[tuple[Field, Expression]] = field(default_factory=list)
    """The other keys."""
    chance: list[tuple[Field, Expression]] = field(default_factory=list)
    """Columns that have another value each time they are computed, those first on which others depend."""
    windows: list[Expression] = field(default_factory=list)
    """Conjuncts that read nothing but the window: they let all of it pass or nothing."""
    repeated: Values | None = None
    """What each row is there once for: the numbers of grouping sets."""


def make_windowed_aggregate(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """Grouping by the window is an operator of its own in streams."""
    assert isinstance(node, Aggregate)
    pieces = _pieces(node, context)
    if pieces is None or not _sorted_out(pieces, context) or (pieces.windows and node.late is not None):
        return None
    table = pieces.table
    plan = _below(pieces, context)
    slots = [_key_of(pieces, f) for f in (table.start, table.end, table.window_time)]
    keys = tuple([f for f, _ in pieces.own])
    results = tuple([f for f, _ in pieces.calls])
    calls = tuple([call for _, call in pieces.calls if isinstance(call, AggregateCall)])
    late = None if node.late is None else replace(node.late, values=pieces.late)
    result: Node = WindowedAggregate(
        plan, table.assigner, table.time, table.partition, table.order, slots[0], slots[1], slots[2], node.fire, keys,
        results, calls, node.emit, late, table.span,
    )  # fmt: skip
    renamed: dict[int, Expression] = {old: reference(new) for old, new in pieces.window.items()}
    result = above([substitute_columns(e, renamed, context) for e in pieces.windows], result)
    if not pieces.again and not pieces.added:
        return result
    computed = [(f, substitute_columns(e, renamed, context)) for f, e in pieces.again]
    passed = [f for f in context.output(result) if f.id not in pieces.added]
    fields = (*passed, *[f for f, _ in computed])
    return Project(result, fields, (*[reference(f) for f in passed], *[e for _, e in computed]))


def _pieces(node: Aggregate, context: Context) -> _Pieces | None:
    """The aggregation over the window table below it, through projections, filters and the repetition of grouping sets."""
    keys: list[Expression] = [reference(f) for f in node.keys]
    calls: tuple[Expression, ...] = node.calls
    late = () if node.late is None else node.late.values
    conjuncts: list[Expression] = []
    chance: list[tuple[Field, Expression]] = []
    below = node.input
    repeated: Values | None = None
    while not isinstance(below, WindowTable):
        if isinstance(below, Join):
            if repeated is not None or below.kind is not JoinKind.INNER or below.conjuncts:
                return None
            sides = (below.left, below.right)
            repeated = next((side for side in sides if isinstance(side, Values)), None)
            if repeated is None:
                return None
            below = sides[0] if repeated is sides[1] else sides[1]
            continue
        if isinstance(below, Filter):
            conjuncts += below.conjuncts
        elif isinstance(below, Project):
            columns = list(zip(below.fields, below.expressions, strict=True))
            drawn = [(f, e) for f, e in columns if not context.deterministic(e)]
            if drawn and repeated is not None:
                return None  # they are drawn once, and not for each repetition
            by_id = {f.id: e for f, e in columns if context.deterministic(e)}
            chance = [*drawn, *[(f, substitute_columns(e, by_id, context)) for f, e in chance]]
            keys = [substitute_columns(e, by_id, context) for e in keys]
            calls = tuple([substitute_columns(e, by_id, context) for e in calls])
            conjuncts = [substitute_columns(e, by_id, context) for e in conjuncts]
            late = tuple([substitute_columns(e, by_id, context) for e in late])
        else:
            return None
        below = below.input
    named = list(zip(node.results, calls, strict=True))
    if repeated is not None and not isinstance(below.assigner, _BY_TIME):
        return None
    pairs = list(zip(node.keys, keys, strict=True))
    return _Pieces(below, conjuncts, pairs, named, late, chance=chance, repeated=repeated)


def _sorted_out(pieces: _Pieces, context: Context) -> bool:
    """Tells keys of the window from others; False if something cannot be computed below or above the aggregation."""
    made = frozenset([f.id for f in pieces.table.made])
    pieces.windows = [
        e for e in pieces.conjuncts if (read := context.columns(e)) and read <= made and context.deterministic(e)
    ]
    pieces.conjuncts = [e for e in pieces.conjuncts if not any(e is window for window in pieces.windows)]
    values = [(f, _value_of_window(e, made, context)) for f, e in pieces.calls]
    pieces.calls = [pair for pair, (_, value) in zip(pieces.calls, values, strict=True) if value is None]
    drawn = [e for _, e in (*pieces.chance, *pieces.calls)]
    if any(not context.columns(e).isdisjoint(made) for e in (*pieces.conjuncts, *drawn)):
        return False
    if pieces.conjuncts and not isinstance(pieces.table.assigner, _BY_TIME):
        return False
    for f, e in pieces.keys:
        columns = context.columns(e)
        if isinstance(e, ColumnRef) and e.id in made and e.id not in pieces.window:
            pieces.window[e.id] = f
        elif columns and columns <= made and context.deterministic(e):
            pieces.again.append((f, e))
        elif columns.isdisjoint(made):
            pieces.own.append((f, e))
        else:
            return False
    if not _is_window(pieces):
        return False
    pieces.again += [(f, value) for f, value in values if value is not None]
    read = frozenset[int]().union(*[context.columns(e) for e in (*[e for _, e in pieces.again], *pieces.windows)])
    # A group of one window has one value of each of its columns, whether it is a key or not.
    missing = {f.id: context.fresh(f) for f in pieces.table.made if f.id in read and f.id not in pieces.window}
    pieces.window |= missing
    pieces.added = frozenset([f.id for f in missing.values()])
    return True


def _value_of_window(call: Expression, made: frozenset[int], context: Context) -> Expression | None:
    """What an aggregate gives that sees the same in all rows of a window: an expression over the window's columns."""
    if not isinstance(call, AggregateCall) or call.function not in _OF_EQUAL_VALUES or call.filter is not None:
        return None
    (value,) = call.args
    columns = context.columns(value)
    return value if columns and columns <= made and context.deterministic(value) and value.type == call.type else None


def _is_window(pieces: _Pieces) -> bool:
    """Whether groups of equal keys are groups of one window."""
    table = pieces.table
    if isinstance(table.assigner, Global):
        return True
    own = {e.id for _, e in pieces.own if isinstance(e, ColumnRef)}
    if any(f.id not in own for f in table.partition):
        return False
    if isinstance(table.assigner, Cumulate):
        return any(f is not None and f.id in pieces.window for f in (table.end, table.window_time))
    return bool(pieces.window)


def _key_of(pieces: _Pieces, made: Field | None) -> Field | None:
    return None if made is None else pieces.window.get(made.id)


def _below(pieces: _Pieces, context: Context) -> Node:
    """The window table's input, filtered, with the keys as columns under their own ids."""
    plan = pieces.table.input
    if pieces.repeated is not None:
        plan = Join(JoinKind.INNER, plan, pieces.repeated, ())
    for f, e in pieces.chance:
        plan = _with_columns(plan, [(f, e)], context)
    plan = filtered(plan, pieces.conjuncts, context)
    passed = context.output(plan)
    known = {f.id for f in passed}
    new = [(f, e) for f, e in pieces.own if f.id not in known]
    return _with_columns(plan, new, context) if new else plan


def _with_columns(plan: Node, new: Sequence[tuple[Field, Expression]], context: Context) -> Node:
    passed = context.output(plan)
    fields = (*passed, *[f for f, _ in new])
    return Project(plan, fields, (*[reference(f) for f in passed], *[e for _, e in new]))
