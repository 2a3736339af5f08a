"""Logical plans evaluated by their definition: nested loops over lists of rows, dependent joins per outer row.

Nothing here is clever, on purpose: optimised and original plans must agree with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tableflow.catalog.provider import (
    Accepted,
    ColumnDefinition,
    ColumnStatistics,
    ScanRequest,
    TableSchema,
    TableStatistics,
)
from tableflow.config import Settings
from tableflow.expressions.nodes import (
    RUNNING,
    WHOLE_PARTITION,
    AggregateCall,
    Call,
    Case,
    Cast,
    ColumnRef,
    Expression,
    Literal,
    WindowCall,
)
from tableflow.planner.logical.context import Context
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
    Replicate,
    Scan,
    SetKind,
    SetOperation,
    Shared,
    Sort,
    Values,
    Window,
)
from tableflow.planner.logical.structure import output

Row = dict[int, Any]


@dataclass(eq=False)
class Table:
    """A provider with its rows."""

    schema: TableSchema
    rows: list[tuple[Any, ...]]
    counted: TableStatistics | None = None
    bounded: bool = True

    def statistics(self) -> TableStatistics:
        if self.counted is None:
            columns = {}
            for i, column in enumerate(self.schema.columns):
                values = [row[i] for row in self.rows if row[i] is not None]
                columns[column.name] = ColumnStatistics(
                    min(values, default=None), max(values, default=None), len(self.rows) - len(values)
                )
            self.counted = TableStatistics(len(self.rows), columns)
        return self.counted

    def accept(self, request: ScanRequest) -> Accepted:
        return Accepted(request)

    def source(self, accepted: Accepted) -> tuple[str, Any]:
        return "test", {}


def table(names: str, type: Any, rows: list[tuple[Any, ...]], keys: tuple[tuple[str, ...], ...] = ()) -> Table:
    columns = tuple(ColumnDefinition(name, type) for name in names.split())
    return Table(TableSchema(columns, keys), rows)


class TooManyRows(Exception):
    """A scalar subquery gave two rows."""


SKIPPED: list[Node] = []
"""Subqueries that the last run did not look at, because there was no outer row."""


def run(query: Query) -> Counter[tuple[Any, ...]]:
    """The result as a bag of rows in the order of the query's columns."""
    return Counter(run_ordered(query))


def run_ordered(query: Query) -> list[tuple[Any, ...]]:
    SKIPPED.clear()
    rows = evaluate(query.root, {})
    return [tuple(row[column.id] for column in query.columns) for row in rows]


def evaluate(node: Node, outer: Row) -> list[Row]:
    match node:
        case Scan(provider=provider, fields=fields, columns=columns, predicates=predicates, limit=limit):
            names = [column.name for column in provider.schema.columns]
            places = [names.index(name) for name in columns]
            rows = [{f.id: raw[i] for f, i in zip(fields, places, strict=True)} for raw in provider.rows]
            rows = [row for row in rows if all(value(p, row) is True for p in predicates)]
            return rows if limit is None else rows[:limit]
        case Values(fields=fields, rows=rows):
            return [{f.id: value(e, outer) for f, e in zip(fields, row, strict=True)} for row in rows]
        case Filter(input=child, conjuncts=conjuncts):
            return [row for row in evaluate(child, outer) if all(value(c, outer | row) is True for c in conjuncts)]
        case Project(input=child, fields=fields, expressions=expressions):
            return [
                {f.id: value(e, outer | row) for f, e in zip(fields, expressions, strict=True)}
                for row in evaluate(child, outer)
            ]
        case Join():
            return list(join(node, outer))
        case Aggregate():
            return aggregate(node, outer)
        case Sort(input=child, keys=keys):
            rows = evaluate(child, outer)
            for key in reversed(keys):
                rows = ordered(rows, key.column.id, key.descending, key.nulls_first)
            return rows
        case Limit(input=child, limit=limit, offset=offset):
            rows = evaluate(child, outer)[offset:]
            return rows if limit is None else rows[:limit]
        case Window():
            return window(node, outer)
        case SetOperation():
            return set_operation(node, outer)
        case Replicate(input=child, count=count):
            return [row for row in evaluate(child, outer) for _ in range(max(0, row[count] or 0))]
        case Shared(input=child, fields=fields, columns=sources):
            return [{f.id: row[s.id] for f, s in zip(fields, sources, strict=True)} for row in evaluate(child, outer)]
        case Hinted(input=child):
            return evaluate(child, outer)
    raise TypeError(type(node).__name__)


def ordered(rows: list[Row], column: int, descending: bool, nulls_first: bool) -> list[Row]:
    nulls = [row for row in rows if row[column] is None]
    rest = [row for row in rows if row[column] is not None]
    rest.sort(key=lambda row: row[column], reverse=descending)
    return nulls + rest if nulls_first else rest + nulls


def join(node: Join, outer: Row) -> Iterator[Row]:
    left_rows = evaluate(node.left, outer)
    # a right side that does not refer to the left is evaluated once, also when there are no left rows
    right_once = evaluate(node.right, outer) if not node.dependent or not refers_to_left(node) else None
    if right_once is None and not left_rows:
        SKIPPED.append(node.right)
    no_left = {f.id: None for f in output(node.left)}
    no_right = {f.id: None for f in output(node.right)}
    matched_right: set[int] = set()
    for left in left_rows:
        right_rows = evaluate(node.right, outer | left) if right_once is None else right_once
        results = [conjunction(node.conjuncts, outer | left | right) for right in right_rows]
        matches = [i for i, result in enumerate(results) if result is True]
        matched_right.update(matches)
        match node.kind:
            case JoinKind.SEMI:
                if matches:
                    yield left
            case JoinKind.ANTI:
                if not (any(r is not False for r in results) if node.null_aware else matches):
                    yield left
            case JoinKind.MARK:
                mark = True if matches else None if any(r is None for r in results) else False
                yield left | {node.mark.id: mark}
            case JoinKind.SINGLE:
                if len(matches) > 1:
                    raise TooManyRows
                yield left | (right_rows[matches[0]] if matches else no_right)
            case _:
                for i in matches:
                    yield left | right_rows[i]
                if not matches and node.kind in (JoinKind.LEFT, JoinKind.FULL):
                    yield left | no_right
    if node.kind in (JoinKind.RIGHT, JoinKind.FULL):
        for i, right in enumerate(right_once):
            if i not in matched_right:
                yield no_left | right


def refers_to_left(node: Join) -> bool:
    free = Context(node.right, Settings()).free(node.right)
    return any(f.id in free for f in output(node.left))


def aggregate(node: Aggregate, outer: Row) -> list[Row]:
    groups: dict[tuple[Any, ...], list[Row]] = {}
    if not node.keys:
        groups[()] = []
    for row in evaluate(node.input, outer):
        groups.setdefault(tuple(row[f.id] for f in node.keys), []).append(outer | row)
    result = []
    for key, rows in groups.items():
        new = dict(zip([f.id for f in node.keys], key, strict=True))
        for f, call in zip(node.results, node.calls, strict=True):
            new[f.id] = aggregate_value(call, rows)
        result.append(new)
    return result


def aggregate_value(call: AggregateCall, rows: list[Row]) -> Any:
    if call.filter is not None:
        rows = [row for row in rows if value(call.filter, row) is True]
    if not call.args:
        return len(rows)
    values = [v for v in (value(call.args[0], row) for row in rows) if v is not None]
    if call.distinct:
        values = sorted(set(values))
    if call.function == "count":
        return len(values)
    if not values:
        return None
    # ANY_VALUE is made definite, so that plans can be compared
    return {"sum": sum, "min": min, "max": max, "any_value": min, "avg": lambda v: sum(v) / len(v)}[call.function](
        values
    )


def window(node: Window, outer: Row) -> list[Row]:
    partitions: dict[tuple[Any, ...], list[Row]] = {}
    for row in evaluate(node.input, outer):
        partitions.setdefault(tuple(row[f.id] for f in node.partition), []).append(row)
    result = []
    for rows in partitions.values():
        for key in reversed(node.order):
            rows = ordered(rows, key.column.id, key.descending, key.nulls_first)
        order = [tuple(row[key.column.id] for key in node.order) for row in rows]
        for i, row in enumerate(rows if node.limit is None else rows[: node.limit]):
            values = {
                f.id: window_value(call, i, order, [outer | each for each in rows])
                for f, call in zip(node.results, node.calls, strict=True)
            }
            result.append(row | values)
    return result


def window_value(call: WindowCall, i: int, order: list[tuple[Any, ...]], rows: list[Row]) -> Any:
    if call.function == "row_number":
        return i + 1
    if call.function == "rank":
        return order.index(order[i]) + 1
    if call.frame == RUNNING:
        rows = rows[: len(rows) - order[::-1].index(order[i])]
    else:
        assert call.frame == WHOLE_PARTITION
    return aggregate_value(AggregateCall(call.type, call.function, call.args, call.distinct), rows)


def set_operation(node: SetOperation, outer: Row) -> list[Row]:
    bags = []
    for branch, columns in zip(node.inputs, node.columns, strict=True):
        bags.append([tuple(row[f.id] for f in columns) for row in evaluate(branch, outer)])
    if node.kind is SetKind.UNION_ALL:
        rows = [row for bag in bags for row in bag]
    elif node.kind is SetKind.UNION:
        rows = list(dict.fromkeys(row for bag in bags for row in bag))
    else:
        counts = Counter(bags[0])
        distinct = node.kind in (SetKind.INTERSECT, SetKind.EXCEPT)
        if distinct:
            counts = Counter(dict.fromkeys(counts, 1))
        for bag in bags[1:]:
            other = Counter(bag)
            if node.kind in (SetKind.INTERSECT, SetKind.INTERSECT_ALL):
                counts &= Counter(dict.fromkeys(other, 1)) if distinct else other
            elif distinct:
                counts = Counter({row: 1 for row in counts if row not in other})
            else:
                counts -= other
        rows = list(counts.elements())
    return [dict(zip([f.id for f in node.fields], row, strict=True)) for row in rows]


def conjunction(of: tuple[Expression, ...], row: Row) -> bool | None:
    values = [value(e, row) for e in of]
    return False if any(v is False for v in values) else None if any(v is None for v in values) else True


def value(of: Expression, row: Row) -> Any:
    match of:
        case ColumnRef(id=i):
            return row[i]
        case Literal(value=v):
            return v
        case Cast(operand=operand):
            return value(operand, row)
        case Case(conditions=conditions, results=results, otherwise=otherwise):
            for condition, result in zip(conditions, results, strict=True):
                if value(condition, row) is True:
                    return value(result, row)
            return value(otherwise, row)
        case Call(function=function, args=args):
            return call(function, [value(a, row) for a in args])
    raise TypeError(type(of).__name__)


_STRICT: dict[str, Any] = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "not": lambda a: not a, "negate": lambda a: -a,
    "divide": lambda a, b: int(a / b),
}  # fmt: skip


def call(function: str, v: list[Any]) -> Any:
    match function:
        case "and":
            return False if any(x is False for x in v) else None if any(x is None for x in v) else True
        case "or":
            return True if any(x is True for x in v) else None if any(x is None for x in v) else False
        case "is_null":
            return v[0] is None
        case "is_not_null":
            return v[0] is not None
        case "is_true":
            return v[0] is True
        case "is_false":
            return v[0] is False
        case "is_not_true":
            return v[0] is not True
        case "is_not_false":
            return v[0] is not False
        case "is_not_distinct_from":
            return v[0] == v[1]
        case "is_distinct_from":
            return v[0] != v[1]
        case "coalesce":
            return next((x for x in v if x is not None), None)
        case "if":
            return v[1] if v[0] is True else v[2]
        case "in":
            return call("or", [call("eq", [v[0], x]) for x in v[1:]])
    return None if any(x is None for x in v) else _STRICT[function](*v)
