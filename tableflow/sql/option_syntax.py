"""Options of tables: ``(key = value, ...)``, keys quoted or bare, in small letters."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from tableflow.errors import CatalogError, Span
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.statement_base import OptionPlaces


def parse_options(parser: TableFlowParser) -> tuple[tuple[tuple[str, str], ...], OptionPlaces]:
    """``(key = value, ...)`` with the places of all parts; keys may be quoted.  The word before them has been read."""
    clause = parser.previous_span()
    parser.expect_symbol("(")
    options: dict[str, str] = {}
    names: dict[str, Span] = {}
    values: dict[str, Span] = {}
    while True:
        at = parser.span()
        key = _option_key(parser)
        if key in options:
            raise CatalogError(f"option {key!r} is given twice", span=at)
        names[key] = Span(at.start, parser.previous_span().end)
        parser.expect_symbol("=")
        values[key] = parser.span()
        options[key] = _option_value(parser)
        if not parser.accept_symbol(","):
            break
    parser.expect_symbol(")")
    return tuple(options.items()), OptionPlaces(clause, names, values)


def _option_key(parser: TableFlowParser) -> str:
    if parser.current.token_type is TokenType.STRING:
        return parser.string("an option").lower()
    parts = [parser.word("an option")]
    while parser.current.text in {".", "-"}:
        parts.append(parser.current.text)
        parser.step()
        parts.append(parser.word("an option"))
    return "".join(parts).lower()


def _option_value(parser: TableFlowParser) -> str:
    token = parser.current
    if token.token_type is TokenType.STRING or token.token_type is TokenType.NUMBER:
        parser.step()
        return token.text
    return parser.word("the value of the option")
