"""Patterns of SIMILAR TO as regular expressions: SQL:1999's own mixture of LIKE and regular expressions.

``%`` and ``_`` are as in LIKE; ``| * + ? {m,n} ( ) [ ]`` as in regular expressions; everything else is itself.  The whole
text has to match.
"""

from __future__ import annotations

_OPERATORS = frozenset("|*+?{}()")


def similar_regex(pattern: str, escape: str) -> str:
    """The regular expression; :class:`ValueError` for a pattern that is none."""
    if len(escape) > 1:
        raise ValueError("ESCAPE takes one character")
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        letter = pattern[at]
        at += 1
        if letter == escape:
            if at == len(pattern):
                raise ValueError(f"the pattern {pattern!r} ends with its escape character")
            parts.append(_literal(pattern[at]))
            at += 1
        elif letter == "[":
            end = pattern.find("]", at + 2 if pattern.startswith("^", at) else at + 1)
            if end < 0:
                raise ValueError(f"a bracket of the pattern {pattern!r} is not closed")
            parts.append("[" + pattern[at:end].replace("\\", r"\\") + "]")
            at = end + 1
        else:
            parts.append({"%": ".*", "_": "."}.get(letter) or (letter if letter in _OPERATORS else _literal(letter)))
    return f"(?s)^(?:{''.join(parts)})$"


def _literal(letter: str) -> str:
    return letter if letter.isalnum() or letter.isspace() or not letter.isascii() else "\\" + letter
