"""COPY, read token by token; options are written as in Postgres and DuckDB: a word, then its value."""

from __future__ import annotations

from typing import NoReturn

from sqlglot import exp
from sqlglot.tokenizer_core import TokenType

from tableflow.errors import Span
from tableflow.records import dataclass
from tableflow.sql.dml_syntax import Name, Target
from tableflow.sql.parser import TableFlowParser
from tableflow.sql.reader import NOT_WORDS
from tableflow.sql.target_syntax import column_names, parse_target


@dataclass(frozen=True, slots=True)
class CopyOption:
    """An option with the place of its name; a word alone means true."""

    name: str
    value: str
    span: Span


@dataclass(frozen=True, slots=True)
class CopySyntax:
    """COPY of a table (with columns or without) or of a ``query``, ``into`` the table or out of it."""

    target: Target | None
    columns: tuple[Name, ...] | None
    query: exp.Expr | None
    into: bool
    path: str
    path_span: Span
    options: tuple[CopyOption, ...]


def parse_copy(parser: TableFlowParser) -> CopySyntax:
    """COPY ... TO or FROM."""
    parser.expect("COPY")
    target, columns, query = None, None, None
    if parser.accept_symbol("("):
        query = parser.parse_query()
        parser.expect_symbol(")")
    else:
        target = parse_target(parser, None)
        if parser.current.token_type is TokenType.L_PAREN:
            columns = column_names(parser)
    into = target is not None and parser.accept("FROM")
    if not into and not parser.accept("TO"):
        parser.fail("TO is expected" if target is None else "TO or FROM is expected")
    for word in ("STDIN", "STDOUT", "PROGRAM"):
        if parser.ahead(word):
            parser.refuse(word)
    span = parser.span()
    path = parser.string("a path")
    parser.accept("WITH")
    options = _without_parentheses(parser)
    if not options and parser.accept_symbol("("):
        options.append(_option(parser))
        while parser.accept_symbol(","):
            options.append(_option(parser))
        parser.expect_symbol(")")
    return CopySyntax(target, columns, query, into, path, span, tuple(options))


def _without_parentheses(parser: TableFlowParser) -> list[CopyOption]:
    """Options as Postgres took them before it had parentheses: ``CSV HEADER DELIMITER ';'``."""
    options: list[CopyOption] = []
    while True:
        span = parser.span()
        word = parser.current.text.upper()
        if parser.current.token_type in NOT_WORDS:
            return options
        if word == "CSV":
            parser.step()
            options.append(CopyOption("FORMAT", "csv", span))
        elif word == "HEADER":
            parser.step()
            options.append(CopyOption("HEADER", "true", span))
        elif word in {"DELIMITER", "NULL", "QUOTE", "ESCAPE", "ENCODING"}:
            parser.step()
            parser.accept("AS")
            options.append(CopyOption(word, parser.string("a value"), span))
        else:
            return options


def _name(parser: TableFlowParser) -> str:
    """``HEADER``, or a connector's name for an option: ``'csv.header'``, ``csv.header``."""
    if parser.current.token_type is TokenType.STRING:
        return parser.string("an option").upper()
    parts = [parser.word("an option")]
    while parser.current.text in {".", "-"} and parser.current.token_type not in NOT_WORDS:
        parts.append(parser.current.text)
        parser.step()
        parts.append(parser.word("an option"))
    return "".join(parts).upper()


def _option(parser: TableFlowParser) -> CopyOption:
    span = parser.span()
    name = _name(parser)
    span = Span(span.start, parser.previous_span().end)
    parser.accept_symbol("=")
    token = parser.current
    if token.text in {",", ")"} and token.token_type not in NOT_WORDS:
        return CopyOption(name, "true", span)
    if token.token_type is TokenType.L_PAREN:
        _refuse_list(parser, name)
    if not token:
        parser.fail("the value of the option is expected")
    parser.step()
    return CopyOption(name, token.text, span)


def _refuse_list(parser: TableFlowParser, name: str) -> NoReturn:
    parser.refuse(f"a list of columns for {name}")
