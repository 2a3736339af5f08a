"""Window functions: a call with OVER becomes a column of a Window node, which waits until the block's groups are made.

As with subqueries the binder does not know yet where in the plan that node belongs: windows are computed behind GROUP BY and
HAVING, before QUALIFY, DISTINCT and ORDER BY.  A call is therefore bound over the block's input, waits in the block,
is rewritten over the groups if there are any, and put into the plan (:mod:`.window_plan`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span, SqlSyntaxError, TableFlowError
from tableflow.expressions.nodes import (
    AggregateCall,
    ColumnRef,
    Expression,
    FrameSide,
    Literal,
    WindowCall,
)
from tableflow.expressions.over import aggregate_over
from tableflow.expressions.registry import (
    aggregate,
    is_aggregate,
    is_window_function,
    resolve_aggregate,
    resolve_window,
    window_function,
)
from tableflow.records import dataclass, replace
from tableflow.sql.binder.aggregate_calls import operands_of
from tableflow.sql.binder.aggregates import check_sortable
from tableflow.sql.binder.block import Block, OrderItem, WaitingWindow, refused
from tableflow.sql.binder.frames import bind_frame

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder


@dataclass(frozen=True, slots=True)
class _Specification:
    """What stands in OVER, with what it takes over from a named window."""

    partition: tuple[exp.Expr, ...]
    order: tuple[exp.Ordered, ...]
    frame: exp.WindowSpec | None


def over(binder: ExpressionBinder, node: exp.Window) -> Expression:
    """A call with OVER, as the column that will hold its value."""
    span = binder.source.span(node)
    call, name, condition, ignores = _parts(binder, node)
    if not binder.clause.windows:
        hint = "use QUALIFY" if binder.clause.name in {"WHERE", "HAVING"} else "use a subquery"
        raise BindError(f"window function {name!r} cannot stand in {binder.clause.name}", hint=hint, span=span)
    if binder.inside_aggregate or binder.inside_window:
        outer = "an aggregate" if binder.inside_aggregate else "another window function"
        raise BindError(f"window function {name!r} is nested in {outer}", hint="use a subquery", span=span)
    binder.inside_window = True
    bound = _call(binder, call, condition, span)
    if ignores is not None:
        bound = replace(bound, ignore_nulls=_ignoring(bound, span, ignores=ignores))
    specification = _specification(binder.block, node)
    partition = [binder.bind(each) for each in specification.partition]
    for key in partition:
        _check_comparable(key)
    order = [_order_item(binder, item) for item in specification.order]
    order, frame = bind_frame(binder, specification.frame, order, span)
    binder.inside_window = False
    bound = replace(bound, frame=frame, span=span)
    _check_moving(bound, span)
    return _waiting(binder.block, bound, partition, order)


def _parts(binder: ExpressionBinder, node: exp.Window) -> tuple[exp.Anonymous, str, Any, bool | None]:
    """The call, its name, its FILTER, and whether it ignores NULLs (None: not said)."""
    call, condition, ignores = node.this, None, None
    while isinstance(call, (exp.IgnoreNulls, exp.RespectNulls, exp.Filter)):
        if isinstance(call, exp.Filter):
            condition = call.expression.this
        else:
            ignores = isinstance(call, exp.IgnoreNulls)
        call = call.this
    if isinstance(call, exp.WithinGroup):
        raise refused("WITHIN GROUP with OVER", binder.source.span(node))
    if not isinstance(call, exp.Anonymous):
        raise SqlSyntaxError("OVER follows the call of a function", span=binder.source.span(node))
    operands = list(call.expressions)
    for index, operand in enumerate(operands):
        if isinstance(operand, (exp.IgnoreNulls, exp.RespectNulls)):
            if ignores is not None:
                raise SqlSyntaxError("IGNORE NULLS or RESPECT NULLS stands twice", span=binder.source.span(node))
            ignores = isinstance(operand, exp.IgnoreNulls)
            operands[index] = operand.this
    stripped = exp.Anonymous(this=call.this, expressions=operands)
    stripped.meta.update(call.meta)
    return stripped, call.name, condition, ignores


def _call(binder: ExpressionBinder, node: exp.Anonymous, condition: Any, span: Span | None) -> WindowCall:
    """The call over the block's input; FILTER of an aggregate makes the arguments of other rows NULL."""
    name = node.name.lower()
    if not is_aggregate(name) and not is_window_function(name):
        raise BindError(
            f"{node.name!r} is neither an aggregate nor a window function",
            hint="leave OVER out",
            span=span,
        )
    distinct, operands, items = operands_of(node, span)
    if items:
        raise refused("ORDER BY inside an aggregate with OVER", span)
    args = binder.bind_all(operands)
    keep = None if condition is None else binder.condition(condition)
    try:
        if is_window_function(name):
            if keep is not None or distinct:
                raise BindError(f"{node.name!r} takes no {'DISTINCT' if distinct else 'FILTER'}", span=span)
            return resolve_window(name, args, span)
        return _aggregate(resolve_aggregate(name, args, distinct=distinct, filter=keep, span=span))
    except TableFlowError as error:
        raise error.at(span) from None


def _aggregate(call: AggregateCall) -> WindowCall:
    args = call.args
    if aggregate(call.function).collected:
        if call.function == "grouping":
            raise BindError("'grouping' takes no OVER", span=call.span)
        return aggregate_over(call)
    nested = isinstance(args[0].type, (types.ArrayType, types.MapType, types.RowType)) if args else False
    if nested and call.function not in {"count", "any_value"}:
        raise refused(f"{call.function} over {args[0].type} with OVER", call.span)
    if call.distinct and nested:
        raise refused(f"DISTINCT of {args[0].type} with OVER", call.span)
    return aggregate_over(call)


def _ignoring(call: WindowCall, span: Span | None, *, ignores: bool) -> bool:
    if not is_window_function(call.function) or not window_function(call.function).takes_nulls:
        raise BindError(f"{call.function!r} takes neither IGNORE NULLS nor RESPECT NULLS", span=span)
    return ignores


def _specification(block: Block, node: exp.Window, seen: tuple[str, ...] = ()) -> _Specification:
    """OVER or WINDOW with the named windows that it builds on written out."""
    own = _Specification(
        tuple(node.args.get("partition_by") or ()),
        tuple(node.args["order"].expressions) if node.args.get("order") is not None else (),
        node.args.get("spec"),
    )
    alias = node.args.get("alias")
    if alias is None:
        return own
    span, name = block.source.span(alias) or block.source.span(node), alias.name.lower()
    definition = block.windows_by_name.get(name)
    if definition is None or name in seen:
        raise BindError(f"window {alias.name!r} does not exist", hint="define it with WINDOW name AS (...)", span=span)
    base = _specification(block, definition, (*seen, name))
    if own.partition and base.partition:
        raise BindError(f"window {alias.name!r} has a PARTITION BY already", span=span)
    if own.order and base.order:
        raise BindError(f"window {alias.name!r} has an ORDER BY already", span=span)
    return _Specification(own.partition or base.partition, own.order or base.order, own.frame or base.frame)


def define(block: Block, definitions: Iterable[exp.Window]) -> None:
    """The named windows of a WINDOW clause."""
    for each in definitions:
        name = each.this.name if isinstance(each.this, exp.Identifier) else str(each.this)
        if name.lower() in block.windows_by_name:
            raise BindError(f"window {name!r} is defined twice", span=block.source.span(each))
        block.windows_by_name[name.lower()] = each
    for name, each in block.windows_by_name.items():
        _specification(block, each, (name,))


def _order_item(binder: ExpressionBinder, item: exp.Ordered) -> OrderItem:
    span = binder.source.span(item.this)
    if item.args.get("with_fill") or isinstance(item.this, exp.Var):
        raise refused("ORDER BY ALL or WITH FILL in a window", span)
    key = binder.bind(item.this)
    check_sortable(key, span)
    return OrderItem(key, bool(item.args.get("desc")), bool(item.args.get("nulls_first")))


def _check_comparable(key: Expression) -> None:
    if isinstance(key.type, (types.MapType, types.JsonType, types.ArrayType, types.RowType)):
        raise refused(f"PARTITION BY a {key.type}", getattr(key, "span", None))


_INEXACT = frozenset({"stddev_samp", "stddev_pop", "var_samp", "var_pop"})


def _check_moving(call: WindowCall, span: Span | None) -> None:
    """Distinct floats cannot be taken out of a sum again."""
    inexact = call.function in _INEXACT or (isinstance(call.type, types.FloatType) and call.function != "avg")
    inexact |= call.function == "avg" and isinstance(call.args[0].type, types.FloatType)
    if call.distinct and inexact and call.frame.start.side is not FrameSide.UNBOUNDED_PRECEDING:
        raise refused(f"{call.function}(DISTINCT ...) of floats over a frame whose start moves", span)


def _waiting(block: Block, call: WindowCall, partition: Sequence[Expression], order: Sequence[OrderItem]) -> ColumnRef:
    """The column of the call; equal calls over equal windows share one."""
    keys = tuple(dict.fromkeys(key for key in partition if not isinstance(key, Literal)))
    items = tuple(item for item in order if not isinstance(item.key, Literal))
    for known in block.windows:
        if known.call == call and known.partition == keys and known.order == items:
            return ColumnRef(known.field.type, known.field.id, known.field.name, call.span)
    field = block.context.field(call.function, call.type)
    block.windows.append(WaitingWindow(field, call, keys, items))
    return ColumnRef(field.type, field.id, field.name, call.span)
