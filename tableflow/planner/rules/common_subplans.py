"""Subplans that compute the same rows are computed once.

Two readers need not read the same columns: the shared plan makes all that any of them reads.  Bare scans are not shared, nor
is what has hardly fewer rows than it took to compute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tableflow.errors import InternalError
from tableflow.expressions.nodes import Expression
from tableflow.planner.logical.canonical import Canonical
from tableflow.planner.logical.context import Context, substitute_columns
from tableflow.planner.logical.copying import copy_plan
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Join,
    Limit,
    Node,
    Project,
    Replicate,
    Scan,
    Shared,
    Sort,
    Window,
)
from tableflow.planner.logical.structure import inputs, with_inputs
from tableflow.planner.logical.time_nodes import AssignWatermarks, WindowedAggregate, WindowTable
from tableflow.planner.logical.traversal import reference, walk_plan
from tableflow.records import replace
from tableflow.types import Field

_Calling = Aggregate | WindowedAggregate | Window
Worth = Callable[[Node, Context], bool]
_STATEFUL = (Join, Aggregate, Window, WindowedAggregate)
_WORK_PER_ROW_KEPT = 2.0
_LEAST_WORK = 50_000.0
"""Rows looked at that are worth the materialisation's own stage."""


def share_common_subplans(root: Node, required: frozenset[int], context: Context) -> Node:
    """The plan where each group of equal subplans reads one :class:`Shared` input."""
    return _shared(root, context, _is_worth_it)


def share_streams(root: Node, required: frozenset[int], context: Context) -> Node:
    """The same in streams: of what is read without end all readers see one prefix, and of the rest state is kept once."""
    return _shared(root, context, _saves_stream)


def _shared(root: Node, context: Context, worth: Worth) -> Node:
    tables = [node.table for node in walk_plan(root) if isinstance(node, Scan)]
    if len(tables) == len(set(tables)):
        return root
    canonical = Canonical(context)
    canonical.signature(root)
    rejected: set[int] = set()
    while True:
        groups: dict[int, list[Node]] = {}
        counts = _counts(root, canonical)
        _choose(root, counts, rejected, groups, canonical, context, worth)
        lonely = {signature for signature, readers in groups.items() if len(readers) < 2}
        if not lonely:
            break
        rejected |= lonely
    if not groups:
        return root
    replaced: dict[int, Node] = {}
    for readers in groups.values():
        _share(readers, replaced, context)
    return _replace(root, replaced)


def _counts(root: Node, canonical: Canonical) -> dict[int, int]:
    found: dict[int, int] = {}
    for node in walk_plan(root):
        signature = canonical.signature(node)
        found[signature] = found.get(signature, 0) + 1
    return found


def _choose(
    node: Node,
    counts: dict[int, int],
    rejected: set[int],
    groups: dict[int, list[Node]],
    canonical: Canonical,
    context: Context,
    worth: Worth,
) -> None:
    """Collects the largest subplans that occur more than once and are worth sharing."""
    signature = canonical.signature(node)
    if isinstance(node, Shared):
        return
    if counts[signature] > 1 and signature not in rejected:
        if signature in groups or worth(node, context):
            groups.setdefault(signature, []).append(node)
            return
        rejected.add(signature)
    for child in inputs(node):
        _choose(child, counts, rejected, groups, canonical, context, worth)


def _saves_stream(node: Node, context: Context) -> bool:
    parts = list(walk_plan(node))
    saves = any(isinstance(part, _STATEFUL) or (isinstance(part, Scan) and not part.provider.bounded) for part in parts)
    return saves and not any(isinstance(part, Shared) for part in parts) and context.without_chance(node)


def _is_worth_it(node: Node, context: Context) -> bool:
    parts = list(walk_plan(node))
    if not any(isinstance(part, Join | Aggregate | Window) for part in parts) or any(
        isinstance(p, Shared) for p in parts
    ):
        return False
    if not context.without_chance(node):
        return False
    statistics = context.statistics
    work = sum([statistics.table_rows(part) if isinstance(part, Scan) else statistics.rows(part) for part in parts])
    return statistics.rows(node) * _WORK_PER_ROW_KEPT + _LEAST_WORK < work


def _share(readers: list[Node], replaced: dict[int, Node], context: Context) -> None:
    merged = readers[0]
    positions: list[dict[int, int]] = [{f.id: f.id for f in context.output(merged)}]
    for reader in readers[1:]:
        merged, names = merge(merged, reader, context)
        positions.append(names)
    # What says how often rows are repeated is gone once they are.
    gone = {part.count for part in walk_plan(merged) if isinstance(part, Replicate)}
    fields = tuple([f for f in context.output(merged) if f.id not in gone])
    copy, renamed = copy_plan(merged, context)
    columns = tuple([renamed.get(f.id, f) for f in fields])
    key = context.fresh_id()
    for reader, names in zip(readers, positions, strict=True):
        own = {names[f.id]: f for f in context.output(reader)}
        made = tuple([own.get(f.id) or context.fresh(f) for f in fields])
        replaced[id(reader)] = Shared(key, copy, made, columns)


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


def _replace(node: Node, replaced: dict[int, Node]) -> Node:
    new = replaced.get(id(node))
    if new is not None:
        return new
    return with_inputs(node, tuple([_replace(child, replaced) for child in inputs(node)]))
