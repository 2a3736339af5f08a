"""The ``TableFlow`` dialect for sqlglot, and text to syntax trees with errors of ours.

Anything that is not wholly understood is a syntax error at its place; nothing becomes an opaque command.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from tableflow.errors import Span, SqlSyntaxError, TableFlowError, UnsupportedError
from tableflow.nearest import nearest
from tableflow.recursion import with_room
from tableflow.sql.function_syntax import INTERVAL_UNITS
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.reader import RefusedError, UnreadableError
from tableflow.sql.relation_parser import SAMPLE
from tableflow.sql.splitter import missing_semicolon
from tableflow.sql.tokens import RESERVED, tokenize
from tableflow.sql.type_names import NAMES as TYPES

Result = TypeVar("Result")


class TableFlow(Dialect):
    """Settings of the parser; the tokens come from :mod:`tableflow.sql.tokens`."""

    NULL_ORDERING = "nulls_are_last"
    SUPPORTS_ORDER_BY_ALL = True
    SUPPORTS_SEMI_ANTI_JOIN = True
    TYPED_DIVISION = True
    SAFE_DIVISION = False
    SUPPORTS_LIMIT_ALL = True
    Parser = TableFlowParser


_LATER = {
    "ITERATE": "ITERATE", "UNTIL": "UNTIL", "MATCH_RECOGNIZE": "MATCH_RECOGNIZE", "PIVOT": "PIVOT",
    "UNPIVOT": "UNPIVOT", "TABLESAMPLE": "TABLESAMPLE", "TABLE": "TABLE as an argument", "INTO": "SELECT INTO",
    "->": "a lambda expression", "=>": "a named argument", "{": "a {...} literal", "RETURNING": "RETURNING",
    "UNNEST": "UNNEST outside of FROM",
}  # fmt: skip
_INSTEAD = {
    "MATCH_RECOGNIZE": "LAG, LEAD and ROW_NUMBER with OVER (PARTITION BY ... ORDER BY ...), or a join on b.ts BETWEEN a.ts AND"
    " a.ts + INTERVAL ..., find rows that follow each other",
    "PIVOT": "aggregates with FILTER make columns of rows", "UNPIVOT": "UNION ALL makes rows of columns",
    "TABLESAMPLE": SAMPLE,
}  # fmt: skip
_PATH = re.compile(r"(?:\.{0,2}/|[\w.\-]+/)*[\w.*\-]+\.\w+|(?:\.{0,2}/|[\w.\-]+/)[\w.*/\-]+")
_BEFORE_TABLE = re.compile(r"\b(?:FROM|JOIN)\s+(?:[\w\s,.]*,\s*)?$", re.IGNORECASE)
_WORDS = sorted({*RESERVED, "GROUP BY", "ORDER BY", "PARTITION BY"} - {"GROUP", "ORDER"})


class Parsed:
    """A query's tree with what else the binder needs to know of its text."""

    __slots__ = ("text", "tokens", "tree")

    def __init__(self, tree: exp.Expr, tokens: list[Token], text: str) -> None:
        self.tree = tree
        self.tokens = tokens
        self.text = text


def parse_query(text: str) -> Parsed:
    """The tree of one query; :class:`~tableflow.errors.SqlSyntaxError` points into ``text``."""
    tokens = tokenize(text)
    return Parsed(parse_with(text, tokens, lambda parser: parser.parse_query()), tokens, text)


_DIALECT: Any = TableFlow()


def parse_with(text: str, tokens: list[Token], parse: Callable[[TableFlowParser], Result]) -> Result:
    """What ``parse`` reads from the tokens; all of them have to be read."""
    return with_room(lambda: _parsed(text, tokens, parse))


def _parsed(text: str, tokens: list[Token], parse: Callable[[TableFlowParser], Result]) -> Result:
    parser = TableFlowParser(dialect=_DIALECT)
    try:
        parser.begin(text, tokens)
        found = parse(parser)
        if parser.current:
            parser.fail("")
        return found
    except RefusedError as error:
        raise error.cause from None
    except ParseError as error:
        raise _explained(error, text, tokens) from None


def _explained(error: ParseError, text: str, tokens: list[Token]) -> TableFlowError:
    span = error.span if isinstance(error, UnreadableError) else Span(len(text), len(text))
    index = next((i for i, token in enumerate(tokens) if token.start >= span.start), len(tokens))
    token = tokens[index] if index < len(tokens) else None
    if token is not None and token.token_type not in {TokenType.STRING, TokenType.IDENTIFIER}:
        if (later := _LATER.get(token.text.upper())) is not None:
            instead = _INSTEAD.get(later)
            return UnsupportedError(
                f"{later} is not supported yet", hint=instead, span=Span(token.start, token.end + 1)
            )
        if token.text.upper() == "USING" and [each.text.upper() for each in tokens[index + 1 : index + 2]] == [
            "SAMPLE"
        ]:
            return UnsupportedError(
                "USING SAMPLE is not supported yet", hint=SAMPLE, span=Span(token.start, tokens[index + 1].end + 1)
            )
        if (part := _part_of_emit(tokens, index)) is not None:
            return SqlSyntaxError(
                f"{part} is a part of EMIT",
                hint=f"write EMIT {part} ... behind GROUP BY and HAVING; the parts of EMIT stand in this order: "
                "ON or EVERY, KEEP LAST, WITH LATENESS, LATE INTO",
                span=Span(token.start, tokens[index + 1].end + 1),
            )
        if index > 1 and tokens[index - 2].text.upper() == "INTERVAL" and (near := nearest(token.text, INTERVAL_UNITS)):
            return SqlSyntaxError(
                f"syntax error at {text[token.start : token.end + 1]!r}: a unit such as DAY is expected",
                hint=f"did you mean {near}?",
                span=Span(token.start, token.end + 1),
            )
        if token.token_type is TokenType.HINT:
            return SqlSyntaxError("a hint can only follow SELECT", span=Span(token.start, token.end + 1))
    found = "the end of the statement" if token is None else repr(text[token.start : token.end + 1])
    expected = _expected(str(error))
    message = f"syntax error at {found}" + (f": {expected}" if expected else "")
    hint = (
        (error.hint if isinstance(error, UnreadableError) else None)
        or _file_hint(text, span.start)
        or _quote_hint(tokens, index)
        or _top_hint(tokens, index)
        or (None if expected else _next_statement_hint(tokens, index))
        or _nearest_keyword(tokens, index)
    )
    return SqlSyntaxError(message, hint=hint, span=span)


def _part_of_emit(tokens: list[Token], index: int) -> str | None:
    """What belongs to EMIT and stands elsewhere."""
    words = " ".join(token.text.upper() for token in tokens[index : index + 2])
    return words if words in {"KEEP LAST", "WITH LATENESS", "LATE INTO"} else None


def _file_hint(text: str, at: int) -> str | None:
    """What looks like the path of a file behind FROM or JOIN."""
    begin = max(text.rfind(blank, 0, at) for blank in " \t\n(,") + 1
    found = _PATH.match(text, begin)
    if found is None or not _BEFORE_TABLE.search(text, 0, begin):
        return None
    return f"put the path in single quotes: '{found.group()}'"


def _quote_hint(tokens: list[Token], index: int) -> str | None:
    """``''a''``: an empty text, and then a word that touches it."""
    before, token = (tokens[index - 1], tokens[index]) if 0 < index < len(tokens) else (None, None)
    if before is None or token is None or before.token_type is not TokenType.STRING or before.end + 1 != token.start:
        return None
    if token.token_type is not TokenType.STRING and not token.text[:1].isidentifier():
        return None
    if before.text == "":
        return "two single quotes are an empty text; enclose the text in one on each side"
    return "a single quote inside of a text is doubled: 'it''s'"


def _expected(message: str) -> str:
    if message.startswith("Required "):
        return "an expression is expected"
    if message.startswith("Expecting "):
        return f"{message.removeprefix('Expecting ')!r} is expected"
    if message.startswith("Expected table name"):
        return "a table name is expected"
    return message if message[1:2].isupper() else message[:1].lower() + message[1:]


def _top_hint(tokens: list[Token], index: int) -> str | None:
    if 0 < index < len(tokens) and tokens[index - 1].text.upper() == "TOP" and tokens[index].text.isdecimal():
        return f"write LIMIT {tokens[index].text} at the end of the query"
    return None


def _next_statement_hint(tokens: list[Token], index: int) -> str | None:
    """A statement that begins here, or with the word before, which has been read as an alias."""
    near = [tokens[i].text for i in (index, index - 1) if 0 < i < len(tokens)]
    return next(filter(None, map(missing_semicolon, near)), None)


def _nearest_keyword(tokens: list[Token], index: int) -> str | None:
    for token in reversed(tokens[max(0, index - 2) : index + 1]):
        word = token.text.upper()
        if token.token_type is not TokenType.VAR or len(word) < 3 or word in TYPES:
            continue
        near = nearest(word, _WORDS)
        if near:
            return f"did you mean {near} instead of {token.text!r}?"
    return None
