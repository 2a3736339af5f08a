"""Calls: functions, aggregates, CASE, casts, and syntax that means a function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, SqlSyntaxError, TableFlowError
from tableflow.expressions.coercion import cast, unify
from tableflow.expressions.nodes import AggregateCall, Case, Expression, Literal, walk
from tableflow.expressions.registry import check_known, is_aggregate
from tableflow.sql.binder import group_windows
from tableflow.sql.binder.aggregate_calls import aggregate_call
from tableflow.sql.binder.block import refused
from tableflow.sql.binder.literals import string_of, typed_string

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder


def case(binder: ExpressionBinder, node: exp.Case) -> Expression:
    """CASE of both forms; with a subject it is compared arm by arm."""
    subject = binder.bind(node.this) if node.this is not None else None
    conditions: list[Expression] = []
    for arm in node.args["ifs"]:
        if subject is None:
            conditions.append(binder.condition(arm.this))
        else:
            conditions.append(binder.call("eq", [subject, binder.bind(arm.this)], arm.this))
    results = binder.bind_all([arm.args["true"] for arm in node.args["ifs"]])
    default = node.args.get("default")
    span = binder.source.span(node)
    results.append(binder.bind(default) if default is not None else Literal(types.NULL, None, span))
    *arms, otherwise = unify(results, "the results of CASE")
    return Case(otherwise.type, tuple(conditions), tuple(arms), otherwise, span)


def cast_expression(binder: ExpressionBinder, node: exp.Cast) -> Expression:
    """CAST, TRY_CAST, ``::`` and DATE '...'."""
    to: types.SqlType = node.args["to"].meta["sql_type"]
    text = string_of(node.this) if node.args.get("typed") else None
    if text is not None:
        return typed_string(text, to, binder.source.span(node))
    span = binder.source.span(node)
    try:
        return cast(binder.bind(node.this), to, lenient=isinstance(node, exp.TryCast))
    except TableFlowError as error:
        raise error.at(span) from None


def extract(binder: ExpressionBinder, node: exp.Extract) -> Expression:
    """EXTRACT(unit FROM value)."""
    unit = Literal(types.STRING, node.this.name.lower(), binder.source.span(node.this))
    return binder.call("extract", [unit, binder.bind(node.expression)], node)


def function_call(binder: ExpressionBinder, node: exp.Anonymous) -> Expression:
    """A call by name: an aggregate or a function of the registry."""
    name = node.name.lower()
    if name.upper() in group_windows.NAMES:
        return group_windows.reference(binder, node)
    if is_aggregate(name):
        return aggregate_call(binder, node, None)
    if name in {"any", "all", "some", "exists"}:
        raise SqlSyntaxError(f"{name.upper()} is followed by a subquery", span=binder.source.span(node))
    if name == "map" and node.meta_get("line") is None:
        return binder.syntax("map", "MAP[...]", binder.bind_all(node.expressions), node)
    if name == "array" and any(isinstance(each, exp.Query) for each in node.expressions):
        raise refused("ARRAY(subquery)", binder.source.span(node))
    if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Star):
        check_known(name, binder.source.span(node))
        raise BindError(f"function {node.name!r} does not take *", span=binder.source.span(node))
    return binder.call(name, binder.bind_all(node.expressions), node)


def index(binder: ExpressionBinder, node: exp.Bracket) -> Expression:
    """``container[key]``."""
    found = binder.bind(node.this)
    for index in node.expressions:
        found = binder.syntax("element_at", "an index [...]", [found, binder.bind(index)], node)
    return found


def array(binder: ExpressionBinder, node: exp.Array) -> Expression:
    """ARRAY[...]."""
    return binder.syntax("array", "ARRAY[...]", binder.bind_all(node.expressions), node)


def row_value(binder: ExpressionBinder, node: exp.Tuple) -> Expression:
    """A row as a value."""
    if not node.expressions:
        raise SqlSyntaxError("an expression is expected in ()", span=binder.source.span(node))
    return binder.syntax("row", "a row (a, b) as a value", binder.bind_all(node.expressions), node)


def at_time_zone(binder: ExpressionBinder, node: exp.AtTimeZone) -> Expression:
    """AT TIME ZONE."""
    args = [binder.bind(node.this), binder.bind(node.args["zone"])]
    return binder.syntax("at_time_zone", "AT TIME ZONE", args, node)


def has_aggregate(expression: Expression) -> bool:
    """Whether an aggregate is in the expression."""
    return any(isinstance(node, AggregateCall) for node in walk(expression))
