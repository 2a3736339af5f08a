"""Two subplans of equal signature as one that makes the columns of both.

Invariant: the merged plan gives the rows of either, and each column of either under one id.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow.errors import InternalError
from tableflow.expressions.nodes import Expression
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Node,
    Project,
    Replicate,
    Scan,
    Sort,
    Window,
)
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.time_nodes import AssignWatermarks, WindowedAggregate, WindowTable
from tableflow.planner.logical.traversal import reference
from tableflow.records import replace
from tableflow.types import Field

_Calling = Aggregate | WindowedAggregate | Window


def merge(a: Node, b: Node, context: Context) -> tuple[Node, dict[int, int]]:
    """``a`` with the columns that only ``b`` has, and for each column id of ``b`` the one of the result."""
    match a, b:
        case Scan(), Scan():
            return _merge_scans(a, b, context)
        case ((Filter() | Sort() | Limit() | Replicate() | AssignWatermarks()), _):
            below, names = merge(inputs(a)[0], inputs(b)[0], context)
            return with_inputs(a, (below,)), names
        case Join(), Join():
            left, names = merge(a.left, b.left, context)
            right, more = merge(a.right, b.right, context)
            names |= more
            if a.mark is not None and b.mark is not None:
                names[b.mark.id] = a.mark.id
            return replace(a, left=left, right=right), names
        case Project(), Project():
            return _merge_projects(a, b, context)
        case Aggregate(), Aggregate():
            return _merge_aggregates(a, b, context)
        case WindowTable(), WindowTable():
            return _merge_windows(a, b, context)
        case WindowedAggregate(), WindowedAggregate():
            return _merge_windowed_aggregates(a, b, context)
        case Window(), Window():
            below, inner = merge(a.input, b.input, context)
            return _merge_calls(replace(a, input=below), b, inner, dict(inner), context)
        case _:
            pairs = zip(context.output(a), context.output(b), strict=True)
            return a, {other.id: own.id for own, other in pairs}


def _merge_windows(a: WindowTable, b: WindowTable, context: Context) -> tuple[Node, dict[int, int]]:
    below, names = merge(a.input, b.input, context)
    start = _merge_made(a.start, b.start, names, context)
    end = _merge_made(a.end, b.end, names, context)
    window_time = _merge_made(a.window_time, b.window_time, names, context)
    return replace(a, input=below, start=start, end=end, window_time=window_time), names


def _merge_made(own: Field | None, other: Field | None, names: dict[int, int], context: Context) -> Field | None:
    """A column that a node makes if anybody wants it."""
    if other is None:
        return own
    made = context.fresh(other) if own is None else own
    names[other.id] = made.id
    return made


def _merge_scans(a: Scan, b: Scan, context: Context) -> tuple[Node, dict[int, int]]:
    by_name = {name: f.id for name, f in zip(a.columns, a.fields, strict=True)}
    fields, columns = list(a.fields), list(a.columns)
    names: dict[int, int] = {}
    for f, name in zip(b.fields, b.columns, strict=True):
        if name not in by_name:
            new = context.fresh(f)
            by_name[name] = new.id
            fields.append(new)
            columns.append(name)
        names[f.id] = by_name[name]
    if len(fields) == len(a.fields):
        return a, names
    return replace(a, fields=tuple(fields), columns=tuple(columns)), names


def _translation(b: Node, below: Node, names: dict[int, int], context: Context) -> dict[int, Expression]:
    fields = {f.id: f for f in context.output(below)}
    return {f.id: reference(fields[names[f.id]]) for f in context.output(b)}


def _unused(wanted: Expression, among: Sequence[Expression], fields: list[Field], names: dict[int, int]) -> int | None:
    """Where the expression stands that no column of the other plan was given yet: each gets one of its own."""
    taken = set(names.values())
    for i, (expression, f) in enumerate(zip(among, fields, strict=True)):
        if f.id not in taken and expression == wanted:
            return i
    return None


def _merge_projects(a: Project, b: Project, context: Context) -> tuple[Node, dict[int, int]]:
    below, inner = merge(a.input, b.input, context)
    by_id = _translation(b.input, below, inner, context)
    fields, expressions = list(a.fields), list(a.expressions)
    names: dict[int, int] = {}
    for f, e in zip(b.fields, b.expressions, strict=True):
        translated = substitute_columns(e, by_id, context)
        at = _unused(translated, expressions, fields, names)
        if at is None:
            fields.append(context.fresh(f))
            expressions.append(translated)
        names[f.id] = fields[-1 if at is None else at].id
    return replace(a, input=below, fields=tuple(fields), expressions=tuple(expressions)), names


def _merge_aggregates(a: Aggregate, b: Aggregate, context: Context) -> tuple[Node, dict[int, int]]:
    below, inner = merge(a.input, b.input, context)
    names = {f.id: inner[f.id] for f in b.keys}
    if {f.id for f in a.keys} != set(names.values()):
        raise InternalError("groupings with equal signatures have different keys")
    return _merge_calls(replace(a, input=below), b, inner, names, context)


def _merge_windowed_aggregates(
    a: WindowedAggregate, b: WindowedAggregate, context: Context
) -> tuple[Node, dict[int, int]]:
    below, inner = merge(a.input, b.input, context)
    names = {f.id: inner[f.id] for f in b.keys}
    start = _merge_made(a.start, b.start, names, context)
    end = _merge_made(a.end, b.end, names, context)
    window_time = _merge_made(a.window_time, b.window_time, names, context)
    fire = _merge_made(a.fire, b.fire, names, context)
    merged = replace(a, input=below, start=start, end=end, window_time=window_time, fire=fire)
    return _merge_calls(merged, b, inner, names, context)


def _merge_calls(
    a: _Calling, b: _Calling, inner: dict[int, int], names: dict[int, int], context: Context
) -> tuple[Node, dict[int, int]]:
    """``a`` with the calls that only ``b`` has; ``inner`` names the columns of ``b``'s input, ``names`` those it hands on."""
    by_id = _translation(b.input, a.input, inner, context)
    results: list[Field] = list(a.results)
    calls: list[Expression] = list(a.calls)
    for f, call in zip(b.results, b.calls, strict=True):
        translated = substitute_columns(call, by_id, context)
        at = _unused(translated, calls, results, names)
        if at is None:
            results.append(context.fresh(f))
            calls.append(translated)
        names[f.id] = results[-1 if at is None else at].id
    return replace(a, results=tuple(results), calls=tuple(calls)), names
