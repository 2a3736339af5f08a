"""LIMIT and OFFSET that are no constants: subqueries, columns of an enclosing query.  They bound row numbers."""

from __future__ import annotations

from typing import Any

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError
from tableflow.expressions.coercion import cast
from tableflow.expressions.nodes import ColumnRef, Expression, Literal, SortKey, WindowCall
from tableflow.expressions.registry import resolve_call
from tableflow.planner.logical.nodes import Filter, Node, Sort, Window
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.expressions import Clause, ExpressionBinder


def limited_by_values(block: Block, plan: Node, limit: Any, offset: Any) -> Node:
    """The rows whose number is behind the offset and within the limit; NULL is no limit, and less than 0 no row."""
    outside = Block.begin(block.context, block.source, block.ctes, block.parent)
    most, skipped = _count(outside, limit, "LIMIT"), _count(outside, offset, "OFFSET")
    number = block.context.field("number", types.BIGINT, nullable=False)
    column = ColumnRef(number.type, number.id, number.name)
    keys = plan.keys if isinstance(plan, Sort) else ()
    below = plan.input if isinstance(plan, Sort) else plan
    numbered: Node = Window(below, (), keys, (number,), (WindowCall(types.BIGINT, "row_number"),))
    skipped = resolve_call("coalesce", [skipped, Literal(types.BIGINT, 0)])
    if isinstance(most.type, types.NullType):
        most = cast(most, types.BIGINT)
    within = resolve_call("le", [resolve_call("subtract", [column, skipped]), most])
    conjuncts: tuple[Expression, ...] = (
        resolve_call("gt", [column, skipped]),
        resolve_call("coalesce", [within, Literal(types.BOOLEAN, value=True)]),
    )
    plan = Filter(outside.attached_to(numbered, conjuncts), conjuncts)
    for outer in outside.outer.values():
        block.note_outer(outer)
    return Sort(plan, (SortKey(column),))


def _count(outside: Block, node: Any, what: str) -> Expression:
    if node is None or isinstance(node, exp.Var):
        return Literal(types.BIGINT, None)
    found = ExpressionBinder(outside, Clause(what)).bind(node)
    if not isinstance(found.type, (types.IntegerType, types.NullType)):
        raise BindError(f"{what} is a whole number of rows, this is {found.type}", span=outside.source.span(node))
    return cast(found, types.BIGINT)
