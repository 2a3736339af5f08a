"""Lexemes as the tokens that sqlglot's parser reads, with the keywords of this dialect and no others.

sqlglot knows some 250 keywords of all its dialects; here a word is a keyword only if the grammar of a query needs it,
so that people may call their columns ``date``, ``key`` or ``comment``.  Statements other than queries are parsed by the
text of their words.
"""

from __future__ import annotations

from typing import Final

from sqlglot.tokenizer_core import Token, TokenType

from tableflow.errors import SqlSyntaxError
from tableflow.sql.lexer import KINDS, PLAIN, SPACED, Kind, Lexeme, closer, significant

RESERVED: Final[dict[str, TokenType]] = {
    name: TokenType[name]
    for name in (
        "ALL", "AND", "ANY", "ASC", "BETWEEN", "CASE", "COLLATE", "CREATE", "CROSS", "DESC", "DISTINCT", "ELSE", "END",
        "ESCAPE", "EXCEPT", "EXISTS", "FALSE", "FETCH", "FOR", "FROM", "FULL", "HAVING", "ILIKE", "IN", "INNER",
        "INTERSECT", "INTERVAL", "INTO", "IS", "JOIN", "LATERAL", "LEFT", "LIKE", "LIMIT", "MATCH_RECOGNIZE", "NATURAL",
        "NOT", "NULL", "OFFSET", "ON", "OR", "OUTER", "OVER", "QUALIFY", "RIGHT", "SELECT", "SOME", "TABLE", "THEN",
        "TRUE", "UNION", "UNNEST", "USING", "VALUES", "WHEN", "WHERE", "WINDOW", "WITH",
    )
} | {
    "AS": TokenType.ALIAS,
    "TABLESAMPLE": TokenType.TABLE_SAMPLE,
    # half of GROUP BY: never a name, so that a forgotten BY is found where it is missing
    "GROUP": TokenType.COMMAND,
    "ORDER": TokenType.COMMAND,
}  # fmt: skip
"""Words that are names only when quoted."""

UNRESERVED: Final[dict[str, TokenType]] = {
    name: TokenType[name]
    for name in (
        "ANTI", "ARRAY", "ASOF", "CUBE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "FILTER", "LOCALTIME",
        "LOCALTIMESTAMP", "PIVOT", "RANGE", "RECURSIVE", "ROLLUP", "ROWS", "SEMI", "UNPIVOT",
    )
} | {
    "EMIT": TokenType.BEGIN, "ITERATE": TokenType.COMMIT, "UNTIL": TokenType.ROLLBACK, "RETURNING": TokenType.RETURNING,
}  # fmt: skip
"""Words with a meaning in some places and names elsewhere.

sqlglot has no tokens for EMIT, ITERATE and UNTIL; the borrowed ones mean nothing to the parser, whose statements we do not
use.
"""

NEVER_BARE_ALIASES: Final = frozenset({TokenType.BEGIN, TokenType.COMMIT, TokenType.ROLLBACK, TokenType.RETURNING})
"""EMIT, ITERATE, UNTIL and RETURNING, which may follow a select item or a table."""

_KEYWORDS: Final = RESERVED | UNRESERVED
_PAIRS: Final = {
    ("GROUP", "BY"): TokenType.GROUP_BY,
    ("ORDER", "BY"): TokenType.ORDER_BY,
    ("PARTITION", "BY"): TokenType.PARTITION_BY,
    ("GROUPING", "SETS"): TokenType.GROUPING_SETS,
    ("SIMILAR", "TO"): TokenType.SIMILAR_TO,
}
_FIRST_OF_PAIR: Final = frozenset(first for first, _ in _PAIRS)
_OPERATORS: Final = {
    "(": TokenType.L_PAREN, ")": TokenType.R_PAREN, "[": TokenType.L_BRACKET, "]": TokenType.R_BRACKET,
    "{": TokenType.L_BRACE, "}": TokenType.R_BRACE, ",": TokenType.COMMA, ";": TokenType.SEMICOLON,
    ".": TokenType.DOT, ":": TokenType.COLON, "+": TokenType.PLUS, "-": TokenType.DASH, "*": TokenType.STAR,
    "/": TokenType.SLASH, "%": TokenType.MOD, "<": TokenType.LT, ">": TokenType.GT, "=": TokenType.EQ,
    "?": TokenType.PLACEHOLDER, "&": TokenType.AMP, "|": TokenType.PIPE, "^": TokenType.CARET, "~": TokenType.TILDE,
    "@": TokenType.PARAMETER, "::": TokenType.DCOLON, "||": TokenType.DPIPE, "<>": TokenType.NEQ, "!=": TokenType.NEQ,
    "<=": TokenType.LTE, ">=": TokenType.GTE, "==": TokenType.EQ, "//": TokenType.DIV, "=>": TokenType.FARROW,
    "->": TokenType.ARROW, "->>": TokenType.DARROW, ":=": TokenType.COLON_EQ,
}  # fmt: skip
_BY_KIND: Final = {
    Kind.QUOTED: TokenType.IDENTIFIER,
    Kind.STRING: TokenType.STRING,
    Kind.ESCAPED: TokenType.STRING,
    Kind.DOLLAR: TokenType.STRING,
    Kind.BYTES: TokenType.HEX_STRING,
    Kind.NUMBER: TokenType.NUMBER,
    Kind.HINT: TokenType.HINT,
}


def tokenize(text: str, begin: int = 0) -> list[Token]:
    """Tokens with their character offsets (``end`` is the last character, as in sqlglot).

    It reads what :func:`~tableflow.sql.lexer.significant` gives, without making a lexeme of every word.
    """
    tokens: list[Token] = []
    match, position, size = SPACED.match, begin, len(text)
    half: tuple[str, int] | None = None  # a word that may be the first of a pair, and where it begins
    while position < size and (found := match(text, position)) is not None:
        group = found.lastgroup
        assert group is not None
        start, position = found.span(group)
        if group == "WORD":
            word = text[start:position]
            upper = word.upper()
            pair = None if half is None else _PAIRS.get((half[0], upper))
            if half is not None and pair is not None:
                tokens[-1] = Token(pair, text[half[1] : position], 1, 1, half[1], position - 1)
                half = None
                continue
            tokens.append(Token(_KEYWORDS.get(upper, TokenType.VAR), word, 1, 1, start, position - 1))
            half = (upper, start) if upper in _FIRST_OF_PAIR else None
            continue
        if group == "OPERATOR":
            symbol = text[start:position]
            tokens.append(Token(_OPERATORS[symbol], symbol, 1, 1, start, position - 1))
        else:
            kind = KINDS[group]
            if group not in PLAIN:
                kind, position, _ = closer(text, start, kind, found)
                if kind is Kind.COMMENT:
                    continue
            tokens.append(_valued(text, begin, Lexeme(kind, start, position, text[start:position])))
        half = None
    return tokens


def _valued(text: str, begin: int, lexeme: Lexeme) -> Token:
    """A token that stands for something else than its characters; an error if the text cannot be read there."""
    if lexeme.kind is Kind.ERROR:
        significant(text, begin)  # it says what is wrong
    try:
        value = _checked_value(lexeme)
    except SqlSyntaxError:
        significant(text, begin)  # text that cannot be read is told of first
        raise
    return Token(_BY_KIND[lexeme.kind], value, 1, 1, lexeme.start, lexeme.end - 1)


def _checked_value(lexeme: Lexeme) -> str:
    value = lexeme.value
    if lexeme.kind is Kind.QUOTED and not value:
        raise SqlSyntaxError("a quoted identifier cannot be empty", span=lexeme.span)
    if lexeme.kind is Kind.BYTES:
        try:
            bytes.fromhex(value)
        except ValueError:
            raise SqlSyntaxError("a byte string holds pairs of hexadecimal digits", span=lexeme.span) from None
    return value
