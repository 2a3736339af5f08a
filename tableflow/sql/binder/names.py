"""Names in expressions: columns, aliases, fields of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span, SqlSyntaxError
from tableflow.expressions.nodes import Call, Expression, Literal
from tableflow.sql.binder.calls import has_aggregate
from tableflow.sql.binder.limits import MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_SIZE

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder, Names


def column(binder: ExpressionBinder, node: exp.Column) -> Expression:
    """A name: an input column, an alias, a row's field, a column of an enclosing block, in this order."""
    if isinstance(node.this, exp.Star):
        raise SqlSyntaxError("* can only stand alone, in SELECT or COUNT(*)", span=binder.source.span(node))
    parts = [part.name for part in node.parts]
    span = binder.source.span(node)
    aliases = binder.clause.aliases
    found: Expression | None = binder.block.column(parts, span)
    if found is None and len(parts) == 1 and aliases is not None:
        found = _alias(binder, aliases, parts[0], span)
    if found is None:
        found = _member(binder, parts, span) or binder.block.outer_column(parts, span)
    if found is None:
        quoted = len(parts) == 1 and bool(node.this.args.get("quoted")) and binder.source.slice(node).startswith('"')
        raise binder.block.unknown_column(parts, span, aliases.names() if aliases is not None else (), quoted=quoted)
    return found


def _alias(binder: ExpressionBinder, aliases: Names, name: str, span: Span | None) -> Expression | None:
    found = aliases.find(name, span)
    if found is None:
        return None
    size, depth = aliases.extent(name)
    binder.size += size
    binder.deepest = max(binder.deepest, binder.depth + depth)
    if binder.size > MAX_EXPRESSION_SIZE or binder.deepest > MAX_EXPRESSION_DEPTH:
        raise SqlSyntaxError(
            "the expression is too large once its aliases are written out",
            detail=f"{MAX_EXPRESSION_SIZE} parts and {MAX_EXPRESSION_DEPTH} levels are allowed",
            hint="compute parts of it in a subquery",
            span=span,
        )
    _check_window(binder, found, name, span)
    if has_aggregate(found):
        if not binder.clause.aggregates:
            hint = "use HAVING" if binder.clause.name == "WHERE" else None
            raise BindError(f"{name!r} is an aggregate and cannot stand in {binder.clause.name}", hint=hint, span=span)
        if binder.inside_aggregate:
            raise BindError(f"{name!r} is an aggregate nested in another", hint="use a subquery", span=span)
    return found


def _check_window(binder: ExpressionBinder, found: Expression, name: str, span: Span | None) -> None:
    """Aliases of window functions stand where window functions may."""
    if not binder.block.has_window(found):
        return
    if not binder.clause.windows:
        hint = "use QUALIFY" if binder.clause.name in {"WHERE", "HAVING"} else "use a subquery"
        message = f"{name!r} is a window function and cannot stand in {binder.clause.name}"
        raise BindError(message, hint=hint, span=span)
    if binder.inside_aggregate:
        raise BindError(f"{name!r} is a window function inside an aggregate", hint="use a subquery", span=span)


def _member(binder: ExpressionBinder, parts: list[str], span: Span | None) -> Expression | None:
    """``column.field`` and ``table.column.field`` of a ROW column."""
    for split in range(1, len(parts)):
        column = binder.block.column(parts[:split], span)
        if column is not None and (split > 1 or isinstance(column.type, types.RowType)):
            found: Expression = column
            for name in parts[split:]:
                found = field_of(found, name, span)
            return found
    return None


def member_of(binder: ExpressionBinder, node: exp.Dot) -> Expression:
    """A field of an expression in parentheses."""
    if not isinstance(node.expression, exp.Identifier):
        raise BindError("a function is not qualified with a name", span=binder.source.span(node))
    return field_of(binder.bind(node.this), node.expression.name, binder.source.span(node))


def field_of(row: Expression, name: str, span: Span | None) -> Expression:
    """A field of a ROW."""
    if not isinstance(row.type, types.RowType):
        raise BindError(f"{row.type} has no field {name!r}", hint="only a ROW has fields", span=span)
    for index, member in enumerate(row.type.fields):
        if member.name.lower() == name.lower():
            return Call(member.type, "field", (row, Literal(types.INT, index)), span)
    known = ", ".join(member.name for member in row.type.fields)
    raise BindError(f"the ROW has no field {name!r}", detail=f"it has {known}", span=span)
