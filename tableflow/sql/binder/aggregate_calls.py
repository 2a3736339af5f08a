"""Calls of aggregates: DISTINCT, ORDER BY inside, WITHIN GROUP and FILTER."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tableflow.errors import BindError, Span, TableFlowError
from tableflow.expressions.keys import keyed, keyed_call, unkeyed
from tableflow.expressions.nodes import Expression
from tableflow.expressions.registry import is_aggregate, resolve_aggregate
from tableflow.sql.binder import outer_aggregates
from tableflow.sql.binder.aggregates import check_sortable
from tableflow.sql.binder.block import refused
from tableflow.types import SqlType

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder

_ORDERED_SETS = frozenset({"percentile_cont", "percentile_disc", "quantile_cont", "quantile_disc"})
"""They take the value from WITHIN GROUP, and the fraction in parentheses."""
_JOINED = frozenset({"listagg", "string_agg", "group_concat"})


def filtered(binder: ExpressionBinder, node: exp.Filter) -> Expression:
    """An aggregate with FILTER."""
    of = node.this.this if isinstance(node.this, exp.WithinGroup) else node.this
    if not isinstance(of, exp.Anonymous) or not is_aggregate(of.name.lower()):
        raise BindError("FILTER follows an aggregate", span=binder.source.span(node.expression))
    return aggregate_call(binder, node.this, node.expression.this)


def within_group(binder: ExpressionBinder, node: exp.WithinGroup) -> Expression:
    """An aggregate with WITHIN GROUP."""
    if not isinstance(node.this, exp.Anonymous) or not is_aggregate(node.this.name.lower()):
        raise BindError("WITHIN GROUP follows an aggregate", span=binder.source.span(node.expression))
    return aggregate_call(binder, node, None)


def aggregate_call(binder: ExpressionBinder, node: exp.Anonymous | exp.WithinGroup, condition: Any) -> Expression:
    """An aggregate with its arguments over the block's input; one of an enclosing block is a column of that one."""
    named = node.this if isinstance(node, exp.WithinGroup) else node
    span = binder.source.span(named)
    nested, binder.inside_aggregate = binder.inside_aggregate, True
    before = outer_aggregates.noted(binder.block)
    distinct, operands, items = operands_of(named, span)
    if isinstance(node, exp.WithinGroup):
        operands, items = _within(named, operands, list(node.expression.expressions), span)
    args = binder.bind_all(operands)
    order = [_item(binder, item) for item in items]
    keep = binder.condition(condition) if condition is not None else None
    binder.inside_aggregate = nested
    try:
        call = resolve_aggregate(named.name.lower(), args, distinct=distinct, filter=keep, span=span, order=order)
    except TableFlowError as error:
        raise error.at(span) from None
    result, call = call.type, keyed_call(call)
    owner = outer_aggregates.owner(binder.block, call)
    if owner is not None:
        return _as(outer_aggregates.taken_over(binder.block, owner, call, before), result)
    if not binder.clause.aggregates:
        hint = "use HAVING" if binder.clause.name == "WHERE" else None
        raise BindError(f"aggregate {named.name!r} cannot stand in {binder.clause.name}", hint=hint, span=span)
    if nested:
        raise BindError(f"aggregate {named.name!r} is nested in another", hint="use a subquery", span=span)
    return _as(call, result)


def _as(of: Expression, result: SqlType) -> Expression:
    return of if of.type == result else unkeyed(of, result)


def operands_of(node: exp.Anonymous, span: Span | None) -> tuple[bool, list[Any], list[exp.Ordered]]:
    """Whether an aggregate is DISTINCT, its argument nodes (COUNT(*) has none), and the items of its ORDER BY."""
    distinct, operands, items = False, list(node.expressions), []
    while operands and isinstance(operands[-1], (exp.Order, exp.Distinct, exp.Limit)):
        last = operands[-1]
        if isinstance(last, exp.Limit):
            raise refused("LIMIT inside an aggregate", span)
        if isinstance(last, exp.Order):
            items = list(last.expressions)
            operands[-1] = last.this
        else:
            distinct = True
            operands[-1:] = last.expressions
    if len(operands) > 1 and isinstance(operands[0], exp.Distinct):
        distinct = True
        operands[:1] = operands[0].expressions
    if len(operands) == 1 and isinstance(operands[0], exp.Star):
        if node.name.lower() != "count" or distinct:
            raise BindError(f"aggregate {node.name!r} does not take {'DISTINCT ' if distinct else ''}*", span=span)
        return False, [], items
    return distinct, operands, items


def _within(
    node: exp.Anonymous, operands: list[Any], items: list[exp.Ordered], span: Span | None
) -> tuple[list[Any], list[exp.Ordered]]:
    """Arguments and order of a call with WITHIN GROUP, as it would be written without."""
    name = node.name.lower()
    if name in _JOINED:
        return operands, items
    if len(items) != 1 or (name not in _ORDERED_SETS and name != "mode"):
        what = "takes one ORDER BY item" if name in _ORDERED_SETS else "takes no WITHIN GROUP"
        raise BindError(f"aggregate {node.name!r} {what}", span=span)
    return [items[0].this, *operands], items if name in _ORDERED_SETS else []


def _item(binder: ExpressionBinder, item: exp.Ordered) -> tuple[Expression, bool, bool]:
    span = binder.source.span(item.this)
    if item.args.get("with_fill") or isinstance(item.this, exp.Var):
        raise refused("ORDER BY ALL or WITH FILL in an aggregate", span)
    key = binder.bind(item.this)
    check_sortable(key, span)
    return keyed(key), bool(item.args.get("desc")), bool(item.args.get("nulls_first"))
