"""GROUP BY: takes aggregates out of bound expressions and puts columns of an Aggregate node in their place.

Expressions are bound over the block's input first.  Above the aggregation only keys and results exist, so each
expression is rewritten from the top: what equals a key is that key, an aggregate is its result, and a column of the
input that is left over is the user's mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tableflow import types
from tableflow.errors import BindError, Span
from tableflow.expressions.keys import is_nested_key, keyed, unkeyed
from tableflow.expressions.nodes import (
    AggregateCall,
    ColumnRef,
    Expression,
    Literal,
    children,
    walk,
    with_children,
)
from tableflow.planner.logical.nodes import Aggregate
from tableflow.sql.binder.block import Block
from tableflow.sql.binder.grouping_sets import GroupBy, SetAggregation, not_a_key
from tableflow.sql.binder.projection import Projection
from tableflow.types import Field


class Grouping:
    """The aggregation of a block; made once its keys and all expressions above it are bound."""

    def __init__(self, block: Block, by: GroupBy, above: Iterable[Expression]) -> None:
        self._block = block
        fire = block.fire
        keys = tuple([key for key in by.keys if fire is None or not _is(fire, key)])
        calls = dict.fromkeys(
            node for expression in above for node in walk(expression) if isinstance(node, AggregateCall)
        )
        calls |= dict.fromkeys(block.outer_aggregates)
        below: list[Expression] = [*keys, *calls]
        block.attach(below if block.group_window is None else [*below, block.group_window.time])
        of_window: dict[Expression, Field] = {}
        if block.group_window is not None:
            block.plan = block.group_window.table(block, keys)
            of_window = block.group_window.partition
        self._below = _joined_below(block)
        self._input_ids = block.scope.ids
        self._keys: dict[Expression, Field] = {}
        self._results = {call: self._result(call) for call in calls}
        projection = Projection(block.context, block.plan)
        for key in keys:
            check_groupable(key)
            held = of_window.get(key)
            computed = keyed(key) if held is None else ColumnRef(held.type, held.id, held.name)
            self._keys[key] = projection.add(computed, key.name if isinstance(key, ColumnRef) else "key")
        for column in _columns(calls):
            projection.add(column, column.name)
        late = block.late
        for column in () if late is None else _columns(late.values):
            projection.add(column, column.name)
        if by.sets is not None and block.emit is not None:
            raise BindError("EMIT cannot govern GROUPING SETS, ROLLUP or CUBE", span=block.emit_span)
        if by.sets is not None:
            sets = SetAggregation(block.context, by.sets, self._keys)
            self._keys = sets.keys
            self._key_ids = {field.id for field in self._keys.values()}
            block.plan = sets.plan(projection.node(), self._results)
            return
        fields = tuple({field.id: field for field in self._keys.values()}.values())
        self._key_ids = {field.id for field in fields}
        self._grouping = {call for call in calls if call.function == "grouping"}
        for call in self._grouping:
            for arg in call.args:
                if arg not in self._keys:
                    raise not_a_key(arg, call)
            del calls[call], self._results[call]
        if fire is not None:
            self._key_ids = self._key_ids | {fire.id}
        results = tuple(self._results.values())
        block.plan = Aggregate(projection.node(), fields, results, tuple(calls), block.emit, fire, late)

    def _result(self, call: AggregateCall) -> Field:
        known = self._block.outer_aggregates.get(call)
        if known is not None:
            return known
        nullable = call.function not in {"count", "count_if"}
        return self._block.context.field(call.function, call.type, nullable=nullable)

    def rewrite(self, expression: Expression) -> Expression:
        """The expression over the aggregation's output."""
        key = self._keys.get(expression)
        if key is not None:
            column = ColumnRef(key.type, key.id, key.name, getattr(expression, "span", None))
            return unkeyed(column, expression.type)
        if isinstance(expression, AggregateCall) and expression not in self._results:
            return Literal(expression.type, 0, expression.span)  # GROUPING where all keys are in the only set
        if isinstance(expression, AggregateCall):
            result = self._results[expression]
            return ColumnRef(result.type, result.id, result.name, expression.span)
        if isinstance(expression, ColumnRef):
            self._check(expression)
            return expression
        old = children(expression)
        new = tuple(self.rewrite(child) for child in old)
        return with_children(expression, new) if any(a is not b for a, b in zip(old, new, strict=True)) else expression

    def attach(self, expressions: Sequence[Expression]) -> None:
        """Join the waiting subqueries of rewritten expressions above the aggregation."""
        for each in self._block.needed(expressions):
            each.conjuncts = tuple(map(self.rewrite, each.conjuncts))
            for column in each.outer.values():
                self._check(column)
        self._block.attach(expressions)

    def _check(self, column: ColumnRef) -> None:
        if column.id in self._key_ids:
            return
        if column.id in self._input_ids or column.id in self._below:
            name = column.name or "subquery"
            raise BindError(
                f"column {name!r} is neither grouped nor aggregated",
                detail="a group may hold several values of it",
                hint=f"add {name} to GROUP BY, or use any_value({name})",
                span=column.span,
            )


def _columns(of: Iterable[Expression]) -> list[ColumnRef]:
    return [node for expression in of for node in walk(expression) if isinstance(node, ColumnRef)]


def _is(field: Field, key: Expression) -> bool:
    return isinstance(key, ColumnRef) and key.id == field.id


def _joined_below(block: Block) -> frozenset[int]:
    """Columns of subqueries that were joined below the aggregation."""
    return frozenset[int]().union(*(each.provides for each in block.waiting if each.attached))


def _is_key(of: types.SqlType) -> bool:
    return types.family(of) is not types.TypeFamily.NESTED or is_nested_key(of)


def check_groupable(key: Expression) -> None:
    """Refuse to group by what has no equality."""
    if isinstance(key.type, types.JsonType) or not _is_key(key.type):
        raise BindError(f"cannot group by a {key.type}", span=getattr(key, "span", None))


def check_sortable(expression: Expression, span: Span | None) -> None:
    """Refuse to sort what has no order."""
    if isinstance(expression.type, types.JsonType) or not _is_key(expression.type):
        raise BindError(f"a {expression.type} has no order", hint="sort by one of its parts", span=span)
