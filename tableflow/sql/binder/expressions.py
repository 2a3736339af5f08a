"""Expressions of a clause: names, literals, operators and calls become bound, typed expressions.

An aggregate stays in the expression as an ``AggregateCall`` over the block's input; :mod:`.aggregates` takes it out.
A subquery becomes the column of a join that waits in the block (:mod:`.subqueries`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.expressions.coercion import cast, unify
from tableflow.expressions.literals import number_literal
from tableflow.expressions.nodes import AggregateCall, Call, Case, ColumnRef, Expression, Literal, column_ids, walk
from tableflow.expressions.registry import function, is_aggregate, resolve_aggregate, resolve_call
from tableflow.sql.binder import subqueries
from tableflow.sql.binder.block import Block, refused
from tableflow.sql.binder.context import parameter
from tableflow.sql.binder.literals import interval_of, negated, string_of, typed_string

MAX_EXPRESSION_DEPTH = 150
"""Deepest bound expression: rewrite rules and evaluation recurse into it."""
MAX_EXPRESSION_SIZE = 200_000
"""Most parts of one expression once its aliases are written out, which can double it at every select item."""

OPERATORS: dict[type[exp.Expr], str] = {
    exp.Add: "add", exp.Sub: "subtract", exp.Mul: "multiply", exp.Div: "divide", exp.Mod: "modulo",
    exp.IntDiv: "integer_divide", exp.DPipe: "concat",
    exp.EQ: "eq", exp.NEQ: "ne", exp.LT: "lt", exp.LTE: "le", exp.GT: "gt", exp.GTE: "ge",
    exp.NullSafeEQ: "is_not_distinct_from", exp.NullSafeNEQ: "is_distinct_from",
}  # fmt: skip
_COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "is_not_distinct_from", "is_distinct_from"})
_REFUSED: dict[type[exp.Expr], str] = {
    exp.Window: "a window function (OVER)", exp.WithinGroup: "WITHIN GROUP", exp.IgnoreNulls: "IGNORE NULLS",
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

    def bind(self, node: Any) -> Expression:
        """The bound expression of a syntax tree."""
        method = _METHODS.get(type(node))
        if method is None:
            raise self._unexpected(node)
        self.depth += 1
        self.size += 1
        self.deepest = max(self.deepest, self.depth)
        if self.depth > MAX_EXPRESSION_DEPTH:
            raise SqlSyntaxError(
                f"the expression is nested more than {MAX_EXPRESSION_DEPTH} levels deep",
                hint="compute parts of it in a subquery",
                span=self.source.span(node),
            )
        found = method(self, node)
        self.depth -= 1
        return found

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
        try:
            return resolve_call(name, args, span, self.block.context.clock)
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

    # names and literals ----------------------------------------------------------------------------------------------

    def _column(self, node: exp.Column) -> Expression:
        if isinstance(node.this, exp.Star):
            raise SqlSyntaxError("* can only stand alone, in SELECT or COUNT(*)", span=self.source.span(node))
        parts = [part.name for part in node.parts]
        span = self.source.span(node)
        aliases = self.clause.aliases
        found: Expression | None = self.block.column(parts, span)
        if found is None and len(parts) == 1 and aliases is not None:
            found = self._alias(aliases, parts[0], span)
        if found is None:
            found = self._member(parts, span) or self.block.outer_column(parts, span)
        if found is None:
            raise self.block.unknown_column(parts, span, aliases.names() if aliases is not None else ())
        return found

    def _alias(self, aliases: Names, name: str, span: Span | None) -> Expression | None:
        found = aliases.find(name, span)
        if found is None:
            return None
        size, depth = aliases.extent(name)
        self.size += size
        self.deepest = max(self.deepest, self.depth + depth)
        if self.size > MAX_EXPRESSION_SIZE or self.deepest > MAX_EXPRESSION_DEPTH:
            raise SqlSyntaxError(
                "the expression is too large once its aliases are written out",
                detail=f"{MAX_EXPRESSION_SIZE} parts and {MAX_EXPRESSION_DEPTH} levels are allowed",
                hint="compute parts of it in a subquery",
                span=span,
            )
        if has_aggregate(found):
            if not self.clause.aggregates:
                hint = "use HAVING" if self.clause.name == "WHERE" else None
                raise BindError(
                    f"{name!r} is an aggregate and cannot stand in {self.clause.name}", hint=hint, span=span
                )
            if self.inside_aggregate:
                raise BindError(f"{name!r} is an aggregate nested in another", hint="use a subquery", span=span)
        return found

    def _member(self, parts: list[str], span: Span | None) -> Expression | None:
        """``column.field`` and ``table.column.field`` of a ROW column."""
        for split in range(1, len(parts)):
            column = self.block.column(parts[:split], span)
            if column is not None and (split > 1 or isinstance(column.type, types.RowType)):
                found: Expression = column
                for name in parts[split:]:
                    found = field_of(found, name, span)
                return found
        return None

    def _dot(self, node: exp.Dot) -> Expression:
        if not isinstance(node.expression, exp.Identifier):
            raise BindError("a function is not qualified with a name", span=self.source.span(node))
        return field_of(self.bind(node.this), node.expression.name, self.source.span(node))

    def _literal(self, node: exp.Literal) -> Expression:
        span = self.source.span(node)
        if node.is_string:
            return Literal(types.STRING, node.this, span)
        return number_literal(node.this, span)

    def _null(self, node: exp.Null) -> Expression:
        return Literal(types.NULL, None, self.source.span(node))

    def _boolean(self, node: exp.Boolean) -> Expression:
        return Literal(types.BOOLEAN, bool(node.this), self.source.span(node))

    def _bytes(self, node: exp.HexString) -> Expression:
        return Literal(types.BYTES, bytes.fromhex(node.this), self.source.span(node))

    def _joined_strings(self, node: exp.Concat) -> Expression:
        text = "".join(str(part.this) for part in node.expressions)
        return Literal(types.STRING, text, self.source.span(node))

    def _placeholder(self, node: exp.Placeholder) -> Expression:
        return parameter(self.block.context, self.source, node)

    def _interval(self, node: exp.Interval) -> Expression:
        unit = node.args["unit"].name if node.args.get("unit") else None
        until = node.args["until"].name if node.args.get("until") else None
        span, sign, value = self.source.span(node), "", node.this
        if isinstance(value, exp.Neg):
            sign, value = "-", value.this
        if isinstance(value, exp.Literal):
            return interval_of(sign + value.this, unit, until, span)
        amount = self.bind(value)
        if not isinstance(amount.type, types.NullType) and not types.is_numeric(amount.type):
            raise BindError(f"INTERVAL needs a number, this is {amount.type}", span=self.source.span(value))
        if until is not None:
            raise BindError("INTERVAL of an expression has one unit", span=span)
        found = self.call("multiply", [amount, interval_of("1", unit, None, span)], node)
        return self.call("negate", [found], node) if sign else found

    # operators -------------------------------------------------------------------------------------------------------

    def _paren(self, node: exp.Paren) -> Expression:
        return self.bind(node.this)

    def _binary(self, node: exp.Binary) -> Expression:
        name = OPERATORS[type(node)]
        left, right = node.this, node.expression
        if isinstance(right, exp.Any | exp.All) or isinstance(left, exp.Any | exp.All):
            return subqueries.quantified(self, node, name)
        if name in _COMPARISONS and isinstance(left, exp.Tuple) and isinstance(right, exp.Tuple):
            return self._row_comparison(node, name, left, right)
        return self.call(name, [self.bind(left), self.bind(right)], node)

    def _row_comparison(self, node: exp.Binary, name: str, left: exp.Tuple, right: exp.Tuple) -> Expression:
        if len(left.expressions) != len(right.expressions):
            raise BindError(
                f"a row of {len(left.expressions)} is compared with a row of {len(right.expressions)}",
                span=self.source.span(node),
            )
        if name not in {"eq", "ne"}:
            raise refused("comparing the order of rows", self.source.span(node))
        pairs = [
            self.call("eq", [self.bind(a), self.bind(b)], node)
            for a, b in zip(left.expressions, right.expressions, strict=True)
        ]
        equal = self.conjunction("and", pairs, node)
        return equal if name == "eq" else self.call("not", [equal], node)

    def conjunction(self, name: str, parts: list[Expression], node: Any) -> Expression:
        """AND or OR of any number of conditions."""
        return parts[0] if len(parts) == 1 else self.call(name, parts, node)

    def _connector(self, node: exp.Connector) -> Expression:
        name = "and" if isinstance(node, exp.And) else "or"
        parts = [self.condition(part) for part in flattened(node, type(node))]
        return self.conjunction(name, parts, node)

    def _not(self, node: exp.Not) -> Expression:
        inner = node.this
        if isinstance(inner, exp.Is):
            return self._is(inner, negated=True)
        return self.call("not", [self.condition(inner)], node)

    def _negative(self, node: exp.Neg) -> Expression:
        operand = self.bind(node.this)
        if isinstance(operand, Literal):
            folded = negated(operand, self.source.span(node))
            if folded is not None:
                return folded
        return self.call("negate", [operand], node)

    def _is(self, node: exp.Is, *, negated: bool = False) -> Expression:
        right = node.expression
        if isinstance(right, exp.Null):
            name = "is_not_null" if negated else "is_null"
        elif isinstance(right, exp.Boolean):
            name = f"is_{'not_' if negated else ''}{'true' if right.this else 'false'}"
        elif isinstance(right, exp.Column) and right.name.upper() == "UNKNOWN":
            return self.call("is_not_null" if negated else "is_null", [self.condition(node.this)], node)
        else:
            raise SqlSyntaxError(
                "IS is followed by [NOT] NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM", span=self.source.span(right)
            )
        operand = self.bind(node.this) if isinstance(right, exp.Null) else self.condition(node.this)
        return self.call(name, [operand], node)

    def _between(self, node: exp.Between) -> Expression:
        value, low, high = self.bind_all([node.this, node.args["low"], node.args["high"]])
        upwards = self._range(node, value, low, high)
        if not node.args.get("symmetric"):
            return upwards
        return self.call("or", [upwards, self._range(node, value, high, low)], node)

    def _range(self, node: exp.Between, value: Expression, low: Expression, high: Expression) -> Expression:
        return self.call("and", [self.call("ge", [value, low], node), self.call("le", [value, high], node)], node)

    def _in(self, node: exp.In) -> Expression:
        if node.args.get("query") is not None:
            return subqueries.membership(self, node)
        if node.args.get("field") is not None or node.args.get("unnest") is not None:
            raise SqlSyntaxError("IN is followed by a list or a subquery in parentheses", span=self.source.span(node))
        if not node.expressions:
            raise SqlSyntaxError("IN needs at least one value", span=self.source.span(node))
        if isinstance(node.this, exp.Tuple):
            options = []
            for option in node.expressions:
                if not isinstance(option, exp.Tuple):
                    raise BindError("a row is compared with a value", span=self.source.span(option))
                options.append(self._row_comparison(exp.EQ(), "eq", node.this, option))
            return self.conjunction("or", options, node)
        return self.call("in", self.bind_all([node.this, *node.expressions]), node)

    def _like(self, node: exp.Expr) -> Expression:
        escape = None
        if isinstance(node, exp.Escape):
            escape, node = node.expression, node.this
            if not isinstance(node, exp.Like | exp.ILike):
                raise SqlSyntaxError("ESCAPE follows LIKE or ILIKE", span=self.source.span(node))
        name = "ilike" if isinstance(node, exp.ILike) else "like"
        args = self.bind_all([node.this, node.expression] + ([escape] if escape is not None else []))
        found = self.call(name, args, node)
        return self.call("not", [found], node) if node.args.get("negate") else found

    # calls -----------------------------------------------------------------------------------------------------------

    def _case(self, node: exp.Case) -> Expression:
        subject = self.bind(node.this) if node.this is not None else None
        conditions: list[Expression] = []
        for arm in node.args["ifs"]:
            if subject is None:
                conditions.append(self.condition(arm.this))
            else:
                conditions.append(self.call("eq", [subject, self.bind(arm.this)], arm.this))
        results = self.bind_all([arm.args["true"] for arm in node.args["ifs"]])
        default = node.args.get("default")
        span = self.source.span(node)
        results.append(self.bind(default) if default is not None else Literal(types.NULL, None, span))
        *arms, otherwise = unify(results, "the results of CASE")
        return Case(otherwise.type, tuple(conditions), tuple(arms), otherwise, span)

    def _cast(self, node: exp.Cast) -> Expression:
        to: types.SqlType = node.args["to"].meta["sql_type"]
        text = string_of(node.this) if node.args.get("typed") else None
        if text is not None:
            return typed_string(text, to, self.source.span(node))
        span = self.source.span(node)
        try:
            return cast(self.bind(node.this), to, lenient=isinstance(node, exp.TryCast))
        except TableFlowError as error:
            raise error.at(span) from None

    def _extract(self, node: exp.Extract) -> Expression:
        unit = Literal(types.STRING, node.this.name.lower(), self.source.span(node.this))
        return self.call("extract", [unit, self.bind(node.expression)], node)

    def _function(self, node: exp.Anonymous) -> Expression:
        name = node.name.lower()
        if is_aggregate(name):
            return self.aggregate(node, None)
        if name in {"any", "all", "some", "exists"}:
            raise SqlSyntaxError(f"{name.upper()} is followed by a subquery", span=self.source.span(node))
        if name == "map" and node.meta_get("line") is None:
            return self._syntax("map", "MAP[...]", self.bind_all(node.expressions), node)
        if len(node.expressions) == 1 and isinstance(node.expressions[0], exp.Star):
            raise BindError(f"function {node.name!r} does not take *", span=self.source.span(node))
        return self.call(name, self.bind_all(node.expressions), node)

    def _filter(self, node: exp.Filter) -> Expression:
        if not isinstance(node.this, exp.Anonymous) or not is_aggregate(node.this.name.lower()):
            raise BindError("FILTER follows an aggregate", span=self.source.span(node.expression))
        return self.aggregate(node.this, node.expression.this)

    def aggregate(self, node: exp.Anonymous, condition: Any) -> AggregateCall:
        """An aggregate with its arguments over the block's input."""
        span = self.source.span(node)
        if not self.clause.aggregates:
            hint = "use HAVING" if self.clause.name == "WHERE" else None
            raise BindError(f"aggregate {node.name!r} cannot stand in {self.clause.name}", hint=hint, span=span)
        if self.inside_aggregate:
            raise BindError(f"aggregate {node.name!r} is nested in another", hint="use a subquery", span=span)
        self.inside_aggregate = True
        distinct, operands = aggregate_operands(node, self.source.span)
        args = self.bind_all(operands)
        keep = self.condition(condition) if condition is not None else None
        self.inside_aggregate = False
        self._check_not_outer(args if keep is None else [*args, keep], node, span)
        try:
            return resolve_aggregate(node.name.lower(), args, distinct=distinct, filter=keep, span=span)
        except TableFlowError as error:
            raise error.at(span) from None

    def _check_not_outer(self, args: Sequence[Expression], node: exp.Anonymous, span: Span | None) -> None:
        """An aggregate only over columns of an enclosing query would belong to that one."""
        read = frozenset[int]().union(*map(column_ids, args))
        if read and all(each in self.block.outer and each not in self.block.scope.ids for each in read):
            raise UnsupportedError(
                f"aggregate {node.name!r} over columns of the outer query only is not supported yet", span=span
            )

    def _index(self, node: exp.Bracket) -> Expression:
        found = self.bind(node.this)
        for index in node.expressions:
            found = self._syntax("element_at", "an index [...]", [found, self.bind(index)], node)
        return found

    def _array(self, node: exp.Array) -> Expression:
        return self._syntax("array", "ARRAY[...]", self.bind_all(node.expressions), node)

    def _tuple(self, node: exp.Tuple) -> Expression:
        if not node.expressions:
            raise SqlSyntaxError("an expression is expected in ()", span=self.source.span(node))
        return self._syntax("row", "a row (a, b) as a value", self.bind_all(node.expressions), node)

    def _at_time_zone(self, node: exp.AtTimeZone) -> Expression:
        args = [self.bind(node.this), self.bind(node.args["zone"])]
        return self._syntax("at_time_zone", "AT TIME ZONE", args, node)

    def _syntax(self, name: str, what: str, args: Sequence[Expression], node: Any) -> Expression:
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
        if isinstance(node, exp.Alias | exp.Aliases):
            return SqlSyntaxError("an alias cannot stand inside an expression", span=span)
        if isinstance(node, exp.Any | exp.All):
            return SqlSyntaxError("ANY and ALL follow a comparison", span=span)
        if isinstance(node, exp.Distinct | exp.Order | exp.Ordered | exp.Limit):
            return SqlSyntaxError(f"{node.key.upper()} cannot stand here", span=span)
        return UnsupportedError(f"{node.key.upper()} is not supported", span=span)


def aggregate_operands(node: exp.Anonymous, place: Callable[[Any], Span | None]) -> tuple[bool, list[Any]]:
    """Whether an aggregate is DISTINCT, and its argument nodes; COUNT(*) has none."""
    operands = list(node.expressions)
    for operand in operands:
        if isinstance(operand, exp.Order | exp.Limit):
            raise refused("ORDER BY or LIMIT inside an aggregate", place(node))
    if len(operands) == 1 and isinstance(operands[0], exp.Star):
        if node.name.lower() != "count":
            raise BindError(f"aggregate {node.name!r} does not take *", span=place(node))
        return False, []
    if len(operands) == 1 and isinstance(operands[0], exp.Distinct):
        return True, list(operands[0].expressions)
    return False, operands


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


def field_of(row: Expression, name: str, span: Span | None) -> Expression:
    """A field of a ROW."""
    if not isinstance(row.type, types.RowType):
        raise BindError(f"{row.type} has no field {name!r}", hint="only a ROW has fields", span=span)
    for index, member in enumerate(row.type.fields):
        if member.name.lower() == name.lower():
            return Call(member.type, "field", (row, Literal(types.INT, index)), span)
    known = ", ".join(member.name for member in row.type.fields)
    raise BindError(f"the ROW has no field {name!r}", detail=f"it has {known}", span=span)


def has_aggregate(expression: Expression) -> bool:
    """Whether an aggregate is in the expression."""
    return any(isinstance(node, AggregateCall) for node in walk(expression))


def columns_of(expression: Expression) -> list[ColumnRef]:
    """All column references, with their places."""
    return [node for node in walk(expression) if isinstance(node, ColumnRef)]


_METHODS: dict[type[Any], Callable[[ExpressionBinder, Any], Expression]] = {
    exp.Column: ExpressionBinder._column,
    exp.Dot: ExpressionBinder._dot,
    exp.Literal: ExpressionBinder._literal,
    exp.Null: ExpressionBinder._null,
    exp.Boolean: ExpressionBinder._boolean,
    exp.HexString: ExpressionBinder._bytes,
    exp.Concat: ExpressionBinder._joined_strings,
    exp.Placeholder: ExpressionBinder._placeholder,
    exp.Interval: ExpressionBinder._interval,
    exp.Paren: ExpressionBinder._paren,
    **dict.fromkeys(OPERATORS, ExpressionBinder._binary),
    exp.And: ExpressionBinder._connector,
    exp.Or: ExpressionBinder._connector,
    exp.Not: ExpressionBinder._not,
    exp.Neg: ExpressionBinder._negative,
    exp.Is: ExpressionBinder._is,
    exp.Between: ExpressionBinder._between,
    exp.In: ExpressionBinder._in,
    exp.Like: ExpressionBinder._like,
    exp.ILike: ExpressionBinder._like,
    exp.Escape: ExpressionBinder._like,
    exp.Case: ExpressionBinder._case,
    exp.Cast: ExpressionBinder._cast,
    exp.TryCast: ExpressionBinder._cast,
    exp.Extract: ExpressionBinder._extract,
    exp.Anonymous: ExpressionBinder._function,
    exp.Filter: ExpressionBinder._filter,
    exp.Bracket: ExpressionBinder._index,
    exp.Array: ExpressionBinder._array,
    exp.Tuple: ExpressionBinder._tuple,
    exp.AtTimeZone: ExpressionBinder._at_time_zone,
    exp.Exists: subqueries.exists,
    exp.Subquery: subqueries.scalar,
    exp.Select: subqueries.scalar,
    exp.Union: subqueries.scalar,
    exp.Intersect: subqueries.scalar,
    exp.Except: subqueries.scalar,
    exp.Values: subqueries.scalar,
}
