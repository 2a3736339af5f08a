"""ORDER BY, LIMIT and OFFSET."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span
from tableflow.expressions.fold import fold
from tableflow.expressions.nodes import ColumnRef, Expression, Literal, SortKey
from tableflow.planner.logical.nodes import Limit, Node, Sort
from tableflow.sql.binder.aggregates import check_sortable
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.expressions import Clause, ExpressionBinder
from tableflow.sql.binder.limit_values import limited_by_values
from tableflow.sql.binder.projection import Projection
from tableflow.sql.binder.scope import Relation, Scope
from tableflow.types import Field

_MOST_ROWS = 2**63 - 1


def ordinal(node: Any, count: int, what: str, span: Span | None) -> int | None:
    """The index that a number in ORDER BY or GROUP BY means; None if the node is no whole number."""
    if not isinstance(node, exp.Literal) or node.is_string or not node.this.isdecimal():
        return None
    number = int(node.this[:18])
    if not 1 <= number <= count:
        raise BindError(f"{what} {node.this}: there are {count} columns", hint="count from 1", span=span)
    return number - 1


def ordered_items(block: Block, order: exp.Order | None) -> list[exp.Ordered]:
    """The items of an ORDER BY."""
    if order is None:
        return []
    for item in order.expressions:
        if item.args.get("with_fill"):
            raise refused("WITH FILL", block.source.span(item))
    return list(order.expressions)


def is_all(item: exp.Ordered) -> bool:
    """ORDER BY ALL."""
    return isinstance(item.this, exp.Var)


def sort_key(field: Field, item: exp.Ordered) -> SortKey:
    """How an item sorts its column: NULLs last unless it says otherwise."""
    column = ColumnRef(field.type, field.id, field.name)
    return SortKey(column, bool(item.args.get("desc")), bool(item.args.get("nulls_first")))


def sorted_plan(block: Block, plan: Node, keys: Sequence[SortKey], items: Iterable[exp.Ordered]) -> Node:
    """The plan in the order that the items ask for; a column that was sorted by already is left out."""
    kept: dict[int, SortKey] = {}
    for key in keys:
        kept.setdefault(key.column.id, key)
    places = [place for item in items if (place := block.source.span(item.this)) is not None]
    span = places[0].joined(places[-1]) if places else None
    return Sort(plan, tuple(kept.values()), span) if kept else plan


def limited_plan(block: Block, node: exp.Expr, plan: Node) -> Node:
    """LIMIT and OFFSET behind a query."""
    limit, offset = node.args.get("limit"), node.args.get("offset")
    if limit is not None and (limit.args.get("limit_options") or limit.args.get("expressions")):
        raise refused("LIMIT with PERCENT, TIES or BY", block.source.span(limit.args["expression"]))
    if limit is not None and limit.args.get("offset") is not None:
        raise refused("LIMIT offset, count", block.source.span(limit.args["expression"]))
    counts = [None if each is None else each.args["expression"] for each in (limit, offset)]
    if any(each is not None and each.find(exp.Query, exp.Column) is not None for each in counts):
        return limited_by_values(block, plan, *counts)
    most = _rows(block, limit.args["expression"], "LIMIT") if limit is not None else None
    skipped = _rows(block, offset.args["expression"], "OFFSET") if offset is not None else None
    return plan if most is None and not skipped else Limit(plan, most, skipped or 0)


def order_and_limit(block: Block, node: exp.Expr, plan: Node, columns: Sequence[Field]) -> Node:
    """ORDER BY over the output of a whole query (a set operation, VALUES, parentheses), then LIMIT and OFFSET."""
    items = ordered_items(block, node.args.get("order"))
    if items:
        block.scope = Scope.of(Relation("", tuple(columns)))
        block.plan = plan
        binder = ExpressionBinder(block, Clause("ORDER BY"))
        keys: list[tuple[Expression, exp.Ordered]] = []
        for item in items:
            span = block.source.span(item.this)
            index = ordinal(item.this, len(columns), "ORDER BY", span)
            if is_all(item):
                keys += [(ColumnRef(column.type, column.id), item) for column in columns]
                continue
            field = columns[index] if index is not None else None
            found = binder.bind(item.this) if field is None else ColumnRef(field.type, field.id, field.name)
            check_sortable(found, span)
            keys.append((found, item))
        block.attach([key for key, _ in keys])
        projection = Projection(block.context, block.plan)
        for column in columns:
            projection.add(ColumnRef(column.type, column.id), column.name)
        sort_keys = [sort_key(projection.add(key, "order"), item) for key, item in keys]
        plan = sorted_plan(block, projection.node(), sort_keys, items)
    return limited_plan(block, node, plan)


def _rows(block: Block, node: Any, what: str) -> int | None:
    """A constant number of rows; None for NULL and ALL."""
    if isinstance(node, exp.Var):
        return None
    span = block.source.span(node)
    outside = Block.begin(block.context, block.source, block.ctes, None)
    constant = fold(ExpressionBinder(outside, Clause(what)).bind(node))
    if not isinstance(constant, Literal):
        raise BindError(f"{what} is a constant number of rows", span=span)
    rows = constant.value
    if rows is None:
        return None
    if not isinstance(constant.type, types.IntegerType) or not 0 <= rows <= _MOST_ROWS:
        raise BindError(f"{what} is a whole number of rows, at least 0", span=span)
    return int(rows)
