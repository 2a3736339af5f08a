"""Operators and predicates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, SqlSyntaxError, UnsupportedError
from tableflow.expressions.chaining import lengthened
from tableflow.expressions.fold import fold
from tableflow.expressions.functions.similar import similar_regex
from tableflow.expressions.nodes import Expression, Literal
from tableflow.sql.binder import rows, subqueries
from tableflow.sql.binder.limits import LONG_CHAIN
from tableflow.sql.binder.literals import negated

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder

OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "add", exp.Sub: "subtract", exp.Mul: "multiply", exp.Div: "divide", exp.Mod: "modulo",
    exp.IntDiv: "integer_divide", exp.DPipe: "concat",
    exp.EQ: "eq", exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge",
    exp.NullSafeEQ: "is_not_distinct_from", exp.NullSafeNEQ: "is_distinct_from",
}  # fmt: skip
_CHAINED = frozenset({exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.IntDiv, exp.DPipe})
_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "is_not_distinct_from", "is_distinct_from"})


def binary(binder: ExpressionBinder, node: exp.Binary) -> Expression:
    """An operator with two sides."""
    name = OPERATORS[type(node)]
    left, right = node.this, node.expression
    if isinstance(right, (exp.Any, exp.All)) or isinstance(left, (exp.Any, exp.All)):
        return subqueries.quantified(binder, node, name)
    of_rows = all(isinstance(side, (exp.Tuple, exp.Query)) for side in (left, right))
    if name in _COMPARISONS and of_rows and not all(isinstance(side, exp.Query) for side in (left, right)):
        return _row_comparison(binder, node, name, left, right)
    if type(node) in _CHAINED and type(left) in _CHAINED:
        steps = _steps(node)
        if len(steps) > LONG_CHAIN:
            return _long_chain(binder, steps)
    return binder.call(name, [binder.bind(left), binder.bind(right)], node)


def _steps(node: exp.Binary) -> list[exp.Binary]:
    """Operators that take the result of the one before on their left, the first one first."""
    found: list[exp.Binary] = []
    inner: exp.Expr = node
    while type(inner) in _CHAINED and not isinstance(inner.expression, (exp.Any, exp.All)):
        assert isinstance(inner, exp.Binary)
        found.append(inner)
        inner = inner.this
    return found[::-1]


def _long_chain(binder: ExpressionBinder, steps: list[exp.Binary]) -> Expression:
    """Bound from the left, without a level of nesting for each operator where the type stays the same."""
    depth = binder.depth
    result = binder.bind(steps[0].this)
    for step in steps:
        taken = binder.call(OPERATORS[type(step)], [result, binder.bind(step.expression)], step)
        longer = lengthened(result, taken)
        if longer is None:
            binder.nest(step)
        result = taken if longer is None else longer
    binder.depth = depth
    return result


def _row_comparison(
    binder: ExpressionBinder, node: exp.Binary, name: str, left: exp.Expr, right: exp.Expr
) -> Expression:
    return rows.compared(binder, node, name, _row(binder, left), _row(binder, right))


def _row(binder: ExpressionBinder, node: exp.Expr) -> list[Expression]:
    """The values of a row in parentheses, or of the one row of a subquery."""
    return binder.bind_all(node.expressions) if isinstance(node, exp.Tuple) else subqueries.row(binder, node)


def connector(binder: ExpressionBinder, node: exp.Connector) -> Expression:
    """AND or OR, however long the chain."""
    name = "and" if isinstance(node, exp.And) else "or"
    parts = [binder.condition(part) for part in flattened(node, type(node))]
    return binder.conjunction(name, parts, node)


def negation(binder: ExpressionBinder, node: exp.Not) -> Expression:
    """NOT."""
    inner = node.this
    if isinstance(inner, exp.Is):
        return is_predicate(binder, inner, negated=True)
    return binder.call("not", [binder.condition(inner)], node)


def minus(binder: ExpressionBinder, node: exp.Neg) -> Expression:
    """Minus: of a number a literal, so that the smallest integer can be written."""
    operand = binder.bind(node.this)
    if isinstance(operand, Literal):
        folded = negated(operand, binder.source.span(node))
        if folded is not None:
            return folded
    return binder.call("negate", [operand], node)


def is_predicate(binder: ExpressionBinder, node: exp.Is, *, negated: bool = False) -> Expression:
    """IS [NOT] NULL, TRUE, FALSE or UNKNOWN."""
    right = node.expression
    if isinstance(right, exp.Null):
        name = "is_not_null" if negated else "is_null"
    elif isinstance(right, exp.Boolean):
        name = f"is_{'not_' if negated else ''}{'true' if right.this else 'false'}"
    elif isinstance(right, exp.Column) and right.name.upper() == "UNKNOWN":
        return binder.call("is_not_null" if negated else "is_null", [binder.condition(node.this)], node)
    else:
        raise SqlSyntaxError(
            "IS is followed by [NOT] NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM", span=binder.source.span(right)
        )
    operand = binder.bind(node.this) if isinstance(right, exp.Null) else binder.condition(node.this)
    return binder.call(name, [operand], node)


def between(binder: ExpressionBinder, node: exp.Between) -> Expression:
    """BETWEEN is two comparisons."""
    value, low, high = binder.bind_all([node.this, node.args["low"], node.args["high"]])
    upwards = _range(binder, node, value, low, high)
    if not node.args.get("symmetric"):
        return upwards
    return binder.call("or", [upwards, _range(binder, node, value, high, low)], node)


def _range(
    binder: ExpressionBinder, node: exp.Between, value: Expression, low: Expression, high: Expression
) -> Expression:
    return binder.call("and", [binder.call("ge", [value, low], node), binder.call("le", [value, high], node)], node)


def in_predicate(binder: ExpressionBinder, node: exp.In) -> Expression:
    """IN over a list, or over a subquery."""
    if node.args.get("query") is not None:
        return subqueries.membership(binder, node)
    if node.args.get("field") is not None or node.args.get("unnest") is not None:
        raise SqlSyntaxError("IN is followed by a list or a subquery in parentheses", span=binder.source.span(node))
    if not node.expressions:
        raise SqlSyntaxError("IN needs at least one value", span=binder.source.span(node))
    if isinstance(node.this, exp.Tuple):
        options = []
        for option in node.expressions:
            if not isinstance(option, exp.Tuple):
                raise BindError("a row is compared with a value", span=binder.source.span(option))
            options.append(_row_comparison(binder, exp.EQ(), "eq", node.this, option))
        return binder.conjunction("or", options, node)
    return binder.call("in", binder.bind_all([node.this, *node.expressions]), node)


def like(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """LIKE and ILIKE with their ESCAPE."""
    escape = None
    if isinstance(node, exp.Escape):
        escape, node = node.expression, node.this
        if isinstance(node, exp.SimilarTo):
            return similar(binder, node, escape)
        if not isinstance(node, (exp.Like, exp.ILike)):
            raise SqlSyntaxError("ESCAPE follows LIKE, ILIKE or SIMILAR TO", span=binder.source.span(node))
    name = "ilike" if isinstance(node, exp.ILike) else "like"
    args = binder.bind_all([node.this, node.expression] + ([escape] if escape is not None else []))
    found = binder.call(name, args, node)
    return binder.call("not", [found], node) if node.args.get("negate") else found


def similar(binder: ExpressionBinder, node: exp.Expr, escape: exp.Expr | None = None) -> Expression:
    """SIMILAR TO: the standard's patterns as regular expressions for the whole text."""
    places = [binder.source.span(each) for each in (node.expression, escape)]
    pattern, mark = (None if each is None else fold(binder.bind(each)) for each in (node.expression, escape))
    if not isinstance(pattern, Literal) or (mark is not None and not isinstance(mark, Literal)):
        raise UnsupportedError(
            "SIMILAR TO a pattern that is not constant is not supported yet", hint="use regexp_like", span=places[0]
        )
    try:
        regex = (
            pattern.value
            if pattern.value is None
            else similar_regex(pattern.value, "\\" if mark is None else mark.value)
        )
    except ValueError as error:
        raise BindError(str(error), span=places[0]) from None
    return binder.call("regexp_like", [binder.bind(node.this), Literal(types.STRING, regex, places[0])], node)


def flattened(node: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """The operands of a chain of ANDs or ORs in order, however long it is and however it is parenthesised."""
    found: list[exp.Expr] = []
    rest = [node]
    while rest:
        each = rest.pop()
        inner = each
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if type(inner) is kind:
            rest += [inner.args["expression"], inner.this]
        else:
            found.append(each)
    return found
