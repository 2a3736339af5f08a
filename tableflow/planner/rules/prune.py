"""Columns that nobody reads are not made: projection pushdown down to the scans."""

from __future__ import annotations

from tableflow.planner.logical.context import Context
from tableflow.planner.logical.nodes import (
    Aggregate,
    Node,
    Project,
    Scan,
    SetKind,
    SetOperation,
    Values,
    Window,
)
from tableflow.planner.logical.time_nodes import WindowTable
from tableflow.records import replace


def prune_columns(node: Node, required: frozenset[int], context: Context) -> Node | None:
    """The node without columns that are not required; an aggregate's keys stay, they decide its rows."""
    match node:
        case Scan():
            return _prune_scan(node, required | context.references(node))
        case Project(fields=fields):
            kept = [i for i, f in enumerate(fields) if f.id in required]
            if len(kept) == len(fields):
                return None
            expressions = tuple([node.expressions[i] for i in kept])
            return replace(node, fields=tuple([fields[i] for i in kept]), expressions=expressions)
        case Aggregate():
            return _prune_aggregate(node, required)
        case Window():
            return _prune_window(node, required)
        case Values(fields=fields, rows=rows):
            kept = [i for i, f in enumerate(fields) if f.id in required]
            if len(kept) == len(fields):
                return None
            return Values(tuple([fields[i] for i in kept]), tuple([tuple([row[i] for i in kept]) for row in rows]))
        case SetOperation(kind=SetKind.UNION_ALL):
            return _prune_union(node, required)
        case WindowTable():
            return _prune_window_table(node, required)
        case _:
            return None


def _prune_scan(node: Scan, required: frozenset[int]) -> Node | None:
    kept = [i for i, f in enumerate(node.fields) if f.id in required]
    if len(kept) == len(node.fields):
        return None
    fields = tuple([node.fields[i] for i in kept])
    return replace(node, fields=fields, columns=tuple([node.columns[i] for i in kept]))


def _prune_aggregate(node: Aggregate, required: frozenset[int]) -> Node | None:
    kept = [i for i, f in enumerate(node.results) if f.id in required]
    if not kept and not node.keys:
        return Values((), ((),))
    if len(kept) == len(node.results):
        return None
    results = tuple([node.results[i] for i in kept])
    return replace(node, results=results, calls=tuple([node.calls[i] for i in kept]))


def _prune_window(node: Window, required: frozenset[int]) -> Node | None:
    kept = [i for i, f in enumerate(node.results) if f.id in required]
    if not kept and node.limit is None:
        return node.input
    if len(kept) == len(node.results):
        return None
    return replace(node, results=tuple([node.results[i] for i in kept]), calls=tuple([node.calls[i] for i in kept]))


def _prune_window_table(node: WindowTable, required: frozenset[int]) -> Node | None:
    """Every column of the window may go; the rows it makes stay."""
    if all(f.id in required for f in node.made):
        return None
    start, end, time = (
        f if f is not None and f.id in required else None for f in (node.start, node.end, node.window_time)
    )
    return replace(node, start=start, end=end, window_time=time)


def _prune_union(node: SetOperation, required: frozenset[int]) -> Node | None:
    kept = [i for i, f in enumerate(node.fields) if f.id in required]
    if len(kept) == len(node.fields):
        return None
    columns = tuple([tuple([own[i] for i in kept]) for own in node.columns])
    return replace(node, fields=tuple([node.fields[i] for i in kept]), columns=columns)
