"""Subqueries in expressions become joins: EXISTS and IN semi, anti or mark joins, a scalar subquery a single join.

``x = ANY (q)`` is IN and ``x <> ALL (q)`` is NOT IN; other comparisons are mark joins on the comparison, where
``ALL (c)`` is ``NOT ANY (NOT c)``, which keeps the three values of logic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span, SqlSyntaxError
from tableflow.expressions.nodes import ColumnRef, Expression
from tableflow.planner.logical.nodes import Join, JoinKind
from tableflow.sql.binder import rows
from tableflow.sql.binder.block import Waiting
from tableflow.sql.binder.queries import Bound, bind_query

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder

_NEGATED = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}
_MIRRORED = {"eq": "eq", "ne": "ne", "lt": "gt", "gt": "lt", "le": "ge", "ge": "le"}


def scalar(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """A subquery with one column as a value: NULL without a row, an error at run time with more than one."""
    for known, reference in binder.block.key_subqueries:
        if known == node:
            return reference
    bound, span = _bound(binder, node)
    if len(bound.columns) != 1:
        raise BindError(
            f"a subquery used as a value has one column, this has {len(bound.columns)}",
            hint="use EXISTS or IN to compare rows" if len(bound.columns) > 1 else None,
            span=span,
        )
    column = bound.columns[0]
    _wait(binder, JoinKind.SINGLE, bound, frozenset({column.id}), span)
    return ColumnRef(column.type, column.id, column.name, span)


def row(binder: ExpressionBinder, node: exp.Expr) -> list[Expression]:
    """A subquery as a row of values, to be compared with another row; NULLs without a row."""
    bound, span = _bound(binder, node)
    _wait(binder, JoinKind.SINGLE, bound, frozenset(column.id for column in bound.columns), span)
    return [ColumnRef(column.type, column.id, column.name, span) for column in bound.columns]


def exists(binder: ExpressionBinder, node: exp.Exists) -> Expression:
    """EXISTS anywhere but as a conjunct of WHERE."""
    bound, span = _bound(binder, node.this)
    return _mark(binder, bound, (), span, nullable=False)


def membership(binder: ExpressionBinder, node: exp.In) -> Expression:
    """IN (subquery) anywhere but as a conjunct of WHERE."""
    bound, span = _bound(binder, node.args["query"])
    conjuncts = _comparisons(binder, node, node.this, bound, "eq")
    return _mark(binder, bound, conjuncts, span)


def quantified(binder: ExpressionBinder, node: exp.Binary, name: str) -> Expression:
    """A comparison with ANY or ALL of a subquery's rows."""
    operand, predicate, name = _sides(binder, node, name)
    bound, span = _bound(binder, _query_of(binder, predicate))
    if isinstance(predicate, exp.All):
        opposite = _comparisons(binder, node, operand, bound, _NEGATED[name])
        return binder.call("not", [_mark(binder, bound, opposite, span)], node)
    return _mark(binder, bound, _comparisons(binder, node, operand, bound, name), span)


def conjunct(binder: ExpressionBinder, node: Any) -> bool:
    """Join a conjunct of WHERE that is [NOT] EXISTS or [NOT] IN (subquery) right away; False if it is anything else."""
    inner, negated = node, False
    while isinstance(inner, (exp.Paren, exp.Not)):
        negated ^= isinstance(inner, exp.Not)
        inner = inner.this
    if isinstance(inner, exp.Exists):
        bound, span = _bound(binder, inner.this)
        _join(binder, bound, (), span, negated=negated, null_aware=False)
        return True
    if isinstance(inner, exp.In) and inner.args.get("query") is not None:
        bound, span = _bound(binder, inner.args["query"])
        _join(binder, bound, _comparisons(binder, inner, inner.this, bound, "eq"), span, negated=negated)
        return True
    return _quantified_conjunct(binder, inner, negated=negated)


def _quantified_conjunct(binder: ExpressionBinder, node: Any, *, negated: bool) -> bool:
    from tableflow.sql.binder.operators import OPERATORS

    name = OPERATORS.get(type(node))
    if name not in {"eq", "ne"} or not any(
        isinstance(each, (exp.Any, exp.All)) for each in (node.this, node.expression)
    ):
        return False
    operand, predicate, name = _sides(binder, node, name)
    is_all = isinstance(predicate, exp.All)
    if (name == "eq") is is_all:
        return False
    bound, span = _bound(binder, _query_of(binder, predicate))
    _join(binder, bound, _comparisons(binder, node, operand, bound, "eq"), span, negated=negated ^ is_all)
    return True


def _sides(binder: ExpressionBinder, node: exp.Binary, name: str) -> tuple[exp.Expr, exp.Any | exp.All, str]:
    """Operand, quantified subquery and operator, the operand on the left."""
    left, right = node.this, node.expression
    if name not in _MIRRORED:
        raise SqlSyntaxError("ANY and ALL follow a comparison", span=binder.source.span(node))
    if isinstance(left, (exp.Any, exp.All)):
        raise SqlSyntaxError(
            "ANY and ALL stand on the right side of a comparison", hint="turn it around", span=binder.source.span(left)
        )
    return left, right, name


def _query_of(binder: ExpressionBinder, predicate: exp.Any | exp.All) -> exp.Expr:
    inner: exp.Expr = predicate.this
    if not isinstance(inner, exp.Query):
        raise SqlSyntaxError("ANY and ALL are followed by a subquery", span=binder.source.span(predicate))
    return inner


def _bound(binder: ExpressionBinder, node: exp.Expr) -> tuple[Bound, Span | None]:
    block = binder.block
    while isinstance(node, exp.Subquery) and node.is_wrapper:
        node = node.this
    around, block.binder = block.binder, binder
    bound = bind_query(block.context, block.source, node, block.ctes, block)
    block.binder = around
    return bound, binder.source.span(node)


def _comparisons(
    binder: ExpressionBinder, node: Any, operand: exp.Expr, bound: Bound, name: str
) -> tuple[Expression, ...]:
    """The operand (or row of operands) compared with the subquery's columns."""
    row = rows.written(operand) if len(bound.columns) > 1 or isinstance(operand, exp.Tuple) else None
    operands = [operand] if row is None else row
    if len(operands) != len(bound.columns):
        raise BindError(
            f"{len(operands)} value{'s are' if len(operands) > 1 else ' is'} compared with a subquery of "
            f"{len(bound.columns)} column{'s' if len(bound.columns) != 1 else ''}",
            span=binder.source.span(node),
        )
    columns = [ColumnRef(column.type, column.id, column.name) for column in bound.columns]
    if len(operands) > 1 and name != "eq":
        return (rows.compared(binder, node, name, binder.bind_all(operands), columns),)
    return tuple(
        binder.call(name, [binder.bind(left), right], node) for left, right in zip(operands, columns, strict=True)
    )


def _wait(
    binder: ExpressionBinder,
    kind: JoinKind,
    bound: Bound,
    provides: frozenset[int],
    span: Span | None,
    **details: Any,
) -> None:
    block = binder.block
    outer = block.adopt(bound.outer)
    inner = frozenset(column.id for column in bound.columns)
    block.waiting.append(Waiting(kind, bound.plan, provides, outer, inner=inner, span=span, **details))


def _mark(
    binder: ExpressionBinder,
    bound: Bound,
    conjuncts: tuple[Expression, ...],
    span: Span | None,
    *,
    nullable: bool = True,
) -> Expression:
    mark = binder.block.context.field("mark", types.BOOLEAN, nullable=nullable)
    _wait(binder, JoinKind.MARK, bound, frozenset({mark.id}), span, conjuncts=conjuncts, mark=mark)
    return ColumnRef(types.BOOLEAN, mark.id, mark.name, span)


def _join(
    binder: ExpressionBinder,
    bound: Bound,
    conjuncts: tuple[Expression, ...],
    span: Span | None,
    *,
    negated: bool,
    null_aware: bool = True,
) -> None:
    block = binder.block
    outer = block.adopt(bound.outer)
    block.attach([*conjuncts, *outer.values()])
    kind = JoinKind.ANTI if negated else JoinKind.SEMI
    block.plan = Join(
        kind, block.plan, bound.plan, conjuncts, null_aware=negated and null_aware, dependent=bool(outer), span=span,
        block=block.number,
    )  # fmt: skip
