"""The meaning of logical plans, as plainly as it can be written: rows in lists, nested loops, one row at a time.

Slow, and obviously right: what the binder makes of a query is run here and compared with another engine, without the
planner and the operators.  A dependent join needs nothing special, for the left row is in the environment of the right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tableflow.expressions.nodes import AggregateCall, Call, Case, Cast, ColumnRef, Expression, Literal
from tableflow.planner.logical.nodes import (
    Aggregate,
    Filter,
    Hinted,
    Join,
    JoinKind,
    Limit,
    Node,
    Project,
    Query,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Values,
    output,
)

Row = dict[int, Any]


class SecondRow(Exception):
    """A scalar subquery found a second row."""


def run(query: Query, tables: dict[str, list[tuple]]) -> list[tuple]:
    """The rows of a query; ``tables`` by the alias-free name of the scan."""
    ids = [column.id for column in query.columns]
    return [tuple(row[each] for each in ids) for row in _rows(query.root, {}, tables)]


def _rows(node: Node, outer: Row, tables: dict) -> Iterable[Row]:
    match node:
        case Scan(fields=fields, columns=columns):
            names = [column.name for column in node.provider.schema.columns]
            positions = [names.index(column) for column in columns]
            return [
                {field.id: row[position] for field, position in zip(fields, positions, strict=True)}
                for row in tables[node.table]
            ]
        case Values(fields=fields, rows=rows):
            return [{f.id: value(e, outer) for f, e in zip(fields, row, strict=True)} for row in rows]
        case Filter(input=child, conjuncts=conjuncts):
            return [row for row in _rows(child, outer, tables) if _all(conjuncts, outer | row) is True]
        case Project(input=child, fields=fields, expressions=expressions):
            return [
                {f.id: value(e, outer | row) for f, e in zip(fields, expressions, strict=True)}
                for row in _rows(child, outer, tables)
            ]
        case Join():
            return _joined(node, outer, tables)
        case Aggregate():
            return _grouped(node, outer, tables)
        case Sort(input=child, keys=keys):
            rows = list(_rows(child, outer, tables))
            for key in reversed(keys):
                rows.sort(key=lambda row: _order(row[key.column.id], key), reverse=key.descending)
            return rows
        case Limit(input=child, limit=limit, offset=offset):
            rows = list(_rows(child, outer, tables))[offset:]
            return rows if limit is None else rows[:limit]
        case SetOperation():
            return _combined(node, outer, tables)
        case Hinted(input=child):
            return _rows(child, outer, tables)
    raise TypeError(type(node).__name__)


def _order(found: Any, key: Any) -> tuple:
    missing = found is None
    last = missing != key.nulls_first
    return (last != key.descending if missing else (not key.nulls_first) == key.descending, found if not missing else 0)


def _joined(node: Join, outer: Row, tables: dict) -> list[Row]:
    left = list(_rows(node.left, outer, tables))
    fixed = None if node.dependent else list(_rows(node.right, outer, tables))
    nothing_left = {field.id: None for field in output(node.left)}
    nothing_right = {field.id: None for field in output(node.right)}
    found: list[Row] = []
    used: set[int] = set()
    for row in left:
        right = fixed if fixed is not None else list(_rows(node.right, outer | row, tables))
        states = [_all(node.conjuncts, outer | row | other) for other in right]
        matches = [index for index, state in enumerate(states) if state is True]
        match node.kind:
            case JoinKind.SEMI:
                found += [row] if matches else []
            case JoinKind.ANTI:
                kept = not matches and not (node.null_aware and any(state is None for state in states))
                found += [row] if kept else []
            case JoinKind.MARK:
                mark = True if matches else None if any(state is None for state in states) else False
                found.append(row | {node.mark.id: mark})
            case JoinKind.SINGLE if len(matches) > 1:
                raise SecondRow
            case _:
                used.update(matches)
                found += [row | right[index] for index in matches]
                if not matches and node.kind in {JoinKind.LEFT, JoinKind.FULL, JoinKind.SINGLE}:
                    found.append(row | nothing_right)
    if node.kind in {JoinKind.RIGHT, JoinKind.FULL}:
        found += [nothing_left | other for index, other in enumerate(fixed) if index not in used]
    return found


def _grouped(node: Aggregate, outer: Row, tables: dict) -> list[Row]:
    groups: dict[tuple, list[Row]] = {}
    for row in _rows(node.input, outer, tables):
        groups.setdefault(tuple(row[key.id] for key in node.keys), []).append(row)
    if not node.keys:
        groups.setdefault((), [])
    found = []
    for key, rows in groups.items():
        result = {field.id: part for field, part in zip(node.keys, key, strict=True)}
        for field, call in zip(node.results, node.calls, strict=True):
            result[field.id] = _aggregate(call, rows, outer)
        found.append(result)
    return found


def _aggregate(call: AggregateCall, rows: list[Row], outer: Row) -> Any:
    if call.filter is not None:
        rows = [row for row in rows if value(call.filter, outer | row) is True]
    if not call.args:
        return len(rows)
    values = [value(call.args[0], outer | row) for row in rows]
    values = [each for each in values if each is not None]
    if call.distinct:
        values = list(dict.fromkeys(values))
    match call.function:
        case "count":
            return len(values)
        case "sum":
            return sum(values) if values else None
        case "min":
            return min(values, default=None)
        case "max":
            return max(values, default=None)
    raise TypeError(call.function)


def _combined(node: SetOperation, outer: Row, tables: dict) -> list[Row]:
    lists = []
    for child in node.inputs:
        ids = [field.id for field in output(child)]
        lists.append([tuple(row[each] for each in ids) for row in _rows(child, outer, tables)])
    kept: list[tuple] = lists[0]
    match node.kind:
        case SetKind.UNION_ALL | SetKind.UNION:
            kept = [row for rows in lists for row in rows]
        case SetKind.INTERSECT:
            kept = [row for row in lists[0] if all(row in rows for rows in lists[1:])]
        case SetKind.EXCEPT:
            kept = [row for row in lists[0] if row not in lists[1]]
        case SetKind.INTERSECT_ALL | SetKind.EXCEPT_ALL:
            kept = _with_multiplicity(node.kind, lists)
    if node.kind in {SetKind.UNION, SetKind.INTERSECT, SetKind.EXCEPT}:
        kept = list(dict.fromkeys(kept))
    return [{field.id: part for field, part in zip(node.fields, row, strict=True)} for row in kept]


def _with_multiplicity(kind: SetKind, lists: list[list[tuple]]) -> list[tuple]:
    kept = lists[0]
    for rows in lists[1:]:
        rest, now = list(rows), []
        for row in kept:
            there = row in rest
            if there:
                rest.remove(row)
            if there == (kind is SetKind.INTERSECT_ALL):
                now.append(row)
        kept = now
    return kept


def _all(conjuncts: Iterable[Expression], row: Row) -> bool | None:
    states = [value(each, row) for each in conjuncts]
    return False if any(state is False for state in states) else None if None in states else True


_STRICT = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b, "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b, "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b, "abs": abs, "negate": lambda a: -a, "not": lambda a: not a,
}  # fmt: skip


def value(of: Expression, row: Row) -> Any:
    """One expression over one row, with three-valued logic."""
    match of:
        case ColumnRef(id=number):
            return row[number]
        case Literal(value=constant):
            return constant
        case Cast(operand=operand):
            return value(operand, row)
        case Case(conditions=conditions, results=results, otherwise=otherwise):
            for condition, result in zip(conditions, results, strict=True):
                if value(condition, row) is True:
                    return value(result, row)
            return value(otherwise, row)
        case Call(function=name, args=args):
            return _called(name, [value(arg, row) for arg in args])
    raise TypeError(type(of).__name__)


def _called(name: str, args: list[Any]) -> Any:
    match name:
        case "and":
            return False if False in args else None if None in args else True
        case "or":
            return True if True in args else None if None in args else False
        case "coalesce":
            return next((arg for arg in args if arg is not None), None)
        case "is_null":
            return args[0] is None
        case "is_not_null":
            return args[0] is not None
        case "is_distinct_from":
            return args[0] != args[1]
        case "is_not_distinct_from":
            return args[0] == args[1]
        case "in":
            return _called("or", [_called("eq", [args[0], arg]) for arg in args[1:]])
    return None if None in args else _STRICT[name](*args)
