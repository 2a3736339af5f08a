"""Options of tables: ``(key = value, ...)``, keys quoted or bare, in small letters."""

from __future__ import annotations

from sqlglot.tokenizer_core import TokenType

from tableflow.errors import CatalogError
from tableflow.sql.parser import TableFlowParser


def parse_options(parser: TableFlowParser) -> tuple[tuple[str, str], ...]:
    """``(key = value, ...)``; keys may be quoted."""
    parser.expect_symbol("(")
    options: dict[str, str] = {}
    while True:
        at = parser.span()
        key = _option_key(parser)
        if key in options:
            raise CatalogError(f"option {key!r} is given twice", span=at)
        parser.expect_symbol("=")
        options[key] = _option_value(parser)
        if not parser.accept_symbol(","):
            break
    parser.expect_symbol(")")
    return tuple(options.items())


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
