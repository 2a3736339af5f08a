"""A small binder for tests: SQL text of one expression to a bound expression, through the registry."""

from __future__ import annotations

from typing import ClassVar

import sqlglot
from sqlglot import exp

from tableflow import types as t
from tableflow.expressions import registry
from tableflow.expressions.casting.temporal import parse_interval_text
from tableflow.expressions.literals import number_literal
from tableflow.expressions.nodes import ColumnRef, Expression, Literal

_TYPES = {
    "TINYINT": t.TINYINT, "SMALLINT": t.SMALLINT, "INT": t.INT, "BIGINT": t.BIGINT, "FLOAT": t.FLOAT, "DOUBLE": t.DOUBLE,
    "BOOLEAN": t.BOOLEAN, "TEXT": t.STRING, "VARCHAR": t.STRING, "DATE": t.DATE, "TIMESTAMP": t.TIMESTAMP, "TIME": t.TIME,
    "INTERVAL": t.INTERVAL, "TIMESTAMPTZ": t.TIMESTAMP_LTZ, "TIMESTAMPLTZ": t.TIMESTAMP_LTZ, "VARBINARY": t.BYTES, "JSON": t.JSON,
}  # fmt: skip
_OPERATORS = {
    exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.IntDiv: "//", exp.Mod: "%", exp.EQ: "=", exp.NEQ: "<>",
    exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.And: "and", exp.Or: "or", exp.DPipe: "||",
    exp.Like: "like", exp.ILike: "ilike", exp.NullSafeEQ: "is_not_distinct_from", exp.NullSafeNEQ: "is_distinct_from",
}  # fmt: skip

_CLOCK = registry.StatementClock.now()


def bind(sql: str, columns: dict[str, ColumnRef] | None = None) -> Expression:
    """The expression that the text means; functions are taken by the name they are written with."""
    # Function names reach the registry as they were written: the parser's own idea of them is not wanted here.
    tree = sqlglot.parse_one(f"SELECT {sql}", read=_Plain).expressions[0]
    return _bind(tree, columns or {})


class _Plain(sqlglot.Dialect):
    class Tokenizer(sqlglot.tokens.Tokenizer):
        KEYWORDS: ClassVar = {k: v for k, v in sqlglot.tokens.Tokenizer.KEYWORDS.items() if k != "DIV"} | {
            "//": sqlglot.tokens.TokenType.DIV
        }

    class Parser(sqlglot.parser.Parser):
        FUNCTIONS: ClassVar = {}
        FUNCTION_PARSERS: ClassVar = {
            k: v
            for k, v in sqlglot.parser.Parser.FUNCTION_PARSERS.items()
            if k in ("CAST", "TRY_CAST", "EXTRACT", "POSITION")
        }
        NO_PAREN_FUNCTIONS: ClassVar = {}


def _type(of: exp.DataType) -> t.SqlType:
    name = of.this.name
    params = [int(p.this.this) for p in of.expressions if isinstance(p, exp.DataTypeParam)]
    if name == "DECIMAL":
        return t.DecimalType(*([*params, 0][:2] if params else (38, 0)))
    if name in ("CHAR", "VARCHAR") and params:
        return t.StringType(params[0], name == "CHAR")
    if name == "ARRAY":
        return t.ArrayType(_type(of.expressions[0]))
    if name in ("TIMESTAMP", "TIME") and params:
        return (t.TimestampType if name == "TIMESTAMP" else t.TimeType)(params[0])
    return _TYPES[name]


def _bind(tree: exp.Expression, columns: dict[str, ColumnRef]) -> Expression:
    def sub(node: exp.Expression) -> Expression:
        return _bind(node, columns)

    match tree:
        case exp.Paren() | exp.Alias():
            return sub(tree.this)
        case exp.Column() if not tree.table and tree.name.lower() in columns:
            return columns[tree.name.lower()]
        case exp.Column():
            return registry.resolve_call(tree.name, [], clock=_CLOCK)
        case exp.Literal(is_string=True):
            return Literal(t.STRING, tree.this)
        case exp.Literal():
            return number_literal(tree.this)
        case exp.Null():
            return Literal(t.NULL, None)
        case exp.Boolean():
            return Literal(t.BOOLEAN, bool(tree.this))
        case exp.Interval():
            months = parse_interval_text(tree.this.this, tree.args["unit"].name if tree.args.get("unit") else None)
            return Literal(t.INTERVAL, months)
        case exp.Cast() | exp.TryCast():
            return registry.cast(sub(tree.this), _type(tree.to), isinstance(tree, exp.TryCast))
        case exp.Neg():
            return registry.resolve_call("-", [sub(tree.this)])
        case exp.Not():
            return registry.resolve_call("not", [sub(tree.this)])
        case exp.Is():
            return _bind_is(tree, sub)
        case exp.In():
            return registry.resolve_call("in", [sub(tree.this), *map(sub, tree.expressions)])
        case exp.Between():
            value = sub(tree.this)
            low = registry.resolve_call(">=", [value, sub(tree.args["low"])])
            return registry.resolve_call("and", [low, registry.resolve_call("<=", [value, sub(tree.args["high"])])])
        case exp.Escape():
            inner = tree.this
            name = _OPERATORS[type(inner)]
            return registry.resolve_call(name, [sub(inner.this), sub(inner.expression), sub(tree.expression)])
        case exp.Case():
            return _bind_case(tree, sub)
        case exp.If():
            otherwise = tree.args.get("false")
            rest = [] if otherwise is None else [sub(otherwise)]
            return registry.resolve_call("if", [sub(tree.this), sub(tree.args["true"]), *rest])
        case exp.Extract():
            return registry.resolve_call("extract", [Literal(t.STRING, tree.this.name), sub(tree.expression)])
        case exp.StrPosition():
            return registry.resolve_call("strpos", [sub(tree.this), sub(tree.args["substr"])])
        case exp.Anonymous():
            return registry.resolve_call(tree.this, [sub(e) for e in tree.expressions], clock=_CLOCK)
        case exp.Array() | exp.Bracket():
            return _bind_nested(tree, sub)
    name = _OPERATORS.get(type(tree))
    if name is not None:
        found = registry.resolve_call(name, [sub(tree.this), sub(tree.expression)])
        return registry.resolve_call("not", [found]) if tree.args.get("negate") else found
    raise NotImplementedError(repr(tree))


def _bind_nested(tree, sub):
    if isinstance(tree, exp.Array):
        return registry.resolve_call("array", [sub(e) for e in tree.expressions])
    return registry.resolve_call("element_at", [sub(tree.this), sub(tree.expressions[0])])


def _bind_is(tree: exp.Is, sub) -> Expression:
    match tree.expression:
        case exp.Null():
            return registry.resolve_call("is null", [sub(tree.this)])
        case exp.Not(this=exp.Null()):
            return registry.resolve_call("is not null", [sub(tree.this)])
        case exp.Boolean(this=value):
            return registry.resolve_call("is true" if value else "is false", [sub(tree.this)])
        case exp.Not(this=exp.Boolean(this=value)):
            return registry.resolve_call("is not true" if value else "is not false", [sub(tree.this)])
    raise NotImplementedError(repr(tree))


def _bind_case(tree: exp.Case, sub) -> Expression:
    conditions, results = [], []
    for arm in tree.args["ifs"]:
        condition = sub(arm.this)
        conditions.append(registry.resolve_call("=", [sub(tree.this), condition]) if tree.this else condition)
        results.append(sub(arm.args["true"]))
    otherwise = tree.args.get("default")
    return registry.bind_case(conditions, results, None if otherwise is None else sub(otherwise))
