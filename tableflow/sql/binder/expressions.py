"""Expressions of a clause: names, literals, operators and calls become bound, typed expressions.

An aggregate stays in the expression as an ``AggregateCall`` over the block's input; :mod:`.aggregates` takes it out.
A subquery becomes the column of a join that waits in the block (:mod:`.subqueries`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.expressions.coercion import cast
from tableflow.expressions.nodes import Expression
from tableflow.expressions.registry import function, reads_clock, resolve_call
from tableflow.records import dataclass
from tableflow.sql.binder import aggregate_calls, calls, literals, names, operators, subqueries, windows
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.limits import MAX_EXPRESSION_DEPTH

_REFUSED: dict[type[exp.Expr], str] = {
    exp.IgnoreNulls: "IGNORE NULLS",
    exp.RespectNulls: "RESPECT NULLS", exp.Collate: "COLLATE", exp.Lambda: "a lambda expression",
    exp.BitwiseAnd: "the operator &", exp.BitwiseOr: "the operator |", exp.BitwiseXor: "the operator ^",
    exp.BitwiseNot: "the operator ~", exp.BitwiseLeftShift: "the operator <<", exp.BitwiseRightShift: "the operator >>",
    exp.Slice: "a slice [a:b]", exp.Unnest: "UNNEST", exp.Kwarg: "a named argument",
}  # fmt: skip


class Names(Protocol):
    """Select items that can be named in a clause."""

    def find(self, name: str, span: Span | None) -> Expression | None:
        """The item of this alias; None if there is none."""
        ...

    def extent(self, name: str) -> tuple[int, int]:
        """How many parts and levels that item has, aliases inside it written out."""
        ...

    def names(self) -> Sequence[str]:
        """All aliases, for hints."""
        ...


@dataclass(slots=True)
class Clause:
    """Where an expression stands: what it is called in messages, and what it may hold."""

    name: str
    aggregates: bool = False
    windows: bool = False
    aliases: Names | None = None


class ExpressionBinder:
    """Binds the expressions of one clause of one block."""

    def __init__(self, block: Block, clause: Clause) -> None:
        self.block = block
        self.source = block.source
        self.clause = clause
        self.depth = 0
        self.deepest = 0
        self.size = 0
        self.inside_aggregate = False
        self.inside_window = False

    @property
    def clause_name(self) -> str:
        """What the clause is called in messages."""
        return self.clause.name

    @property
    def takes_aggregates(self) -> bool:
        """Whether aggregates may stand in the clause."""
        return self.clause.aggregates

    def bind(self, node: Any) -> Expression:
        """The bound expression of a syntax tree."""
        while isinstance(node, exp.Paren):
            node = node.this
        method = _FORMS.get(type(node))
        if method is None:
            raise self._unexpected(node)
        self.size += 1
        self.nest(node)
        found = method(self, node)
        self.depth -= 1
        return found

    def nest(self, node: Any) -> None:
        """One more level of nesting."""
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > MAX_EXPRESSION_DEPTH:
            raise SqlSyntaxError(
                f"the expression is nested more than {MAX_EXPRESSION_DEPTH} levels deep",
                hint="compute parts of it in a subquery",
                span=self.source.span(node),
            )

    def bind_all(self, nodes: Sequence[Any]) -> list[Expression]:
        """Several expressions in order."""
        return [self.bind(node) for node in nodes]

    def condition(self, node: Any) -> Expression:
        """An expression that has to be BOOLEAN."""
        found = self.bind(node)
        if found.type == types.BOOLEAN:
            return found
        if isinstance(found.type, types.NullType):
            return cast(found, types.BOOLEAN)
        raise BindError(
            f"{self.clause.name} needs a BOOLEAN, this is {found.type}",
            hint="compare it with something",
            span=self.source.span(node),
        )

    def call(self, name: str, args: Sequence[Expression], node: Any) -> Expression:
        """A function of the registry."""
        span = self.span(node, args)
        context = self.block.context
        if not args and reads_clock(name.lower()):
            context.reads_clock = True
        try:
            return resolve_call(name, args, span, context.clock)
        except TableFlowError as error:
            raise error.at(span) from None

    def span(self, node: Any, parts: Sequence[Expression] = ()) -> Span | None:
        """The place of a node: its own, else that of its bound parts."""
        if self.source.fixed is None and node.meta_get("start") is not None:
            return self.source.span(node)
        joined: Span | None = self.source.fixed
        for part in parts:
            place: Span | None = getattr(part, "span", None)
            if place is not None:
                joined = place if joined is None else joined.joined(place)
        return joined

    def conjunction(self, name: str, parts: list[Expression], node: Any) -> Expression:
        """AND or OR of any number of conditions."""
        return parts[0] if len(parts) == 1 else self.call(name, parts, node)

    def syntax(self, name: str, what: str, args: Sequence[Expression], node: Any) -> Expression:
        """A call that is written without its name: if the registry lacks it, the name would mean nothing to a user."""
        try:
            function(name)
        except KeyError:
            raise refused(what, self.span(node, args)) from None
        return self.call(name, args, node)

    def _unexpected(self, node: Any) -> TableFlowError:
        span = self.source.span(node)
        if node is None:
            return SqlSyntaxError("an expression is expected", span=span)
        what = _REFUSED.get(type(node))
        if what is not None:
            return refused(what, span)
        if isinstance(node, exp.Star):
            return SqlSyntaxError("* can only stand alone, in SELECT or COUNT(*)", span=span)
        if isinstance(node, (exp.Alias, exp.Aliases)):
            return SqlSyntaxError("an alias cannot stand inside an expression", span=span)
        if isinstance(node, (exp.Any, exp.All)):
            return SqlSyntaxError("ANY and ALL follow a comparison", span=span)
        if isinstance(node, (exp.Distinct, exp.Order, exp.Ordered, exp.Limit)):
            return SqlSyntaxError(f"{node.key.upper()} cannot stand here", span=span)
        return UnsupportedError(f"{node.key.upper()} is not supported", span=span)


_FORMS: dict[type[Any], Callable[[ExpressionBinder, Any], Expression]] = {
    exp.Column: names.column,
    exp.Dot: names.member_of,
    exp.Literal: literals.plain,
    exp.Null: literals.null,
    exp.Boolean: literals.boolean,
    exp.HexString: literals.byte_string,
    exp.Concat: literals.joined_strings,
    exp.Placeholder: literals.placeholder,
    exp.Interval: literals.interval,
    **dict.fromkeys(operators.OPERATORS, operators.binary),
    exp.And: operators.connector,
    exp.Or: operators.connector,
    exp.Not: operators.negation,
    exp.Neg: operators.minus,
    exp.Is: operators.is_predicate,
    exp.Between: operators.between,
    exp.In: operators.in_predicate,
    exp.Like: operators.like,
    exp.ILike: operators.like,
    exp.SimilarTo: operators.similar,
    exp.Escape: operators.like,
    exp.Case: calls.case,
    exp.Cast: calls.cast_expression,
    exp.TryCast: calls.cast_expression,
    exp.Extract: calls.extract,
    exp.Anonymous: calls.function_call,
    exp.WithinGroup: aggregate_calls.within_group,
    exp.Filter: aggregate_calls.filtered,
    exp.Window: windows.over,
    exp.Bracket: calls.index,
    exp.Array: calls.array,
    exp.Tuple: calls.row_value,
    exp.AtTimeZone: calls.at_time_zone,
    exp.Exists: subqueries.exists,
    exp.Subquery: subqueries.scalar,
    exp.Select: subqueries.scalar,
    exp.Union: subqueries.scalar,
    exp.Intersect: subqueries.scalar,
    exp.Except: subqueries.scalar,
    exp.Values: subqueries.scalar,
}
