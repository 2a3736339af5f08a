"""Literals: numbers, strings, intervals, typed strings, and the values of parameters."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from tableflow import types
from tableflow.errors import BindError, Span, SqlSyntaxError
from tableflow.expressions.coercion import typed_literal
from tableflow.expressions.literals import number_literal
from tableflow.expressions.nodes import Expression, Literal
from tableflow.sql.binder.context import parameter
from tableflow.sql.function_syntax import INTERVAL_UNITS

if TYPE_CHECKING:
    from tableflow.sql.binder.expressions import ExpressionBinder

Interval = tuple[int, int, int]

_MONTHS = {"YEAR": 12, "QUARTER": 3, "MONTH": 1}
_DAYS = {"WEEK": 7, "DAY": 1}
_MICROSECONDS = {
    "HOUR": 3_600_000_000, "MINUTE": 60_000_000, "SECOND": 1_000_000, "MILLISECOND": 1_000, "MICROSECOND": 1,
}  # fmt: skip
_ORDER = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_SEPARATORS = {"YEAR": "-", "DAY": r"\s+", "HOUR": ":", "MINUTE": ":"}
_NUMBER = re.compile(r"([+-]?)(\d+(?:\.\d*)?|\.\d+)")
_PART = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*([A-Za-z]+)")
_CLOCK = re.compile(r"([+-]?)(\d+):(\d\d)(?::(\d\d(?:\.\d*)?))?$")
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_EPOCH = dt.date(1970, 1, 1)
_MOST_MONTHS, _MOST_MICROSECONDS = 2**31, 2**63


def plain(binder: ExpressionBinder, node: exp.Literal) -> Expression:
    """A number or string."""
    span = binder.source.span(node)
    if node.is_string:
        return Literal(types.STRING, node.this, span)
    try:
        return number_literal(node.this, span)
    except ValueError:  # sqlglot reads a point and a number behind it as one
        raise SqlSyntaxError(f"{node.this!r} is no number", span=span) from None


def null(binder: ExpressionBinder, node: exp.Null) -> Expression:
    """NULL, whose type its context decides."""
    return Literal(types.NULL, None, binder.source.span(node))


def boolean(binder: ExpressionBinder, node: exp.Boolean) -> Expression:
    """TRUE or FALSE."""
    return Literal(types.BOOLEAN, bool(node.this), binder.source.span(node))


def byte_string(binder: ExpressionBinder, node: exp.HexString) -> Expression:
    """x'0aff'."""
    return Literal(types.BYTES, bytes.fromhex(node.this), binder.source.span(node))


def joined_strings(binder: ExpressionBinder, node: exp.Concat) -> Expression:
    """Strings side by side are one: 'a' 'b'."""
    text = "".join(str(part.this) for part in node.expressions)
    return Literal(types.STRING, text, binder.source.span(node))


def placeholder(binder: ExpressionBinder, node: exp.Placeholder) -> Expression:
    """The value given for ``?`` or ``:name``."""
    return parameter(binder.block.context, binder.source, node)


def interval(binder: ExpressionBinder, node: exp.Interval) -> Expression:
    """INTERVAL: a constant if its amount is one, else the amount times one unit."""
    unit = node.args["unit"].name if node.args.get("unit") else None
    until = node.args["until"].name if node.args.get("until") else None
    span, sign, value = binder.source.span(node), "", node.this
    if isinstance(value, exp.Neg):
        sign, value = "-", value.this
    if isinstance(value, exp.Literal):
        return interval_of(sign + value.this, unit, until, span)
    amount = binder.bind(value)
    if not isinstance(amount.type, types.NullType) and not types.is_numeric(amount.type):
        raise BindError(f"INTERVAL needs a number, this is {amount.type}", span=binder.source.span(value))
    if until is not None:
        raise BindError("INTERVAL of an expression has one unit", span=span)
    found = binder.call("multiply", [amount, interval_of("1", unit, None, span)], node)
    return binder.call("negate", [found], node) if sign else found


def interval_of(text: str, unit: str | None, until: str | None, span: Span | None) -> Literal:
    """INTERVAL 'text' unit TO until; without unit the text names its own: '1 day 2 hours', '1 day 02:03:04'."""
    try:
        if unit is None:
            months, days, microseconds = _worded(text)
        elif until is None:
            months, days, microseconds = _single(text, unit)
        else:
            months, days, microseconds = _ranged(text, unit, until)
    except ValueError as error:
        raise BindError(
            f"cannot read {text!r} as an INTERVAL{f' {unit}' if unit else ''}{f' TO {until}' if until else ''}",
            detail=str(error) or None,
            hint="write INTERVAL '5' DAY, INTERVAL '1 day 2 hours' or INTERVAL '1 02:03:04' DAY TO SECOND",
            span=span,
        ) from None
    if abs(months) >= _MOST_MONTHS or abs(days) >= _MOST_MONTHS or abs(microseconds) >= _MOST_MICROSECONDS:
        raise BindError(f"interval {text!r} is too long", span=span)
    return Literal(types.INTERVAL, (months, days, microseconds), span)


def _single(text: str, unit: str) -> Interval:
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise ValueError("a number is expected")
    amount = Fraction(match[2]) * (-1 if match[1] == "-" else 1)
    return _amount(amount, unit)


def _amount(amount: Fraction, unit: str) -> Interval:
    if unit in _MONTHS:
        months = amount * _MONTHS[unit]
        if months.denominator != 1:
            raise ValueError("a fraction of a month has no fixed length")
        return int(months), 0, 0
    if unit in _DAYS:
        days = amount * _DAYS[unit]
        whole = int(days)
        return 0, whole, int((days - whole) * 86_400_000_000)
    return 0, 0, int(amount * _MICROSECONDS[unit])


def _worded(text: str) -> Interval:
    total = (0, 0, 0)
    rest = text.strip()
    if not rest:
        raise ValueError("it is empty")
    while rest:
        clock = _CLOCK.match(rest)
        if clock is not None:
            return _sum(total, (0, 0, _clock(clock)))
        part = _PART.match(rest)
        if part is None or part[2].upper() not in INTERVAL_UNITS:
            raise ValueError("a number and a unit are expected")
        total = _sum(total, _amount(Fraction(part[1]), INTERVAL_UNITS[part[2].upper()]))
        rest = rest[part.end() :].lstrip(" ,")
    return total


def _clock(match: re.Match[str]) -> int:
    sign, hours, minutes, seconds = match.groups()
    total = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds or 0)
    return int(total * 1_000_000) * (-1 if sign == "-" else 1)


def _sum(left: Interval, right: Interval) -> Interval:
    return left[0] + right[0], left[1] + right[1], left[2] + right[2]


def _ranged(text: str, unit: str, until: str) -> Interval:
    if unit not in _ORDER or until not in _ORDER or _ORDER.index(unit) >= _ORDER.index(until):
        raise ValueError(f"{unit} TO {until} is no range of units")
    if (unit in _MONTHS) != (until in _MONTHS):
        raise ValueError("months and days do not mix")
    units = _ORDER[_ORDER.index(unit) : _ORDER.index(until) + 1]
    pattern = r"([+-]?)" + "".join(
        rf"(\d+(?:\.\d*)?){'' if part == units[-1] else _SEPARATORS[part]}" for part in units
    )
    match = re.fullmatch(pattern, text.strip())
    if match is None:
        raise ValueError(f"{len(units)} numbers are expected")
    total = (0, 0, 0)
    for part, digits in zip(units, match.groups()[1:], strict=True):
        total = _sum(total, _amount(Fraction(digits), part))
    return (-total[0], -total[1], -total[2]) if match[1] == "-" else total


def typed_string(text: str, to: types.SqlType, span: Span | None) -> Expression:
    """DATE '...', TIMESTAMP '...' and the like: read now, with an error now."""
    if to == types.DATE and _ISO_DATE.fullmatch(text):
        # by far the commonest, and a hundred times faster than the cast of a column of one row
        with contextlib.suppress(ValueError):
            return Literal(types.DATE, (dt.date.fromisoformat(text) - _EPOCH).days, span)
    found = typed_literal(text, to, span)
    if found is None:
        raise BindError(f"cannot read {text!r} as {to}", span=span)
    return found


def negated(literal: Literal, span: Span | None) -> Literal | None:
    """The literal with its sign turned, so that the smallest integers can be written; None if it is no number."""
    value, of = literal.value, literal.type
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if isinstance(of, (types.IntegerType, types.DecimalType)):
        for smaller in (types.INT, types.BIGINT):
            scale = of.scale if isinstance(of, types.DecimalType) else 0
            if scale == 0 and value == 2 ** (smaller.bits - 1):
                return Literal(smaller, -value, span)
        return Literal(of, -value, span)
    return Literal(of, -value, span) if isinstance(of, types.FloatType) else None


def string_of(node: exp.Expr) -> str | None:
    """The text of a string literal node."""
    return str(node.this) if isinstance(node, exp.Literal) and node.is_string else None
