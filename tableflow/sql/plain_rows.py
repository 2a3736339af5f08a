"""The commonest INSERT: long lists of rows of numbers, strings, dates, NULL, TRUE and FALSE, read by one pattern per value.

What the pattern does not know (an expression, DEFAULT, a comment) ends the list, and the parser goes on from there; so what a
statement means never depends on how much of it was read here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot.tokenizer_core import Token, TokenType

from tableflow.errors import Span
from tableflow.records import dataclass
from tableflow.sql.dml_syntax import Constant, Row
from tableflow.sql.lexer import Kind, lex
from tableflow.sql.tokens import tokenize

_MOST_BEFORE = 500
"""Lexemes in front of VALUES."""
_NOT_BEFORE_VALUES = frozenset({"SELECT", "FROM", "DEFAULT", "MERGE", "UPDATE", "DELETE"})
_CELL = re.compile(
    r"""\s*(?:(-?)(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|(DATE\s+)?('(?:[^']|'')*')|(NULL|TRUE|FALSE))\s*([,)])""",
    re.IGNORECASE,
)
_OPENING = re.compile(r"\s*\(")
_NEXT = re.compile(r"\s*,\s*\(")
_WORDS = {"NULL": TokenType.NULL, "TRUE": TokenType.TRUE, "FALSE": TokenType.FALSE}


class PartOfQueryError(Exception):
    """The rows are a part of a larger query (UNION, ORDER BY), which has to be read as a whole."""


@dataclass(frozen=True, slots=True)
class PlainRows:
    """Rows that were read, and the tokens of all that stands before (VALUES is the last) and behind them."""

    rows: Sequence[Row]
    tokens: list[Token]


def read_plain_rows(text: str) -> PlainRows | None:
    """The plain rows of an INSERT; None if its first row is not plain, or if it has no VALUES of its own."""
    start = _behind_values(text)
    if start is None:
        return None
    rows, end = _rows(text, start)
    if not rows:
        return None
    return PlainRows(rows, [*tokenize(text[:start]), *tokenize(text, end)])


def _behind_values(text: str) -> int | None:
    depth = 0
    for number, lexeme in enumerate(lex(text)):
        if number > _MOST_BEFORE or lexeme.kind is Kind.ERROR:
            return None
        if lexeme.kind is Kind.OPERATOR:
            depth += (lexeme.text == "(") - (lexeme.text == ")")
        elif lexeme.kind is Kind.WORD and depth == 0:
            word = lexeme.text.upper()
            if word == "VALUES":
                return lexeme.end
            if word in _NOT_BEFORE_VALUES:
                return None
    return None


def _rows(text: str, start: int) -> tuple[list[Row], int]:
    """Rows, and where the last one ends."""
    rows: list[Row] = []
    end = start
    opening = _OPENING.match(text, start)
    while opening is not None:
        cells: list[Constant] = []
        position = opening.end()
        first = position - 1
        while True:
            cell = _CELL.match(text, position)
            if cell is None:
                return rows, end
            position = cell.end()
            cells.append(_constant(cell))
            if cell[6] == ")":
                break
        rows.append(Row(cells, Span(first, position)))
        end = position
        opening = _NEXT.match(text, position)
    return rows, end


def _constant(cell: re.Match[str]) -> Constant:
    sign, number, date, string, word, _ = cell.groups()
    if number is not None:
        return Constant(TokenType.NUMBER, number, cell.start(1), cell.end(2), negative=bool(sign))
    if string is not None:
        text = string[1:-1].replace("''", "'") if "''" in string else string[1:-1]
        if date is not None:
            return Constant(TokenType.DATE, text, cell.start(3), cell.end(4))
        return Constant(TokenType.STRING, text, cell.start(4), cell.end(4))
    return Constant(_WORDS[word.upper()], word, cell.start(5), cell.end(5))
