"""Type names of the dialect, parsed from tokens straight into SQL types, with their limits checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot.tokenizer_core import TokenType

from tableflow import types
from tableflow.errors import BindError, Span
from tableflow.nearest import nearest
from tableflow.types import SqlType

if TYPE_CHECKING:
    from tableflow.sql.reader import TokenReader

MAX_PRECISION = 9
MAX_LENGTH = 2**31 - 1

_PLAIN: dict[str, SqlType] = {
    "BOOLEAN": types.BOOLEAN, "BOOL": types.BOOLEAN,
    "TINYINT": types.TINYINT, "SMALLINT": types.SMALLINT,
    "INT": types.INT, "INTEGER": types.INT, "BIGINT": types.BIGINT,
    "FLOAT": types.FLOAT, "REAL": types.FLOAT, "DOUBLE": types.DOUBLE,
    "STRING": types.STRING, "TEXT": types.STRING, "BYTES": types.BYTES,
    "DATE": types.DATE, "INTERVAL": types.INTERVAL, "JSON": types.JSON,
}  # fmt: skip
_SIZED = frozenset({"DECIMAL", "NUMERIC", "DEC", "CHAR", "CHARACTER", "VARCHAR", "BINARY", "VARBINARY"})
_TIMES = frozenset({"TIME", "TIMESTAMP", "TIMESTAMP_LTZ"})
_NESTED = frozenset({"ARRAY", "MAP", "ROW", "STRUCT"})
NAMES = frozenset(_PLAIN) | _SIZED | _TIMES | _NESTED


def parse_type(parser: TokenReader) -> SqlType:
    """The type whose name starts at the parser's current token; reads past it."""
    token = parser.current
    name = token.text.upper()
    if token.token_type in {TokenType.STRING, TokenType.NUMBER, TokenType.IDENTIFIER} or name not in NAMES:
        if not token or not name.isidentifier() or token.token_type is TokenType.STRING:
            parser.fail("a type is expected")
        near = nearest(name, sorted(NAMES))
        hint = f"did you mean {near}?" if near else "DESCRIBE a table to see types in use"
        raise BindError(f"type {token.text!r} is not known", hint=hint, span=Span(token.start, token.end + 1))
    parser.step()
    if name in _PLAIN:
        if name == "DOUBLE":
            parser.accept("PRECISION")
        found = _PLAIN[name]
    elif name in _SIZED:
        found = _sized(parser, name, token.start)
    elif name in _TIMES:
        found = _time(parser, name, token.start)
    else:
        found = _nested(parser, name)
    while parser.accept("ARRAY") or parser.accept_pair("[", "]"):
        found = types.ArrayType(found)
    return found


def _sized(parser: TokenReader, name: str, start: int) -> SqlType:
    if name in {"DECIMAL", "NUMERIC", "DEC"}:
        numbers = _parameters(parser, 2)
        precision = numbers[0] if numbers else 10
        scale = numbers[1] if len(numbers) > 1 else 0
        _check(parser, start, "DECIMAL has between 1 and 38 digits", within=1 <= precision <= 38)
        _check(parser, start, "the scale of a DECIMAL is between 0 and its precision", within=scale <= precision)
        return types.DecimalType(precision, scale)
    varying = name in {"CHAR", "CHARACTER"} and parser.accept("VARYING")
    numbers = _parameters(parser, 1)
    length = numbers[0] if numbers else None
    _check(parser, start, "a length is at least 1", within=length is None or 1 <= length <= MAX_LENGTH)
    if name in {"BINARY", "VARBINARY"}:
        return types.BytesType(length if length is not None or name == "VARBINARY" else 1)
    if name == "VARCHAR" or varying:
        return types.StringType(length)
    return types.StringType(1 if length is None else length, fixed=True)


def _time(parser: TokenReader, name: str, start: int) -> SqlType:
    numbers = _parameters(parser, 1)
    precision = numbers[0] if numbers else 6
    _check(
        parser, start, f"the precision of {name} is between 0 and {MAX_PRECISION}", within=precision <= MAX_PRECISION
    )
    zoned = name == "TIMESTAMP_LTZ"
    if parser.accept("WITHOUT", "TIME", "ZONE"):
        zoned = False
    elif name == "TIMESTAMP" and (
        parser.accept("WITH", "TIME", "ZONE") or parser.accept("WITH", "LOCAL", "TIME", "ZONE")
    ):
        zoned = True
    return types.TimeType(precision) if name == "TIME" else types.TimestampType(precision, zoned)


def _nested(parser: TokenReader, name: str) -> SqlType:
    close = ")" if name in {"ROW", "STRUCT"} and parser.accept_symbol("(") else ">"
    if close == ">":
        parser.expect_symbol("<")
    parser.enter()
    found = _nested_body(parser, name)
    parser.leave()
    parser.expect_symbol(close)
    return found


def _nested_body(parser: TokenReader, name: str) -> SqlType:
    if name == "ARRAY":
        return types.ArrayType(parse_type(parser))
    if name == "MAP":
        key = parse_type(parser)
        parser.expect_symbol(",")
        return types.MapType(key, parse_type(parser))
    fields = [_field(parser)]
    while parser.accept_symbol(","):
        fields.append(_field(parser))
    names = [field.name.lower() for field in fields]
    for index, field in enumerate(fields):
        if field.name.lower() in names[:index]:
            raise BindError(f"field {field.name!r} appears twice in a ROW type", span=parser.previous_span())
    return types.RowType(tuple(fields))


def _field(parser: TokenReader) -> types.RowField:
    name = parser.name("a field name")
    parser.accept_symbol(":")
    return types.RowField(name, parse_type(parser))


def _parameters(parser: TokenReader, most: int) -> list[int]:
    if not parser.accept_symbol("("):
        return []
    numbers = [_number(parser)]
    while len(numbers) < most and parser.accept_symbol(","):
        numbers.append(_number(parser))
    parser.expect_symbol(")")
    return numbers


def _number(parser: TokenReader) -> int:
    token = parser.current
    if token.token_type is not TokenType.NUMBER or not token.text.isdecimal():
        parser.fail("a whole number is expected")
    parser.step()
    return int(token.text) if len(token.text) <= 10 else 10**10


def _check(parser: TokenReader, start: int, message: str, *, within: bool) -> None:
    if not within:
        raise BindError(message, span=Span(start, parser.previous_span().end))
