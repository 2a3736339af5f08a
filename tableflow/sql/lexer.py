"""Text into lexemes: the one place that knows strings, comments, quoting and numbers.

The script splitter, the SQL parser, the session commands and the shell all use it, so they never disagree about
where a string ends.  Every character of the text belongs to exactly one lexeme; nothing is an exception here:
malformed text is a lexeme of kind ``ERROR`` with the reason, and who needs a statement raises it.
"""

from __future__ import annotations

import enum
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from tableflow.errors import Span, SqlSyntaxError


class Kind(enum.Enum):
    """What a lexeme is."""

    SPACE = "space"
    COMMENT = "comment"
    HINT = "hint"
    WORD = "word"
    QUOTED = "quoted identifier"
    STRING = "string"
    ESCAPED = "string with escapes"
    DOLLAR = "dollar-quoted string"
    BYTES = "byte string"
    NUMBER = "number"
    OPERATOR = "operator"
    ERROR = "error"


class Lexeme(NamedTuple):
    """A piece of text ``[start, end)``; ``reason`` says what is wrong with an ``ERROR``."""

    kind: Kind
    start: int
    end: int
    text: str
    reason: str = ""

    @property
    def value(self) -> str:
        """What the lexeme stands for: quotes removed and doubled ones undone."""
        match self.kind:
            case Kind.STRING | Kind.QUOTED:
                quote = self.text[0]
                return self.text[1:-1].replace(quote * 2, quote)
            case Kind.DOLLAR:
                tag = self.text.index("$", 1) + 1
                return self.text[tag:-tag]
            case Kind.ESCAPED:
                return _unescaped(self.text[2:-1].replace("''", "'"))
            case Kind.BYTES:
                return self.text[2:-1]
            case Kind.NUMBER:
                plain = self.text.replace("_", "")
                return str(int(plain, 0)) if plain[1:2].isalpha() and plain[1:2] not in "eE" else plain
            case Kind.HINT:
                return self.text[3:-2]
            case _:
                return self.text

    @property
    def span(self) -> Span:
        """The place of the lexeme."""
        return Span(self.start, self.end)


_NO_SPACE = r"""(?P<COMMENT>--[^\n\r]*|/\*)
      | (?P<BYTES>[xX]'[^']*')
      | (?P<ESCAPED>[eE]'(?:[^'\\]|''|\\.)*')
      | (?P<WORD>[^\W\d][\w$]*)
      | (?P<NUMBER>0[xX][\da-fA-F_]*[\da-fA-F]|0[bB][01_]*[01]|0[oO][0-7_]*[0-7]|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d+)?)
      | (?P<STRING>'(?:[^']|'')*')
      | (?P<QUOTED>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
      | (?P<DOLLAR>\$(?:[^\W\d]\w*)?\$)
      | (?P<OPERATOR>::|\|\||<>|!=|<=|>=|==|//|=>|->>|->|:=|[()\[\]{},;.:+\-*/%<>=?&|^~@])
      | (?P<ERROR>.)"""
_PATTERN = re.compile(rf"(?P<SPACE>\s+) | {_NO_SPACE}", re.VERBOSE | re.DOTALL)
SPACED = re.compile(rf"\s*+(?:{_NO_SPACE})", re.VERBOSE | re.DOTALL)
"""A lexeme with the space before it; what it is called is the group that matched last."""
KINDS = {kind.name: kind for kind in Kind}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_WORD_START = re.compile(r"[^\W\d]")
_UNTERMINATED = {"'": "string", '"': "quoted identifier", "`": "quoted identifier"}


def lex(text: str, start: int = 0) -> Iterator[Lexeme]:
    """All lexemes of the text in order, without gaps, from a place where one begins."""
    position, size = start, len(text)
    match, kinds, plain = _PATTERN.match, KINDS, PLAIN
    while position < size:
        found = match(text, position)
        if found is None or found.lastgroup is None:
            raise AssertionError("the pattern matches any character")
        name = found.lastgroup
        if name in plain:
            end = found.end()
            yield Lexeme(kinds[name], position, end, found.group())
            position = end
            continue
        kind, end, reason = closer(text, position, kinds[name], found)
        yield Lexeme(kind, position, end, text[position:end], reason)
        position = end


PLAIN = frozenset({"SPACE", "BYTES", "ESCAPED", "WORD", "STRING", "QUOTED", "OPERATOR"})
"""Kinds that are what the pattern says."""


def closer(text: str, position: int, kind: Kind, found: re.Match[str]) -> tuple[Kind, int, str]:
    """What a lexeme is that has to be looked at again, where it ends, and what is wrong with it."""
    end = found.end()
    if kind is Kind.COMMENT and text.startswith("/*", position):
        return _block_comment(text, position)
    if kind is Kind.DOLLAR:
        return _dollar_string(text, position, text[position:end])
    if kind is Kind.NUMBER and end < len(text) and _WORD_START.match(text, end):
        return _malformed_number(text, end)
    if kind is Kind.ERROR:
        return kind, *_unreadable(text, position)
    return kind, end, ""


def significant(text: str, start: int = 0) -> list[Lexeme]:
    """The lexemes a parser reads; :class:`~tableflow.errors.SqlSyntaxError` for malformed text."""
    kept: list[Lexeme] = []
    for lexeme in lex(text, start):
        if lexeme.kind is Kind.SPACE or lexeme.kind is Kind.COMMENT:
            continue
        if lexeme.kind is Kind.ERROR:
            raise SqlSyntaxError(lexeme.reason, hint=_hint(lexeme, kept), span=lexeme.span)
        kept.append(lexeme)
    return kept


def _hint(unreadable: Lexeme, before: list[Lexeme]) -> str | None:
    """What to do about ``'it's'``, where the last quote opens a string that nothing closes."""
    if (
        len(before) > 1
        and unreadable.text[:1] == "'"
        and before[-1].kind is Kind.WORD
        and before[-2].kind is Kind.STRING
    ) and before[-1].start == before[-2].end:
        return "a single quote inside of a text is doubled: 'it''s'"
    return None


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found.group(1)) or _character(found.group(1)), text)


def _character(escape: str) -> str:
    if escape[0] in "xuU" and len(escape) > 1:
        code = int(escape[1:], 16)
        return chr(code) if code <= sys.maxunicode and not 0xD800 <= code < 0xE000 else "\ufffd"
    return chr(int(escape, 8)) if escape.isdecimal() else escape


def _block_comment(text: str, start: int) -> tuple[Kind, int, str]:
    depth, position = 1, start + 2
    while depth:
        edge = _COMMENT_EDGE.search(text, position)
        if edge is None:
            return Kind.ERROR, len(text), "comment is not closed: */ is missing"
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    # "/*+/" opens a hint only if a hint is in it
    is_hint = text.startswith("+", start + 2) and position - start >= len("/*+*/")
    return (Kind.HINT if is_hint else Kind.COMMENT), position, ""


def _dollar_string(text: str, start: int, tag: str) -> tuple[Kind, int, str]:
    end = text.find(tag, start + len(tag))
    if end < 0:
        return Kind.ERROR, len(text), f"string is not closed: {tag} is missing"
    return Kind.DOLLAR, end + len(tag), ""


def _malformed_number(text: str, end: int) -> tuple[Kind, int, str]:
    while end < len(text) and (text[end].isalnum() or text[end] in "_$"):
        end += 1
    return Kind.ERROR, end, "a number cannot be followed by letters"


def _unreadable(text: str, start: int) -> tuple[int, str]:
    character = text[start]
    if character in _UNTERMINATED:
        return len(text), f"{_UNTERMINATED[character]} is not closed: {character} is missing"
    return start + 1, f"character {character!r} is not part of the language"
