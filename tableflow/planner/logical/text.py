"""Logical plans as trees of text, for EXPLAIN and golden files."""

from __future__ import annotations

from collections.abc import Callable

from tableflow.expressions.nodes import Call, ColumnRef, Expression, SortKey, transform
from tableflow.expressions.text import to_sql
from tableflow.planner.logical.nodes import (
    Aggregate,
    Fetch,
    Filter,
    Hinted,
    Join,
    Limit,
    Node,
    Project,
    Replicate,
    Scan,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.structure import inputs, output
from tableflow.planner.logical.time_nodes import (
    AsofJoin,
    AssignWatermarks,
    TemporalJoin,
    WindowedAggregate,
    WindowTable,
)
from tableflow.planner.logical.time_text import emit_text, windows_text
from tableflow.planner.logical.traversal import produced, walk_plan
from tableflow.types import BOOLEAN, Field


def explain_logical(node: Node, annotate: Callable[[Node], str] | None = None) -> str:
    """The plan as an indented tree; columns of one name are told apart by a number in order of appearance.

    ``annotate`` may add text to each node's line (estimates, for example).
    """
    names = _column_names(node)
    lines: list[str] = []
    written: set[int] = set()

    def visit(at: Node, prefix: str, branch: str) -> None:
        note = "" if annotate is None else annotate(at)
        lines.append(f"{prefix}{branch}{_line(at, names)}{'  ' + note if note else ''}")
        below = prefix + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        if isinstance(at, Shared):
            if at.key in written:
                return
            written.add(at.key)
        children = inputs(at)
        for i, child in enumerate(children):
            visit(child, below, "└─ " if i == len(children) - 1 else "├─ ")

    visit(node, "", "")
    return "\n".join(lines) + "\n"


def _column_names(root: Node) -> dict[int, str]:
    names: dict[int, str] = {}
    used: dict[str, int] = {}
    for node in walk_plan(root):
        for f in (*output(node), *produced(node)):
            if f.id in names:
                continue
            base = f.name or "_"
            used[base] = used.get(base, 0) + 1
            names[f.id] = base if used[base] == 1 else f"{base}_{used[base]}"
    return names


def _line(node: Node, names: dict[int, str]) -> str:
    match node:
        case Scan():
            return _scan_line(node, names)
        case Values(fields=fields, rows=rows):
            shown = ", ".join(f"({', '.join(expression_text(e, names) for e in row)})" for row in rows[:3])
            more = f", ... {len(rows) - 3} more" if len(rows) > 3 else ""
            return (
                f"Values {_fields(fields, names)} {shown}{more}" if rows else f"Values {_fields(fields, names)} empty"
            )
        case Filter(conjuncts=conjuncts):
            return f"Filter {_conjuncts(conjuncts, names)}"
        case Project(fields=fields, expressions=computed):
            return "Project " + ", ".join(_item(f, e, names) for f, e in zip(fields, computed, strict=True))
        case Join():
            return _join_line(node, names)
        case Aggregate(keys=keys, results=results, calls=calls):
            items = [names[f.id] for f in keys]
            computed_items = ", ".join(_item(f, c, names) for f, c in zip(results, calls, strict=True))
            by = f" by {', '.join(items)}" if items else ""
            emit = f" {emit_text(node.emit)}" if node.emit is not None else ""
            shown = f": {computed_items}" if computed_items else ""
            return f"Aggregate{by}{emit}{shown}" if calls else f"Distinct{by}{emit}"
        case Window():
            return _window_line(node, names)
        case Sort(keys=keys):
            return f"Sort {_order(keys, names)}"
        case Limit(limit=limit, offset=offset):
            return ("Limit" if limit is None else f"Limit {limit}") + (f" offset {offset}" if offset else "")
        case SetOperation(kind=kind, fields=fields, inputs=branches, columns=columns):
            pairs = zip(branches, columns, strict=True)
            differs = any([f.id for f in output(b)] != [f.id for f in own] for b, own in pairs)
            of = " of " + ", ".join([_fields(own, names) for own in columns]) if differs else ""
            return f"{kind.value.title()} {_fields(fields, names)}{of}"
        case Replicate(count=count):
            return f"Replicate by {names.get(count, f'#{count}')}"
        case Fetch(table=table, fields=fields):
            return f"Fetch {table} {_fields(fields, names)}"
        case Shared(key=key, fields=fields):
            return f"Shared {key} {_fields(fields, names)}"
        case Hinted(hints=hints):
            return "Hinted " + ", ".join(f"{h.name}({', '.join(h.arguments)})" for h in hints)
        case _:
            return _timed_line(node, names)


def _timed_line(node: Node, names: dict[int, str]) -> str:
    def shown(expression: Expression) -> str:
        return expression_text(expression, names)

    match node:
        case AssignWatermarks(column=column, expression=expression, nulls=nulls):
            return f"AssignWatermarks {names[column.id]} as {shown(expression)}, {nulls.value} nulls"
        case WindowTable(assigner=assigner, time=time, partition=partition, order=order):
            windows = windows_text(assigner, time, partition, order, names, shown)
            return f"WindowTable {windows} {_fields(node.made, names)}"
        case WindowedAggregate(assigner=assigner, time=time, partition=partition, order=order):
            windows = windows_text(assigner, time, partition, order, names, shown)
            items = [_item(f, c, names) for f, c in zip(node.results, node.calls, strict=True)]
            emit = f" {emit_text(node.emit)}" if node.emit is not None else ""
            keys = _fields((*node.keys, *node.made), names)
            return f"WindowedAggregate {windows} {keys}{emit}" + (f": {', '.join(items)}" if items else "")
        case TemporalJoin(kind=kind, conjuncts=conjuncts, time=time, versions=versions):
            on = f" on {_conjuncts(conjuncts, names)}" if conjuncts else ""
            version = f" of {names[versions.id]}" if versions is not None else ""
            return f"TemporalJoin {kind.value} as of {shown(time)}{version}{on}"
        case AsofJoin(kind=kind, conjuncts=conjuncts, time=time, versions=versions):
            on = f" on {_conjuncts(conjuncts, names)}" if conjuncts else ""
            return f"AsofJoin {kind.value} {shown(time)} {_COMPARED[node.match]} {names[versions.id]}{on}"
        case _:
            return type(node).__name__


_COMPARED = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def _scan_line(node: Scan, names: dict[int, str]) -> str:
    renamed = node.alias and node.alias.lower() != node.table.lower()
    parts = [f"Scan {node.table}" + (f" AS {node.alias}" if renamed else ""), _fields(node.fields, names)]
    if node.predicates:
        parts.append(f"where {_conjuncts(node.predicates, names)}")
    if node.limit is not None:
        parts.append(f"limit {node.limit}")
    return " ".join(parts)


def _join_line(node: Join, names: dict[int, str]) -> str:
    words = [word for word, on in (("dependent", node.dependent), ("null-aware", node.null_aware)) if on]
    line = " ".join(["Join", *words, node.kind.value])
    if node.mark is not None:
        line += f" as {names[node.mark.id]}"
    return f"{line} on {_conjuncts(node.conjuncts, names)}" if node.conjuncts else line


def _window_line(node: Window, names: dict[int, str]) -> str:
    parts = ["Window"]
    if node.partition:
        parts.append(f"by {', '.join(names[f.id] for f in node.partition)}")
    if node.order:
        parts.append(f"order {_order(node.order, names)}")
    if node.limit is not None:
        parts.append(f"first {node.limit}")
    calls = [_item(f, c, names) for f, c in zip(node.results, node.calls, strict=True)]
    return " ".join(parts) + (f": {', '.join(calls)}" if calls else "")


def _order(keys: tuple[SortKey, ...], names: dict[int, str]) -> str:
    return ", ".join(
        names.get(k.column.id, f"#{k.column.id}")
        + (" DESC" if k.descending else "")
        + (" NULLS FIRST" if k.nulls_first else "")
        for k in keys
    )


def _fields(fields: tuple[Field, ...], names: dict[int, str]) -> str:
    return f"[{', '.join(names[f.id] for f in fields)}]"


def _item(f: Field, e: Expression, names: dict[int, str]) -> str:
    if isinstance(e, ColumnRef) and e.id == f.id:
        return names[f.id]
    return f"{names[f.id]} := {expression_text(e, names)}"


def _conjuncts(of: tuple[Expression, ...], names: dict[int, str]) -> str:
    return expression_text(of[0] if len(of) == 1 else Call(BOOLEAN, "and", of), names)


def expression_text(of: Expression, names: dict[int, str]) -> str:
    """The expression as SQL, columns under these names."""
    return to_sql(transform(of, lambda node: _named(node, names)))


def _named(of: Expression, names: dict[int, str]) -> Expression:
    return ColumnRef(of.type, of.id, names.get(of.id, f"{of.name}#{of.id}")) if isinstance(of, ColumnRef) else of
