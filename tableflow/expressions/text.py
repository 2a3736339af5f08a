"""Expressions as readable SQL, for EXPLAIN and error messages.

The text parses back to the same expression (column names permitting): parentheses stand where precedence needs them.
"""

from __future__ import annotations

from typing import Any

from tableflow import types as t
from tableflow.expressions.casting.formatting import storage_text
from tableflow.expressions.nodes import (
    RUNNING,
    WHOLE_PARTITION,
    AggregateCall,
    Call,
    Case,
    Cast,
    Chain,
    ColumnRef,
    Expression,
    Frame,
    FrameBound,
    Literal,
    SortKey,
    WindowCall,
)

_OR, _AND, _NOT, _COMPARISON, _CONCAT, _SUM, _PRODUCT, _NEGATION, _ATOM = range(9)
_BINARY: dict[str, tuple[str, int]] = {
    "add": ("+", _SUM), "subtract": ("-", _SUM), "multiply": ("*", _PRODUCT), "divide": ("/", _PRODUCT),
    "integer_divide": ("//", _PRODUCT), "modulo": ("%", _PRODUCT), "eq": ("=", _COMPARISON), "ne": ("<>", _COMPARISON),
    "lt": ("<", _COMPARISON), "le": ("<=", _COMPARISON), "gt": (">", _COMPARISON), "ge": (">=", _COMPARISON),
    "is_distinct_from": ("IS DISTINCT FROM", _COMPARISON), "is_not_distinct_from": ("IS NOT DISTINCT FROM", _COMPARISON),
    "and": ("AND", _AND), "or": ("OR", _OR), "concat": ("||", _CONCAT),
}  # fmt: skip
_POSTFIX = {
    "is_null": "IS NULL", "is_not_null": "IS NOT NULL", "is_true": "IS TRUE", "is_false": "IS FALSE",
    "is_not_true": "IS NOT TRUE", "is_not_false": "IS NOT FALSE",
}  # fmt: skip


def to_sql(expression: Expression) -> str:
    """The expression as SQL."""
    return _render(expression)[0]


def sort_key_to_sql(key: SortKey) -> str:
    """One item of an ORDER BY; what is the default is not written."""
    return f"{to_sql(key.column)}{' DESC' if key.descending else ''}{' NULLS FIRST' if key.nulls_first else ''}"


def _render(of: Expression) -> tuple[str, int]:
    """Text and the precedence of its outermost operator."""
    match of:
        case ColumnRef(name=name, id=number):
            return name or f"#{number}", _ATOM
        case Literal(value=value, type=of_type):
            text = literal_text(value, of_type)
            return text, _NEGATION if text.startswith("-") else _ATOM
        case Cast(operand=operand, type=to, lenient=lenient):
            return f"{'TRY_CAST' if lenient else 'CAST'}({to_sql(operand)} AS {to})", _ATOM
        case Case():
            return _render_case(of), _ATOM
        case AggregateCall():
            return _render_aggregate(of), _ATOM
        case WindowCall():
            return _render_window(of), _ATOM
        case Call():
            return _render_call(of)
        case Chain():
            return _render_chain(of)
    return repr(of), _ATOM


def _inside(of: Expression, least: int) -> str:
    text, precedence = _render(of)
    return text if precedence >= least else f"({text})"


def _render_call(of: Call) -> tuple[str, int]:
    name, args = of.function, of.args
    if name in _BINARY and len(args) >= 2:
        symbol, precedence = _BINARY[name]
        # Comparisons do not chain, the others group to the left.
        first = _inside(args[0], precedence + 1 if precedence == _COMPARISON else precedence)
        return f" {symbol} ".join([first, *(_inside(arg, precedence + 1) for arg in args[1:])]), precedence
    if name in _POSTFIX:
        return f"{_inside(args[0], _COMPARISON + 1)} {_POSTFIX[name]}", _COMPARISON
    match name, args:
        case "not", (operand,):
            return f"NOT {_inside(operand, _NOT)}", _NOT
        case "negate", (operand,):
            return f"-{_inside(operand, _ATOM)}", _NEGATION
        case "like" | "ilike", (value, pattern, *escape):
            tail = f" ESCAPE {to_sql(escape[0])}" if escape else ""
            operands = _inside(value, _COMPARISON + 1), _inside(pattern, _COMPARISON + 1)
            return f"{operands[0]} {name.upper()} {operands[1]}{tail}", _COMPARISON
        case "in", (value, *items):
            return f"{_inside(value, _COMPARISON + 1)} IN ({', '.join(map(to_sql, items))})", _COMPARISON
        case "extract", (Literal(value=field), value):
            return f"extract({field} FROM {to_sql(value)})", _ATOM
        case _:
            return f"{name}({', '.join(map(to_sql, args))})", _ATOM


def _render_chain(of: Chain) -> tuple[str, int]:
    """Parentheses stand around the result so far where the next operator binds more strongly."""
    parts = [_inside(of.first, _BINARY[of.operators[0]][1])]
    last = _PRODUCT
    for name, operand in zip(of.operators, of.operands, strict=True):
        symbol, precedence = _BINARY[name]
        if precedence > last:
            parts = [f"({''.join(parts)})"]
        parts.append(f" {symbol} {_inside(operand, precedence + 1)}")
        last = precedence
    return "".join(parts), last


def _render_case(of: Case) -> str:
    arms = zip(of.conditions, of.results, strict=True)
    text = "".join(f" WHEN {to_sql(condition)} THEN {to_sql(result)}" for condition, result in arms)
    missing = isinstance(of.otherwise, Literal) and of.otherwise.value is None
    return f"CASE{text}{'' if missing else f' ELSE {to_sql(of.otherwise)}'} END"


def _render_aggregate(of: AggregateCall) -> str:
    args = ", ".join(map(to_sql, of.args)) or "*"
    items = zip(of.order, of.directions, strict=True)
    order = ", ".join(f"{to_sql(e)}{' DESC' if d else ''}{' NULLS FIRST' if n else ''}" for e, (d, n) in items)
    text = f"{of.function}({'DISTINCT ' if of.distinct else ''}{args}{f' ORDER BY {order}' if order else ''})"
    return text if of.filter is None else f"{text} FILTER (WHERE {to_sql(of.filter)})"


def _render_window(of: WindowCall) -> str:
    star = "*" if of.function == "count" else ""
    text = f"{of.function}({'DISTINCT ' if of.distinct else ''}{', '.join(map(to_sql, of.args)) or star})"
    text += " IGNORE NULLS" if of.ignore_nulls else ""
    text += "" if of.filter is None else f" FILTER (WHERE {to_sql(of.filter)})"
    return text if of.frame in (WHOLE_PARTITION, RUNNING) else f"{text} OVER ({frame_to_sql(of.frame)})"


def frame_to_sql(frame: Frame) -> str:
    """The frame as SQL; ends of a RANGE show the value they reach to."""
    return f"{frame.unit.value.upper()} BETWEEN {_render_bound(frame.start)} AND {_render_bound(frame.end)}"


def _render_bound(of: FrameBound) -> str:
    side = of.side.value.upper()
    if of.key is not None:
        return f"{to_sql(of.key)} {side}"
    return f"{of.offset} {side}" if side in {"PRECEDING", "FOLLOWING"} else side


_PARTS = (("HOUR", 3_600_000_000), ("MINUTE", 60_000_000), ("SECOND", 1_000_000))
_DAY = 86_400_000_000


def duration_text(micros: int) -> str:
    """A fixed number of microseconds as an INTERVAL literal in the largest unit of which it is a multiple."""
    return interval_text(0, micros // _DAY, 0) if micros and micros % _DAY == 0 else interval_text(0, 0, micros)


def interval_text(months: int, days: int, micros: int) -> str:
    """``INTERVAL '5' SECOND``; ``INTERVAL '1 day 02:00:00'`` if it has several parts."""
    if bool(months) + bool(days) + bool(micros) > 1:
        return f"INTERVAL '{storage_text((months, days, micros), t.INTERVAL)}'"
    if months:
        return f"INTERVAL '{months // 12}' YEAR" if months % 12 == 0 else f"INTERVAL '{months}' MONTH"
    if days:
        return f"INTERVAL '{days}' DAY"
    unit, length = next((part for part in _PARTS if micros and micros % part[1] == 0), _PARTS[-1])
    if micros % length == 0:
        return f"INTERVAL '{micros // length}' {unit}"
    seconds, fraction = divmod(abs(micros), length)
    return f"INTERVAL '{'-' if micros < 0 else ''}{seconds}.{f'{fraction:06d}'.rstrip('0')}' {unit}"


def literal_text(value: Any, of: t.SqlType) -> str:
    """A storage value as a SQL literal."""
    if value is None:
        return "NULL"
    match of:
        case t.BooleanType():
            return "TRUE" if value else "FALSE"
        case t.IntegerType() | t.DecimalType():
            return storage_text(value, of)
        case t.FloatType():
            text = storage_text(value, of)
            return text if "e" in text else f"{text}e0" if text[-1].isdigit() else f"CAST('{text}' AS {of})"
        case t.BytesType():
            return f"X'{bytes(value).hex()}'"
        case t.DateType():
            return f"{of} '{storage_text(value, of)}'"
        case t.IntervalType():
            return interval_text(*value)
        case t.TimeType():
            return f"TIME '{storage_text(value, of)}'"
        case t.TimestampType(zoned=zoned):
            return f"{'TIMESTAMP_LTZ' if zoned else 'TIMESTAMP'} '{storage_text(value, of)}'"
        case t.ArrayType(element=element):
            return f"ARRAY[{', '.join(literal_text(item, element) for item in value)}]"
        case t.MapType():
            pairs = (f"{literal_text(k, of.key)}, {literal_text(v, of.value)}" for k, v in value)
            return f"MAP[{', '.join(pairs)}]"
        case t.RowType(fields=fields):
            return f"ROW({', '.join(literal_text(item, f.type) for item, f in zip(value, fields, strict=True))})"
        case _:
            quoted = str(value).replace("'", "''")
            return f"'{quoted}'"
