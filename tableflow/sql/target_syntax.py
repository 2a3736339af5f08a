"""Names of tables and columns in statements that write."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from tableflow.errors import Span
from tableflow.sql.dml_syntax import Name, Target
from tableflow.sql.parser import TableFlowParser


def parse_target(parser: TableFlowParser, stops: frozenset[str] | None) -> Target:
    """A table's name and alias; the words of ``stops`` (None: no word) are no alias unless AS stands before them."""
    start = parser.span().start
    path = [parser.name("a table name")]
    while parser.accept_symbol("."):
        path.append(parser.name("a name"))
    span = Span(start, parser.previous_span().end)
    token = parser.current
    plain = stops is not None and (
        token.token_type is TokenType.IDENTIFIER
        or (token.token_type in parser.TABLE_ALIAS_TOKENS and token.text.upper() not in stops)
    )
    alias = parser.name("an alias") if parser.accept("AS") or plain else None
    return Target(tuple(path), alias, span)


def column_names(parser: TableFlowParser) -> tuple[Name, ...]:
    """Names in parentheses."""
    parser.expect_symbol("(")
    names = [parse_name(parser)]
    while parser.accept_symbol(","):
        names.append(parse_name(parser))
    parser.expect_symbol(")")
    return tuple(names)


def parse_name(parser: TableFlowParser) -> Name:
    """A column's name with its place."""
    span = parser.span()
    return Name(parser.name("a column name"), span)


def parse_placed_path(parser: TableFlowParser) -> tuple[tuple[str, ...], Span]:
    """A name, qualified or not, and where it stands."""
    start = parser.span().start
    path = parse_path(parser)
    return path, Span(start, parser.previous_span().end)


def parse_path(parser: TableFlowParser) -> tuple[str, ...]:
    """A name, qualified or not."""
    parts = [parser.name("a name")]
    while parser.accept_symbol("."):
        parts.append(parser.name("a name"))
    return tuple(parts)
