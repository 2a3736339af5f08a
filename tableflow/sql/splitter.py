"""A script into statements with their offsets.

Statements end with ``;``, except inside strings, comments, parentheses of quoting (``$$ ... $$``) and between BEGIN
and END of a statement set.  Everything between two ends belongs to the second statement, so offsets are exact.
"""

from __future__ import annotations

import re

from tableflow.errors import Span
from tableflow.records import dataclass
from tableflow.sql.lexer import Kind, lex


@dataclass(frozen=True, slots=True)
class ScriptStatement:
    """One statement: its text without surrounding space and comments, and where it starts in the script.

    ``terminated`` is False for a last statement without ``;`` and for one whose string or comment is still open:
    the shell then waits for more.
    """

    text: str
    start: int
    terminated: bool = True

    @property
    def span(self) -> Span:
        """The statement's place in the script."""
        return Span(self.start, self.start + len(self.text))


def split(script: str) -> list[ScriptStatement]:
    """The statements of a script in order; empty ones (only space and comments) are left out."""
    if ";" not in script and "--" not in script and "/*" not in script:
        # one statement without comments: a long one need not be read twice
        text = script.strip()
        return [ScriptStatement(text, script.index(text), terminated=False)] if text else []
    only = _only(script)
    return _read(script) if only is None else [only]


def _read(script: str) -> list[ScriptStatement]:
    statements: list[ScriptStatement] = []
    first: int | None = None
    last = 0
    words: list[str] = []
    depth = 0
    for lexeme in lex(script):
        if lexeme.kind is Kind.SPACE or lexeme.kind is Kind.COMMENT:
            continue
        if lexeme.kind is Kind.OPERATOR and lexeme.text == ";" and depth == 0:
            if first is not None:
                statements.append(ScriptStatement(script[first:last], first))
            first, words = None, []
            continue
        if first is None:
            first = lexeme.start
        last = lexeme.end
        if lexeme.kind is Kind.WORD:
            depth = _block_depth(words, lexeme.text.upper(), depth)
    if first is not None:
        statements.append(ScriptStatement(script[first:last], first, terminated=False))
    return statements


_BEFORE = re.compile(r"(?:\s|--[^\n\r]*)*")
"""Space and comments of a line, of which nothing else is part."""
_UNCLEAR = re.compile(r"""[;"`$\\]|--|/\*|\bBEGIN\b""", re.IGNORECASE)
"""What may hide where a statement ends from somebody who does not read its lexemes."""


def _only(script: str) -> ScriptStatement | None:
    """The statement, if it is plain that there is one and that a semicolon ends it."""
    first, end = _before(script), len(script.rstrip())
    if end <= first or script[end - 1] != ";" or _UNCLEAR.search(script, first, end - 1) is not None:
        return None
    text = script[first : end - 1].rstrip()
    return ScriptStatement(text, first) if text and text.count("'") % 2 == 0 else None


def _before(script: str) -> int:
    found = _BEFORE.match(script)
    return 0 if found is None else found.end()


def is_complete(script: str) -> bool:
    """Whether a shell may run the text: its last statement is terminated (or there is none)."""
    statements = split(script)
    return not statements or statements[-1].terminated


_BEGINNINGS = frozenset(
    {
        "ALTER", "CANCEL", "COPY", "CREATE", "DELETE", "DESCRIBE", "DROP", "EXECUTE", "EXPLAIN", "FLUSH", "INSERT", "MERGE", "RESET",
        "SELECT", "SET", "SHOW", "STOP", "TRUNCATE", "UPDATE", "WITH",
    }
)  # fmt: skip


def missing_semicolon(word: str) -> str | None:
    """What to do about a word where a statement cannot go on, if it begins one."""
    word = word.upper()
    return f"if another statement begins with {word}, put ; before it" if word in _BEGINNINGS else None


_EXPLAINING = frozenset({"EXPLAIN", "COST", "CHANGELOG", "PHYSICAL", "LOGICAL", "JSON", "ANALYZE", "WATERMARK"})
"""Words that may stand before the statement that is explained."""


def _block_depth(words: list[str], word: str, depth: int) -> int:
    """Nesting of BEGIN..END after ``word``; ``words`` remembers how the statement began."""
    if len(words) < 4 and (words or word not in _EXPLAINING):
        words.append(word)
        if word == "BEGIN" and words[:-1] in (["EXECUTE", "STATEMENT", "SET"], ["STATEMENT", "SET"]):
            return depth + 1
    if depth == 0:
        return 0
    if word == "CASE" or word == "BEGIN":
        return depth + 1
    return depth - 1 if word == "END" else depth
