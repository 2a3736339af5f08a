"""CHAR(n) in comparisons: the blanks that fill it up do not count (SQL:2016 part 2, 8.2: PAD SPACE).

A literal is filled up like the column that it is compared with, so that keys and statistics of the column still help; only
beside text of any length do the blanks of the CHAR go.
"""

from __future__ import annotations

from collections.abc import Sequence

from tableflow import types as t
from tableflow.expressions.nodes import Call, Cast, Expression, Literal


def without_padding(texts: Sequence[Expression]) -> list[Expression]:
    """Expressions of text types such that comparing them as they are ignores the blanks at the end of a CHAR."""
    widths = [width for width in map(_width, texts) if width is not None]
    if not widths:
        return list(texts)
    if all(_width(each) is not None or isinstance(each, Literal) for each in texts):
        return [_filled(each, max(widths)) for each in texts]
    return [_trimmed(each) for each in texts]


def _width(of: Expression) -> int | None:
    return of.type.length if isinstance(of.type, t.StringType) and of.type.fixed else None


def _filled(of: Expression, width: int) -> Expression:
    if isinstance(of, Literal):
        text = of.value
        return of if text is None else Literal(t.STRING, str(text).rstrip(" ").ljust(width), of.span)
    return of if _width(of) == width else Cast(t.StringType(width, fixed=True), of, span=getattr(of, "span", None))


def _trimmed(of: Expression) -> Expression:
    if isinstance(of, Literal) and _width(of) is not None and of.value is not None:
        return Literal(t.STRING, str(of.value).rstrip(" "), of.span)
    if _width(of) is None:
        return of
    span = getattr(of, "span", None)
    return Call(t.STRING, "rtrim", (Cast(t.STRING, of, span=span),), span)
