"""Calls and literals with a syntax of their own: CAST, EXTRACT, SUBSTRING .. FROM, POSITION .. IN, TRIM, INTERVAL.

Each becomes a cast or a plain call by name, so that the binder and the registry know nothing of the spelling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.sql.type_names import parse_type

if TYPE_CHECKING:
    from tableflow.sql.expression_parser import ExpressionParser

INTERVAL_UNITS = {
    unit + ending: unit
    for unit in (
        "YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND", "MILLISECOND", "MICROSECOND",
    )
    for ending in ("", "S")
}  # fmt: skip


def call(name: str, *args: Any) -> exp.Anonymous:
    """A plain call."""
    return exp.Anonymous(this=name, expressions=list(args))


def without_parentheses(name: str) -> Callable[[], exp.Anonymous]:
    """Builder of a call that is written without parentheses."""
    return lambda: call(name)


def _operand(parser: ExpressionParser) -> Any:
    return parser.operand(parser._parse_bitwise)


def _cast(*, lenient: bool) -> Callable[[ExpressionParser], exp.Cast]:
    def parse(parser: ExpressionParser) -> exp.Cast:
        operand = parser.operand(parser._parse_disjunction)
        parser.expect("AS")
        to = exp.DataType(this=exp.DType.UNKNOWN)
        to.meta["sql_type"] = parse_type(parser)
        _closing(parser)
        return exp.TryCast(this=operand, to=to) if lenient else exp.Cast(this=operand, to=to)

    return parse


def _closing(parser: ExpressionParser) -> None:
    # sqlglot reads the closing parenthesis itself, but forgives its absence
    if parser.current.token_type is not TokenType.R_PAREN:
        parser.fail("')' is expected")


def _extract(parser: ExpressionParser) -> exp.Extract:
    unit = parser.current
    if not unit or not unit.text.isidentifier():
        parser.fail("a unit such as YEAR is expected")
    parser.step()
    if not parser.accept("FROM"):
        parser.expect_symbol(",")
    operand = _operand(parser)
    _closing(parser)
    return exp.Extract(this=exp.Var(this=unit.text.upper()).update_positions(unit), expression=operand)


def _substring(parser: ExpressionParser) -> exp.Anonymous:
    args = [_operand(parser)]
    if parser.accept("FROM"):
        args.append(_operand(parser))
        if parser.accept("FOR"):
            args.append(_operand(parser))
    elif parser.accept("FOR"):
        args += [exp.Literal.number(1), _operand(parser)]
    else:
        while parser.accept_symbol(","):
            args.append(_operand(parser))
    _closing(parser)
    return call("substring", *args)


def _position(parser: ExpressionParser) -> exp.Anonymous:
    needle = _operand_before_in(parser)
    if parser.accept("IN"):
        args = [needle, _operand(parser)]
    else:
        parser.expect_symbol(",")
        args = [needle, _operand(parser)]
    _closing(parser)
    return call("position", *args)


def _operand_before_in(parser: ExpressionParser) -> Any:
    # one level below IN, which would otherwise be taken for a predicate
    return parser.operand(parser._parse_bitwise)


def _trim(parser: ExpressionParser) -> exp.Anonymous:
    side = "trim"
    for word, name in (("LEADING", "ltrim"), ("TRAILING", "rtrim"), ("BOTH", "trim")):
        if parser.accept(word):
            side = name
    if parser.accept("FROM"):
        args = [_operand(parser)]
    else:
        args = [_operand(parser)]
        if parser.accept("FROM"):
            args = [_operand(parser), args[0]]
        elif parser.accept_symbol(","):
            args.append(_operand(parser))
    _closing(parser)
    return call(side, *args)


def _overlay(parser: ExpressionParser) -> exp.Anonymous:
    args = [_operand(parser)]
    if parser.accept("PLACING"):
        args.append(_operand(parser))
        parser.expect("FROM")
        args.append(_operand(parser))
        if parser.accept("FOR"):
            args.append(_operand(parser))
    else:
        while parser.accept_symbol(","):
            args.append(_operand(parser))
    _closing(parser)
    return call("overlay", *args)


PARSERS: dict[str, Any] = {
    "CAST": _cast(lenient=False),
    "TRY_CAST": _cast(lenient=True),
    "EXTRACT": _extract,
    "SUBSTRING": _substring,
    "POSITION": _position,
    "TRIM": _trim,
    "OVERLAY": _overlay,
}


def parse_interval(parser: ExpressionParser) -> exp.Interval:
    """INTERVAL 'text' [unit [TO unit]] or INTERVAL value unit; the unit is upper case and singular."""
    parser.step()
    kind = parser.current.token_type
    negative = parser.accept_symbol("-")
    if kind is TokenType.STRING or parser.current.token_type is TokenType.NUMBER:
        value: Any = parser._parse_primary()
    else:
        value = parser.operand(parser._parse_unary)
    if negative:
        value = exp.Neg(this=value)
    first = _unit(parser)
    last = None
    if first is not None and parser.accept("TO"):
        last = _unit(parser)
        if last is None:
            parser.fail("a unit is expected after TO")
    if first is None and kind is not TokenType.STRING:
        parser.fail("a unit such as DAY is expected")
    return exp.Interval(this=value, unit=first, until=last)


def _unit(parser: ExpressionParser) -> exp.Var | None:
    token = parser.current
    unit = INTERVAL_UNITS.get(token.text.upper()) if token.token_type is TokenType.VAR else None
    if unit is None:
        return None
    parser.step()
    return exp.Var(this=unit).update_positions(token)
